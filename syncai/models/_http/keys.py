"""The key of a provider: from the parameter, the environment or a function."""

from __future__ import annotations

import os
import time
from typing import Any

from ..._bridge.caller import call_user_function
from ..._providers.provider import Provider
from ...exceptions import MissingKeyError, UserError
from .._catalog.address import is_loopback
from .._catalog.classes import code_of_model, module_of
from ..keys import ApiKey

_QUOTES = '"\'`\u2018\u2019\u201c\u201d'  # some readers of variable files keep the quotes
_EARLY = 60.0  # a token is not used in its last seconds, since requests take time
_EARLY_PART = 0.1  # at most this share of its lifetime


class KeyFunction:
    """The user's key function. It is called for each attempt, unless its last key is still valid.

    Args:
        function: The function.
        title: The provider's name in messages.
    """

    def __init__(self, function: Any, title: str) -> None:
        self.function = function
        self._title = title
        # The valid key and its expiry: replaced as one value on the loop thread.
        self._valid: tuple[str, float] | None = None

    @property
    def account(self) -> int:
        """A number for the paying account: the same for equal functions, such as a method of one object."""
        try:
            return hash(self.function)
        except TypeError:
            return id(self.function)

    def forget(self) -> None:
        """Call the function again for the next request: the key was refused."""
        self._valid = None

    async def key(self) -> str:
        """The key to send.

        Raises:
            UserError: The function returned no valid key.
        """
        valid = self._valid
        if valid is not None and time.time() < valid[1]:
            return valid[0]
        value = await call_user_function(self.function)
        key, expires_on = _text_of(getattr(value, 'token', value)), getattr(value, 'expires_on', None)
        if key is None:
            kind = type(value).__name__
            raise UserError(f'api_key() of {self._title} must return a key or an AccessToken, not {kind}')
        if wrong := wrong_in_key(key := key.strip()):
            raise UserError(f'The API key for {self._title} (api_key()) {wrong}')
        if expires_on is not None and not isinstance(expires_on, int | float):
            kind = type(expires_on).__name__
            raise UserError(f'expires_on of an AccessToken is a time in seconds since 1970, not {kind}')
        self._valid = None if expires_on is None else (key, _last_use(expires_on))
        return key


def resolve_key(provider: Provider, model_name: str, api_key: ApiKey | None, base_url: str) -> str | KeyFunction | None:
    """The parameter, else the environment's key; None if no key is needed.

    Raises:
        MissingKeyError: There is none; the message names the variable, and shows the code of the model with its key.
        UserError: The text cannot be a key; the message names its source, and does not show it.
    """
    text = _text_of(api_key)
    if text is None and callable(api_key):
        return KeyFunction(api_key, provider.title)
    if api_key is not None and text is None:
        raise UserError(f'api_key must be a str, or a function that gives one, not {type(api_key).__name__}')
    source, key = 'api_key', (text or '').strip()
    if not key:
        source = next((name for name in provider.key_variables if os.environ.get(name, '').strip()), '')
        key = os.environ.get(source, '').strip()
    if not key:
        if not provider.needs_key or is_loopback(base_url):
            return None
        variable = ' or '.join(provider.key_variables)
        raise MissingKeyError(
            f'No API key for {provider.title}: set the environment variable {variable}, or write '
            f'{code_of_model(provider.name, model_name, "api_key=...")} (of {module_of(provider.name)})'
        )
    if wrong := wrong_in_key(key):
        raise UserError(f'The API key for {provider.title} ({source}) {wrong}')
    return key


def wrong_in_key(key: str) -> str | None:
    """Why a text cannot be an API key, in words that do not show it; None if it can."""
    if not key:
        return 'is empty'
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        return 'is written with its quotes: leave them out'
    if key.lower().startswith('bearer '):
        return "begins with 'Bearer': give the key alone"
    if key[0] in '$<' or key[-1] == '>':
        return 'is a placeholder: set it to the key itself'
    if not key.isascii() or not key.isprintable() or ' ' in key:
        return 'holds a character that no key has: was it copied whole?'
    return None


def _text_of(key: object) -> str | None:
    """A key as text, unwrapped from pydantic's `SecretStr`; None for anything else."""
    if (secret := getattr(key, 'get_secret_value', None)) is not None:
        key = secret()
    return key if isinstance(key, str) else None


def _last_use(expires_on: float) -> float:
    seconds = expires_on - time.time()
    return expires_on - min(_EARLY, seconds * _EARLY_PART)

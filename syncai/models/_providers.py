"""The address, the key and the particulars of a provider, from the table, the parameters and the environment."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlsplit

from ..exceptions import MissingKeyError, UserError
from ._provider import Provider, Wire
from ._provider_rows import ENDED, PROVIDERS

__all__ = [
    'ENDED',
    'for_model',
    'is_loopback',
    'is_openai_reasoning_model',
    'Provider',
    'PROVIDERS',
    'resolve_base_url',
    'resolve_key',
    'Wire',
    'wrong_in_key',
]

_QUOTES = '"\'`\u2018\u2019\u201c\u201d'  # files of variables are read by some with the quotes in them
_SAMPLING = frozenset({'temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'logit_bias'})


def for_model(provider: Provider, model_name: str) -> Provider:
    """The row with what is particular to one of the provider's models."""
    if provider.openai_rules:
        provider = _by_openai_rules(provider, model_name.rpartition('openai/')[2])
    for pattern, changes in provider.variants.items():
        if fnmatchcase(model_name, pattern):
            provider = replace(provider, **changes)
    return provider


def _by_openai_rules(provider: Provider, model_name: str) -> Provider:
    if not is_openai_reasoning_model(model_name):
        told = not provider.deployments or model_name.startswith('gpt-')  # a deployment may have any name
        return replace(provider, supports_reasoning_effort=False) if told else provider
    role: Literal['developer', 'user'] = 'user' if model_name.startswith(('o1-mini', 'o1-preview')) else 'developer'
    return replace(
        provider,
        supports_reasoning_effort=True,
        system_role=role,
        unsupported_settings=provider.unsupported_settings | _SAMPLING,
        settings_without_thinking=_SAMPLING,
        thinking_off={'reasoning_effort': _least_effort(model_name)},
    )


def _least_effort(model_name: str) -> str:
    """The first reasoning models, and gpt-6, cannot be told not to think at all."""
    if model_name.startswith(('o', 'gpt-6')):
        return 'low'
    return 'minimal' if model_name == 'gpt-5' or model_name.startswith('gpt-5-') else 'none'


def is_openai_reasoning_model(model_name: str) -> bool:
    """Whether a model of OpenAI reasons, by its name: the o series, and gpt-5 and later but for the chat variants."""
    if model_name.startswith(('o1', 'o3', 'o4')):
        return True
    family, _, rest = model_name.removeprefix('gpt-').partition('-')
    major = family.partition('.')[0]
    return model_name.startswith('gpt-') and major.isdigit() and int(major) >= 5 and not rest.startswith('chat')


def resolve_base_url(provider: Provider, base_url: str | None) -> str:
    """The parameter, else the environment's, else the provider's own address, without a slash at its end.

    Raises:
        UserError: It is not an http or https address.
    """
    if base_url is not None and not isinstance(base_url, str):
        raise UserError(f'base_url must be an address like https://host/v1, not {type(base_url).__name__}')
    if base_url == '':  # such as a variable that is not set: the key and the prompts are not to go somewhere else
        raise UserError(f"base_url is empty: leave it out for {provider.title}'s own address")
    source, url = 'base_url', base_url or provider.default_base_url
    if not base_url and (set_one := _from_environment(provider.base_url_variables)):
        source, url = next(name for name in provider.base_url_variables if os.environ.get(name)), set_one
    if url is None:
        variable = ' or '.join(provider.base_url_variables)
        raise UserError(f'{provider.title} needs an address: pass base_url=..., or set {variable}')
    url = url.strip()
    if wrong := _wrong_in(url):
        raise UserError(f'{source} {wrong}')
    return url.rstrip('/').removesuffix('/chat/completions').removesuffix('/responses').rstrip('/')


def _wrong_in(url: str) -> str | None:
    """What is wrong with a base URL, in words that show no password of it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # a port that is no number, or half a bracket
        return f'cannot be read ({error}): write an address like https://host/v1'
    if '@' in parts.netloc:
        return 'holds a user name or password: pass the key as api_key=... instead'
    if parts.query or parts.fragment:
        return 'must end with its path, without ? or #: pass a key as api_key=...'
    if parts.scheme not in ('http', 'https') or not host or any(c.isspace() for c in url):
        bare = '://' not in url and url and '@' not in url and not any(c.isspace() for c in url)
        scheme = 'http' if is_loopback(f'http://{url}') else 'https'
        meant = f': did you mean {scheme + "://" + url!r}?' if bare else ''
        return f'must be an address like https://host/v1, not {url.rpartition("@")[2]!r}{meant}'
    return 'has port 0' if port == 0 else None


def resolve_key(provider: Provider, api_key: str | None, base_url: str) -> str | None:
    """The parameter, else the environment's key; None where no key is needed.

    Raises:
        MissingKeyError: There is none; names the variable and the parameter.
        UserError: The key cannot be one; the message says where it is from, and does not show it.
    """
    if api_key is not None and not isinstance(api_key, str):
        raise UserError(f'api_key must be a str, not {type(api_key).__name__}')
    source, key = 'api_key', (api_key or '').strip()
    if not key:
        source = next((name for name in provider.key_variables if os.environ.get(name, '').strip()), '')
        key = os.environ.get(source, '').strip()
    if not key:
        if not provider.needs_key or is_loopback(base_url):
            return None
        variable = ' or '.join(provider.key_variables)
        raise MissingKeyError(
            f'No API key for {provider.title}: set the environment variable {variable}, or pass api_key=...'
        )
    if wrong := wrong_in_key(key):
        raise UserError(f'The API key for {provider.title} ({source}) {wrong}')
    return key


def wrong_in_key(key: str) -> str | None:
    """Why a text cannot be an API key, in words that do not show it; None where it can."""
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        return 'is written with its quotes: leave them out'
    if key.lower().startswith('bearer '):
        return "begins with 'Bearer': give the key alone"
    if not key.isascii() or not key.isprintable() or ' ' in key:
        return 'holds a character that no key has: was it copied whole?'
    return None


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(url).hostname or ''
    if host == 'localhost' or host.endswith('.localhost'):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_environment(variables: tuple[str, ...]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name, '').strip())), None)

"""The common part of all wire formats' errors: their place in a body, and their remedies; pure."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ...exceptions import AuthenticationError, BadRequestError, ContextWindowExceeded, ModelHTTPError, NotFoundError
from .._catalog.known_names import KNOWN_MODEL_NAMES, nearest_model_names
from .._catalog.providers import PROVIDERS
from .stated_errors import normal_error, stated_error
from .wordings import is_too_long, is_unknown_key, is_unknown_model

_STATUS_OF_NAME = {
    'badrequest': 400,
    'invalidrequest': 400,
    'invalidargument': 400,
    'validation': 400,
    'authentication': 401,
    'unauthenticated': 401,
    'unauthorized': 401,
    'permission': 403,
    'permissiondenied': 403,
    'forbidden': 403,
    'notfound': 404,
    'ratelimit': 429,
    'ratelimitexceeded': 429,
    'throttling': 429,
    'toomanyrequests': 429,
    'overloaded': 503,
    'serviceunavailable': 503,
    'unavailable': 503,
    'gatewaytimeout': 504,
    'timeout': 504,
}
"""By the normalised name of an error: `RateLimitError` and `rate_limit_error` are one."""

_TOO_LONG = (
    'The conversation is longer than the model takes: shorten it, lower max_tokens where that is high, '
    'or choose a model with more context.'
)
_NEVER_TOO_LONG = (401, 402, 403, 404, 429)  # statuses with another remedy, whatever their text is


def key_hint(provider: str) -> str:
    """The remedy for a refused key."""
    row = PROVIDERS.get(provider)
    variables = ' or '.join(row.key_variables) if row else ''
    return f'Correct {variables or "the key"}, or pass api_key=...'


def prompt_or_model_error(
    error: ModelHTTPError, provider: str, model_name: str, base_url: str | None = None
) -> ModelHTTPError | None:
    """The error as one of a too long conversation, an unknown model or a wrong key; None if it is neither."""
    details = error_details(error.body)
    if error.status_code not in _NEVER_TOO_LONG and is_too_long(details):
        return again(ContextWindowExceeded, error, _TOO_LONG)
    if error.status_code == 405 and base_url:  # such as of an HTML page
        return again(type(error), error, _address_hint(error, base_url))
    if isinstance(error, BadRequestError) and is_unknown_key(details):
        return again(AuthenticationError, error, key_hint(provider))
    unknown = isinstance(error, BadRequestError) and is_unknown_model(details)
    if unknown or isinstance(error, NotFoundError):
        return again(NotFoundError, error, _not_found_hint(error, provider, model_name, base_url))
    return None


def _not_found_hint(error: ModelHTTPError, provider: str, model_name: str, base_url: str | None) -> str:
    """The possible causes: the address, if the answer names no model, and the model's name."""
    name = model_name.removeprefix(f'{provider}:')
    hint = ''
    if base_url and _names_no_model(error, name):
        hint = f'{_address_hint(error, base_url)} '
    if f'{provider}:{name}' in KNOWN_MODEL_NAMES:
        hint += f'{provider}:{name} is a known model: is base_url right, and may this key use it?'
    elif near := nearest_model_names(provider, name):
        hint += f'Did you mean {" or ".join(repr(f"{provider}:{n}") for n in near)}?'
    else:
        hint += f'Is {model_name!r} a model of this server?'
    if base_url and not urlsplit(base_url).path and '/v' not in (error.endpoint or ''):
        hint += f' Or does base_url lack a path, such as {base_url}/v1 ?'
    return hint


def _address_hint(error: ModelHTTPError, base_url: str) -> str:
    return f'{error.endpoint or "The path"} is not known, and no model is named: is base_url ({base_url}) right?'


def _names_no_model(error: ModelHTTPError, name: str) -> bool:
    words = str(error.body or '').lower()
    return error.status_code == 404 and 'model' not in words and name.lower() not in words


def error_details(body: object) -> dict[str, Any]:
    """The error object in a body, whatever its shape, with its text as `message`; empty if there is none."""
    if details := stated_error(body):
        return details
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, str):
        return {'message': body}
    if not isinstance(body, dict):
        return {}
    error = body.get('error', body)
    return normal_error(error) if isinstance(error, dict) else {**body, 'message': str(error)}


def numbered_status(details: dict[str, Any]) -> int | None:
    """The HTTP status in an error object as a number, or None."""
    for name in ('code', 'status', 'status_code'):
        value = details.get(name)
        if isinstance(value, int | str) and str(value).isdecimal() and 400 <= int(value) <= 599:
            return int(value)
    return None


def named_status(details: dict[str, Any]) -> int:
    """The HTTP status for the kind in an error object; 500 for an unknown kind."""
    words = (details.get(name) for name in ('code', 'type', 'status'))
    names = [re.sub('error|exception|[^a-z]', '', word.lower()) for word in words if isinstance(word, str)]
    return next((_STATUS_OF_NAME[name] for name in names if name in _STATUS_OF_NAME), 500)


def again(cls: type[ModelHTTPError], error: ModelHTTPError, hint: str) -> ModelHTTPError:
    """The error as another class, with a line that says what to do."""
    return cls(
        error.status_code,
        error.model_name,
        error.body,
        headers=error.headers,
        endpoint=error.endpoint,
        hint=hint,
        request_id=error.request_id,
        attempts=error.attempts,
        retry_after=error.retry_after,
        provider=error.provider,
        partial=error.partial,
    )

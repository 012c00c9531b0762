"""What the errors of all wire formats have in common: where they are in a body, and what to do about them; pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..exceptions import BadRequestError, ContextWindowExceeded, ModelHTTPError, NotFoundError
from ._known import KNOWN_MODEL_NAMES, nearest_model_names
from ._providers import PROVIDERS
from ._wordings import is_too_long, is_unknown_model

_TOO_LONG = (
    'The conversation is longer than the model takes: shorten it, lower max_tokens where that is high, '
    'or choose a model with more context.'
)
_NEVER_TOO_LONG = (401, 402, 403, 404, 429)  # statuses that have another remedy, whatever their words are


def key_hint(provider: str) -> str:
    """What to do about a key that was not accepted."""
    row = PROVIDERS.get(provider)
    variables = ' or '.join(row.key_variables) if row else ''
    return f'The API key was not accepted: correct {variables or "it"}, or pass api_key=...'


def prompt_or_model_error(
    error: ModelHTTPError, provider: str, model_name: str, base_url: str | None = None
) -> ModelHTTPError | None:
    """The same failure as one of a conversation that is too long, or of an unknown model; None where it is neither."""
    details = error_details(error.body)
    if error.status_code not in _NEVER_TOO_LONG and is_too_long(details):
        return again(ContextWindowExceeded, error, _TOO_LONG)
    unknown = isinstance(error, BadRequestError) and is_unknown_model(details)
    if unknown or isinstance(error, NotFoundError):
        return again(NotFoundError, error, _not_found_hint(error, provider, model_name, base_url))
    return None


def _not_found_hint(error: ModelHTTPError, provider: str, model_name: str, base_url: str | None) -> str:
    """What may be wrong: the address, where the answer names no model, and the model's name."""
    name = model_name.removeprefix(f'{provider}:')
    hint = ''
    if base_url and _names_no_model(error, name):
        hint = f'{error.endpoint or "The path"} is not known, and no model is named: is base_url ({base_url}) right? '
    if f'{provider}:{name}' in KNOWN_MODEL_NAMES:
        hint += f'{provider}:{name} is a known model: is base_url right, and may this key use it?'
    elif near := nearest_model_names(provider, name):
        hint += f'Did you mean {" or ".join(repr(f"{provider}:{n}") for n in near)}?'
    else:
        hint += f'Is {model_name!r} a model of this server?'
    if base_url and not urlsplit(base_url).path and '/v' not in (error.endpoint or ''):
        hint += f' Or does base_url lack a path, such as {base_url}/v1 ?'
    return hint


def _names_no_model(error: ModelHTTPError, name: str) -> bool:
    words = str(error.body or '').lower()
    return error.status_code == 404 and 'model' not in words and name.lower() not in words


def error_details(body: object) -> dict[str, Any]:
    """The error object in a body, whatever its shape; empty where there is none."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, str):
        return {'message': body}
    if not isinstance(body, dict):
        return {}
    error = body.get('error', body.get('detail', body))  # FastAPI's errors are in `detail`, some with an `error` inside
    if isinstance(error, dict):
        inner = error.get('error')
        return inner if isinstance(inner, dict) else {'message': inner, **error} if inner else error
    return {**body, 'message': str(error)}


def again(cls: type[ModelHTTPError], error: ModelHTTPError, hint: str) -> ModelHTTPError:
    """The same failure as another class, with a line that says what to do."""
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

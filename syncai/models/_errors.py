"""What the errors of all wire formats have in common: where they are in a body, and what to do about them; pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..exceptions import ModelHTTPError
from ._known import KNOWN_MODEL_NAMES, nearest_model_names
from ._providers import PROVIDERS

TOO_LONG = 'The conversation is longer than the model takes: shorten it, or choose a model with more context.'


def key_hint(provider: str) -> str:
    """What to do about a key that was not accepted."""
    row = PROVIDERS.get(provider)
    variables = ' or '.join(row.key_variables) if row else ''
    return f'The API key was not accepted: correct {variables or "it"}, or pass api_key=...'


def not_found_hint(provider: str, model_name: str, base_url: str | None) -> str:
    """The names that resemble the one that is not known, and what else may be wrong."""
    name = model_name.removeprefix(f'{provider}:')
    if f'{provider}:{name}' in KNOWN_MODEL_NAMES:
        hint = f'{provider}:{name} is a known model: is base_url right, and may this key use it?'
    elif near := nearest_model_names(provider, name):
        hint = f'Did you mean {" or ".join(repr(f"{provider}:{n}") for n in near)}?'
    else:
        hint = f'Is {model_name!r} a model of this server?'
    if base_url and not urlsplit(base_url).path:
        hint += f' Or does base_url lack a path, such as {base_url}/v1 ?'
    return hint


def error_details(body: object) -> dict[str, Any]:
    """The error object in a body, whatever its shape; empty where there is none."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return {}
    error = body.get('error', body)
    return error if isinstance(error, dict) else {'message': str(error)}


def again(cls: type[ModelHTTPError], error: ModelHTTPError, hint: str) -> ModelHTTPError:
    """The same failure as another class, with a line that says what to do."""
    return cls(
        error.status_code,
        error.model_name,
        error.body,
        headers=error.headers,
        hint=hint,
        request_id=error.request_id,
        attempts=error.attempts,
        retry_after=error.retry_after,
        provider=error.provider,
        partial=error.partial,
    )

"""What an error object of OpenAI's wire format means; pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ..exceptions import (
    AgentRunError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextWindowExceeded,
    ModelHTTPError,
    NotFoundError,
)
from ._known import nearest_model_names
from ._providers import PROVIDERS

_CONTEXT_CODES = frozenset({'context_length_exceeded', 'context_window_exceeded', 'string_above_max_length'})
_CONTEXT_WORDS = ('maximum context length', 'context length exceeded', 'context window', 'prompt is too long')
_FILTER_CODES = frozenset({'content_filter', 'content_policy_violation', 'content_filter_error'})
_STATUS_OF_CODE = {
    'rate_limit_exceeded': 429,
    'rate_limit_error': 429,
    'insufficient_quota': 429,
    'tokens': 429,
    'requests': 429,
    'invalid_api_key': 401,
    'authentication_error': 401,
    'permission_error': 403,
    'model_not_found': 404,
    'not_found_error': 404,
    'invalid_request_error': 400,
    'context_length_exceeded': 400,
    'overloaded': 503,
    'overloaded_error': 503,
    'service_unavailable': 503,
}


def refine_http_error(
    error: ModelHTTPError, provider: str, model_name: str, base_url: str | None = None
) -> AgentRunError:
    """The same failure in the class that says what to do, or with a hint: the key, the nearest names, the address."""
    details = error_details(error.body)
    error.provider = error.provider or provider
    error.model_name = error.model_name or model_name
    if isinstance(error, BadRequestError) or error.status_code == 400:
        if _words(details) & _FILTER_CODES:
            message = f'The content filter of {provider} refused the request: {details.get("message")}'
            return ContentFilterError(message, model_name=model_name, provider=provider, partial=error.partial)
        if _is_context(details):
            hint = 'The conversation is longer than the model takes: shorten it, or choose a model with more context.'
            return _again(ContextWindowExceeded, error, hint)
    elif isinstance(error, AuthenticationError):
        return _again(AuthenticationError, error, _key_hint(provider))
    elif isinstance(error, NotFoundError):
        return _again(NotFoundError, error, _not_found_hint(provider, model_name, base_url))
    return error


def _key_hint(provider: str) -> str:
    row = PROVIDERS.get(provider)
    variables = ' or '.join(row.key_variables) if row else ''
    return f'The API key was not accepted: correct {variables or "it"}, or pass api_key=...'


def _not_found_hint(provider: str, model_name: str, base_url: str | None) -> str:
    if near := nearest_model_names(provider, model_name.removeprefix(f'{provider}:')):
        hint = f'Did you mean {" or ".join(repr(f"{provider}:{n}") for n in near)}?'
    else:
        hint = f'Is {model_name!r} a model of this server?'
    if base_url and not urlsplit(base_url).path:
        hint += f' Or does base_url lack a path, such as {base_url}/v1 ?'
    return hint


def error_in_answer(body: object, provider: str, model_name: str, **context: Any) -> AgentRunError:
    """The error for an `error` object that came with status 200, in a stream or as the whole answer."""
    status = _status(error_details(body))
    error = ModelHTTPError.of(status, model_name, body, provider=provider, **context)
    return refine_http_error(error, provider, model_name)


def error_details(body: object) -> dict[str, Any]:
    """The error object in a body, whatever its shape; empty where there is none."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return {}
    error = body.get('error', body)
    return error if isinstance(error, dict) else {'message': str(error)}


def _words(details: dict[str, Any]) -> set[object]:
    inner = details.get('innererror')
    words = {details.get('code'), details.get('type'), inner.get('code') if isinstance(inner, dict) else None}
    return {word for word in words if isinstance(word, str)}


def _is_context(details: dict[str, Any]) -> bool:
    message = str(details.get('message', '')).lower()
    return bool(_words(details) & _CONTEXT_CODES) or any(words in message for words in _CONTEXT_WORDS)


def _status(details: dict[str, Any]) -> int:
    for name in ('code', 'status', 'status_code'):
        value = details.get(name)
        if isinstance(value, int | str) and str(value).isdecimal() and 400 <= int(value) <= 599:
            return int(value)
    for name in ('code', 'type'):
        word = details.get(name)
        if isinstance(word, str) and (word in _STATUS_OF_CODE or word in _FILTER_CODES):
            return _STATUS_OF_CODE.get(word, 400)
    return 400 if _is_context(details) else 500


def _again(cls: type[ModelHTTPError], error: ModelHTTPError, hint: str) -> ModelHTTPError:
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

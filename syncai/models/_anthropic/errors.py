"""The meaning of Anthropic's error objects; pure."""

from __future__ import annotations

from typing import Any

from ...exceptions import (
    AgentRunError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ModelHTTPError,
)
from .._http.errors import again, error_details, key_hint, named_status, numbered_status, prompt_or_model_error

_FILTER_WORDS = 'content filtering policy'
STATUS_OF_TYPE = {
    'invalid_request_error': 400,
    'authentication_error': 401,
    'billing_error': 402,
    'permission_error': 403,
    'not_found_error': 404,
    'conflict_error': 409,
    'request_too_large': 413,
    'rate_limit_error': 429,
    'api_error': 500,
    'timeout_error': 504,
    'overloaded_error': 529,
}


def refine_http_error(
    error: ModelHTTPError, provider: str, model_name: str, base_url: str | None = None
) -> AgentRunError:
    """The error in a more exact class, or with a hint, such as the key or the nearest names."""
    error.provider = error.provider or provider
    error.model_name = error.model_name or model_name
    words = str(error_details(error.body).get('message', ''))
    if isinstance(error, BadRequestError) and _FILTER_WORDS in words.lower():
        message = f'The content filter of {provider} refused the request: {words}'
        return ContentFilterError(message, model_name=model_name, provider=provider, partial=error.partial)
    if isinstance(error, AuthenticationError):
        return again(AuthenticationError, error, key_hint(provider))
    return prompt_or_model_error(error, provider, model_name, base_url) or error


def error_in_answer(body: object, provider: str, model_name: str, **context: Any) -> AgentRunError:
    """The error for an error object with status 200, in a stream or as the whole answer."""
    details = error_details(body)
    status = STATUS_OF_TYPE.get(str(details.get('type'))) or numbered_status(details) or named_status(details)
    if isinstance(body, dict) and isinstance(body.get('request_id'), str):
        context['request_id'] = body['request_id']
    error = ModelHTTPError.of(status, model_name, body, provider=provider, **context)
    return refine_http_error(error, provider, model_name)


def refusal(details: object, provider: str, model_name: str) -> ContentFilterError:
    """The error for a prompt that was refused before any answer; with the reason if the provider gives one."""
    values = details if isinstance(details, dict) else {}
    reason = ': '.join(str(values[name]) for name in ('category', 'explanation') if values.get(name))
    message = f'{provider} declined to answer{f" ({reason})" if reason else ""}: asking again unchanged does not help'
    return ContentFilterError(message, provider=provider, model_name=model_name)

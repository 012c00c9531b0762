"""The meaning of error objects in OpenAI's wire format; pure."""

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
from .._http.wordings import is_too_long

_FILTER_CODES = frozenset({'content_filter', 'content_policy_violation', 'content_filter_error'})
_POLICIES = ('_policy', '_policy_violation')  # such as bio_policy and image_content_policy_violation
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
    'data_residency_mismatch': 400,
    'context_length_exceeded': 400,
    'overloaded': 503,
    'overloaded_error': 503,
    'service_unavailable': 503,
}


def refine_http_error(
    error: ModelHTTPError, provider: str, model_name: str, base_url: str | None = None
) -> AgentRunError:
    """The error in a more exact class, or with a hint, such as the key, the nearest names or the address."""
    details = error_details(error.body)
    error.provider = error.provider or provider
    error.model_name = error.model_name or model_name
    if (isinstance(error, BadRequestError) or error.status_code == 400) and _is_filtered(details):
        message = f'The content filter of {provider} refused the request: {details.get("message")}'
        return ContentFilterError(message, model_name=model_name, provider=provider, partial=error.partial)
    if isinstance(error, AuthenticationError):
        return again(AuthenticationError, error, key_hint(provider))
    return prompt_or_model_error(error, provider, model_name, base_url) or error


def error_in_answer(body: object, provider: str, model_name: str, **context: Any) -> AgentRunError:
    """The error for an `error` object with status 200, in a stream or as the whole answer."""
    status = _status(error_details(body))
    error = ModelHTTPError.of(status, model_name, body, provider=provider, **context)
    return refine_http_error(error, provider, model_name)


def _words(details: dict[str, Any]) -> set[str]:
    inner = details.get('innererror')
    words = (details.get('code'), details.get('type'), inner.get('code') if isinstance(inner, dict) else None)
    return {word for word in words if isinstance(word, str)}


def _is_filtered(details: dict[str, Any]) -> bool:
    words = _words(details)
    if 'ContentPolicyViolationError' in str(details.get('message')):  # of LiteLLM, for every provider behind it
        return True
    if 'invalid_prompt' in words:  # for a prompt that is malformed, too long or flagged
        return 'policy' in str(details.get('message', '')).lower()
    return bool(words & _FILTER_CODES) or any(word.endswith(_POLICIES) for word in words)


def _status(details: dict[str, Any]) -> int:
    if status := numbered_status(details):
        return status
    for name in ('code', 'type'):
        word = details.get(name)
        if isinstance(word, str) and (word in _STATUS_OF_CODE or word in _FILTER_CODES):
            return _STATUS_OF_CODE.get(word, 400)
        if isinstance(word, str) and ('image' in word or word.startswith('invalid_') or word.endswith(_POLICIES)):
            return 400
    return 400 if is_too_long(details) else named_status(details)

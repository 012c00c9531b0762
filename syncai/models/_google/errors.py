"""The meaning of Google's error objects; pure."""

from __future__ import annotations

from typing import Any

from ...exceptions import (
    AgentRunError,
    AuthenticationError,
    ModelHTTPError,
)
from .._http.errors import again, error_details, key_hint, named_status, numbered_status, prompt_or_model_error

LOGIN = (
    'run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service '
    'account, or pass credentials=...'
)
"""The places where google-auth finds credentials."""

# Google sends 400 where other providers send 401.
_KEY_REASONS = frozenset({'API_KEY_INVALID', 'API_KEY_EXPIRED'})
_STATUS_OF_WORD = {
    'INVALID_ARGUMENT': 400,
    'FAILED_PRECONDITION': 400,
    'OUT_OF_RANGE': 400,
    'UNAUTHENTICATED': 401,
    'PERMISSION_DENIED': 403,
    'NOT_FOUND': 404,
    'ABORTED': 409,
    'RESOURCE_EXHAUSTED': 429,
    'CANCELLED': 499,
    'UNAVAILABLE': 503,
    'DEADLINE_EXCEEDED': 504,
}


def refine_http_error(
    error: ModelHTTPError, provider: str, model_name: str, base_url: str | None = None
) -> AgentRunError:
    """The error in a more exact class, or with a hint, such as the key or the nearest names."""
    details = error_details(error.body)
    error.provider = error.provider or provider
    error.model_name = error.model_name or model_name
    if isinstance(error, AuthenticationError) or _reasons(details) & _KEY_REASONS:
        hint = f'The token was not accepted: {LOGIN}' if provider == 'google-vertex' else key_hint(provider)
        return again(AuthenticationError, error, hint)
    return prompt_or_model_error(error, provider, model_name, base_url) or error


def error_in_answer(body: object, provider: str, model_name: str, **context: Any) -> AgentRunError:
    """The error for an `error` object with status 200, in a stream or as the whole answer."""
    details = error_details(body)
    status = numbered_status(details) or _STATUS_OF_WORD.get(str(details.get('status'))) or named_status(details)
    return refine_http_error(
        ModelHTTPError.of(status, model_name, body, provider=provider, **context), provider, model_name
    )


def _reasons(details: dict[str, Any]) -> set[str]:
    """The reasons in the `ErrorInfo` details."""
    items = details.get('details')
    reasons = (item.get('reason') for item in (items if isinstance(items, list) else ()) if isinstance(item, dict))
    return {reason for reason in reasons if isinstance(reason, str)}

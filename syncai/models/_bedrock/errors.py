"""The meaning of Bedrock's errors; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._transport.request import ErrorFacts
from ...exceptions import (
    AgentRunError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ModelHTTPError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from .._http.answers import text_of
from .._http.errors import again, error_details, named_status, numbered_status, prompt_or_model_error
from .signing import LOGIN

_OF_PROFILES = ('apac.', 'arn:', 'au.', 'ca.', 'eu.', 'global.', 'jp.', 'us.', 'us-gov.')
_FILTER_WORDS = ('content filter', 'blocked by our content')
_KEY_ERRORS = (
    'UnrecognizedClientException',
    'InvalidSignatureException',
    'ExpiredTokenException',
    'InvalidClientTokenId',
    'IncompleteSignature',
    'MissingAuthenticationToken',
)
_STATUS_OF_EXCEPTION = {
    'internalServerException': 500,
    'modelErrorException': 424,
    'modelStreamErrorException': 424,
    'modelTimeoutException': 408,
    'serviceUnavailableException': 503,
    'throttlingException': 429,
    'validationException': 400,
}


def classify(status: int, body: object | None, headers: Mapping[str, str]) -> ErrorFacts:
    """The error class by the error's name, in a header or the body, beyond the status."""
    details = body if isinstance(body, dict) else {}
    error_type = headers.get('x-amzn-errortype') or text_of(details.get('__type')) or ''
    name = error_type.partition(':')[0].rpartition('#')[2]
    kind: type[ModelHTTPError] | None = None
    if name.startswith(_KEY_ERRORS):
        kind, name = AuthenticationError, f'{name}: AWS does not accept the credentials: {LOGIN}'
    elif name == 'ServiceQuotaExceededException':
        kind = RateLimitError
    elif status == 424:  # the model behind the service failed
        kind = ServerError
    return ErrorFacts(error_class=kind, hint=name or None)


def refine_http_error(
    error: ModelHTTPError, provider: str, model_name: str, base_url: str | None = None
) -> AgentRunError:
    """The error in a more exact class, or with a hint."""
    error.provider = error.provider or provider
    error.model_name = error.model_name or model_name
    text = _message(error.body)
    words = text.lower()
    if isinstance(error, BadRequestError):
        if any(word in words for word in _FILTER_WORDS):
            message = f'The content filter of {provider} refused the request: {text}'
            return ContentFilterError(message, model_name=model_name, provider=provider, partial=error.partial)
        if 'inference profile' in words and not model_name.startswith(_OF_PROFILES):
            profile = f'such as {provider}:us.{model_name} or {provider}:global.{model_name}'
            return again(BadRequestError, error, f'The model is asked by the name of an inference profile, {profile}')
    if type(error) is PermissionDeniedError:
        hint = 'Is the model enabled for the account in this region, and may the key or role use it?'
        return again(PermissionDeniedError, error, hint)
    return prompt_or_model_error(error, provider, model_name, base_url) or error


def error_in_stream(name: str, body: object, provider: str, model_name: str) -> AgentRunError:
    """The error for an exception in a stream."""
    values = body if isinstance(body, dict) else {}
    status = values.get('originalStatusCode') if name == 'modelStreamErrorException' else None
    if not isinstance(status, int) or not 400 <= status <= 599:
        details = error_details(body)
        status_of_name = _STATUS_OF_EXCEPTION.get(name) or _STATUS_OF_EXCEPTION.get(str(details.get('code')))
        status = status_of_name or numbered_status(details) or named_status(details)
    kind = classify(status, body, {'x-amzn-errortype': name[:1].upper() + name[1:]})
    make = kind.error_class or ModelHTTPError.of
    return refine_http_error(make(status, model_name, body, provider=provider, hint=kind.hint), provider, model_name)


def _message(body: object) -> str:
    values: Any = body if isinstance(body, dict) else {'message': body}
    return text_of(values.get('originalMessage')) or text_of(error_details(values).get('message')) or ''

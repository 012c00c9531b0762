"""Errors of providers and of requests to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._base.http_words import http_error_text
from .._base.other_names import OF_HTTP_ERRORS
from ._root import AgentRunError


class ModelAPIError(AgentRunError):
    """The provider could not be reached, or answered with an error.

    Attributes:
        request_id: The provider's id of the request, for support, or None.
        attempts: How many times the request was sent; 0 when it never left.
        retry_after: Seconds the provider asked to wait before the next attempt, or None.
    """

    request_id: str | None
    attempts: int
    retry_after: float | None

    def __init__(
        self,
        message: str,
        *,
        request_id: str | None = None,
        attempts: int = 0,
        retry_after: float | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.request_id = request_id
        self.attempts = attempts
        self.retry_after = retry_after


class ModelConnectionError(ModelAPIError, ConnectionError):
    """The provider could not be reached, or the connection broke before the answer began.

    Attributes:
        host: Host and port that were tried, or None.
    """

    host: str | None

    def __init__(self, message: str, *, host: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.host = host


class ModelTimeoutError(ModelAPIError, TimeoutError):
    """The provider was silent for too long.

    Attributes:
        phase: What the call waited for: `connect`, `send`, `first event`, `next event` or `call`.
        limit: The limit that passed, in seconds, or None.
    """

    phase: str
    limit: float | None

    def __init__(self, message: str, *, phase: str = 'call', limit: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.phase = phase
        self.limit = limit


class DeadlineExceeded(ModelTimeoutError):
    """The whole call, retries and streaming included, took longer than its `timeout`.

    Args:
        message: What happened; the phases are added to it.

    Attributes:
        phase: What was interrupted: `rate limit`, `concurrency limit` or `connection slot` (waiting for one);
            `model request`, or of a stream `first event`, `next event` or `stream reader` (it was not read on);
            `retry wait`; in the run of an agent also `system prompts`, `prepare of tool 'name'`, `tool 'name'` and
            `result validation`.
        phases: Each phase of the call and the seconds it took, in the order in which each ended first; tools that ran
            side by side overlap.
    """

    phases: tuple[tuple[str, float], ...]

    def __init__(self, message: str, *, phases: tuple[tuple[str, float], ...] = (), **context: Any) -> None:
        listed = ', '.join(f'{name} {seconds:.2f} s' for name, seconds in phases)
        super().__init__(f'{message}. It went into: {listed}' if listed else message, **context)
        self.phases = phases


class IncompleteStreamError(ModelAPIError):
    """The stream ended before the provider's signal that it was done; `partial` holds what had arrived."""


class ModelHTTPError(ModelAPIError):
    """The provider answered with an HTTP error status.

    Args:
        status_code: The HTTP status.
        model_name: The model that was asked.
        body: The decoded JSON body, an excerpt of any other body, or None.

    Attributes:
        headers: The headers of the answer that describe the failure: rate limits, retry hints and request ids.
        endpoint: Method and path of the request, without its query, such as `POST /v1/chat/completions`; or None.
    """

    status_code: int
    body: object | None
    headers: Mapping[str, str]
    endpoint: str | None = None
    _other_names = OF_HTTP_ERRORS

    def __init__(
        self,
        status_code: int,
        model_name: str | None = None,
        body: object | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        endpoint: str | None = None,
        hint: str | None = None,
        **context: Any,
    ) -> None:
        message = http_error_text(type(self).__mro__, status_code, model_name, body, context, hint)
        super().__init__(message, model_name=model_name, **context)
        self.status_code = status_code
        self.body = body
        self.headers = dict(headers or {})
        self.endpoint = endpoint
        # Result backends with JSON, such as Celery's, rebuild the error from its class and these.
        self.args = (status_code, model_name, body)

    @classmethod
    def of(
        cls, status_code: int, model_name: str | None = None, body: object | None = None, **context: Any
    ) -> ModelHTTPError:
        """An error of the class for `status_code`; takes the same arguments as the constructor."""
        default = ServerError if status_code >= 500 else ModelHTTPError
        return _CLASS_OF_STATUS.get(status_code, default)(status_code, model_name, body, **context)


class BadRequestError(ModelHTTPError):
    """The provider refused the request as malformed or unsupported (400, 409, 413, 422)."""


class ContextWindowExceeded(BadRequestError):
    """The conversation is longer than the model takes: shorten it, or use a model with a larger context window."""


class AuthenticationError(ModelHTTPError):
    """The provider did not accept the API key (401)."""


class PermissionDeniedError(ModelHTTPError):
    """The key is valid but may not use this model or region (403)."""


class NotFoundError(ModelHTTPError):
    """The provider does not know the model or the address (404)."""


class RateLimitError(ModelHTTPError):
    """Too many requests or tokens, or no credit left (429); `retry_after` says how long to wait, where known."""


class ServerError(ModelHTTPError):
    """The provider failed (5xx) or gave up waiting (408)."""


class OverloadedError(ServerError):
    """The provider has no capacity at the moment (503, 529)."""


_CLASS_OF_STATUS: Mapping[int, type[ModelHTTPError]] = {
    **dict.fromkeys((400, 409, 413, 422), BadRequestError),
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: ServerError,
    429: RateLimitError,
    **dict.fromkeys((503, 529), OverloadedError),
}

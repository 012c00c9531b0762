"""The errors of syncai: one tree.

    SyncAIError
    ├── UserError (RuntimeError)                  the call is wrong: correct the program
    │   ├── MissingKeyError                       no API key; names the variable and the parameter
    │   └── LoopThreadError                       a synchronous call made on the loop thread would wait for itself
    ├── ModelRetry                                raised by *your* functions: ask the model to try again
    └── AgentRunError (RuntimeError)              the call was right and failed all the same
        ├── UsageLimitExceeded                    a limit of `UsageLimits` was passed
        ├── UnexpectedModelBehavior               the answer makes no sense
        ├── ContentFilterError                    the provider withheld the answer
        ├── AllModelsFailed (ExceptionGroup)      a `FallbackModel` has no model left to ask; holds the error of each
        ├── ReaderTimeout (TimeoutError)          a stream was stopped that nobody read for its `reader_timeout`
        ├── DownloadError                         a file that the prompt names by its address could not be fetched
        ├── CallCancelled                         the call was stopped: closed, shut down or cancelled elsewhere
        │   ├── LoopThreadDied                    the loop thread is gone
        │   └── ForkedError                       the call belongs to the parent of this forked process
        └── ModelAPIError                         the provider could not be reached, or answered with an error
            ├── ModelConnectionError (ConnectionError)   no connection, or it broke before the answer began
            ├── ModelTimeoutError (TimeoutError)         connect, first-event or idle timeout
            │   └── DeadlineExceeded                     the whole call took longer than its `timeout`
            ├── IncompleteStreamError             the stream ended before the provider said it was done
            └── ModelHTTPError                    an HTTP status; one class for each kind of remedy
                ├── BadRequestError                      400, 409, 413, 422
                │   └── ContextWindowExceeded            the conversation is too long for the model
                ├── AuthenticationError                  401
                ├── PermissionDeniedError                403
                ├── NotFoundError                        404
                ├── RateLimitError                       429
                └── ServerError                          5xx, and 408
                    └── OverloadedError                  503, 529

Every class can be pickled and copied. None of them holds a key, a request header or an object of another library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ._base.http_words import http_error_text
from ._base.printable import printable

if TYPE_CHECKING:
    from .messages import ModelMessage, ModelResponse

__all__ = [
    'AgentRunError',
    'AllModelsFailed',
    'AuthenticationError',
    'BadRequestError',
    'CallCancelled',
    'ContentFilterError',
    'ContextWindowExceeded',
    'DeadlineExceeded',
    'DownloadError',
    'ForkedError',
    'IncompleteStreamError',
    'LoopThreadDied',
    'LoopThreadError',
    'MissingKeyError',
    'ModelAPIError',
    'ModelConnectionError',
    'ModelHTTPError',
    'ModelRetry',
    'ModelTimeoutError',
    'NotFoundError',
    'OverloadedError',
    'PermissionDeniedError',
    'RateLimitError',
    'ReaderTimeout',
    'ServerError',
    'SyncAIError',
    'UnexpectedModelBehavior',
    'UsageLimitExceeded',
    'UserError',
]


def _restore(cls: type[SyncAIError], args: tuple[Any, ...], state: dict[str, Any]) -> SyncAIError:
    """The error as it was pickled, without running a constructor whose signature may differ."""
    # The first `__new__` that Python finds in a class with two built-in bases may be the one of the wrong base.
    base: Any = next(base for base in (OSError, ExceptionGroup, Exception) if issubclass(cls, base))
    error: Any = base.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return cast('SyncAIError', error)


class SyncAIError(Exception):
    """Anything that syncai raises.

    Args:
        message: What happened, and what to do about it.
    """

    message: str

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        return self.message


class UserError(SyncAIError, RuntimeError):
    """The program uses syncai in a way that cannot work; the message says what to change."""


class MissingKeyError(UserError):
    """No API key was given; the message names the environment variable and the parameter that take it."""


class LoopThreadError(UserError):
    """A synchronous call was made on the loop thread, where it would wait for itself for ever; use the async form."""


class ModelRetry(SyncAIError):
    """Raise it in a tool or a validator to send `message` back to the model and ask for another attempt."""


class AgentRunError(SyncAIError, RuntimeError):
    """A correct call that failed.

    Attributes:
        model_name: The model that was asked, or None.
        provider: The provider that was asked, such as `openai`, or None.
        partial: What had arrived of the answer when the call failed, or None.
        messages: The conversation of the agent's run until then, or None outside of one.
    """

    model_name: str | None
    provider: str | None
    partial: ModelResponse | None
    messages: list[ModelMessage] | None = None

    def __init__(
        self,
        message: str,
        *,
        model_name: str | None = None,
        provider: str | None = None,
        partial: ModelResponse | None = None,
    ) -> None:
        super().__init__(printable(message))
        self.model_name = model_name
        self.provider = provider
        self.partial = partial


class UsageLimitExceeded(AgentRunError):
    """A limit of `UsageLimits` was passed; the run was stopped before it could spend more."""


class UnexpectedModelBehavior(AgentRunError):
    """The answer is not one that the provider's format or the result type allows.

    Args:
        message: What was unexpected.
        body: An excerpt of the answer, or None.
    """

    body: str | None = None  # also while it is being made: whoever watches errors may show it then

    def __init__(self, message: str, body: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.body = None if body is None else printable(body)

    def __str__(self) -> str:
        return f'{self.message}, body:\n{self.body}' if self.body else self.message


class ContentFilterError(AgentRunError):
    """The provider's content filter withheld the question or the answer; asking again unchanged does not help."""


class AllModelsFailed(AgentRunError, ExceptionGroup[Exception]):
    """Every model of a `FallbackModel` failed; also an `ExceptionGroup`, so that `except*` finds the errors in it.

    Args:
        message: What happened.
        errors: The error of each model, in the order in which they were asked; at least one.
    """

    message: str = ''  # pyright: ignore[reportIncompatibleMethodOverride]  # over the read-only attribute of groups

    def __new__(cls, message: str, errors: Sequence[Exception], **context: Any) -> AllModelsFailed:
        """The group of the errors."""
        del context
        return ExceptionGroup.__new__(cls, message, tuple(errors))  # RuntimeError's own comes first, and refuses

    def __init__(self, message: str, errors: Sequence[Exception], **context: Any) -> None:
        super().__init__(message, **context)
        self.args = (message, tuple(errors))

    @property
    def errors(self) -> tuple[Exception, ...]:
        """The error of each model, in the order in which they were asked; an answer not accepted is one too."""
        return self.exceptions


class ReaderTimeout(AgentRunError, TimeoutError):
    """A stream was stopped, since nobody read it for `HttpOptions.reader_timeout`; `partial` holds what had arrived."""


class DownloadError(AgentRunError):
    """A file that the prompt names by its address could not be fetched for a provider that wants its bytes."""


class CallCancelled(AgentRunError):
    """The call was stopped before it was done: its stream was closed, or the process is shutting down."""


class LoopThreadDied(CallCancelled):
    """The loop thread ended under the call; the next call starts a new one."""


class ForkedError(CallCancelled):
    """The call or stream was begun in the parent of this forked process, where it goes on; start it anew here."""


class ModelAPIError(AgentRunError):
    """The provider could not be reached, or answered with an error.

    Attributes:
        request_id: The provider's name for the request, to quote in a support case, or None.
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
        phase: What was waited for: `connect`, `send`, `first event`, `next event` or `call`.
        limit: The limit that passed, in seconds, or None.
    """

    phase: str
    limit: float | None

    def __init__(self, message: str, *, phase: str = 'call', limit: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.phase = phase
        self.limit = limit


class DeadlineExceeded(ModelTimeoutError):
    """The call as a whole, retries and streaming included, took longer than its `timeout`.

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
        told = ', '.join(f'{name} {seconds:.2f} s' for name, seconds in phases)
        super().__init__(f'{message}. It went into: {told}' if told else message, **context)
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
        # Result backends that speak JSON, as Celery's may, make the error again from its class and these.
        self.args = (status_code, model_name, body)

    @classmethod
    def of(
        cls, status_code: int, model_name: str | None = None, body: object | None = None, **context: Any
    ) -> ModelHTTPError:
        """The error of the class that stands for `status_code`, with the same arguments as the constructor."""
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

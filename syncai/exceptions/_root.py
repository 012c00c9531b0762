"""Errors that every part of the package may raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from .._base.other_names import OF_ERRORS, OtherNames
from .._base.printable import printable

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ..messages import ModelMessage, ModelResponse


def _restore(cls: type[SyncAIError], args: tuple[Any, ...], state: dict[str, Any]) -> SyncAIError:
    """The unpickled error, made without a constructor, whose signature may differ."""
    # In a class with two built-in bases, the first `__new__` may belong to the wrong base.
    base: Any = next(base for base in (OSError, ExceptionGroup, Exception) if issubclass(cls, base))
    error: Any = base.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return cast('SyncAIError', error)


class SyncAIError(OtherNames, Exception):
    """Anything that syncai raises.

    Args:
        message: What happened, and what to do about it.
    """

    message: str
    _other_names = OF_ERRORS

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
    """No API key is set; the message names the environment variable and the parameter that take it."""


class LoopThreadError(UserError):
    """A synchronous call was made on the loop thread, where it would wait for itself forever; use the async form."""


class ChatRequestError(UserError):
    """The request of a chat page is refused; the message is a sentence for its user.

    Attributes:
        status_code: The HTTP status of the answer: 400, 403, 413 or 415.
    """

    status_code: int

    def __init__(self, message: str, *, status_code: int = 400) -> None:
        super().__init__(message)
        self.status_code = status_code


class DecisionError(UserError):
    """A conversation waits for decisions about calls of tools, or the decisions are about calls that do not wait.

    Attributes:
        tools: The names of the tools that wait; empty if the decisions are wrong.
    """

    tools: tuple[str, ...]

    def __init__(self, message: str, *, tools: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.tools = tools


class TapeError(UserError):
    """A tape cannot be read, used or written; nothing was overwritten."""


class TapeMismatch(TapeError):
    """The request is not on a replayed tape; the message shows how the nearest recorded request differs.

    Attributes:
        path: The file or directory of the tape, or None.
        diff: The lines that differ from the nearest recorded request; empty if there is none.
    """

    path: str | None
    diff: str

    def __init__(self, message: str, *, path: str | None = None, diff: str = '') -> None:
        super().__init__(message)
        self.path = path
        self.diff = diff


class ModelRetry(SyncAIError):
    """Raise it in a tool or a validator to send `message` back to the model and ask for another attempt."""


class Pause(SyncAIError):
    """Raise it in a tool to have the call wait for a decision: the run ends with `RunPaused`, and can be resumed.

    Once the call is approved, the tool is called again, with `ctx.approved` true.

    Args:
        reason: Why the call waits, for a person to read.
        details: More facts for the decision: anything that JSON can hold.
    """

    def __init__(self, reason: str, *, details: Any = None) -> None:
        super().__init__(reason)
        self.details = details


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


class BudgetExceeded(UsageLimitExceeded):
    """A request does not fit in a budget, or in the `price_limit` of `UsageLimits`, and was not sent.

    Attributes:
        name: The budget, with its values, such as `user:42`; or `price_limit`.
        spent: What was spent of it, in US dollars.
        limit: What may be spent of it.
        resets_at: When its next window begins, in UTC; None if it has only one.
    """

    name: str
    spent: Decimal
    limit: Decimal
    resets_at: datetime | None

    def __init__(
        self,
        message: str,
        *,
        name: str = '',
        spent: Decimal | None = None,
        limit: Decimal | None = None,
        resets_at: datetime | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        from decimal import Decimal

        self.name = name
        self.spent = Decimal(0) if spent is None else spent
        self.limit = Decimal(0) if limit is None else limit
        self.resets_at = resets_at


class UnexpectedModelBehavior(AgentRunError):
    """The answer is not one that the provider's format or the result type allows.

    Args:
        message: What was unexpected.
        body: An excerpt of the answer, or None.
    """

    body: str | None = None  # even during construction: a debugger may show it then

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
        errors: The error of each model, in the order of the attempts; at least one.
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
        """The error of each model, in the order of the attempts; a refused answer counts as an error."""
        return self.exceptions


class ReaderTimeout(AgentRunError, TimeoutError):
    """A stream was stopped because its reader paused longer than `HttpOptions.reader_timeout`; see `partial`."""


class DownloadError(AgentRunError):
    """A file that the prompt names by its address could not be fetched for a provider that wants its bytes."""


class CallCancelled(AgentRunError):
    """The call was stopped before it was done: its stream was closed, or the process is shutting down."""


class LoopThreadDied(CallCancelled):
    """The loop thread ended under the call; the next call starts a new one."""


class ForkedError(CallCancelled):
    """The call or stream belongs to the parent of this forked process; start it again here."""


class BatchError(AgentRunError):
    """A row of a batch has no answer, for a reason outside of the row.

    Attributes:
        reason: `'expired'` or `'cancelled'`: the job ended before the row's turn; `'failed'`: the provider did not
            begin the job; `'missing'`: the results lack the row; `'gone'`: the provider deleted the results;
            `'rounds'`: the model calls tools after the last round.
        job_id: The provider's id of the job, or None.
    """

    reason: str
    job_id: str | None

    def __init__(self, message: str, *, reason: str = 'missing', job_id: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.reason = reason
        self.job_id = job_id


class StoreError(AgentRunError):
    """A file or server that keeps conversations, journals or budgets failed: full, locked, lost, refused.

    Its content is unchanged. A file that cannot be such a store is a `UserError`.
    """


class ConversationConflict(AgentRunError):
    """Another writer changed the conversation since it was loaded; what it wrote is kept. Load it again and ask again.

    Attributes:
        id: The id of the conversation, or None.
        version: The version that the writer had loaded, or None.
    """

    id: str | None
    version: int | None

    def __init__(self, message: str, *, id: str | None = None, version: int | None = None, **context: Any) -> None:  # noqa: A002
        super().__init__(message, **context)
        self.id = id
        self.version = version

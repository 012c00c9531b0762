"""The results of runs of an agent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from ._base.call_hints import explain_methods
from ._base.frozen import dataclass
from ._base.lazy import importer
from ._base.other_names import OF_COSTS, OF_RESULTS, OF_ROWS, OtherNames
from ._base.tracebacks import only_user_frames
from ._base.values import Value
from ._prices import Price, price_of_run
from .exceptions import SyncAIError, UserError
from .messages import ModelMessage, ModelRequest, ModelResponse, ToolReturnPart
from .usage import Usage

if TYPE_CHECKING:
    from .approvals import PendingCall
    from .content import PromptContent

__all__ = ['Cost', 'MapRow', 'messages_json', 'RunPaused', 'RunResult', 'Step']

ResultT = TypeVar('ResultT', default=str)


@dataclass(frozen=True, slots=True)
class Cost(OtherNames):
    """The tokens of a run.

    Attributes:
        request_tokens: Tokens of the prompts, or None if no provider reported them.
        response_tokens: Tokens of the answers, or None.
        total_tokens: Tokens of both, or None.
        details: Further counts by name, or None.
    """

    request_tokens: int | None = None
    response_tokens: int | None = None
    total_tokens: int | None = None
    details: dict[str, int] | None = None

    _other_names = OF_COSTS

    @classmethod
    def of(cls, usage: Usage) -> Cost:
        """The tokens in `usage`."""
        return cls(usage.request_tokens, usage.response_tokens, usage.total_tokens, usage.details)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RunResult(Value, OtherNames, Generic[ResultT]):
    """The result of a run, with its messages and its usage.

    Attributes:
        data: The result, validated.
    """

    data: ResultT
    _messages: tuple[ModelMessage, ...] = field(repr=False, kw_only=True)
    _first_new: int = field(repr=False, kw_only=True)
    _usage: Usage = field(repr=False, kw_only=True)
    _result_tool_call_id: str | None = field(default=None, repr=False, kw_only=True)

    _other_names = OF_RESULTS
    _value_name = 'data'

    def usage(self) -> Usage:
        """What the run has used; what was passed as `usage=` is part of it."""
        return self._usage

    def _repr_markdown_(self) -> str:
        from ._base.notebook import markdown_of  # here, since most programs are no notebooks

        return markdown_of(self.data)

    def cost(self) -> Cost:
        """The tokens that the run has used."""
        return Cost.of(self._usage)

    def all_messages(self, *, result_tool_return_content: str | None = None) -> list[ModelMessage]:
        """The whole conversation, the `message_history` of the run included; pass it to the next run.

        Args:
            result_tool_return_content: The return of the result tool in the messages; None keeps the default.

        Raises:
            UserError: The result was not given by a tool.
        """
        return self._with_return(self._messages, result_tool_return_content)

    def new_messages(self, *, result_tool_return_content: str | None = None) -> list[ModelMessage]:
        """The messages of this run alone."""
        return self._with_return(self._messages[self._first_new :], result_tool_return_content)

    def all_messages_json(self, *, result_tool_return_content: str | None = None) -> bytes:
        """`all_messages` as JSON, for `ModelMessagesTypeAdapter.validate_json`."""
        return messages_json(self.all_messages(result_tool_return_content=result_tool_return_content))

    def new_messages_json(self, *, result_tool_return_content: str | None = None) -> bytes:
        """`new_messages` as JSON."""
        return messages_json(self.new_messages(result_tool_return_content=result_tool_return_content))

    def timestamp(self) -> datetime:
        """When the last answer came."""
        return self.response.timestamp

    @property
    def response(self) -> ModelResponse:
        """The model's last answer.

        Its `finish_reason` is `'stop'`, or `'tool_call'` where a tool gave the result. A text with `'length'` was cut
        off at the most tokens that the model may generate, and one with `'content_filter'` by the provider's filter.
        Such a text is still the result, and a warning is logged.
        """
        return next(m for m in reversed(self._messages) if isinstance(m, ModelResponse))

    @property
    def price(self) -> Price | None:
        """The price of the run in US dollars, or None if that of one of its requests is not known.

        Nested runs that share its usage are part of it; what was passed as `usage=` is not.

        Raises:
            UserError: The extra `prices` is not installed.
        """
        return price_of_run(self._usage, self._messages[self._first_new :])

    def _with_return(self, messages: Sequence[ModelMessage], content: str | None) -> list[ModelMessage]:
        if content is None:
            return list(messages)
        call_id = self._result_tool_call_id
        if call_id is None:
            raise UserError('result_tool_return_content is set, but the result of this run was not given by a tool')
        return [_with_content(message, call_id, content) for message in messages]


@dataclass(frozen=True, slots=True, repr=False)
class MapRow(Value, OtherNames, Generic[ResultT]):
    """One row of a map: a prompt and what its run gave; reads like the `RunResult` of that run.

    Where the run failed, `data` raises its error, and the rest is what the run had until then.

    Attributes:
        prompt: The prompt.
        error: Why the run failed, or None.
        key: The key of the row: from `key=`, or with `journal=` made from the prompt; else None.
        stored: Whether the row comes from the journal, so that no request was made and paid for it now.
    """

    _other_names = OF_ROWS
    _value_name = 'data'

    prompt: PromptContent | Sequence[PromptContent]
    error: Exception | None
    _run: RunResult[ResultT] = field(repr=False)
    key: Any = field(default=None, kw_only=True)
    stored: bool = field(default=False, kw_only=True)

    @property
    def data(self) -> ResultT:
        """The result, validated.

        Raises:
            Exception: The row's `error`, if there is one.
        """
        error, run = self.error, self._run
        if error is None:
            return run.data
        try:
            with only_user_frames:
                raise error
        finally:
            del self, error  # the traceback holds this frame, so the frame must not hold the error

    def usage(self) -> Usage:
        """What the run has used; what was passed as `usage=` is part of it."""
        return self._run.usage()

    def cost(self) -> Cost:
        """The tokens that the run has used."""
        return self._run.cost()

    def all_messages(self, *, result_tool_return_content: str | None = None) -> list[ModelMessage]:
        """The whole conversation, the `message_history` of the run included; arguments as in `RunResult`."""
        return self._run.all_messages(result_tool_return_content=result_tool_return_content)

    def new_messages(self, *, result_tool_return_content: str | None = None) -> list[ModelMessage]:
        """The messages of this run alone."""
        return self._run.new_messages(result_tool_return_content=result_tool_return_content)

    def all_messages_json(self, *, result_tool_return_content: str | None = None) -> bytes:
        """`all_messages` as JSON, for `ModelMessagesTypeAdapter.validate_json`."""
        return self._run.all_messages_json(result_tool_return_content=result_tool_return_content)

    def new_messages_json(self, *, result_tool_return_content: str | None = None) -> bytes:
        """`new_messages` as JSON."""
        return self._run.new_messages_json(result_tool_return_content=result_tool_return_content)

    def timestamp(self) -> datetime:
        """When the last answer came; raises the row's error if none did."""
        return self.response.timestamp

    @property
    def response(self) -> ModelResponse:
        """The model's last answer; raises the row's error if there is none."""
        if not any(isinstance(message, ModelResponse) for message in self._run.all_messages()):
            self.data  # noqa: B018 - raises
        return self._run.response

    @property
    def price(self) -> Price | None:
        """The price of the run in US dollars, or None if that of one of its requests is not known.

        Nested runs that share its usage are part of it; what was passed as `usage=` is not.

        Raises:
            UserError: The extra `prices` is not installed.
        """
        return self._run.price

    def __repr__(self) -> str:
        outcome = f'data={self._run.data!r}' if self.error is None else f'error={self.error!r}'
        key = '' if self.key is None else f'key={self.key!r}, '
        return f'MapRow({key}prompt={self.prompt!r}, {outcome})'


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Step(Value, OtherNames, Generic[ResultT]):
    """One step of a run: an answer of the model, and the returns of the tools that it called.

    Attributes:
        messages: The whole conversation until now; the next step takes it, in any process and at any time.
        pending: The calls that wait for a decision; the next step takes it as `answers=`.
        usage: What the step has used; what was passed as `usage=` is part of it.
    """

    messages: list[ModelMessage] = field(repr=False)
    pending: tuple[PendingCall, ...]
    usage: Usage
    _result: RunResult[ResultT] | None = field(default=None, repr=False)

    @property
    def done(self) -> bool:
        """Whether the run has its result."""
        return self._result is not None

    @property
    def result(self) -> RunResult[ResultT]:
        """The result of the run, whose `new_messages` are those of this step.

        Raises:
            UserError: The run is not done.
        """
        if self._result is None:
            raise UserError('The run has no result yet: look at `done`, and give `messages` to the next step')
        return self._result

    def messages_json(self) -> bytes:
        """`messages` as JSON, which `agent.step_sync` takes."""
        return messages_json(self.messages)

    def __repr__(self) -> str:
        state = f'result={self._result!r}' if self.done else f'pending={list(self.pending)!r}'
        return f'Step({len(self.messages)} messages, {state})'


class RunPaused(SyncAIError):
    """A run in which calls of tools wait for a decision: keep `messages_json()`, and continue with `agent.resume_sync`.

        paused.messages_json(), paused.pending                           # store both; any process may continue later
        agent.resume_sync(messages, {call_id: Approve(), other: Deny('not above 100')})

    The other calls of the same response have run to their end, and their returns are in the messages.

    Attributes:
        pending: The calls that wait.
        messages: The whole conversation until now.
        usage: The usage of the run; pass it as `usage=` to have limits hold across pauses.
    """

    def __init__(
        self,
        message: str,
        *,
        pending: Sequence[PendingCall] = (),
        messages: Sequence[ModelMessage] = (),
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.pending = tuple(pending)
        self.messages = list(messages)
        self.usage = usage or Usage()

    def messages_json(self) -> bytes:
        """`messages` as JSON, which `agent.resume_sync` takes."""
        return messages_json(self.messages)


def _with_content(message: ModelMessage, call_id: str, content: str) -> ModelMessage:
    from dataclasses import replace

    if not isinstance(message, ModelRequest):
        return message
    parts = [
        replace(part, content=content) if isinstance(part, ToolReturnPart) and part.tool_call_id == call_id else part
        for part in message.parts
    ]
    return replace(message, parts=parts)


def messages_json(messages: Sequence[ModelMessage]) -> bytes:
    """A conversation as JSON, for `ModelMessagesTypeAdapter.validate_json`."""
    from .messages import ModelMessagesTypeAdapter

    return ModelMessagesTypeAdapter.dump_json(list(messages))


for _kind in (RunResult, MapRow):
    explain_methods(_kind, usage='.total_tokens', cost='.total_tokens', all_messages='[-1]', new_messages='[-1]')

if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})

"""Events of the run of an agent: those of its answers and those of its tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from ._base.frozen import dataclass
from ._base.lazy import importer
from ._base.values import Value
from .approvals import PendingCall
from .messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    RetryPromptPart,
    ToolCallPart,
    ToolReturnPart,
)

__all__ = [
    'AgentStreamEvent',
    'FinalResultEvent',
    'FunctionToolCallEvent',
    'FunctionToolResultEvent',
    'PartDeltaEvent',
    'PartEndEvent',
    'PartStartEvent',
    'ResponseEndEvent',
    'ResultRefusedEvent',
    'ToolCallPausedEvent',
]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PartEndEvent(Value):
    """The part at `index` is over: the next part has begun, or the response has ended. Some servers mix thoughts and
    text, so more of a part may arrive after the next has begun; `ResponseEndEvent` has the complete parts.

    Args:
        index: That of the part's other events.
        part: The part, whole.
    """

    index: int
    part: ModelResponsePart
    event_kind: ClassVar[Literal['part_end']] = 'part_end'


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ResponseEndEvent(Value):
    """The response has ended; next, its tools are called or its result is checked.

    Args:
        response: The response, with its usage and the reason why it ended. If the provider interrupted and continued
            the answer, its last response.
    """

    response: ModelResponse
    event_kind: ClassVar[Literal['response_end']] = 'response_end'


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ResultRefusedEvent(Value):
    """A response gave no valid result; the model is asked again if an attempt is left.

    Args:
        result: The correction for the model; `tool_name` and `tool_call_id` are those of its call, if it made one.
    """

    result: RetryPromptPart
    event_kind: ClassVar[Literal['result_refused']] = 'result_refused'

    @property
    def tool_call_id(self) -> str | None:
        """The id of the call that should have given the result, or None if there was none."""
        return self.result.tool_call_id


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FinalResultEvent(Value):
    """The rest of this answer is the result.

    Args:
        tool_name: The result tool whose arguments are the result, or None if it is text.
        tool_call_id: The call of that tool, or None.
    """

    tool_name: str | None = None
    tool_call_id: str | None = None
    event_kind: ClassVar[Literal['final_result']] = 'final_result'


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FunctionToolCallEvent(Value):
    """A function tool is about to be called."""

    part: ToolCallPart
    event_kind: ClassVar[Literal['function_tool_call']] = 'function_tool_call'

    @property
    def tool_call_id(self) -> str:
        """The call's id, which its result carries too."""
        return self.part.tool_call_id


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FunctionToolResultEvent(Value):
    """A function tool has returned, or the model is asked to call it again."""

    result: ToolReturnPart | RetryPromptPart
    event_kind: ClassVar[Literal['function_tool_result']] = 'function_tool_result'

    @property
    def tool_call_id(self) -> str | None:
        """The id of the call."""
        return self.result.tool_call_id


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ToolCallPausedEvent(Value):
    """A call waits for a decision: the other calls of the response have ended, and the stream ends with `RunPaused`."""

    pending: PendingCall
    event_kind: ClassVar[Literal['tool_call_paused']] = 'tool_call_paused'

    @property
    def tool_call_id(self) -> str:
        """The id of the call."""
        return self.pending.id


AgentStreamEvent: TypeAlias = (
    ModelResponseStreamEvent
    | PartEndEvent
    | ResponseEndEvent
    | FinalResultEvent
    | ResultRefusedEvent
    | FunctionToolCallEvent
    | FunctionToolResultEvent
    | ToolCallPausedEvent
)
"""An event of a run: of its answers or of its tools."""

if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})

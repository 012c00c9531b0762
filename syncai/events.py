"""What happens in the run of an agent, as it happens: the events of its answers, and those of its tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from ._base.values import Value
from .approvals import PendingCall
from .messages import (
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
    'PartStartEvent',
    'ToolCallPausedEvent',
]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FinalResultEvent(Value):
    """What follows in this answer is the result.

    Args:
        tool_name: The result tool whose arguments are the result, or None where it is text.
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
    ModelResponseStreamEvent | FinalResultEvent | FunctionToolCallEvent | FunctionToolResultEvent | ToolCallPausedEvent
)

"""Where in a stream the result begins, and where each part ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, assert_never

from ..events import AgentStreamEvent, FinalResultEvent, PartEndEvent
from ..messages import (
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolCallPartDelta,
)
from .plan import RunPlan

PartAt: TypeAlias = Callable[[int], ModelResponsePart]


class EventMarker:
    """Adds the events of one answer that its model does not send.

    A `FinalResultEvent` before the part that is, or begins, the result; a `PartEndEvent` after each part. It only looks
    at events that begin a part, and at pieces of a name that may be a result tool's.

    Args:
        plan: The plan of the run.
    """

    def __init__(self, plan: RunPlan[Any]) -> None:
        self._tools = plan.result_tools
        self._text = plan.spec.allow_text or plan.result_mode in ('native', 'prompted')
        self._names: dict[int, str] = {}  # of calls whose name is still arriving
        self._text_at: int | None = None  # the text that is taken for the result
        self._last: int | None = None  # the part that began last and has not ended

    def marked(self, batch: list[AgentStreamEvent], part_at: PartAt) -> list[AgentStreamEvent]:
        """The batch with these events in their places; most batches need none and are returned as they are.

        Args:
            batch: Events of the model.
            part_at: Returns the part at an index as far as it has arrived.
        """
        marked: list[AgentStreamEvent] | None = None
        for number, event in enumerate(batch):
            if type(event) is PartStartEvent or self._names:
                events = self._before(event, part_at)
                if events:
                    marked = batch[:number] if marked is None else marked
                    marked += events
            if marked is not None:
                marked.append(event)
        return batch if marked is None else marked

    def end(self, part_at: PartAt) -> list[PartEndEvent]:
        """The end of the part that is open when a response ends."""
        last, self._last = self._last, None
        if last is None:
            return []
        try:
            return [PartEndEvent(last, part_at(last))]
        except IndexError:  # a user's model whose `get()` lacks the streamed part
            return []

    def _before(self, event: AgentStreamEvent, part_at: PartAt) -> list[PartEndEvent | FinalResultEvent]:
        ends: list[PartEndEvent | FinalResultEvent] = []
        if isinstance(event, PartStartEvent):
            if event.index != self._last:  # else it takes the place of the part
                ends = list(self.end(part_at))
            self._last = event.index
        result = self._found(event)
        return ends if result is None else [*ends, result]

    def _found(self, event: AgentStreamEvent) -> FinalResultEvent | None:
        if isinstance(event, PartStartEvent):
            part = event.part
            if isinstance(part, TextPart):
                return self._text_begins(event.index)
            if event.index == self._text_at:  # it turned out to be thoughts: the next text is the result
                self._text, self._text_at = True, None
            if isinstance(part, ToolCallPart):
                return self._called(event.index, part.tool_name, part.tool_call_id)
            if not isinstance(part, ThinkingPart):
                assert_never(part)
        elif isinstance(event, PartDeltaEvent) and event.index in self._names:
            delta = event.delta
            if isinstance(delta, ToolCallPartDelta) and delta.tool_name_delta:
                return self._called(event.index, self._names[event.index] + delta.tool_name_delta, delta.tool_call_id)
        return None

    def _text_begins(self, index: int) -> FinalResultEvent | None:
        if not self._text:
            return None
        self._text, self._text_at = False, index
        return FinalResultEvent()

    def _called(self, index: int, name: str, call_id: str | None) -> FinalResultEvent | None:
        self._names.pop(index, None)
        if name in self._tools:
            self._tools, self._text, self._text_at = {}, False, None  # the first result counts, and wins over text
            return FinalResultEvent(name, call_id)
        if any(tool.startswith(name) for tool in self._tools):
            self._names[index] = name
        return None

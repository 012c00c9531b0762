"""Where in a stream the result begins."""

from __future__ import annotations

from typing import Any, assert_never

from ..events import FinalResultEvent
from ..messages import PartDeltaEvent, PartStartEvent, TextPart, ThinkingPart, ToolCallPart, ToolCallPartDelta
from .plan import RunPlan


class FinalResultMarker:
    """Puts a `FinalResultEvent` before the part of one answer that is, or begins, the result."""

    def __init__(self, plan: RunPlan[Any]) -> None:
        self._tools = plan.result_tools
        self._text = plan.spec.allow_text or plan.result_mode in ('native', 'prompted')
        self._names: dict[int, str] = {}  # of calls whose name is still arriving
        self._text_at: int | None = None  # the text that was taken for the result

    def marked(self, batch: list[Any]) -> list[Any]:
        """The batch, with the event in it where it belongs; most batches need none and are returned as they are."""
        marked: list[Any] | None = None
        for number, event in enumerate(batch):
            if type(event) is PartStartEvent or self._names:
                found = self._found(event)
                if found is not None:
                    marked = batch[:number] if marked is None else marked
                    marked.append(found)
            if marked is not None:
                marked.append(event)
        return batch if marked is None else marked

    def _found(self, event: Any) -> FinalResultEvent | None:
        if isinstance(event, PartStartEvent):
            part = event.part
            if isinstance(part, TextPart):
                return self._text_begins(event.index)
            if event.index == self._text_at:  # it was thoughts after all: the next text is the result
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

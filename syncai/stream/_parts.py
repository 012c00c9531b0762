"""One part of an answer, as far as its reader has read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

from ..messages import (
    ModelResponsePart,
    ModelResponsePartDelta,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)


class ArrivingPart:
    """Collects the pieces of a part; joins them only on demand, since that costs their length."""

    __slots__ = ('_part', '_pieces', 'is_text')

    def __init__(self, part: ModelResponsePart) -> None:
        self._part: Any = part
        self.is_text = isinstance(part, TextPart)
        if isinstance(part, ToolCallPart):
            self._pieces = [part.args_as_json_str() if part.args else '']
        elif isinstance(part, TextPart | ThinkingPart):
            self._pieces = [part.content]
        else:
            assert_never(part)

    def add(self, delta: ModelResponsePartDelta) -> str:
        """Add more of the part; returns the piece of its text."""
        if isinstance(delta, TextPartDelta):
            piece = delta.content_delta or ''
        elif isinstance(delta, ToolCallPartDelta):
            piece = delta.args_delta or ''
            if delta.tool_name_delta or delta.tool_call_id:
                self._part = replace(delta, args_delta=None).apply(replace(self._part, args=None))
        elif isinstance(delta, ThinkingPartDelta):
            piece = delta.content_delta or ''
            if delta.signature_delta:
                self._part = replace(delta, content_delta=None).apply(self._part)
        else:
            assert_never(delta)
        self._pieces.append(piece)
        return piece

    def text(self) -> str:
        """The text, the thoughts or the JSON text of the arguments, as far as they have arrived."""
        if len(self._pieces) > 1:
            self._pieces = [''.join(self._pieces)]
        return self._pieces[0]

    def part(self) -> ModelResponsePart:
        """The part as far as it has arrived."""
        if isinstance(self._part, ToolCallPart):
            return replace(self._part, args=self.text() or None)
        part: ModelResponsePart = replace(self._part, content=self.text())
        return part

"""Only the text of the answer, as `text/plain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ..events import (
    AgentStreamEvent,
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    ResponseEndEvent,
    ResultRefusedEvent,
    ToolCallPausedEvent,
)
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
from ..result import RunPaused
from ._calls import CallIds
from ._errors import ErrorReply
from ._json import value_json
from ._writer import End, Ids, Writer

_BLANK_LINE = '\n\n'


class TextWriter(Writer):
    """Writes the form `'text'`, with a blank line between the texts of two responses, and before an error."""

    ping = b''  # plain text has no comments

    def __init__(self, ids: Ids) -> None:
        super().__init__(ids)
        self._spoke = False
        self._pause = False  # whether a blank line is due before the next text
        self._calls = CallIds()

    def opening(self) -> str:
        """Nothing: the text begins with its first word."""
        return ''

    def event(self, event: AgentStreamEvent) -> str:
        """The text in an event."""
        match event:
            case PartDeltaEvent(_, TextPartDelta(content)) | PartStartEvent(_, TextPart(content)):
                return self._say(content)
            case PartDeltaEvent(_, piece) | PartStartEvent(_, piece):
                _check_kind(piece)
            case FunctionToolCallEvent(part):
                self._calls.begin(part.tool_call_id, part.tool_name)
            case FunctionToolResultEvent():
                self._calls.close(event.tool_call_id)
            case ResponseEndEvent():
                self._pause = self._spoke
            case PartEndEvent() | FinalResultEvent() | ResultRefusedEvent() | ToolCallPausedEvent():
                pass
            case _:
                assert_never(event)
        return ''

    def events(self, batch: Sequence[AgentStreamEvent]) -> bytes:
        """The text in a batch of events."""
        return ''.join(map(self.event, batch)).encode('utf-8', 'replace')

    def ending(self, end: End) -> str:
        """The result as JSON, if it is data that was not written as text."""
        if end.has_text or self._spoke:
            return ''
        data = end.result.data
        return data if isinstance(data, str) else value_json(data)

    def pausing(self, paused: RunPaused) -> str:
        """The tools that wait, as a separate paragraph."""
        names = ', '.join(call.tool_name for call in paused.pending)
        return f'{_BLANK_LINE if self._spoke else ""}[paused] A decision is needed: {names}'

    def failing(self, reply: ErrorReply) -> str:
        """The error, as a separate paragraph."""
        return f'{_BLANK_LINE if self._spoke else ""}[{reply.code}] {reply.sentence}'

    def open_tools(self) -> list[str]:
        """The names of the tools that are being called."""
        return self._calls.open_names()

    def _say(self, content: str) -> str:
        if not content:
            return ''
        pause, self._pause, self._spoke = self._pause, False, True
        return _BLANK_LINE + content if pause else content


def _check_kind(piece: ModelResponsePart | ModelResponsePartDelta) -> None:
    """Raise AssertionError unless it is of a known kind, without text or with."""
    match piece:
        case ThinkingPart() | ThinkingPartDelta() | ToolCallPart() | ToolCallPartDelta() | TextPart() | TextPartDelta():
            pass
        case _:
            assert_never(piece)

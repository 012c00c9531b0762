"""The content of a log: the messages of a conversation, without those taken back, and its summaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .._engine.whole_history import is_return
from ..messages import ModelMessage, ModelRequest, ModelRequestPart, ModelResponse

__all__ = ['is_rewind', 'rewound', 'view_of', 'View']


@dataclass(slots=True)
class View:
    """A conversation as it is now.

    Attributes:
        messages: Its messages.
        summaries: Summaries of the first messages, by their number.
    """

    messages: list[ModelMessage] = field(default_factory=list)
    summaries: dict[int, ModelRequest] = field(default_factory=dict)

    def add(self, message: ModelMessage) -> None:
        """Take the next message of the log."""
        if isinstance(message, ModelRequest):
            if message.stands_for is not None:
                self._take_mark(message, message.stands_for)
                return
            last = self.messages[-1] if self.messages else None
            if isinstance(last, ModelRequest) and _belong_together(last, message):
                before = self.messages[-2] if len(self.messages) > 1 else None
                self.messages[-1] = _joined(last, message, before)
                return
        self.messages.append(message)

    def _take_mark(self, mark: ModelRequest, positions: tuple[int, int]) -> None:
        if not is_rewind(mark):
            self.summaries[positions[1]] = mark
            return
        del self.messages[positions[0] :]
        self.summaries = {stop: summary for stop, summary in self.summaries.items() if stop <= positions[0]}


def view_of(log: Iterable[ModelMessage]) -> View:
    """The conversation in a log."""
    view = View()
    for message in log:
        view.add(message)
    return view


def rewound(to: int, length: int) -> ModelRequest:
    """The mark in a log that takes back its messages from a position on."""
    return ModelRequest([], stands_for=(to, length))


def is_rewind(mark: ModelRequest) -> bool:
    """Whether a mark takes messages back, as opposed to a summary of them."""
    return not mark.parts


def _belong_together(last: ModelRequest, message: ModelRequest) -> bool:
    """Whether two requests are pieces of one: returns of one response as they came, and what follows them."""
    return all(map(is_return, last.parts)) or bool(last.pending) or any(map(is_return, message.parts))


def _joined(last: ModelRequest, message: ModelRequest, before: ModelMessage | None) -> ModelRequest:
    calls = [call.tool_call_id for call in before.tool_calls] if isinstance(before, ModelResponse) else []
    parts: Sequence[ModelRequestPart] = [*last.parts, *message.parts]

    def place(part: ModelRequestPart) -> int:
        if not is_return(part):
            return len(calls) + 1
        return calls.index(part.tool_call_id) if part.tool_call_id in calls else len(calls)

    instructions = message.instructions if message.instructions is not None else last.instructions
    answered = {part.tool_call_id for part in parts if is_return(part)}
    pending = message.pending or tuple(call for call in last.pending if call.id not in answered)
    return replace(message, parts=sorted(parts, key=place), instructions=instructions, pending=pending)

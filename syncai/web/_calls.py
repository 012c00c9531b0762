"""The page's ids of tool calls: each belongs to one call of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ..messages import ModelMessage, ModelResponse

History = Callable[[], Sequence[ModelMessage]]


@dataclass(slots=True)
class ShownCall:
    """A tool call in the state that the page knows.

    Attributes:
        id: The page's id, unique in the run.
        call_id: The run's id, unique in one response.
        name: The tool.
        begun: Whether the page knows of the call.
        whole: Whether the page has its arguments.
        args: The pieces of its arguments that arrived before the page knew of it.
    """

    id: str
    call_id: str
    name: str
    begun: bool = False
    whole: bool = False
    args: list[str] = field(default_factory=list)


def _open_at_end(last: ModelMessage) -> set[str]:
    """The ids of the calls that have no return at the end of a history."""
    if isinstance(last, ModelResponse):
        return {part.tool_call_id for part in last.tool_calls}
    return {call.id for call in last.pending}


class CallIds:
    """The calls of one run: the page's ids by the ids of the current response.

    Ids may repeat in a conversation if the provider gives none, and `HttpAgent` of AG-UI joins calls that share an id.

    Args:
        page_ids: The page's ids of waiting calls, by their ids in the run.
        continues: Whether the page has the calls that are open at the end of the history; else they are begun again.
    """

    def __init__(self, page_ids: Mapping[str, str] = MappingProxyType({}), *, continues: bool = False) -> None:
        self._page_ids = page_ids
        self._continues = continues
        self._history: History | None = None
        self._ids: set[str] = set()
        self._current: dict[str, ShownCall] = {}

    def follow(self, history: History) -> None:
        """Take a function for the messages before this run, whose ids the page has seen; used at the first call."""
        self._history = history

    def begin(self, call_id: str, name: str) -> ShownCall:
        """A new call of the current response."""
        self._look_back()
        own, number = call_id or 'call', 1
        while own in self._ids:
            number += 1
            own = f'{call_id or "call"}-{number}'
        self._ids.add(own)
        call = self._current[call_id] = ShownCall(own, call_id, name)
        return call

    def rename(self, call: ShownCall, call_id: str) -> None:
        """Set an id that arrived late."""
        self._current.pop(call.call_id, None)
        call.call_id = call_id
        if not call.begun and call_id not in self._ids:
            self._ids.discard(call.id)
            self._ids.add(call_id)
            call.id = call_id
        self._current[call_id] = call

    def get(self, call_id: str | None) -> ShownCall | None:
        """The open call with this id of the run."""
        self._look_back()
        return self._current.get(call_id or '')

    def close(self, call_id: str | None) -> ShownCall | None:
        """The call with this id of the run, which has now returned."""
        self._look_back()
        return self._current.pop(call_id or '', None)

    def left(self) -> list[ShownCall]:
        """The calls that have not returned and will not be made."""
        calls = list(self._current.values())
        self._current = {}
        return calls

    def _look_back(self) -> None:
        history, self._history = self._history, None
        messages = list(history()) if history else []
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        for response in responses:
            self._note(response, _open_at_end(messages[-1]) if response is responses[-1] else set())

    def _note(self, response: ModelResponse, waiting: set[str]) -> None:
        for part in response.tool_calls:
            if part.tool_call_id not in waiting:
                self.begin(part.tool_call_id, part.tool_name)
                del self._current[part.tool_call_id]
            elif self._continues:
                call = self.begin(part.tool_call_id, part.tool_name)
                call.id = self._page_ids.get(part.tool_call_id, call.id)
                call.begun = call.whole = True
                self._ids.add(call.id)

    def open_names(self) -> list[str]:
        """The tools that are being called."""
        return [call.name for call in self._current.values()]

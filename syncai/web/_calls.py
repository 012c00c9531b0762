"""The ids of tool calls as a page sees them: each is that of one call of the run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ShownCall:
    """A call of a tool, as far as the page knows of it.

    Attributes:
        id: The id that the page knows, unique in the run.
        call_id: The id that the run knows, unique in one response.
        name: The tool.
        begun: Whether the page knows of the call.
        whole: Whether the page has its arguments.
        args: The pieces of its arguments that came before the page knew of it.
    """

    id: str
    call_id: str
    name: str
    begun: bool = False
    whole: bool = False
    args: list[str] = field(default_factory=list)


class CallIds:
    """The calls of one run: which id of the page belongs to which id of the current response.

    Ids may repeat in a run where the provider gives none, and `HttpAgent` of AG-UI joins calls that share one.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._current: dict[str, ShownCall] = {}

    def begin(self, call_id: str, name: str) -> ShownCall:
        """A new call of the current response."""
        own, number = call_id or 'call', 1
        while own in self._used:
            number += 1
            own = f'{call_id or "call"}-{number}'
        self._used.add(own)
        call = self._current[call_id] = ShownCall(own, call_id, name)
        return call

    def rename(self, call: ShownCall, call_id: str) -> None:
        """Note an id that came late."""
        self._current.pop(call.call_id, None)
        call.call_id = call_id
        if not call.begun and call_id not in self._used:
            self._used.discard(call.id)
            self._used.add(call_id)
            call.id = call_id
        self._current[call_id] = call

    def get(self, call_id: str | None) -> ShownCall | None:
        """The open call with an id of the run."""
        return self._current.get(call_id or '')

    def close(self, call_id: str | None) -> ShownCall | None:
        """The call with an id of the run, which has returned."""
        return self._current.pop(call_id or '', None)

    def left(self) -> list[ShownCall]:
        """The calls that have not returned, which nobody will call any more."""
        calls = list(self._current.values())
        self._current = {}
        return calls

    def open_names(self) -> list[str]:
        """The tools that are being called."""
        return [call.name for call in self._current.values()]

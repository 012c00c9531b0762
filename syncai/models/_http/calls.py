"""The tool calls of one answer, joined from fragments that servers label well, badly or not at all.

A known id decides where a fragment belongs, then the index; a fragment with neither id nor name continues the last
call. Some servers give every call the index 0, leave the index out, repeat id and name in each fragment, give each
fragment a new id, or send the head of a call under the previous index. If these contradict each other, two more facts
decide: whether the call is complete, and whether the fragment begins an object.

Seen with Ollama (https://github.com/ollama/ollama/issues/15457, issues/7881), gateways
(https://github.com/openai/openai-python/issues/2806, https://github.com/apache/maka/issues/1976) and others.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import Any

from ..._base.tool_arguments import is_placeholder
from ...messages import ToolCallPart


def new_tool_call_id() -> str:
    """An id for a tool call without one."""
    return f'call_{os.urandom(16).hex()}'  # as random as a uuid, whose module takes 3 ms to import


def own_id(call_id: str, ids: set[str]) -> str:
    """The id, or one derived from it if another call of the answer has it; adds it to `ids`."""
    own, number = call_id, 1
    while own in ids:
        number += 1
        own = f'{call_id}_{number}'
    ids.add(own)
    return own


class ArrivingCall:
    """A tool call as far as it has arrived.

    Attributes:
        index: The number of its part; None until its name and so its part exist.
        wire_id: The provider's id; `id` is that of the part.
        announced_id: The id in the latest event; it differs from a late id.
        repeated: Whether its head was repeated after it was whole, which may begin another call of the same tool.
    """

    __slots__ = ('announced_id', 'details', 'id', 'index', 'name', 'pieces', 'repeated', 'wire_id')

    def __init__(self, name: str = '') -> None:
        self.index: int | None = None
        self.name = name
        self.pieces: list[str] = []
        self.wire_id: str | None = None
        self.id = self.announced_id = ''
        self.details: dict[str, Any] | None = None
        self.repeated = False

    def text(self) -> str:
        """The JSON text of the arguments so far."""
        return ''.join(self.pieces.copy())

    def add(self, args: str) -> None:
        """Add more of the arguments."""
        if len(self.pieces) == 1 and is_placeholder(self.pieces[0], args):
            self.pieces.clear()
        self.pieces.append(args)

    def part(self) -> ToolCallPart:
        """The part so far."""
        return ToolCallPart(self.name, self.text() or None, self.id, provider_details=self.details)

    def is_whole(self) -> bool:
        """Whether the arguments are a complete JSON object."""
        text = self.text()
        if not text.rstrip().endswith('}'):
            return False
        from pydantic_core import from_json

        try:
            return isinstance(from_json(text), dict)
        except ValueError:
            return False

    def may_go_on_with(self, args: str) -> bool:
        """Whether the arguments and the fragment together begin a JSON object."""
        if self.is_whole() or not (self.pieces or args.strip()):
            return False
        from pydantic_core import from_json

        try:
            from_json(self.text() + args, allow_partial='trailing-strings')
        except ValueError:
            return False
        return True

    def goes_on_with(self, args: str | None) -> bool:
        """Whether the fragment can continue these arguments, instead of beginning others."""
        return not (_opens(args) and self.is_whole())


class ArrivingCalls:
    """Finds the call of each fragment. Used only by the loop thread."""

    def __init__(self) -> None:
        self._by_id: dict[str, ArrivingCall] = {}
        self._by_key: dict[Hashable, ArrivingCall] = {}
        self._last: ArrivingCall | None = None
        self._ids: set[str] = set()
        self._all: list[ArrivingCall] = []

    def nameless(self) -> list[ArrivingCall]:
        """The calls without a name so far; empty labels do not count if other calls have content."""
        without = [call for call in self._all if not call.name]
        return without if len(without) == len(self._all) else [call for call in without if call.text().strip()]

    def of(self, key: Hashable, name: str | None, args: str | None, call_id: str | None) -> ArrivingCall | None:
        """The call of a fragment, a new one if the fragment begins it; None for a call that was sent twice.

        Args:
            key: The provider's index, or None.
            name: The name of the tool, or a piece of it.
            args: A piece of the arguments.
            call_id: The provider's id.
        """
        if not name and not call_id:
            call = self._continued(key, args)
        elif call_id and (arriving := self._under(call_id, key)) is not None:
            if key is not None and name == arriving.name and args and args == arriving.text() and arriving.is_whole():
                return None
            call = None if self._is_second(arriving, key, name, args) else arriving
        elif (arriving := self._at(key)) is not None:
            begins = _begins_by_id if call_id else _begins_by_name
            call = None if begins(arriving, key, name, args) else arriving
        else:
            call = None if name else self._with_new_labels(args)
        return self._noted(call or ArrivingCall(), key, call_id)

    def plainly_continued(self, key: Hashable) -> ArrivingCall | None:
        """The call of a fragment with only a known index; None if that is ambiguous."""
        call = self._by_key.get(key)
        if call is None or call.index is None or call.repeated:
            return None
        self._last = call
        return call

    def begin(self, key: Hashable, call_id: str | None) -> ArrivingCall:
        """A new call, whatever preceded it."""
        return self._noted(ArrivingCall(), key, call_id)

    def _at(self, key: Hashable) -> ArrivingCall | None:
        return self._last if key is None else self._by_key.get(key)

    def _under(self, call_id: str, key: Hashable) -> ArrivingCall | None:
        at = self._by_key.get(key)
        return at if at is not None and at.wire_id == call_id else self._by_id.get(call_id)

    def _continued(self, key: Hashable, args: str | None) -> ArrivingCall | None:
        """The call of a fragment with neither name nor id."""
        at = self._at(key)
        if at is not None:
            return ArrivingCall(at.name) if at.repeated and not at.goes_on_with(args) else at
        last = self._last
        return last if last is not None and last.goes_on_with(args) else None

    def _with_new_labels(self, args: str | None) -> ArrivingCall | None:
        """The call of a fragment without a name, with a new id and index: the last call, if possible."""
        last = self._last
        if last is None or not args or args.isspace() or (last.pieces and _opens(args)) or last.is_whole():
            return None
        return last

    def _is_second(self, call: ArrivingCall, key: Hashable, name: str | None, args: str | None) -> bool:
        """Whether a fragment with the id of `call` begins a second call with that id."""
        if not name or not call.name:
            return False
        elsewhere = key is None or key not in self._by_key
        if name != call.name:
            return bool(call.pieces) or (bool(args) and elsewhere)
        if elsewhere and key is not None:
            return not call.pieces or call.is_whole()
        return not call.goes_on_with(args) and call.text().strip() != '{}'

    def _noted(self, call: ArrivingCall, key: Hashable, call_id: str | None) -> ArrivingCall:
        if key is not None:
            self._by_key[key] = call
        if call_id:
            self._by_id[call_id] = call
        if not call.id:
            self._all.append(call)
        if not call.id or (call_id and call.wire_id is None):
            call.wire_id = call_id or None
            call.id = own_id(call_id, self._ids) if call_id else new_tool_call_id()
        self._last = call
        return call


def _begins_by_id(call: ArrivingCall, key: Hashable, name: str | None, args: str | None) -> bool:
    """Whether a fragment with the key of `call` and a new id begins another call."""
    del key
    blank = not args or args.isspace()
    if not name:
        return not call.goes_on_with(args) or (blank and call.wire_id is not None and call.is_whole())
    if call.wire_id is None and (not call.name or name == call.name):  # its id arrives late
        return not call.goes_on_with(args)
    if not call.name:
        return False
    # A server with a new id in each fragment at most repeats the name, and continues the arguments.
    return name != call.name or not args or not call.may_go_on_with(args)


def _begins_by_name(call: ArrivingCall, key: Hashable, name: str | None, args: str | None) -> bool:
    """Whether a fragment with the key of `call` and a name without id begins another call."""
    blank = not args or args.isspace()
    if not call.name:
        return not call.goes_on_with(args)
    if name != call.name:  # at the beginning it may be the rest of the name
        return bool(call.pieces) or key is None
    if not blank:
        return not call.goes_on_with(args)
    if not call.is_whole():
        return False
    call.repeated = True
    return key is None


def _opens(args: str | None) -> bool:
    return args is not None and args.lstrip()[:1] == '{'

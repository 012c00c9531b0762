"""Fragments of a streamed answer become events, and the answer so far."""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import Any

from ..messages import (
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)


def new_tool_call_id() -> str:
    """An id for a tool call to which the provider gave none."""
    return f'call_{os.urandom(16).hex()}'  # as random as a uuid, whose module takes 3 ms to import


class _Text:
    __slots__ = ('details', 'index', 'pieces')

    def __init__(self, index: int, content: str) -> None:
        self.index = index
        self.pieces = [content]
        self.details: dict[str, Any] | None = None

    def part(self) -> TextPart:
        return TextPart(''.join(self.pieces.copy()), provider_details=self.details)


class _Thinking:
    __slots__ = ('details', 'id', 'index', 'pieces', 'provider_name', 'signature')

    def __init__(self, index: int, part: ThinkingPart) -> None:
        self.index = index
        self.pieces = [part.content]
        self.id = part.id
        self.signature = part.signature
        self.provider_name = part.provider_name
        self.details: dict[str, Any] | None = None

    def part(self) -> ThinkingPart:
        return ThinkingPart(
            ''.join(self.pieces.copy()),
            id=self.id,
            signature=self.signature,
            provider_name=self.provider_name,
            provider_details=self.details,
        )


class _ToolCall:
    __slots__ = ('details', 'id', 'index', 'name', 'pieces', 'wire_id')

    def __init__(self, index: int, name: str, args: str, wire_id: str | None) -> None:
        self.index = index
        self.name = name
        self.pieces = [args] if args else []
        self.wire_id = wire_id
        self.id = wire_id or new_tool_call_id()
        self.details: dict[str, Any] | None = None

    def part(self) -> ToolCallPart:
        args = ''.join(self.pieces.copy()) or None
        return ToolCallPart(self.name, args, self.id, provider_details=self.details)


class PartsBuilder:
    """The parts of one answer as they arrive; every method returns the event that tells of the fragment.

    Written by the loop thread alone. Any thread may call `parts()` at any moment: the lists only ever grow, and are
    copied in one step before they are joined, so the answer so far costs time linear in its length.
    """

    def __init__(self) -> None:
        self._parts: list[_Text | _Thinking | _ToolCall] = []
        self._texts: dict[Hashable, _Text] = {}
        self._thoughts: dict[Hashable, _Thinking] = {}
        self._calls: dict[Hashable, _ToolCall] = {}
        self._last_call: _ToolCall | None = None

    def parts(self) -> list[ModelResponsePart]:
        """What has arrived so far."""
        return [part.part() for part in self._parts.copy()]

    def text(self, content: str, key: Hashable = None) -> ModelResponseStreamEvent:
        """More text for the text part called `key`; the first makes the part."""
        text = self._texts.get(key)
        if text is not None:
            text.pieces.append(content)
            return PartDeltaEvent(text.index, TextPartDelta(content))
        text = self._texts[key] = _Text(len(self._parts), content)
        self._parts.append(text)
        return PartStartEvent(text.index, TextPart(content))

    def thinking(
        self,
        content: str | None = None,
        key: Hashable = None,
        *,
        signature: str | None = None,
        part_id: str | None = None,
        provider_name: str | None = None,
    ) -> ModelResponseStreamEvent:
        """More thoughts, or the signature, for the thinking part called `key`; the first makes the part."""
        thinking = self._thoughts.get(key)
        if thinking is None:
            part = ThinkingPart(content or '', id=part_id, signature=signature, provider_name=provider_name)
            thinking = self._thoughts[key] = _Thinking(len(self._parts), part)
            self._parts.append(thinking)
            return PartStartEvent(thinking.index, part)
        if content:
            thinking.pieces.append(content)
        if signature:
            thinking.signature = signature
            thinking.provider_name = provider_name or thinking.provider_name
        return PartDeltaEvent(thinking.index, ThinkingPartDelta(content, signature, provider_name))

    def tool_call(
        self, key: Hashable = None, *, name: str | None = None, args: str | None = None, call_id: str | None = None
    ) -> ModelResponseStreamEvent | None:
        """A fragment of the tool call called `key` (None: the last one); None when it brings nothing new.

        Servers differ: some repeat name and id with every fragment, some leave out the key, and some give the same key
        to every call. A new id, or a new name once arguments have begun, therefore begins a new call.
        """
        call = self._last_call if key is None else self._calls.get(key)
        if call is None or _begins_another(call, key, name, call_id):
            return self._start_call(key, name or '', args or '', call_id or None)
        return _continue_call(call, name, args, call_id)

    def set_details(self, index: int, provider_details: dict[str, Any]) -> None:
        """Keep with the part of an event's `index` what its provider wants back unchanged."""
        self._parts[index].details = provider_details

    def _start_call(self, key: Hashable, name: str, args: str, call_id: str | None) -> PartStartEvent:
        call = _ToolCall(len(self._parts), name, args, call_id)
        if key is not None:
            self._calls[key] = call
        self._last_call = call
        self._parts.append(call)
        return PartStartEvent(call.index, ToolCallPart(name, args or None, call.id))


def _begins_another(call: _ToolCall, key: Hashable, name: str | None, call_id: str | None) -> bool:
    if call_id and call.wire_id:
        return call_id != call.wire_id
    if not name or not call.pieces:
        return False
    return key is None or name != call.name


def _continue_call(
    call: _ToolCall, name: str | None, args: str | None, call_id: str | None
) -> ModelResponseStreamEvent | None:
    new_name = name if name and name != call.name else None
    new_id = call_id if call_id and call_id != call.id else None
    if new_name:
        call.name += new_name
    if new_id:
        call.id = call.wire_id = new_id
    if args:
        call.pieces.append(args)
    elif not (new_name or new_id):
        return None
    return PartDeltaEvent(call.index, ToolCallPartDelta(new_name, args or None, new_id))

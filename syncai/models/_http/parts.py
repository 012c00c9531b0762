"""Fragments of a streamed answer, joined to events and to the answer so far."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ...messages import (
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
from .calls import ArrivingCall, ArrivingCalls


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


class PartsBuilder:
    """The parts of one answer as they arrive; every method returns the event of the fragment.

    Only the loop thread writes it. Any thread may call `parts()` at any time: the lists only grow, and are copied in
    one step before they are joined. So the answer so far takes time linear in its length.
    """

    def __init__(self) -> None:
        self._parts: list[_Text | _Thinking | ArrivingCall] = []
        self._texts: dict[Hashable, _Text] = {}
        self._thoughts: dict[Hashable, _Thinking] = {}
        self._calls: ArrivingCalls | None = None  # made with the first: a text has none, and they take 600 bytes

    @property
    def is_empty(self) -> bool:
        """Whether nothing has arrived."""
        return not self._parts

    @property
    def says_nothing(self) -> bool:
        """Whether nothing has arrived except opaque data for the provider."""
        return not self._texts and all(isinstance(part, _Thinking) and not any(part.pieces) for part in self._parts)

    def parts(self) -> list[ModelResponsePart]:
        """The parts so far."""
        return [part.part() for part in self._parts.copy()]

    def part(self, index: int) -> ModelResponsePart:
        """The part with an event's `index`, so far."""
        return self._parts[index].part()

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

        A call begins with its name: earlier fragments are kept for the event that begins the part.
        """
        calls = self._calls = self._calls or ArrivingCalls()
        if not name and not call_id and (earlier := calls.plainly_continued(key)) is not None:
            if not args:
                return None
            earlier.add(args)
            return PartDeltaEvent(earlier.index, ToolCallPartDelta(None, args))  # type: ignore[arg-type]
        call = calls.of(key, name, args, call_id)
        if call is None:
            return None
        return (
            self._begin_call(call, name, args) if call.index is None else _continue_call(call, call.index, name, args)
        )

    def new_tool_call(
        self, key: Hashable = None, *, name: str | None = None, args: str | None = None, call_id: str | None = None
    ) -> ModelResponseStreamEvent | None:
        """The first fragment of another tool call, whatever preceded it; None if its name is missing."""
        calls = self._calls = self._calls or ArrivingCalls()
        return self._begin_call(calls.begin(key, call_id), name, args)

    def nameless(self) -> list[ToolCallPart]:
        """The tool calls without a name so far, which are not parts yet."""
        return [call.part() for call in self._calls.nameless()] if self._calls else []

    def text_so_far(self) -> str:
        """The text that is called None."""
        text = self._texts.get(None)
        return ''.join(text.pieces) if text else ''

    def text_was_thoughts(
        self, more: str, provider_name: str, *, whole: bool = False
    ) -> ModelResponseStreamEvent | None:
        """Turn the text so far into a thinking part in its place; None if it is empty. The next text is a new part.

        Args:
            more: The end of the thoughts, or with `whole` all of them.
            provider_name: The provider.
            whole: Whether only a part of the text was thoughts.
        """
        content = (more if whole else f'{self.text_so_far()}{more}').strip()
        text = self._texts.pop(None, None)
        if text is None:
            return self.thinking(content, provider_name=provider_name) if content else None
        part = ThinkingPart(content, provider_name=provider_name)
        thinking = self._thoughts[None] = _Thinking(text.index, part)
        self._parts[text.index] = thinking
        return PartStartEvent(text.index, part)

    def keep(self, details: dict[str, Any], provider_name: str) -> ModelResponseStreamEvent | None:
        """Add data to the text part; without a text, make an empty part with it."""
        text = self._texts.get(None)
        if text is not None:
            self.set_details(text.index, details)
            return None
        event = None if 'kept' in self._thoughts else self.thinking('', 'kept', provider_name=provider_name)
        self.set_details(self._thoughts['kept'].index, details)
        return event

    def set_details(self, index: int, provider_details: dict[str, Any]) -> None:
        """Add data to the part with an event's `index` that must go back to its provider unchanged."""
        part = self._parts[index]
        part.details = {**(part.details or {}), **provider_details}

    def _begin_call(self, call: ArrivingCall, name: str | None, args: str | None) -> PartStartEvent | None:
        call.name += name or ''
        if args:
            call.add(args)
        if not call.name:
            return None
        call.index, call.announced_id = len(self._parts), call.id
        self._parts.append(call)
        return PartStartEvent(call.index, call.part())


def _continue_call(
    call: ArrivingCall, index: int, name: str | None, args: str | None
) -> ModelResponseStreamEvent | None:
    new_name = name if name and name != call.name else None
    new_id = call.id if call.id != call.announced_id else None
    if new_name:
        call.name += new_name
    if args:
        call.add(args)
    elif not (new_name or new_id):
        return None
    call.announced_id = call.id
    return PartDeltaEvent(index, ToolCallPartDelta(new_name, args or None, new_id))

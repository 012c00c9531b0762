"""The output items of OpenAI Responses, whole or in pieces, become the parts of an answer."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

from ..._base.tool_arguments import args_text
from ...exceptions import IncompleteStreamError
from ...messages import ModelResponseStreamEvent, TextPart, ToolCallPart
from .._http.answers import text_of
from .._http.parts import PartsBuilder
from .places import ItemPlaces

_Events = list[ModelResponseStreamEvent]


def output_in(response: dict[str, Any]) -> list[Any] | None:
    """The items of an answer, even if it is a text or one item; None if there are none."""
    output = response.get('output')
    if isinstance(output, dict):
        return [output]
    text = output if isinstance(output, str) else response.get('output_text')
    if not isinstance(output, list) and isinstance(text, str) and response.get('object') == 'response':
        return [{'type': 'message', 'content': text}]
    return output if isinstance(output, list) else None


class OutputItems:
    """Joins the items of one answer. The whole of an item that came in pieces only adds the missing rest.

    Args:
        builder: Joins the parts.
        provider: The provider that was asked.

    Attributes:
        refused: Whether the model refused to answer.
        called: Whether it called a tool.
        unread: Whether there was an unknown item that is not kept.
    """

    def __init__(self, builder: PartsBuilder, provider: str) -> None:
        self._builder = builder
        self._provider = provider
        self._parts: dict[Hashable, int] = {}  # what has arrived, and the index of its part
        self._thoughts: dict[Hashable, Hashable] = {}  # the first thought of each item, which carries its signature
        self._places = ItemPlaces()
        self._calls: set[Hashable] = set()  # the places of calls, and of those whose arguments have come
        self._with_args: set[Hashable] = set()
        self._begun_with: dict[Hashable, object] = {}  # arguments, which some servers send again in pieces
        self.refused = False
        self.called = False
        self.unread = False

    @property
    def any(self) -> bool:
        """Whether anything has arrived."""
        return bool(self._parts)

    # --- pieces -------------------------------------------------------------------------------------------------------

    def added(self, event: dict[str, Any], batch: _Events) -> None:
        """An item begins: of a tool call this names the tool."""
        place, item = self._places.open(event), event.get('item')
        if isinstance(item, dict) and item.get('type') == 'function_call':
            self._call(place, item, batch, None)
            self._begun_with[place] = item.get('arguments')

    def text_delta(self, event: dict[str, Any], batch: _Events) -> None:
        self._text(('text', self._places.of(event), event.get('content_index') or 0), event.get('delta'), batch)

    def refusal_delta(self, event: dict[str, Any], batch: _Events) -> None:
        self.refused = True
        self.text_delta(event, batch)

    def arguments_delta(self, event: dict[str, Any], batch: _Events) -> None:
        self._call(self._places.of(event), {}, batch, event.get('delta'))

    def end(self, batch: _Events) -> None:
        """The end of the answer: arguments that came only with the beginning of a call count now."""
        for place, args in self._begun_with.items():
            if args and place not in self._with_args:
                self._call(place, {}, batch, args)

    def text_done(self, event: dict[str, Any], batch: _Events) -> None:
        key = ('text', self._places.of(event), event.get('content_index') or 0)
        self._whole_text(key, text_of(event.get('text')), batch)

    def arguments_done(self, event: dict[str, Any], batch: _Events) -> None:
        self._whole_call(self._places.of(event), {}, batch, event.get('arguments'))

    def summary_delta(self, event: dict[str, Any], batch: _Events) -> None:
        self._thought('summary', self._places.of(event), event.get('summary_index') or 0, event, batch)

    def reasoning_delta(self, event: dict[str, Any], batch: _Events) -> None:
        self._thought('content', self._places.of(event), event.get('content_index') or 0, event, batch)

    def item_done(self, event: dict[str, Any], batch: _Events) -> None:
        """An item whose pieces may have come before is complete."""
        self.done(self._places.close(event), event.get('item'), batch)

    # --- whole items --------------------------------------------------------------------------------------------------

    def done(self, index: Hashable, item: Any, batch: _Events) -> None:
        """An item is complete. One of a kind that is not read is kept as it is, to be sent back."""
        kind = text_of(item.get('type')) if isinstance(item, dict) else None
        if kind is None and isinstance(item, dict) and 'content' in item:  # llama.cpp and others leave out the type
            kind = 'message'
        if kind == 'message':
            self._message_done(index, item, batch)
        elif kind == 'function_call':
            self._call_done(index, item, batch)
        elif kind == 'reasoning':
            self._reasoning_done(index, item, batch)
        elif kind:
            self._keep(('item', index), item, batch)
        else:
            self.unread = True

    def _message_done(self, index: Hashable, item: dict[str, Any], batch: _Events) -> None:
        content = item.get('content')
        if isinstance(content, str):
            content = [{'text': content}]
        for number, part in enumerate(_dicts(content)):
            key = ('text', index, number)
            refusal = text_of(part.get('refusal'))
            self.refused = self.refused or refusal is not None
            self._whole_text(key, text_of(part.get('text')) or refusal, batch)
            values = {'id': item.get('id'), 'phase': item.get('phase'), 'refusal': refusal is not None}
            details = {**values, 'annotations': part.get('annotations'), 'logprobs': part.get('logprobs')}
            self._set_details(key, details)

    def _call_done(self, index: Hashable, item: dict[str, Any], batch: _Events) -> None:
        self._whole_call(index, item, batch, item.get('arguments'))
        self._set_details(('call', index), {'id': item.get('id'), 'namespace': item.get('namespace')})

    def _reasoning_done(self, index: Hashable, item: dict[str, Any], batch: _Events) -> None:
        for kind in ('summary', 'content'):
            for number, part in enumerate(_dicts(item.get(kind))):
                if (kind, index, number) not in self._parts:
                    self._thought(kind, index, number, {'item_id': item.get('id'), 'delta': part.get('text')}, batch)
        signature = text_of(item.get('encrypted_content'))
        part_id = text_of(item.get('id'))
        if signature or index not in self._thoughts:  # thoughts that stay hidden are known by their id
            key = self._thoughts.setdefault(index, ('summary', index, 0))
            event = self._builder.thinking(
                None, key, signature=signature, part_id=part_id, provider_name=self._provider
            )
            self._parts[key] = event.index
            batch.append(event)

    def _keep(self, key: Hashable, item: dict[str, Any], batch: _Events) -> None:
        event = self._builder.thinking('', key, part_id=text_of(item.get('id')), provider_name=self._provider)
        self._parts[key] = event.index
        self._builder.set_details(event.index, {'item': item})
        batch.append(event)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _text(self, key: Hashable, text: object, batch: _Events) -> None:
        if text := text_of(text):
            event = self._builder.text(text, key)
            self._parts[key] = event.index
            batch.append(event)

    def _call(self, index: Hashable, item: dict[str, Any], batch: _Events, args: object) -> None:
        self.called = True
        name, call_id = text_of(item.get('name')), text_of(item.get('call_id'))
        # Each place is one call, whatever its ids are.
        add = self._builder.tool_call if index in self._calls else self._builder.new_tool_call
        self._calls.add(index)
        event = add(('call', index), name=name, args=args_text(args), call_id=call_id)
        if args:
            self._with_args.add(index)
        if event is not None:
            self._parts['call', index] = event.index
            batch.append(event)

    def _whole_text(self, key: Hashable, whole: str | None, batch: _Events) -> None:
        """Add the missing end of a complete text."""
        arrived = self._builder.part(self._parts[key]) if key in self._parts else None
        text = arrived.content if isinstance(arrived, TextPart) else ''
        if whole and len(whole) > len(text):
            self._text(key, self._rest(text, whole), batch)

    def _whole_call(self, index: Hashable, item: dict[str, Any], batch: _Events, args: object) -> None:
        """The missing end of a complete call; its arguments may be written in another way there."""
        part = self._parts.get(('call', index))
        arrived = None if part is None else self._builder.part(part)
        if index not in self._with_args:
            self._call(index, item, batch, args)
        elif isinstance(arrived, ToolCallPart) and (whole := args_text(args)) and not _is_json(arrived.args):
            self._call(index, item, batch, self._rest(str(arrived.args), whole))
        else:
            self._call(index, item, batch, None)

    def _rest(self, arrived: str, whole: str) -> str:
        """The part of a whole that has not arrived.

        Raises:
            IncompleteStreamError: More than the end is missing.
        """
        if not whole.startswith(arrived):
            raise IncompleteStreamError(
                f'Events of the stream of {self._provider} were lost on the way: its pieces do not add up to the whole '
                'that it names at their end; what had arrived is in `partial`'
            )
        return whole[len(arrived) :]

    def _thought(self, kind: str, index: Hashable, number: Hashable, event: dict[str, Any], batch: _Events) -> None:
        if text := text_of(event.get('delta')):
            key = (kind, index, number)
            self._thoughts.setdefault(index, key)
            part_id = text_of(event.get('item_id'))
            thought = self._builder.thinking(text, key, part_id=part_id, provider_name=self._provider)
            self._parts[key] = thought.index
            if kind == 'content':
                self._builder.set_details(thought.index, {'type': 'reasoning_text'})
            batch.append(thought)

    def _set_details(self, key: Hashable, values: dict[str, Any]) -> None:
        details = {name: value for name, value in values.items() if value}
        if details and key in self._parts:
            self._builder.set_details(self._parts[key], details)


def _is_json(args: object) -> bool:
    try:
        json.loads(args if isinstance(args, str) else '')
    except ValueError:
        return False
    return True


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

"""The events of a stream as JSON: batches, each with the seconds since the one before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from ..messages import (
    ModelResponsePartDelta,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPartDelta,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from ._messages import part_json, part_of, redacted_part
from ._rewriting import Rewrite

Form = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """The events of one network read.

    Attributes:
        gap: Seconds since the batch before, or since the request.
        events: The events.
    """

    gap: float
    events: Sequence[ModelResponseStreamEvent]


def batches_json(batches: Sequence[Batch]) -> list[Form]:
    """The batches as JSON."""
    return [{'gap': round(batch.gap, 4), 'events': [_event_json(event) for event in batch.events]} for batch in batches]


def batches_of(forms: list[Form]) -> list[Batch]:
    """The batches that `batches_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: They are none.
    """
    return [Batch(float(form['gap']), [_event_of(event) for event in form['events']]) for form in forms]


def redacted_batches(forms: list[Form], redact: Rewrite) -> list[Form]:
    """The JSON of batches with redacted texts, even if a match spans several events."""
    events = [dict(event) for form in forms for event in form['events']]
    for texts in _running_texts(events):
        _redact_texts(texts, redact)
    for event in events:
        if 'part' in event and isinstance(event['part'], dict):
            event['part'] = redacted_part(event['part'], redact)
        if 'signature' in event:
            event['signature'] = redact(event['signature'])
    rest = iter(events)
    return [{**form, 'events': [next(rest) for _ in form['events']]} for form in forms]


# --- one event --------------------------------------------------------------------------------------------------------


def _event_json(event: ModelResponseStreamEvent) -> Form:
    if isinstance(event, PartStartEvent):
        return {'start': event.index, 'part': part_json(event.part)}
    if isinstance(event, PartDeltaEvent):
        return {'more': event.index, **_delta_json(event.delta)}
    assert_never(event)


def _delta_json(delta: ModelResponsePartDelta) -> Form:
    if isinstance(delta, TextPartDelta):
        return {'text': delta.content_delta}
    if isinstance(delta, ThinkingPartDelta):
        form = {'thinking': delta.content_delta, 'signature': delta.signature_delta, 'provider': delta.provider_name}
    elif isinstance(delta, ToolCallPartDelta):
        form = {'arguments': delta.args_delta, 'tool': delta.tool_name_delta, 'call': delta.tool_call_id}
    else:
        assert_never(delta)
    fields = {key: item for key, item in form.items() if item is not None}
    return fields or ({'thinking': ''} if 'thinking' in form else {'arguments': ''})


def _event_of(form: Form) -> ModelResponseStreamEvent:
    if 'start' in form:
        return PartStartEvent(int(form['start']), part_of(form['part']))
    return PartDeltaEvent(int(form['more']), _delta_of(form))


def _delta_of(form: Form) -> ModelResponsePartDelta:
    if 'text' in form:
        return TextPartDelta(str(form['text']))
    if not form.keys().isdisjoint(('arguments', 'tool', 'call')):
        return ToolCallPartDelta(form.get('tool'), form.get('arguments'), form.get('call'))
    return ThinkingPartDelta(form.get('thinking'), form.get('signature'), form.get('provider'))


# --- texts over several events ----------------------------------------------------------------------------------------

_Text = tuple[Form, str]
"""The object that holds a piece of a text, and its key there."""


def _running_texts(events: list[Form]) -> Iterator[list[_Text]]:
    """The pieces of each text, in the order in which they came; a part that begins again is another text."""
    open_texts: dict[int, list[_Text]] = {}
    for event in events:
        if 'start' in event:
            if event['start'] in open_texts:
                yield open_texts.pop(event['start'])
            event['part'] = part = dict(event['part'])
            key = 'args' if part.get('part_kind') == 'tool-call' else 'content'
            open_texts[event['start']] = [(part, key)] if isinstance(part.get(key), str) else []
        else:
            keys = [key for key in ('text', 'thinking', 'arguments') if key in event]
            open_texts.setdefault(event['more'], []).extend((event, key) for key in keys)
    yield from open_texts.values()


def _redact_texts(texts: list[_Text], redact: Rewrite) -> None:
    """Redact the pieces as one text, and cut the result near the original cuts."""
    pieces = [form[key] for form, key in texts]
    whole = ''.join(pieces)
    text = redact(whole)
    if text == whole:
        return
    begin = end = 0
    for piece, (form, key) in zip(pieces, texts, strict=True):
        end += len(piece)
        cut = round(end / len(whole) * len(text))
        form[key] = text[begin:cut]
        begin = cut

"""Recorded traffic with faults in it, made by hypothesis: fields dropped, renamed, of other types or unknown kinds."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from replay import Exchange

_STRANGE: list[Any] = [None, True, 0, -1, 1.5, 10**30, '', 'brand_new', [], {}, [None], ['x'], [{}], {'x': 1}, [[]]]


@st.composite
def mutated(draw: st.DrawFn, value: Any, most: int = 3) -> Any:
    """A copy of a JSON value with one to `most` faults."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(value))
        if not places:
            break
        container, key = places[draw(st.integers(0, len(places) - 1))]
        fault = draw(st.sampled_from(['drop', 'rename', 'retype', 'repeat']))
        if fault == 'drop':
            del container[key]
        elif fault == 'retype':
            container[key] = copy.deepcopy(draw(st.sampled_from(_STRANGE)))
        elif isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        else:
            container[f'{key}_2'] = copy.deepcopy(container[key]) if fault == 'repeat' else container.pop(key)
    return value


@st.composite
def mutated_exchange(draw: st.DrawFn, exchange: Exchange, most: int = 3) -> Exchange:
    """The exchange with faults in the JSON of its answer; in a stream also with events lost or sent twice."""
    if 'event-stream' not in exchange.content_type:
        return replace(exchange, body=json.dumps(draw(mutated(exchange.json, most))))
    events = draw(mutated(exchange.payloads, most))
    body = ''.join(_event(event, named=exchange.body.startswith('event:')) for event in events)
    return replace(exchange, body=body + ('data: [DONE]\n\n' if '[DONE]' in exchange.body else ''))


def _event(payload: Any, *, named: bool) -> str:
    kind = payload.get('type') if isinstance(payload, dict) else None
    return (f'event: {kind}\n' if named and isinstance(kind, str) else '') + f'data: {json.dumps(payload)}\n\n'


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(child)

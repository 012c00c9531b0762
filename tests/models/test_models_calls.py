"""Which call a fragment of a streamed tool call belongs to, as servers label them, and what goes wrong with them.

The shapes are those of reports: Ollama gives every call the index 0 (https://github.com/ollama/ollama/issues/15457) or
none (https://github.com/ollama/ollama/issues/7881), gateways give two calls one index
(https://github.com/apache/maka/issues/1976), leave the index out of a list of several
(https://github.com/SamSaffron/term-llm/pull/314), or write a new id into each fragment.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncai.exceptions import UnexpectedModelBehavior
from syncai.messages import ModelResponsePart, ModelResponseStreamEvent, PartStartEvent, ToolCallPart
from syncai.models._anthropic.response import AnthropicStreamDecoder
from syncai.models._bedrock.response import ConverseStreamDecoder
from syncai.models._chat.calls import add_calls, whole_calls
from syncai.models._google.response import GoogleStreamDecoder
from syncai.models._http.answers import StreamDecoder
from syncai.models._http.parts import PartsBuilder
from syncai.models._responses.response import ResponsesStreamDecoder

Calls = list[tuple[str, str | None]]
TWO: Calls = [('add', '{"x": 1}'), ('mul', '{"y": 2}')]


def entry(index: Any = None, call_id: str | None = None, name: str | None = None, args: Any = None) -> dict[str, Any]:
    """An entry of `delta.tool_calls`; what is None is left out."""
    function = {key: value for key, value in (('name', name), ('arguments', args)) if value is not None}
    fields = {'index': index, 'id': call_id, 'function': function}
    return {key: value for key, value in fields.items() if value is not None}


def parts_of(events: list[ModelResponseStreamEvent]) -> list[ModelResponsePart]:
    """The answer that a reader builds from the events alone."""
    parts: list[ModelResponsePart] = []
    for event in events:
        if isinstance(event, PartStartEvent):
            assert event.index == len(parts)
            parts.append(event.part)
        else:
            parts[event.index] = event.delta.apply(parts[event.index])
    return parts


def read(*deltas: dict[str, Any] | list[dict[str, Any]]) -> list[ToolCallPart]:
    builder, events = PartsBuilder(), list[ModelResponseStreamEvent]()
    for delta in deltas:
        add_calls(delta if isinstance(delta, list) else [delta], builder, events)
    assert not builder.nameless()
    calls = [part for part in builder.parts() if isinstance(part, ToolCallPart)]
    assert parts_of(events) == calls
    assert all(call.tool_name and call.tool_call_id for call in calls)
    assert len({call.tool_call_id for call in calls}) == len(calls)
    return calls


def bare(*deltas: Any) -> Calls:
    return [(call.tool_name, call.args) for call in read(*deltas)]  # type: ignore[misc]


E = entry


@pytest.mark.parametrize(
    'deltas',
    [
        pytest.param([E(0, 'a', 'add', '{"x"'), E(0, args=': 1}'), E(1, 'b', 'mul', '{"y": 2}')], id='the format'),
        pytest.param(
            [E(None, 'a', 'add', ''), E(args='{"x": 1}'), E(None, 'b', 'mul'), E(args='{"y": 2}')], id='no index'
        ),
        pytest.param([E(0, None, 'add', '{"x"'), E(0, args=': 1}'), E(1, None, 'mul', '{"y": 2}')], id='no id'),
        pytest.param([E(None, None, 'add', '{"x": 1}'), E(None, None, 'mul', '{"y": 2}')], id='neither'),
        pytest.param(
            [E(0, 'a', 'add', '{"x": 1}'), E(0, 'b', 'mul', ''), E(1, args='{"y": 2}')], id='head under the first'
        ),
        pytest.param(
            [E(0, 'a', 'add', '{"x"'), E(1, 'b', 'mul', '{"y"'), E(0, args=': 1}'), E(1, args=': 2}')], id='interleaved'
        ),
        pytest.param(
            [E(0, 'a', 'add', '{"x"'), E(0, 'b', 'mul', '{"y"'), E(0, 'a', args=': 1}'), E(0, 'b', args=': 2}')],
            id='by id, all 0',
        ),
        pytest.param(
            [
                E(None, 'a', 'add', '{"x"'),
                E(None, 'b', 'mul', '{"y"'),
                E(None, 'a', args=': 1}'),
                E(None, 'b', args=': 2}'),
            ],
            id='by id alone',
        ),
        pytest.param(
            [E(0, 'a', 'add', '{"x"'), E(1, 'b', 'mul', '{"y"'), E(7, 'a', args=': 1}'), E(8, 'b', args=': 2}')],
            id='an id outweighs an index',
        ),
        pytest.param(
            [E(0, 'r1', 'add', '{"x"'), E(0, 'r2', args=': 1}'), E(1, 'r3', 'mul', '{"y"'), E(1, 'r4', args=': 2}')],
            id='new ids',
        ),
        pytest.param(
            [
                E(0, 'r1', 'add', '{"x"'),
                E(0, 'r2', 'add', ': 1}'),
                E(1, 'r3', 'mul', '{"y"'),
                E(1, 'r4', 'mul', ': 2}'),
            ],
            id='new ids, names again',
        ),
        pytest.param(
            [
                E(0, 'r1', 'add', ''),
                E(0, 'r2', 'add', '{"x":'),
                E(0, 'r3', 'add', ' '),
                E(0, 'r4', 'add', '1}'),
                E(1, 'r5', 'mul'),
                E(1, 'r6', 'mul', '{"y": 2}'),
            ],
            id='new ids, names again, heads alone',
        ),
        pytest.param(
            [
                [E(None, 'a', 'add', ''), E(None, 'a', 'add', '{"x": 1}')],
                [E(None, 'b', 'mul', '{"y"'), E(None, 'b', None, ': 2}')],
            ],
            id='several pieces of a call in one event',
        ),
        pytest.param(
            [E(None, 'r1', 'add', '{"x"'), E(None, 'r2', args=': 1}'), E(None, 'r3', 'mul', '{"y": 2}')],
            id='new ids, no index',
        ),
        pytest.param(
            [E(0, 'r1', 'add', '{"x"'), E(1, 'r2', args=': 1}'), E(2, 'r3', 'mul', '{"y"'), E(3, 'r4', args=': 2}')],
            id='new ids and indexes',
        ),
        pytest.param(
            [E(0, 'a', 'add', '{"x"'), E(0, 'a', 'add', ': 1}'), E(1, 'b', 'mul', '{"y": 2}'), E(1, 'b', 'mul', '')],
            id='id and name again',
        ),
        pytest.param(
            [E(0, '', 'add', '{"x"'), E(0, '', '', ': 1}'), E(1, '', 'mul', '{"y": 2}')], id='empty ids and names'
        ),
        pytest.param(
            [E('0', 'a', 'add', '{"x"'), E(0, args=': 1}'), E('1', 'b', 'mul', '{"y": 2}')], id='index as text, and not'
        ),
        pytest.param(
            [E(0, 'a', 'ad'), E(0, 'a', 'd'), E(0, args='{"x": 1}'), E(1, 'b', 'mul', '{"y": 2}')], id='name in pieces'
        ),
        pytest.param(
            [E(0, 'a'), E(0, None, 'add', '{"x": 1}'), E(1, 'b', None, '{"y"'), E(1, None, 'mul', ': 2}')],
            id='late names',
        ),
        pytest.param(
            [E(0, None, 'add', '{"x"'), E(0, 'a', None, ': 1}'), E(1, None, 'mul', '{"y": 2}'), E(1, 'b')],
            id='late ids',
        ),
        pytest.param(
            [[E(None, None, 'add', '{"x"'), E(None, None, 'mul', '{"y"')], [E(args=': 1}'), E(args=': 2}')]],
            id='by place',
        ),
        pytest.param([[E(0, 'a', 'add', {'x': 1}), E(0, 'b', 'mul', {'y': 2})]], id='objects'),
        pytest.param(
            [{'index': 0, 'id': 'a', 'name': 'add', 'arguments': '{"x": 1}'}, {'name': 'mul', 'arguments': '{"y": 2}'}],
            id='no function level',
        ),
    ],
)
def test_two_calls_however_they_are_labelled(deltas: list[Any]) -> None:
    assert [(name, (args or '').replace(':1', ': 1').replace(':2', ': 2')) for name, args in bare(*deltas)] == TWO


@pytest.mark.parametrize('index', [0, None])
@pytest.mark.parametrize('call_id', ['a', None])
def test_two_whole_calls_of_one_tool_under_the_same_labels(index: int | None, call_id: str | None) -> None:
    twice: Calls = [('add', '{"x": 1}'), ('add', '{"x": 2}')]
    assert bare(E(index, call_id, 'add', '{"x": 1}'), E(index, call_id, 'add', '{"x": 2}')) == twice
    headed = [
        E(index, call_id, 'add', '{"x": 1}'),
        E(index, None, 'add', ''),
        E(index, args='{"x":'),
        E(index, args=' 2}'),
    ]
    assert bare(*headed) == twice


def test_two_calls_without_arguments() -> None:
    assert bare(E(None, None, 'now', '{}'), E(None, None, 'now', '{}')) == [('now', '{}'), ('now', '{}')]
    assert bare(E(0, 'a', 'now', ''), E(1, 'b', 'later', '')) == [('now', None), ('later', None)]
    assert bare(E(None, 'a', 'now'), E(None, 'b', 'later')) == [('now', None), ('later', None)]
    assert bare([E(0, None, 'now'), E(1, None, 'later')]) == [('now', None), ('later', None)]
    assert bare(E(None, None, 'now', ''), E(None, None, 'add', '{"x": 1}')) == [('now', None), ('add', '{"x": 1}')]


@pytest.mark.parametrize('rest', [(' {"x"', ': 1}'), ('{"x": 1}',)])
@pytest.mark.parametrize('index', [0, None])
def test_an_empty_object_in_the_head_gives_way_to_the_arguments(index: int | None, rest: tuple[str, ...]) -> None:
    (call,) = read(E(index, 'a', 'add', '{}'), *(E(index, args=piece) for piece in rest))
    assert call.args_as_dict() == {'x': 1}


def test_the_call_of_a_custom_tool_is_named_with_its_text() -> None:
    # https://developers.openai.com/api/docs/api-reference/chat/object
    custom = {'id': 'a', 'type': 'custom', 'custom': {'name': 'shell', 'input': 'ls -l'}}
    assert bare({**custom, 'index': 0}) == [('shell', 'ls -l')]
    (call,) = whole_calls([custom], 'openai', 'm')
    assert isinstance(call, ToolCallPart)
    assert (call.tool_name, call.args) == ('shell', 'ls -l')


def test_a_call_that_is_sent_again_whole_under_its_id_and_index_is_one() -> None:
    whole = E(0, 'a', 'pay', '{"euros": 5}')
    assert bare(whole, whole) == [('pay', '{"euros": 5}')]


def test_two_calls_under_one_id_get_ids_of_their_own() -> None:
    first, second = read(E(0, 'a', 'add', '{"x"'), E(1, 'a', 'mul', '{"y"'), E(0, args=': 1}'), E(1, args=': 2}'))
    assert (first.tool_call_id, second.tool_call_id) == ('a', 'a_2')
    assert (first.args, second.args) == ('{"x": 1}', '{"y": 2}')
    # A server that takes the name of the tool for the id, and calls it twice.
    calls = read(E(0, 'add', 'add', ''), E(0, args='{"x": 1}'), E(1, 'add', 'add', ''), E(1, args='{"x": 2}'))
    assert [(call.tool_call_id, call.args) for call in calls] == [('add', '{"x": 1}'), ('add_2', '{"x": 2}')]
    entries = [{'id': 'a', 'function': {'name': name, 'arguments': '{}'}} for name in ('add', 'add', 'mul')]
    whole = whole_calls([*entries, {**entries[0], 'id': 'a_2'}], 'p', 'm')
    ids = [part.tool_call_id for part in whole if isinstance(part, ToolCallPart)]
    assert ids[0] == 'a'
    assert len(set(ids)) == 4


def test_null_entries_and_a_single_call_instead_of_a_list() -> None:
    builder, events = PartsBuilder(), list[ModelResponseStreamEvent]()
    for calls in (None, [], [None], E(0, 'a', 'add', '{"x": 1}')):
        add_calls(calls, builder, events)
    assert builder.parts() == [ToolCallPart('add', '{"x": 1}', 'a')]


def test_a_call_without_a_name_is_no_part_and_not_forgotten() -> None:
    builder, events = PartsBuilder(), list[ModelResponseStreamEvent]()
    add_calls([E(0, 'a', None, '{"x": 1}')], builder, events)
    assert not events
    assert not builder.parts()
    assert [call.args for call in builder.nameless()] == ['{"x": 1}']
    for name in ('', None):
        with pytest.raises(UnexpectedModelBehavior, match='without the name of a tool') as caught:
            whole_calls([{'id': 'a', 'function': {'name': name, 'arguments': '{"x": 1}'}}], 'p', 'm')
        assert caught.value.body == '{"x": 1}'


def labelled(style: str, calls: Calls, cuts: list[int], head_alone: bool) -> list[dict[str, Any]]:
    """The fragments of these calls, as a server of this style labels them."""
    deltas = []
    for number, (name, args) in enumerate(calls):
        text, ends = args or '', sorted({min(cut, len(args or '')) for cut in cuts} | {len(args or '')})
        pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        for place, piece in enumerate(['', *pieces] if head_alone else pieces):
            index = {'all 0': 0, 'no index': None}.get(style, number)
            new_ids, both_again = style.startswith('new ids'), style.endswith('name again')
            call_id = f'r{number}.{place}' if new_ids else f'c{number}'
            head = place == 0
            labels = head or new_ids or both_again or style == 'id again'
            named = head or both_again
            deltas.append(E(index, call_id if labels and style != 'no id' else None, name if named else None, piece))
    return deltas


STYLES = ['the format', 'all 0', 'no index', 'no id', 'id again', 'id and name again', 'new ids', 'new ids, name again']
ARGS = st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers(), max_size=3)


@pytest.mark.slow
@given(
    st.sampled_from(STYLES),
    st.lists(st.tuples(st.sampled_from(['add', 'mul', 'now']), ARGS), min_size=1, max_size=4),
    st.lists(st.integers(min_value=1, max_value=30), max_size=6),
    st.booleans(),
)
def test_every_call_arrives_once_and_whole(
    style: str, drawn: list[tuple[str, Any]], cuts: list[int], head_alone: bool
) -> None:
    calls: Calls = [(name, json.dumps(args)) for name, args in drawn]
    assert bare(*labelled(style, calls, cuts, head_alone)) == calls


# --- formats in which a call has a beginning --------------------------------------------------------------------------

Event = dict[str, Any]
ITEMS = itertools.count()


def decoded(decoder: type[StreamDecoder], events: list[Event]) -> list[ToolCallPart]:
    builder, batch = PartsBuilder(), list[ModelResponseStreamEvent]()
    decoder(builder, 'p', 'm').feed([json.dumps(event) for event in events], batch)
    assert not builder.nameless()
    parts = builder.parts()
    assert parts_of(batch) == [replace(part, provider_details=None) for part in parts]
    return [part for part in parts if isinstance(part, ToolCallPart)]


def of_anthropic(index: int | None, call_id: str | None, name: str, *pieces: str) -> list[Event]:
    place: Event = {} if index is None else {'index': index}
    block: Event = {'type': 'tool_use', 'id': call_id, 'name': name, 'input': {}}
    deltas = [{'type': 'input_json_delta', 'partial_json': piece} for piece in pieces]
    return [
        {'type': 'content_block_start', **place, 'content_block': block},
        *({'type': 'content_block_delta', **place, 'delta': delta} for delta in deltas),
        {'type': 'content_block_stop', **place},
    ]


def of_bedrock(index: int | None, call_id: str | None, name: str, *pieces: str) -> list[Event]:
    place: Event = {} if index is None else {'contentBlockIndex': index}
    return [
        {'contentBlockStart': {**place, 'start': {'toolUse': {'toolUseId': call_id, 'name': name}}}},
        *({'contentBlockDelta': {**place, 'delta': {'toolUse': {'input': piece}}}} for piece in pieces),
        {'contentBlockStop': place},
    ]


def of_responses(index: int | None, call_id: str | None, name: str, *pieces: str) -> list[Event]:
    place: Event = {} if index is None else {'output_index': index}
    item = {'type': 'function_call', 'id': f'fc_{next(ITEMS)}', 'call_id': call_id, 'name': name}
    delta = {'type': 'response.function_call_arguments.delta', **place, 'item_id': item['id']}
    return [
        {'type': 'response.output_item.added', **place, 'item': {**item, 'arguments': ''}},
        *({**delta, 'delta': piece} for piece in pieces),
        {'type': 'response.output_item.done', **place, 'item': {**item, 'arguments': ''.join(pieces)}},
    ]


FORMATS = pytest.mark.parametrize(
    ('decoder', 'write'),
    [
        (AnthropicStreamDecoder, of_anthropic),
        (ConverseStreamDecoder, of_bedrock),
        (ResponsesStreamDecoder, of_responses),
    ],
    ids=['anthropic', 'bedrock', 'responses'],
)


@FORMATS
@pytest.mark.parametrize('indexes', [(0, 1), (0, 0), (None, None)], ids=str)
@pytest.mark.parametrize('ids', [('a', 'b'), ('a', 'a'), (None, None)], ids=str)
def test_a_beginning_is_another_call(
    decoder: type[StreamDecoder], write: Callable[..., list[Event]], indexes: Any, ids: Any
) -> None:
    """Also of a tool without arguments, and however the two are labelled."""
    for first, second in ((('{"x"', ': 1}'), ('{"y": 2}',)), ((), ()), (('{}',), ('{}',))):
        for names in (('now', 'later'), ('now', 'now')):
            events = write(indexes[0], ids[0], names[0], *first) + write(indexes[1], ids[1], names[1], *second)
            calls = decoded(decoder, events)
            args = [''.join(first) or None, ''.join(second) or None]
            assert [(call.tool_name, call.args) for call in calls] == list(zip(names, args, strict=True))
            assert len({call.tool_call_id for call in calls}) == 2


def test_arguments_of_responses_before_their_item() -> None:
    *deltas, done = of_responses(0, 'a', 'add', '{"x"', ': 1}')[1:]
    assert decoded(ResponsesStreamDecoder, [*deltas, done]) == [
        ToolCallPart('add', '{"x": 1}', 'a', provider_details={'id': done['item']['id']})
    ]


def test_calls_of_gemini_are_whole_and_a_nameless_one_is_an_error() -> None:
    calls = [{'name': 'add', 'args': {'x': 1}}, {'name': 'add', 'args': {}}, {'name': 'mul', 'id': 'a', 'args': []}]
    chunk = {'candidates': [{'content': {'parts': [{'functionCall': call} for call in calls]}, 'finishReason': 'STOP'}]}
    assert [(call.tool_name, call.args) for call in decoded(GoogleStreamDecoder, [chunk])] == [
        ('add', '{"x":1}'),
        ('add', '{}'),
        ('mul', '{}'),
    ]
    with pytest.raises(UnexpectedModelBehavior, match='without the name of a tool'):
        decoded(GoogleStreamDecoder, [{'candidates': [{'content': {'parts': [{'functionCall': {'args': {}}}]}}]}])

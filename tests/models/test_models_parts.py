from __future__ import annotations

from syncai.messages import (
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolCallPartDelta,
)
from syncai.models._http.parts import PartsBuilder
from syncai.models._http.strict_schema import strict_schema
from syncai.models._offline.schema_sample import SchemaSample


def replay(events: list[ModelResponseStreamEvent | None]) -> list[ModelResponsePart]:
    """The answer that a reader builds from the events alone."""
    parts: list[ModelResponsePart] = []
    for event in events:
        if isinstance(event, PartStartEvent):
            assert event.index == len(parts)
            parts.append(event.part)
        elif event is not None:
            parts[event.index] = event.delta.apply(parts[event.index])
    return parts


def test_the_events_and_the_parts_agree() -> None:
    builder = PartsBuilder()
    events = [
        builder.thinking('hm', provider_name='p'),
        builder.thinking('m', signature='sig', provider_name='p'),
        builder.text('a'),
        builder.tool_call(0, name='f', args='', call_id='c0'),
        builder.tool_call(1, name='g', args='{', call_id='c1'),
        builder.tool_call(0, args='{"x":'),
        builder.tool_call(1, args='}'),
        builder.text('b'),
        builder.tool_call(0, args='1}'),
    ]
    expected = [
        ThinkingPart('hmm', signature='sig', provider_name='p'),
        TextPart('ab'),
        ToolCallPart('f', '{"x":1}', 'c0'),
        ToolCallPart('g', '{}', 'c1'),
    ]
    assert builder.parts() == expected
    assert replay(list(events)) == expected


def test_servers_that_repeat_id_and_name() -> None:
    builder = PartsBuilder()
    builder.tool_call(0, name='f', args='{', call_id='c')
    event = builder.tool_call(0, name='f', args='}', call_id='c')
    assert event == PartDeltaEvent(0, ToolCallPartDelta(None, '}', None))
    assert builder.tool_call(0, name='f', call_id='c') is None
    assert builder.parts() == [ToolCallPart('f', '{}', 'c')]


def test_servers_without_an_index_or_with_the_same_one() -> None:
    for index in (None, 0):
        builder = PartsBuilder()
        builder.tool_call(index, name='f', args='{}', call_id='a')
        builder.tool_call(index, name='f', args='{', call_id='b')
        builder.tool_call(index, args='}')
        assert builder.parts() == [ToolCallPart('f', '{}', 'a'), ToolCallPart('f', '{}', 'b')]


def test_an_id_is_made_where_there_is_none_and_gives_way_to_a_late_one() -> None:
    builder = PartsBuilder()
    builder.tool_call(0, name='f')
    (call,) = builder.parts()
    assert isinstance(call, ToolCallPart)
    assert call.tool_call_id.startswith('call_')
    assert call.args is None
    builder.tool_call(0, call_id='late')
    assert builder.parts() == [ToolCallPart('f', None, 'late')]


def test_strict_schema() -> None:
    schema = {
        'type': 'object',
        'properties': {
            'a': {'type': 'string', 'default': None},
            'b': {'$ref': '#/$defs/B', 'description': 'd'},
            'c': {'allOf': [{'$ref': '#/$defs/B'}]},
            'default': {'type': 'string'},
        },
        '$defs': {'B': {'type': 'object', 'properties': {'n': {'type': 'integer'}}}},
    }
    closed = {
        'type': 'object',
        'properties': {'n': {'type': 'integer'}},
        'additionalProperties': False,
        'required': ['n'],
    }
    assert strict_schema(schema, 'x') == {
        'type': 'object',
        'properties': {
            'a': {'type': 'string'},
            'b': {**closed, 'description': 'd'},
            'c': {'$ref': '#/$defs/B'},
            'default': {'type': 'string'},
        },
        '$defs': {'B': closed},
        'additionalProperties': False,
        'required': ['a', 'b', 'c', 'default'],
    }


def test_a_schema_that_contains_itself_stays_finite() -> None:
    node = {'type': 'object', 'properties': {'next': {'$ref': '#/$defs/N', 'description': 'x'}}, 'required': ['next']}
    schema = {'$ref': '#/$defs/N', 'description': 'top', '$defs': {'N': node}}
    assert strict_schema(schema, 'x')['required'] == ['next']
    assert SchemaSample(schema).value() == {'next': {'next': None}}


def test_samples_satisfy_their_schema() -> None:
    schema = {
        'type': 'object',
        'required': ['s', 'n', 'i', 'e', 'l', 'd', 'u', 'm'],
        'properties': {
            's': {'type': 'string', 'minLength': 3, 'maxLength': 4},
            'n': {'type': 'number', 'exclusiveMinimum': 0, 'exclusiveMaximum': 1},
            'i': {'type': 'integer', 'minimum': 5, 'maximum': 6},
            'e': {'enum': ['x', 'y']},
            'l': {'type': 'array', 'items': {'type': 'boolean'}, 'minItems': 2},
            'd': {'type': 'string', 'format': 'date'},
            'u': {'anyOf': [{'type': 'null'}, {'type': 'string'}]},
            'm': {'type': 'integer', 'multipleOf': 4, 'minimum': 1},
            'optional': {'type': 'string'},
        },
    }
    assert SchemaSample(schema).value() == {
        's': 'aaa',
        'n': 0.5,
        'i': 5,
        'e': 'x',
        'l': [False, False],
        'd': '2024-01-01',
        'u': None,
        'm': 4,
    }
    assert SchemaSample(schema, seed=1).value()['e'] == 'y'

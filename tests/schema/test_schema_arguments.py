"""A model's arguments on their way to the function, and the errors that the model reads."""

# No `from __future__ import annotations`: annotations are objects here, and text only where a test writes text.

import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, TypeVar, Unpack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from schema_kinds import Box, Colour, Node, Place, Point, RunContext, call, errors_of, plain

from syncai._schema import function_schema

T = TypeVar('T')


def test_every_kind_of_parameter_reaches_its_place() -> None:
    def tool(a: int, b: int = 5, /, c: int = 6, *rest: int, d: int, **more: date) -> Any: ...

    schema = plain(tool)
    assert schema.json_schema['properties']['rest'] == {'type': 'array', 'items': {'type': 'integer'}}
    assert schema.json_schema['additionalProperties'] == {'type': 'string', 'format': 'date'}
    assert schema.json_schema['required'] == ['a', 'd']
    assert schema.validate('{"a": 1, "d": 2}') == ([1, 5, 6], {'d': 2})
    assert schema.validate('{"a": 1, "d": 2, "rest": [8, 9]}') == ([1, 5, 6, 8, 9], {'d': 2})
    for args in ('{"a": 1, "c": 3, "d": 2, "day": "2024-05-06"}', {'a': 1, 'c': 3, 'd': 2, 'day': '2024-05-06'}):
        assert schema.validate(args) == ([1, 5, 3], {'d': 2, 'day': date(2024, 5, 6)})
    with pytest.raises(ValidationError, match='day'):
        schema.validate('{"a": 1, "d": 2, "day": "someday"}')


def test_kwargs_share_the_definitions_of_the_others() -> None:
    def tool(first: Box, **boxes: Box) -> None: ...

    schema = plain(tool)
    assert schema.json_schema['additionalProperties'] == {'$ref': '#/$defs/Box'}
    assert list(schema.json_schema['$defs']) == ['Box']
    assert schema.validate({'first': {'width': 1}, 'b': {'width': 2}})[1] == {'first': Box(width=1), 'b': Box(width=2)}


def test_keys_that_nobody_named_are_refused_in_the_call_and_left_to_the_types_within() -> None:
    def closed(point: Point, place: Place, other: int = 0) -> Any: ...

    def open_(point: Point, place: Place, **more: int) -> Any: ...

    values = {'point': {'x': 1, 'z': 2}, 'place': {'city': 'c', 'z': 3}}
    for function in (closed, open_):
        assert plain(function).validate(values) == ([], {'point': Point(1), 'place': {'city': 'c'}})
        assert 'additionalProperties' not in plain(function).json_schema['$defs']['Point']
    with pytest.raises(ValidationError, match='Extra inputs'):
        plain(closed).validate({**values, 'z': 4})


def test_keys_of_an_unpacked_typed_dict_are_parameters() -> None:
    class Options(Place, total=False):
        day: Annotated[int, Field(ge=1)]

    def tool(box: Box, **options: Unpack[Options]) -> Any: ...

    schema = plain(tool)
    assert list(schema.json_schema['properties']) == ['box', 'city', 'since', 'day']
    assert schema.json_schema['properties']['day'] == {'type': 'integer', 'minimum': 1}
    assert schema.json_schema['required'] == ['box', 'city']
    assert schema.json_schema['additionalProperties'] is False
    sent = {'box': {'width': 1}, 'city': 'c', 'since': '2024-01-02'}
    assert schema.validate(json.dumps(sent)) == ([], {**sent, 'box': Box(width=1), 'since': date(2024, 1, 2)})


def test_untyped_kwargs_take_anything() -> None:
    def tool(**more: Any) -> Any:
        return more

    assert plain(tool).json_schema['additionalProperties'] is True
    assert call(tool, '{"a": [1], "b": null}') == {'a': [1], 'b': None}


def test_kwargs_of_json_text_are_read_as_json() -> None:
    class Strict(BaseModel, strict=True):
        day: date

    def tool(**more: Strict) -> Any: ...

    assert plain(tool).validate('{"a": {"day": "2024-01-02"}}')[1] == {'a': Strict(day=date(2024, 1, 2))}
    with pytest.raises(ValidationError):
        plain(tool).validate({'a': {'day': '2024-01-02'}})


def test_kwargs_cannot_set_the_context() -> None:
    def tool(ctx: RunContext[None], **more: int) -> Any: ...

    schema = function_schema(tool, takes_ctx=True)
    assert schema.validate('{"ctx": 1, "x": 2}') == ([], {'x': 2})


@pytest.mark.slow
@settings(deadline=None)
@given(values=st.fixed_dictionaries({'a': st.integers()}, optional={'b': st.text(), 'c': st.lists(st.integers())}))
def test_json_text_and_dict_mean_the_same(values: dict[str, Any]) -> None:
    def tool(a: int, b: str = 'b', *, c: list[int] | None = None) -> Any:
        return {'a': a, 'b': b, 'c': c}

    expected = {'b': 'b', 'c': None, **values}
    assert call(tool, values) == expected
    assert call(tool, json.dumps(values)) == expected


@pytest.mark.parametrize(
    ('kind', 'sent', 'expected'),
    [
        (date, '2024-01-02', date(2024, 1, 2)),
        (Colour, 'b', Colour.blue),
        (bytes, 'abc', b'abc'),
        (Decimal, '1.10', Decimal('1.10')),
        (set[int], [1, 1, 2], {1, 2}),
        (tuple[int, str], [1, 'x'], (1, 'x')),
        (Point, {'x': 1}, Point(1)),
        (Box, {'width': 3}, Box(width=3)),
        (Node, {'value': 1, 'children': [{'value': 2}]}, Node(value=1, children=[Node(value=2)])),
        (int | None, None, None),
        (float, 1, 1.0),
        (list[Place], [{'city': 'x', 'since': '2024-01-02'}], [{'city': 'x', 'since': date(2024, 1, 2)}]),
    ],
    ids=str,
)
def test_values_become_python_values(kind: Any, sent: Any, expected: Any) -> None:
    def tool(value: kind, other: int = 0) -> Any:
        return value

    assert call(tool, {'value': sent}) == expected
    assert call(tool, json.dumps({'value': sent})) == expected


def test_errors_as_the_model_reads_them() -> None:
    def tool(count: int, box: Box) -> None: ...

    assert errors_of(tool, '{"count": "many", "box": {"width": 1.5}}') == [
        {
            'type': 'int_parsing',
            'loc': ['count'],
            'msg': 'Input should be a valid integer, unable to parse string as an integer',
            'input': 'many',
        },
        {
            'type': 'int_from_float',
            'loc': ['box', 'width'],
            'msg': 'Input should be a valid integer, got a number with a fractional part',
            'input': 1.5,
        },
    ]


@pytest.mark.parametrize('text', ['{"a": ', '[1]', 'null', '"x"', 'a=1', '{"a": 1} and more', '{"a": "\ud800"}'])
def test_text_that_is_no_object(text: str) -> None:
    def tool(a: int) -> None: ...

    assert errors_of(tool, text)


def test_long_inputs_are_cut() -> None:
    def tool(a: int, b: list[int]) -> None: ...

    first, second = errors_of(tool, json.dumps({'a': 'x' * 5000, 'b': {'k': list(range(2000))}}))
    assert first['input'] == 'x' * 500 + '... (5000 characters)'
    assert second['input'].startswith('{"k":[0,1,2,')
    assert len(second['input']) < 550


def test_inputs_that_json_cannot_carry() -> None:
    def tool(a: int) -> None: ...

    unusual: list[Any] = [object(), b'\xff', float('inf'), {1: {2, 3}}, 'half \ud800', ['half \ud800']]
    for value in unusual:
        assert len(errors_of(tool, {'a': value})) == 1


def test_errors_of_the_users_own_validators_are_told() -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError('must be even')
        return value

    def tool(a: Annotated[int, AfterValidator(even)]) -> None: ...

    assert errors_of(tool, '{"a": 1}')[0]['msg'] == 'Value error, must be even'

"""Functions as tools: their JSON schema, and what is described where."""

# No `from __future__ import annotations`: annotations are objects here, and text only where a test writes text.

import json
import math
import threading
from datetime import date
from typing import Annotated, Any, Literal, Optional, TypeVar

import pytest
from pydantic import Field, RootModel, ValidationError, WithJsonSchema
from schema_kinds import Box, Colour, ModernPlace, Node, Place, Point, call, errors_of, plain, two

from syncai.exceptions import UserError

T = TypeVar('T')


def describe_all(  # type: ignore[no-untyped-def]
    count: int,
    names: list[str],
    colour: Colour,
    box: Box,
    place: Place,
    mode: Literal['fast', 'slow'] = 'fast',
    limit: Annotated[int, Field(ge=1, description='At most')] = 3,
    note: Optional[str] = None,  # noqa: UP045 - the older way of writing it
    untyped=None,
) -> None:
    """Do all of it.

    In two
    paragraphs.

    Args:
        count: How
            many.
        colour: Which.
        limit: Not this one.
    """


def test_schema_of_each_kind_of_parameter() -> None:
    schema = plain(describe_all)
    assert schema.name == 'describe_all'
    assert schema.description == 'Do all of it.\n\nIn two\nparagraphs.'
    assert not schema.takes_ctx
    assert schema.json_schema == {
        'type': 'object',
        'properties': {
            'count': {'type': 'integer', 'description': 'How many.'},
            'names': {'type': 'array', 'items': {'type': 'string'}},
            'colour': {'$ref': '#/$defs/Colour', 'description': 'Which.'},
            'box': {'$ref': '#/$defs/Box'},
            'place': {'$ref': '#/$defs/Place'},
            'mode': {'type': 'string', 'enum': ['fast', 'slow'], 'default': 'fast'},
            'limit': {'type': 'integer', 'minimum': 1, 'description': 'At most', 'default': 3},
            'note': {'anyOf': [{'type': 'string'}, {'type': 'null'}], 'default': None},
            'untyped': {'default': None},
        },
        'required': ['count', 'names', 'colour', 'box', 'place'],
        'additionalProperties': False,
        '$defs': {
            'Colour': {'type': 'string', 'enum': ['r', 'b'], 'description': 'A colour.'},
            'Box': {
                'type': 'object',
                'description': 'A box.',
                'properties': {
                    'width': {'type': 'integer'},
                    'label': {'type': 'string', 'default': '?', 'title': 'The Label'},
                },
                'required': ['width'],
            },
            'Place': {
                'type': 'object',
                'properties': {'city': {'type': 'string'}, 'since': {'type': 'string', 'format': 'date'}},
                'required': ['city'],
            },
        },
    }


def test_parameter_named_like_a_keyword_of_json_schema() -> None:
    def tool(title: str, description: str, type: int, model_config: str, _hidden: int, schema: str) -> None: ...  # noqa: A002

    names = ['title', 'description', 'type', 'model_config', '_hidden', 'schema']
    assert list(plain(tool).json_schema['properties']) == names
    values = {'title': 't', 'description': 'd', 'type': 1, 'model_config': 'm', '_hidden': 2, 'schema': 's'}
    assert plain(tool).validate(json.dumps(values)) == ([], values)


def test_no_parameters() -> None:
    def ping() -> str:
        return 'pong'

    assert plain(ping).json_schema == {'type': 'object', 'properties': {}, 'additionalProperties': False}
    values: list[Any] = ['', None, '{}', {}, ' \n']
    for nothing in values:
        assert call(ping, nothing) == 'pong'
    with pytest.raises(ValidationError, match='extra'):
        plain(ping).validate('{"made_up": 1}')


def test_defaults_that_json_cannot_carry_stay_with_the_function() -> None:
    sentinel = object()

    def tool(x: Any = sentinel, y: date = date(2024, 1, 2), z: tuple[int, ...] = (1, 2), n: float = math.nan) -> Any:
        return x, y, z

    properties = plain(tool).json_schema['properties']
    assert properties['x'] == {}
    assert properties['n'] == {'type': 'number'}
    assert properties['y']['default'] == '2024-01-02'
    assert properties['z']['default'] == [1, 2]
    assert call(tool, '{}') == (sentinel, date(2024, 1, 2), (1, 2))


def test_a_mutable_default_is_the_functions_own() -> None:
    shared: list[int] = []

    def tool(x: list[int] = shared) -> list[int]:
        return x

    assert call(tool, '{}') is shared


def test_a_schema_written_by_hand_goes_before_the_docstring() -> None:
    def tool(a: Annotated[int, WithJsonSchema({'type': 'integer', 'description': 'By hand'})], b: int) -> None:
        """Do.

        Args:
            a: First.
            b: Second.
        """

    properties = plain(tool).json_schema['properties']
    assert [properties[name]['description'] for name in 'ab'] == ['By hand', 'Second.']


def test_field_as_default() -> None:
    def tool(
        a: int = Field(ge=2, description='First'),
        b: int = Field(7),
        c: list[int] = Field(default_factory=list),  # noqa: B008 - as people write it
    ) -> Any:
        return a, b, c

    schema = plain(tool).json_schema
    assert schema['required'] == ['a']
    assert schema['properties']['a'] == {'type': 'integer', 'minimum': 2, 'description': 'First'}
    assert schema['properties']['b']['default'] == 7
    assert plain(tool).validate('{"a": 2}') == ([], {'a': 2, 'b': 7, 'c': []})
    with pytest.raises(ValidationError):
        plain(tool).validate('{"a": 1}')


def test_alias_is_what_the_model_sees() -> None:
    def tool(from_: Annotated[str, Field(alias='from')], to: str) -> str:
        return from_ + to

    assert list(plain(tool).json_schema['properties']) == ['from', 'to']
    assert call(tool, '{"from": "a", "to": "b"}') == 'ab'


@pytest.mark.parametrize('kind', [Box, Point, Place, ModernPlace, Node, Annotated[Box, 'noted']], ids=str)
def test_single_object_is_flat(kind: Any) -> None:
    def tool(it: kind) -> Any:
        """Take it."""

    schema = plain(tool)
    assert schema.json_schema['type'] == 'object'
    assert 'it' not in schema.json_schema['properties']
    assert 'title' not in schema.json_schema


def test_flat_argument_is_handed_over_whole() -> None:
    def by_name(box: Box) -> Any:
        return box

    def by_position(box: Box, /) -> Any:
        return box

    assert call(by_name, '{"width": 2}') == call(by_position, {'width': 2}) == Box(width=2)
    assert plain(by_name).validate('{"width": 2}') == ([], {'box': Box(width=2)})
    assert plain(by_position).validate('{"width": 2}') == ([Box(width=2)], {})
    assert [e['loc'] for e in errors_of(by_name, '{}')] == [['width']]


def test_flat_description_comes_from_the_function_else_from_the_class() -> None:
    def packed_box(box: Box) -> None:
        """Pack it."""

    def untold(box: Box) -> None: ...

    assert plain(packed_box).description == 'Pack it.'
    assert plain(packed_box).json_schema['description'] == 'A box.'
    assert plain(untold).description == 'A box.'
    assert 'description' not in plain(untold).json_schema


@pytest.mark.parametrize(
    'kind', [int, list[Box], dict[str, int], Box | None, Box | Point, RootModel[list[int]]], ids=str
)
def test_other_single_parameters_are_wrapped(kind: Any) -> None:
    def tool(it: kind) -> Any: ...

    assert list(plain(tool).json_schema['properties']) == ['it']


def test_object_with_a_default_or_among_others_is_wrapped() -> None:
    def optional(it: Box = Box(width=1)) -> Any:  # noqa: B008
        return it

    def field(it: Box = Field(Box(width=1))) -> Any:  # noqa: B008
        return it

    def variadic(*it: Box) -> Any:
        return it

    def keywords(**it: Box) -> Any:
        return it

    for function in (optional, field):
        assert call(function, '{}') == Box(width=1)
        assert call(function, '{"it": {"width": 2}}') == Box(width=2)
    assert call(variadic, '{"it": [{"width": 2}]}') == (Box(width=2),)
    assert call(keywords, '{"a": {"width": 2}}') == {'a': Box(width=2)}


def test_descriptions_can_be_required() -> None:
    def tool(a: int, b: Annotated[int, Field(description='B')], c: int) -> None:
        """Do.

        :param a: A
        """

    with pytest.raises(UserError, match=r"Nothing describes 'c' of 'tool': name them in the docstring"):
        plain(tool, require_parameter_descriptions=True)
    assert plain(two, description='x').json_schema['properties']['item']['description'] == 'The middle.'


def test_repr_says_what_the_model_sees() -> None:
    def ping() -> None:
        """Ping."""

    assert repr(plain(ping)).startswith("FunctionSchema(name='ping', description='Ping.', json_schema=")
    assert '_arguments' not in repr(plain(ping))


def test_threads_share_a_schema() -> None:
    schema, found = plain(two), []

    def work(number: int) -> None:
        for _ in range(50):
            found.append(schema.validate(f'{{"prefix": "{number}", "item": "b"}}')[1]['prefix'] == str(number))  # noqa: PERF401

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 200

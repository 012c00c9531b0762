from __future__ import annotations

import copy
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from syncai.exceptions import UserError
from syncai.models._anthropic.schema import anthropic_schema


class Colour(Enum):
    RED = 'red'
    BLUE = 'blue'


class Cat(BaseModel):
    kind: Literal['cat']
    lives: Annotated[int, Field(ge=1, le=9)] = 9


class Dog(BaseModel):
    """A dog."""

    kind: Literal['dog']
    colour: Colour | None = None


class Owner(BaseModel):
    name: Annotated[str, Field(min_length=1, pattern='^[a-z]+$', description='in small letters')]
    pets: Annotated[list[Annotated[Cat | Dog, Field(discriminator='kind')]], Field(min_length=1, max_length=3)]
    favourite: Annotated[Dog, Field(description='the best one')]
    home: tuple[float, float]


class Node(BaseModel):
    children: list[Node]


class Left(BaseModel):
    right: Right | None


class Right(BaseModel):
    left: Left | None


def fitted(kind: Any) -> Any:
    schema = TypeAdapter(kind).json_schema()
    before = copy.deepcopy(schema)
    written = anthropic_schema(schema)
    assert schema == before
    return written


def nodes(value: Any) -> list[dict[str, Any]]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return ([value] if isinstance(value, dict) else []) + [node for child in children for node in nodes(child)]


def test_a_model_of_many_kinds() -> None:
    written = fitted(Owner)
    assert written['required'] == ['name', 'pets', 'favourite', 'home']
    objects = [node for node in nodes(written) if node.get('type') == 'object']
    assert len(objects) == 4
    assert all(node['additionalProperties'] is False for node in objects)
    assert not {'oneOf', 'discriminator', 'minimum', 'pattern', 'minLength', 'prefixItems', 'maxItems'} & {
        key for node in nodes(written) for key in node
    }
    name, pets, favourite, home = (written['properties'][key] for key in ('name', 'pets', 'favourite', 'home'))
    assert name['description'] == 'in small letters (minLength: 1, pattern: ^[a-z]+$)'
    assert (pets['minItems'], pets['description']) == (1, '(maxItems: 3)')
    assert pets['items'] == {'anyOf': [{'$ref': '#/$defs/Cat'}, {'$ref': '#/$defs/Dog'}]}
    assert (favourite['description'], favourite['required']) == ('the best one', ['kind'])
    assert home['description'] == '(maxItems: 2, minItems: 2)'
    assert home['items'] == {'anyOf': [{'type': 'number'}, {'type': 'number'}]}
    assert written['$defs']['Cat']['properties']['lives'] == {
        'title': 'Lives',
        'type': 'integer',
        'default': 9,
        'description': '(maximum: 9, minimum: 1)',
    }
    assert written['$defs']['Dog']['description'] == 'A dog.'
    assert written['$defs']['Colour'] == {'title': 'Colour', 'type': 'string', 'enum': ['red', 'blue']}


@pytest.mark.parametrize(
    ('node', 'wanted'),
    [
        ({'type': 'string', 'format': 'date-time'}, {'type': 'string', 'format': 'date-time'}),
        ({'type': 'string', 'format': 'color'}, {'type': 'string', 'description': '(format: color)'}),
        ({'type': 'array', 'items': True, 'minItems': 0}, {'type': 'array', 'items': True, 'minItems': 0}),
        ({'type': 'array', 'items': {}, 'minItems': 2}, {'type': 'array', 'items': {}, 'description': '(minItems: 2)'}),
        ({'type': ['string', 'null'], 'const': 'x'}, {'type': ['string', 'null'], 'const': 'x'}),
        ({'allOf': [{'type': 'number', 'multipleOf': 2}]}, {'type': 'number', 'description': '(multipleOf: 2)'}),
        ({'not': {'type': 'null'}, '$comment': 'x'}, {'description': '(not: {"type":"null"})'}),
    ],
)
def test_keywords(node: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert anthropic_schema(node) == wanted


def test_properties_may_have_the_names_of_keywords() -> None:
    schema = {'type': 'object', 'properties': {'minimum': {'type': 'integer'}, 'properties': {'type': 'string'}}}
    assert anthropic_schema(schema) == {**schema, 'additionalProperties': False}


@pytest.mark.parametrize('kind', [Node, Left, list[Node], dict[str, Owner], dict[str, int], dict, list[dict[str, str]]])
def test_what_cannot_be_written_is_refused(kind: Any) -> None:
    with pytest.raises(UserError, match="use result_mode 'tool'"):
        fitted(kind)


def test_an_object_without_properties_is_empty() -> None:
    class Nothing(BaseModel):
        pass

    class Open(BaseModel, extra='allow'):
        a: int

    assert fitted(Nothing)['properties'] == {}
    assert fitted(Open)['additionalProperties'] is False
    assert anthropic_schema({'type': 'object', 'additionalProperties': False})['properties'] == {}

from __future__ import annotations

import copy
import datetime
from typing import Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, Field

from syncai.models._google.schema import google_schema


class Address(BaseModel):
    """Where somebody lives."""

    city: str


class Person(BaseModel):
    home: Address = Field(description='at night')
    work: Address | None = None


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Tree(BaseModel):
    root: Node


ADDRESS = {
    'description': 'Where somebody lives.',
    'properties': {'city': {'title': 'City', 'type': 'string'}},
    'required': ['city'],
    'title': 'Address',
    'type': 'object',
}


def test_definitions_are_inlined_and_what_stands_beside_a_reference_wins() -> None:
    schema = Person.model_json_schema()
    before = copy.deepcopy(schema)
    assert google_schema(schema) == {
        'properties': {
            'home': {**ADDRESS, 'description': 'at night'},
            'work': {'anyOf': [ADDRESS, {'type': 'null'}], 'default': None},
        },
        'required': ['home'],
        'title': 'Person',
        'type': 'object',
    }
    assert schema == before


@pytest.mark.parametrize('model', [Node, Tree])
def test_what_holds_itself_stays_a_reference_to_a_definition_that_is_kept(model: type[BaseModel]) -> None:
    schema = google_schema(model.model_json_schema())
    assert schema['type'] == 'object'
    assert list(schema['$defs']) == ['Node']
    assert schema['$defs']['Node']['properties']['children']['items'] == {'$ref': '#/$defs/Node'}


def test_two_that_hold_each_other() -> None:
    left = {'type': 'object', 'properties': {'r': {'$ref': '#/definitions/R', 'description': 'd'}}}
    right = {'type': 'object', 'properties': {'l': {'$ref': '#/definitions/L'}}}
    schema = google_schema({'$ref': '#/definitions/L', 'definitions': {'L': left, 'R': right}})
    inner = schema['properties']['r']
    assert inner['description'] == 'd'
    assert inner['properties']['l'] == {'$ref': '#/$defs/L'}
    assert list(schema['$defs']) == ['L']
    assert schema['$defs']['L']['properties']['r']['properties']['l'] == {'$ref': '#/$defs/L'}


class Odd(BaseModel):
    kind: Literal['a']
    number: Literal[7]
    yes: Literal[True]
    positive: int = Field(gt=0, lt=10)
    share: float = Field(gt=0, le=1)
    when: datetime.date
    page: AnyUrl
    mail: str = Field(json_schema_extra={'format': 'email'}, description='yours')


def test_keywords_that_gemini_does_not_know_are_said_in_those_it_knows() -> None:
    found = {name: {**p, 'title': ''} for name, p in google_schema(Odd.model_json_schema())['properties'].items()}
    assert found == {
        'kind': {'enum': ['a'], 'title': '', 'type': 'string'},
        'number': {'enum': [7], 'title': '', 'type': 'integer'},
        'yes': {'title': '', 'type': 'boolean'},
        'positive': {'minimum': 1, 'maximum': 9, 'title': '', 'type': 'integer'},
        'share': {'minimum': 0, 'maximum': 1, 'title': '', 'type': 'number'},
        'when': {'format': 'date', 'title': '', 'type': 'string'},
        'page': {'description': 'Format: uri', 'minLength': 1, 'title': '', 'type': 'string'},
        'mail': {'description': 'yours (format: email)', 'title': '', 'type': 'string'},
    }


@pytest.mark.parametrize(
    ('schema', 'fitted'),
    [
        ({'const': 'a'}, {'type': 'string', 'enum': ['a']}),
        ({'const': None}, {}),
        ({'allOf': [{'type': 'string'}], 'description': 'd'}, {'type': 'string', 'description': 'd'}),
        ({'allOf': [{'type': 'string'}, {'minLength': 1}]}, {'allOf': [{'type': 'string'}, {'minLength': 1}]}),
        ({'$schema': 'x', 'discriminator': {}, 'examples': [1], 'type': 'null'}, {'type': 'null'}),
        ({'type': 'integer', 'exclusiveMinimum': True}, {'type': 'integer'}),
        ({'type': 'integer', 'minimum': 3, 'exclusiveMinimum': 0}, {'type': 'integer', 'minimum': 3}),
        (
            {'items': True, 'prefixItems': [{'const': 1}]},
            {'items': True, 'prefixItems': [{'enum': [1], 'type': 'integer'}]},
        ),
        ({'$ref': '#/$defs/Gone', 'description': 'd'}, {'$ref': '#/$defs/Gone'}),
        ({'enum': [{'const': 1}], 'default': {'$schema': 'x'}}, {'enum': [{'const': 1}], 'default': {'$schema': 'x'}}),
    ],
)
def test_corners(schema: dict[str, Any], fitted: dict[str, Any]) -> None:
    assert google_schema(schema) == fitted


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    properties: dict[str, Any] = {name: {'type': 'string'} for name in ('const', 'examples', '$defs', 'format')}
    assert google_schema({'type': 'object', 'properties': properties})['properties'] == properties

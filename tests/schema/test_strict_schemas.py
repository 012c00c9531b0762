"""Schemas as OpenAI's strict mode takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from replay import conversations
from schema_kinds import name_of
from strict_rules import (
    AnyValue,
    ByName,
    Cat,
    Colour,
    Deep,
    Dog,
    Extra,
    Home,
    Many,
    Open,
    Point,
    Size,
    Tree,
    violations,
)

from syncai import UserError
from syncai._schema import result_spec
from syncai.models._http.strict_schema import strict_schema, strict_where_it_fits
from syncai.models._offline.schema_sample import SchemaSample

FITTING = [Cat, Dog, Home, Tree, Many, Point, list[Cat], Cat | Dog, int, Colour, Size]


@pytest.mark.parametrize('kind', FITTING, ids=lambda kind: getattr(kind, '__name__', str(kind)))
def test_what_can_be_strict_is_written_as_the_api_takes_it(kind: Any) -> None:
    spec = result_spec(kind)
    schema = strict_where_it_fits(spec.native_schema().schema)
    assert schema is not None
    assert list(violations(schema)) == []
    assert schema['type'] == 'object'
    assert strict_where_it_fits(schema) == schema  # nothing is left to be done


@pytest.mark.parametrize('kind', [kind for kind in FITTING if kind not in (Many, Tree)], ids=name_of)
def test_an_answer_of_the_strict_schema_is_a_result(kind: Any) -> None:
    spec = result_spec(kind)
    answer = SchemaSample(strict_where_it_fits(spec.native_schema().schema) or {}).value()
    assert spec.validate_answer(json.dumps(answer)) is not None


def test_what_strict_mode_cannot_say_is_words() -> None:
    properties = (strict_where_it_fits(result_spec(Many).native_schema().schema) or {})['properties']
    assert properties['code'] == {
        'type': 'string',
        'pattern': '^[A-Z]+$',
        'description': '(maxLength: 5, minLength: 2)',
    }
    assert properties['word']['description'] == '(examples: ["ab"])'
    assert properties['link']['description'].startswith('(format: uri')
    assert properties['tags']['description'] == '(uniqueItems: true)'
    assert properties['pair']['items'] == {'anyOf': [{'type': 'integer'}, {'type': 'string'}]}
    assert (properties['pair']['minItems'], properties['pair']['maxItems']) == (2, 2)
    assert properties['triple']['items'] == {'type': 'integer'}
    assert properties['deprecated'] == {'type': 'string', 'description': '(default: x)'}
    assert properties['choice']['type'] == ['string', 'integer', 'boolean']


OPEN = [Open, Extra, ByName, Deep, dict[str, int], list[dict[str, Any]]]


@pytest.mark.parametrize('kind', [*OPEN, AnyValue, dict, list, list[Any]], ids=name_of)
def test_what_cannot_be_strict_is_left_as_it_is(kind: Any) -> None:
    assert strict_where_it_fits(result_spec(kind).native_schema().schema) is None


@pytest.mark.parametrize('kind', OPEN, ids=name_of)
def test_an_object_of_any_keys_is_refused_where_strict_is_asked_for(kind: Any) -> None:
    with pytest.raises(UserError, match=r'X cannot be strict: .* is an object of any keys, such as a dict\. Write'):
        strict_schema(result_spec(kind).native_schema().schema, 'X')


def test_schemas_written_by_hand() -> None:
    ahead = {'type': 'object', 'properties': {'a': {'type': 'string', 'pattern': '^(?!x)a'}}}
    assert (strict_where_it_fits(ahead) or {})['properties']['a'] == {
        'type': 'string',
        'description': '(pattern: ^(?!x)a)',  # as pydantic wrote for Decimal: grammars cannot look ahead
    }
    assert strict_where_it_fits({'type': 'object'}) is None
    assert strict_where_it_fits({'type': 'object', 'properties': {}}) is not None
    assert strict_where_it_fits({'anyOf': [{'type': 'object', 'properties': {}}]}) is None
    assert strict_where_it_fits({'type': 'object', 'properties': {'a': True}}) is None
    both_of = {'allOf': [{'type': 'string'}, {'type': 'string', 'pattern': 'a'}]}
    assert strict_where_it_fits({'type': 'object', 'properties': {'a': both_of}}) is None
    beyonds: list[dict[str, Any]] = [{'not': {'type': 'string'}}, {'if': {}, 'then': {}}, {'contains': {}}]
    for beyond in beyonds:
        schema = {'type': 'object', 'properties': {'a': {'type': 'array', 'items': {'type': 'string'}, **beyond}}}
        assert strict_where_it_fits(schema) is None
        assert list(violations(strict_schema(schema, 'X'))) == []
    many = {f'p{number}': {'type': 'string'} for number in range(5001)}
    assert strict_where_it_fits({'type': 'object', 'properties': many}) is None
    values = {'type': 'string', 'enum': [str(number) for number in range(1001)]}
    assert strict_where_it_fits({'type': 'object', 'properties': {'a': values}}) is None


@pytest.mark.needs_recordings
@pytest.mark.parametrize('provider', ['openai_chat', 'openai_responses'])
def test_strict_schemas_that_openai_took_are_written_as_they_are(provider: str) -> None:
    seen = 0
    for exchange in (exchange for exchanges in conversations(provider).values() for exchange in exchanges):
        if exchange.status != 200:
            continue
        for schema in _strict_in(exchange.request):
            assert strict_schema(schema, 'X') == schema
            assert list(violations(schema)) == []
            seen += 1
    assert seen


def _strict_in(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get('strict') is True:
            yield node.get('parameters') or node['schema']
        for child in node.values():
            yield from _strict_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from _strict_in(child)

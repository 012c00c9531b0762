"""Results as whole answers, and results that are still arriving."""

# No `from __future__ import annotations`: annotations are objects here.

import itertools
import json
import random
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, NotRequired

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Discriminator, ValidationError
from pydantic_core import from_json
from schema_kinds import Box, Node, Place, Point
from typing_extensions import TypedDict

from syncai._schema import AnswerSchema, result_spec, retry_errors
from syncai.exceptions import UserError


class Profile(TypedDict, total=False):
    name: str
    born: date
    bio: str


class Deep(TypedDict):
    title: NotRequired[str]
    rows: NotRequired[list[Profile]]


class Cat(BaseModel):
    kind: Literal['cat'] = 'cat'
    lives: int


class Dog(BaseModel):
    kind: Literal['dog'] = 'dog'


Pet = Annotated[Cat | Dog, Discriminator('kind')]


# --- the schema ---


def test_one_object_is_its_own_schema() -> None:
    assert result_spec(Box).native_schema() == AnswerSchema(
        name='Box',
        schema=result_spec(Box).tools['final_result'].definition.parameters_json_schema,
        description='A box.',
    )


def test_one_other_type_is_wrapped() -> None:
    schema = result_spec(list[int]).native_schema()
    assert schema.name == 'list_int'
    assert schema.schema['properties'] == {'response': {'type': 'array', 'items': {'type': 'integer'}}}


def kind(name: str, data: Any) -> Any:
    properties = {'kind': {'const': name, 'type': 'string'}, 'data': data}
    return {'type': 'object', 'properties': properties, 'required': ['kind', 'data']}


def test_several_types_are_told_apart_by_name() -> None:
    schema = result_spec(Point | list[int] | str | None, tool_name='answer').native_schema()
    assert schema.name == 'answer'
    assert schema.schema == {
        'type': 'object',
        'properties': {
            'result': {
                'anyOf': [
                    kind('Point', {'$ref': '#/$defs/Point'}),
                    kind('list_int', {'type': 'array', 'items': {'type': 'integer'}}),
                    kind('None', {'type': 'null'}),
                    kind('str', {'type': 'string'}),
                ]
            }
        },
        'required': ['result'],
        '$defs': {
            'Point': {
                'type': 'object',
                'properties': {'x': {'type': 'integer'}, 'y': {'type': 'integer', 'default': 0}},
                'required': ['x'],
            }
        },
    }


def test_types_without_definitions_need_none() -> None:
    assert '$defs' not in result_spec(int | str).native_schema().schema


def test_text_alone_has_no_schema() -> None:
    spec = result_spec(str)
    for ask in (spec.native_schema, spec.prompt_instructions, lambda: spec.validate_answer('x')):
        with pytest.raises(UserError, match='plain text and has no JSON schema'):
            ask()


@pytest.mark.parametrize('result_type', [Box, list[int], Box | str, Node, Pet], ids=str)
def test_instructions_hold_the_schema(result_type: Any) -> None:
    spec = result_spec(result_type)
    words, _, schema = spec.prompt_instructions().partition('\n\n')
    assert 'JSON object' in words
    assert json.loads(schema) == spec.native_schema().schema


# --- answers ---


@pytest.mark.parametrize(
    ('name', 'data', 'expected'),
    [
        ('Box', {'width': 1}, Box(width=1)),
        ('Point', {'x': 2}, Point(2)),
        ('list_Place', [{'city': 'c', 'since': '2024-01-02'}], [{'city': 'c', 'since': date(2024, 1, 2)}]),
        ('None', None, None),
        ('str', 'words', 'words'),
    ],
)
def test_an_answer_of_several_types(name: str, data: Any, expected: Any) -> None:
    spec = result_spec(Box | Point | list[Place] | None | str)
    assert spec.validate_answer(json.dumps({'result': {'kind': name, 'data': data}})) == expected


@pytest.mark.parametrize(
    ('text', 'location'),
    [
        ('{"result": {"kind": "Cow", "data": 1}}', ['result']),
        ('{"result": {"kind": "int", "data": "x"}}', ['result', 'int', 'data']),
        ('{"result": {"kind": "int"}}', ['result', 'int', 'data']),
        ('{"kind": "int", "data": 1}', ['result']),
        ('I would say 3.', []),
        ('', ['result']),
    ],
)
def test_errors_of_an_answer(text: str, location: list[Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        result_spec(int | list[int]).validate_answer(text)
    assert [error['loc'] for error in retry_errors(caught.value)] == [location]


JSON = '{"response": ["```json {}```", "a\\n```\\nb"]}'


@pytest.mark.parametrize(
    'text',
    [
        JSON,
        f'  \n{JSON}\n',
        f'```json\n{JSON}\n```',
        f'```JSON\n{JSON}\n```\n',
        f'```\n{JSON}\n```',
        f'```{JSON}```',
        f'```json {JSON}\n```',
        f'Here you are:\n\n```json\n{JSON}\n```\nAnything else?\n```json\n{{}}\n```',
        f'```json\n{JSON}',
        f'```json\r\n{JSON}\r\n```',
        f'\ufeff{JSON}',
        f'\ufeff```json\n{JSON}\n```',
        f'Here you are: {JSON}',
        f'{JSON}\nAnything else?',
        f'Of {{braces}}, {{}} and {{"response": 1}} I make {JSON}.',
        f'````json\n{JSON}\n````',
        f'`{JSON}`',
        f'~~~\n{JSON}\n~~~',
        f'<think>Is it {{"response": ["x"]}}?\nNo.</think>\n\n{JSON}',
        f'Is it {{"response": ["x"]}}? No.</think>{JSON}',
        f'<think>Well.</think>\n```json\n{JSON}\n```',
        f'{JSON}\n\nIn a fence again:\n```json\n{{"response": 1}}\n```',
    ],
)
def test_words_and_fences_are_taken_off(text: str) -> None:
    assert result_spec(list[str]).validate_answer(text) == ['```json {}```', 'a\n```\nb']


def test_the_error_is_that_of_the_likeliest_object() -> None:
    with pytest.raises(ValidationError) as caught:
        result_spec(list[int]).validate_answer('Not {"response": 1} but\n```json\n{"response": ["x"]}\n```')
    assert [error['loc'] for error in retry_errors(caught.value)] == [['response', 0]]
    with pytest.raises(ValidationError, match='Invalid JSON'):
        result_spec(list[int]).validate_answer('<think>{"response": [1]}')


def test_a_fence_that_is_still_arriving() -> None:
    text = 'Here:\n```json\n{"response": [1, 2, 33]}\n```\n'
    spec = result_spec(list[int])
    seen: list[Any] = []
    for end in range(len(text) + 1):
        try:
            seen.append(spec.validate_answer(text[:end], allow_partial=True))
        except ValidationError:
            assert not seen, text[:end]
    assert seen[0] == []
    assert seen[-1] == [1, 2, 33]
    assert all(len(before) <= len(after) for before, after in itertools.pairwise(seen))


# --- results that are still arriving ---


def growing(result_type: Any, text: str) -> list[Any]:
    """Every value that the beginnings of `text` give, without repetitions, invalid ones left out."""
    (tool,) = result_spec(result_type).tools.values()
    seen: list[Any] = []
    for end in range(len(text) + 1):
        try:
            value = tool.validate(text[:end], allow_partial=True)
        except ValidationError:
            continue
        if not seen or seen[-1] != value:
            seen.append(value)
    return seen


def test_a_list_grows() -> None:
    assert growing(list[int], '{"response": [1, 20, 3]}') == [[], [1], [1, 20], [1, 20, 3]]


def test_text_within_grows() -> None:
    assert growing(list[str], '{"response": ["ab"]}') == [[], [''], ['a'], ['ab']]


def test_a_typed_dict_grows() -> None:
    seen = growing(Profile, '{"name": "Ben", "born": "1990-01-28", "bio": "Li"}')
    born = date(1990, 1, 28)
    assert seen == [
        {},
        *({'name': 'Ben'[:n]} for n in range(4)),
        {'name': 'Ben', 'born': born},
        *({'name': 'Ben', 'born': born, 'bio': 'Li'[:n]} for n in range(3)),
    ]


def test_a_list_of_typed_dicts_grows_in_its_last_item() -> None:
    seen = growing(Deep, '{"title": "t", "rows": [{"name": "a"}, {"name": "b"}]}')
    assert seen[-3:] == [
        {'title': 't', 'rows': [{'name': 'a'}, {}]},
        {'title': 't', 'rows': [{'name': 'a'}, {'name': ''}]},
        {'title': 't', 'rows': [{'name': 'a'}, {'name': 'b'}]},
    ]


def test_models_and_dataclasses_arrive_whole() -> None:
    @dataclass
    class Pair:
        a: int
        b: int

    assert growing(Box, '{"width": 1, "label": "x"}')[0] == Box(width=1)
    assert growing(Pair, '{"a": 1, "b": 2}') == [Pair(1, 2)]
    assert growing(list[Pair], '{"response": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}') == [
        [],
        [Pair(1, 2)],
        [Pair(1, 2), Pair(3, 4)],
    ]


def test_an_error_before_the_end_is_an_error_all_the_same() -> None:
    (tool,) = result_spec(list[int]).tools.values()
    with pytest.raises(ValidationError):
        tool.validate('{"response": ["x", 2', allow_partial=True)
    with pytest.raises(ValidationError):
        tool.validate('{"response": [1, 2', allow_partial=False)


def test_what_is_not_there_yet_is_an_error() -> None:
    (tool,) = result_spec(list[int]).tools.values()
    for text in ('', '{', '{"resp', '{"response"', '{"response":', None):
        with pytest.raises(ValidationError):
            tool.validate(text, allow_partial=True)


def test_an_answer_of_several_types_grows() -> None:
    text = '{"result": {"kind": "list_int", "data": [1, 20]}}'
    spec = result_spec(list[int] | Box)
    seen = []
    for end in range(len(text) + 1):
        try:
            seen.append(spec.validate_answer(text[:end], allow_partial=True))
        except ValidationError:
            assert not seen
    assert seen[0] == []
    assert seen[-1] == [1, 20]


def test_decoded_arguments_may_be_partial_too() -> None:
    (tool,) = result_spec(Profile).tools.values()
    arrived = from_json('{"name": "Ben", "born": "19', allow_partial='trailing-strings')
    assert tool.validate(arrived, allow_partial=True) == {'name': 'Ben'}


PLAIN = st.dictionaries(
    st.text(max_size=5),
    st.lists(st.integers(-1000, 1000) | st.booleans() | st.text(max_size=5), max_size=4),
    max_size=4,
)


@settings(deadline=None)
@given(value=PLAIN, seed=st.integers(0, 1000))
def test_every_beginning_is_a_beginning_of_the_whole(value: dict[str, Any], seed: int) -> None:
    (tool,) = result_spec(dict[str, list[Any]]).tools.values()
    text = json.dumps(value)
    assert tool.validate(text, allow_partial=True) == tool.validate(text) == value
    cut = random.Random(seed).randrange(len(text) + 1)
    part = tool.validate(text[:cut], allow_partial=True)
    assert list(part) == list(value)[: len(part)]
    for key in list(part)[:-1]:
        assert part[key] == value[key]
    assert all(len(part[key]) <= len(value[key]) for key in part)


@pytest.mark.parametrize(
    ('result_type', 'text', 'expected'),
    [
        (int, '42', 42),
        (int, '<think>six times seven</think>\n42', 42),
        (bool, '```json\ntrue\n```', True),
        (list[int], '[1, 22]', [1, 22]),
        (list[dict[str, int]], '\ufeff[{"a": 1}, {"a": 2}]', [{'a': 1}, {'a': 2}]),
        (Literal['red', 'blue'], '"red"', 'red'),
    ],
)
def test_a_value_without_the_object_around_it_is_the_answer(result_type: Any, text: str, expected: object) -> None:
    assert result_spec(result_type).validate_answer(text) == expected
    with pytest.raises(ValidationError):
        result_spec(result_type).validate_answer('{"other": 1}')

"""Result types as result tools: which there are, what they are called, and what they accept."""

# No `from __future__ import annotations`: annotations are objects here.
# ruff: noqa: UP007, UP045 - unions are written in every way that people write them.

import enum
import json
import pickle
import threading
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Generic, Literal, Never, NotRequired, Optional, TypedDict, TypeVar, Union

import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Discriminator, Field, RootModel, ValidationError
from schema_kinds import Box, Colour, ModernPlace, Node, Place, Point, name_of
from typing_extensions import TypeAliasType

from syncai._schema import ResultSpec, result_spec, retry_errors
from syncai.exceptions import UserError

T = TypeVar('T')
FINAL = 'The final response which ends this conversation'


class Cat(BaseModel):
    """Meows."""

    kind: Literal['cat'] = 'cat'
    lives: int


class Dog(BaseModel):
    kind: Literal['dog'] = 'dog'


class Page(BaseModel, Generic[T]):
    items: list[T]


@dataclass
class Documented:
    """Said by hand."""

    x: int


class Trip(TypedDict):
    """A trip."""

    start: Place
    stops: NotRequired[list[Place]]


class IntEnum(enum.IntEnum):
    one = 1


Pet = Annotated[Cat | Dog, Discriminator('kind')]
BoxOrText = TypeAliasType('BoxOrText', Box | str)
Text = TypeAliasType('Text', str)
Numbers = TypeAliasType('Numbers', list[int])
U = TypeVar('U')
Swapped = TypeAliasType('Swapped', Union[dict[U, T], int], type_params=(T, U))
Many = TypeAliasType('Many', list[T] | BoxOrText, type_params=(T,))


def only(result_type: Any) -> Any:
    (tool,) = result_spec(result_type).tools.values()
    return tool


# --- which tools there are ---


@pytest.mark.parametrize(
    ('result_type', 'text', 'names'),
    [
        (str, True, []),
        (Text, True, []),
        (Box, False, ['final_result']),
        (Union[Box, str], True, ['final_result']),
        (str | Box | Point, True, ['final_result_Box', 'final_result_Point']),
        (BoxOrText, True, ['final_result']),
        (list[str] | list[int], False, ['final_result_list_str', 'final_result_list_int']),
        (
            Union[Box, Union[int, Optional[Point]]],
            False,
            [f'final_result_{n}' for n in ('Box', 'int', 'Point', 'None')],
        ),
        (Optional[Box], False, ['final_result_Box', 'final_result_None']),
        (None, False, ['final_result']),
        (str | None, True, ['final_result']),
        (Pet, False, ['final_result']),
        (Pet | str | int, True, ['final_result_Cat_or_Dog', 'final_result_int']),
        (Annotated[str, Field(min_length=2)], False, ['final_result']),
        (Annotated[int | None, 'noted'], False, ['final_result']),
        (Numbers, False, ['final_result']),
        (Numbers | int, False, ['final_result_Numbers', 'final_result_int']),
        (Many[int], True, ['final_result_list_int', 'final_result_Box']),
        (Swapped[int, str], False, ['final_result_dict_str_int', 'final_result_int']),
        (Page[int] | Page[Box], False, ['final_result_Page_int', 'final_result_Page_Box']),
        (Literal['a'] | Literal[1, 2], False, ['final_result_Literal', 'final_result_Literal_2']),
        (dict[str, list[int]] | tuple[int, ...], False, ['final_result_dict_str_list_int', 'final_result_tuple_int']),
    ],
    ids=name_of,
)
def test_text_and_tools(result_type: Any, text: bool, names: list[str]) -> None:
    spec = result_spec(result_type)
    assert spec.allow_text is text
    assert list(spec.tools) == [tool.definition.name for tool in spec.tools.values()] == names


def test_the_same_member_twice_is_one_tool() -> None:
    assert list(result_spec(Union[Box, Union[Box, str], BoxOrText]).tools) == ['final_result']


def test_names_are_unique_and_fit_providers() -> None:
    long = [type('L' * 80, (BaseModel,), {'__annotations__': {f'x{n}': int}}) for n in range(12)]
    alike = [type(name, (BaseModel,), {}) for name in ('Größe', 'Gr__e', 'Gr_e', '雪')]
    spec = result_spec(Union[(*long, *alike)])
    assert len(spec.tools) == 16
    for name in spec.tools:
        assert len(name) <= 64
        assert name.isascii()
        assert name.replace('_', '').replace('-', '').isalnum()
    assert next(iter(spec.tools)) == 'final_result_' + 'L' * 51
    assert list(spec.tools)[1] == 'final_result_' + 'L' * 49 + '_2'
    assert list(spec.tools)[-4:] == [
        'final_result_Gr_e',
        'final_result_Gr_e_2',
        'final_result_Gr_e_3',
        'final_result_result',
    ]
    assert list(spec.tools) == list(result_spec(Union[(*long, *alike)]).tools)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.sampled_from(['list', 'L' * 70, 'a', 'a_2', 'a-b', '_', 'Ü']), max_size=12))
def test_any_set_of_names_stays_apart(names: list[str]) -> None:
    kinds = [type(name, (BaseModel,), {}) for name in names]
    tools = result_spec(Union[(int, bool, *kinds)]).tools
    assert len(tools) == len(kinds) + 2
    assert all(1 <= len(name) <= 64 for name in tools)
    assert len({tool.type_name for tool in tools.values()}) == len(tools)


def test_a_long_tool_name_leaves_room_for_the_type() -> None:
    spec = result_spec(Box | Point, tool_name='n' * 60)
    assert all(len(name) <= 64 for name in spec.tools)
    assert [name[-4:] for name in spec.tools] == ['_Box', '_Poi']
    assert [name[-2:] for name in result_spec(Box | Point, tool_name='n' * 64).tools] == ['nn', '_2']


def test_the_tool_name_is_the_users() -> None:
    assert list(result_spec(Box, tool_name='answer').tools) == ['answer']
    assert list(result_spec(Box | int, tool_name='answer').tools) == ['answer_Box', 'answer_int']
    for wrong in ('', 'two words', 'x' * 65, 'ü'):
        with pytest.raises(UserError, match='cannot be the name of a tool'):
            result_spec(Box, tool_name=wrong)


# --- the text for the model ---


@pytest.mark.parametrize(
    ('result_type', 'given', 'descriptions'),
    [
        (Point, None, [FINAL]),
        (Box, None, ['A box.']),
        (Documented, None, ['Said by hand.']),
        (Trip, None, ['A trip.']),
        (Colour, None, ['A colour.']),
        (IntEnum, None, [FINAL]),
        (list[Box], None, [FINAL]),
        (Annotated[list[int], Field(description='Ages')], None, ['Ages']),
        (Box | Point | str, None, ['A box.', f'Point: {FINAL}']),
        (list[int] | None, None, [f'list_int: {FINAL}', f'None: {FINAL}']),
        (Box, 'Mine', ['Mine']),
        (Box | Point, 'Mine', ['Box: Mine', 'Point: Mine']),
    ],
    ids=name_of,
)
def test_descriptions(result_type: Any, given: str | None, descriptions: list[str]) -> None:
    tools = result_spec(result_type, tool_description=given).tools.values()
    assert [tool.definition.description for tool in tools] == descriptions


def test_a_docstring_is_told_once() -> None:
    assert 'description' not in only(Box).definition.parameters_json_schema
    tool = next(iter(result_spec(Box, tool_description='Mine').tools.values()))
    assert tool.definition.parameters_json_schema['description'] == 'A box.'


def test_schema_of_an_object_is_its_own() -> None:
    definition = only(Box).definition
    assert definition.outer_typed_dict_key is None
    assert definition.parameters_json_schema == {
        'type': 'object',
        'properties': {
            'width': {'type': 'integer'},
            'label': {'type': 'string', 'default': '?', 'title': 'The Label'},
        },
        'required': ['width'],
    }


def test_schema_of_anything_else_is_wrapped() -> None:
    definition = only(list[Box]).definition
    assert definition.outer_typed_dict_key == 'response'
    assert definition.parameters_json_schema == {
        'type': 'object',
        'properties': {'response': {'type': 'array', 'items': {'$ref': '#/$defs/Box'}}},
        'required': ['response'],
        '$defs': {'Box': only(Box).definition.parameters_json_schema | {'description': 'A box.'}},
    }


def test_a_recursive_type_is_an_object_at_the_root() -> None:
    schema = only(Node).definition.parameters_json_schema
    assert schema['type'] == 'object'
    assert '$ref' not in schema
    assert schema['properties']['children']['items'] == {'$ref': '#/$defs/Node'}
    assert list(schema['$defs']) == ['Node']


def test_fields_named_title_and_description_stay() -> None:
    class Book(BaseModel):
        title: str
        description: str

    assert only(Book).definition.parameters_json_schema['properties'] == {
        'title': {'type': 'string'},
        'description': {'type': 'string'},
    }


# --- what they accept ---

ACCEPTED = [
    (Box, {'width': 1, 'label': 'l'}, Box(width=1, label='l')),
    (Point, {'x': 1, 'y': 2}, Point(1, 2)),
    (Place, {'city': 'c', 'since': '2024-01-02'}, {'city': 'c', 'since': date(2024, 1, 2)}),
    (ModernPlace, {}, {}),
    (Trip, {'start': {'city': 'a'}, 'stops': []}, {'start': {'city': 'a'}, 'stops': []}),
    (Node, {'value': 1, 'children': [{'value': 2}]}, Node(value=1, children=[Node(value=2)])),
    (dict[str, date], {'d': '2024-01-02'}, {'d': date(2024, 1, 2)}),
    (Page[int], {'items': [1]}, Page[int](items=[1])),
    (int, {'response': 3}, 3),
    (float, {'response': 3}, 3.0),
    (bool, {'response': False}, False),
    (None, {'response': None}, None),
    (list[int], {'response': []}, []),
    (list[Place], {'response': [{'city': 'c'}]}, [{'city': 'c'}]),
    (set[str], {'response': ['a', 'a']}, {'a'}),
    (tuple[int, str], {'response': [1, 'x']}, (1, 'x')),
    (Literal['a', 1], {'response': 1}, 1),
    (Colour, {'response': 'b'}, Colour.blue),
    (IntEnum, {'response': 1}, IntEnum.one),
    (date, {'response': '2024-01-02'}, date(2024, 1, 2)),
    (bytes, {'response': 'ab'}, b'ab'),
    (Pet, {'response': {'kind': 'cat', 'lives': 9}}, Cat(lives=9)),
    (RootModel[list[int]], {'response': [1]}, RootModel[list[int]]([1])),
    (Annotated[str, Field(min_length=2)], {'response': 'ab'}, 'ab'),
    (Annotated[Place | None, 'noted'], {'response': {'city': 'c'}}, {'city': 'c'}),
    (Numbers, {'response': [1]}, [1]),
    (Sequence[Place], {'response': [{'city': 'c'}]}, [{'city': 'c'}]),
    (Any, {'response': {'a': [1]}}, {'a': [1]}),
]


@pytest.mark.parametrize(('result_type', 'sent', 'expected'), ACCEPTED, ids=[name_of(row[0]) for row in ACCEPTED])
def test_json_and_dict_become_the_result(result_type: Any, sent: Any, expected: Any) -> None:
    tool = only(result_type)
    assert tool.validate(json.dumps(sent)) == expected
    assert tool.validate(sent) == expected
    assert type(tool.validate(sent)) is type(expected)
    assert tool.outer_key == ('response' if 'response' in sent else None)
    assert result_spec(result_type).validate_answer(json.dumps(sent)) == expected


@pytest.mark.parametrize(
    ('result_type', 'sent', 'locations'),
    [
        (Box, '{"width": "wide"}', [['width']]),
        (Box, '', [['width']]),
        (Box, None, [['width']]),
        (Box, '{"width": ', [[]]),
        (list[int], '{"response": [1, "x", null]}', [['response', 1], ['response', 2]]),
        (list[int], '[1, 2]', [[]]),
        (list[int], '{}', [['response']]),
        (None, '{"response": 1}', [['response']]),
        (Pet, '{"response": {"kind": "cow"}}', [['response']]),
        (Annotated[str, Field(min_length=2)], '{"response": "a"}', [['response']]),
    ],
    ids=name_of,
)
def test_errors_say_where(result_type: Any, sent: Any, locations: list[Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        only(result_type).validate(sent)
    errors = retry_errors(caught.value)
    assert [error['loc'] for error in errors] == locations
    assert json.loads(json.dumps(errors)) == errors
    assert not any({'url', 'ctx'} & set(error) for error in errors)


# --- what cannot be a result type ---


@pytest.mark.parametrize(
    ('result_type', 'message'),
    [
        ([Box, Point], r'is a list: write a union, such as result_type=A \| B'),
        ((Box, str), r'is a tuple: write a union'),
        ('Box', "is the text 'Box'"),
        (len, "is the function 'len', but must be a type"),
        (lambda: 1, 'must be a type'),
        (only, "is the function 'only'.*result_validator"),
        (Callable[[], int], r'Callable\[\[\], int\] has no JSON schema'),
        (threading.Event, 'Event has no JSON schema.*pydantic model'),
        (list[threading.Event], r'list\[Event\] has no JSON schema'),
        (Box | threading.Event, 'Event has no JSON schema'),
        (Box(width=1), r"is a value, Box\(width=1, label='\?'\): give its type, Box"),
        (list['Nowhere'], r'list\[.*Nowhere.*no JSON schema.*a type that it names is not'),  # type: ignore[name-defined]  # noqa: F821
        (Never, 'Never has no JSON schema'),
        (3, '3 has no JSON schema'),
    ],
    ids=name_of,
)
def test_what_cannot_be_a_result_type(result_type: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        result_spec(result_type)
    assert '\n' not in str(caught.value)


# --- TypedDicts of typing ---


def test_typed_dicts_of_typing_are_taken_wherever_the_type_consists_of_them() -> None:
    kinds = [Place, list[Place], dict[str, Place] | None, Annotated[Place, 'x'], tuple[Place, Trip], Sequence[Place]]
    for kind in kinds:
        assert result_spec(kind).tools
    assert only(Trip).definition.parameters_json_schema['required'] == ['start']
    assert only(Trip).definition.parameters_json_schema['$defs']['Place']['required'] == ['city']


def test_totality_and_configuration_of_a_typed_dict_stay() -> None:
    class Base(TypedDict):
        a: typing.Required[int]
        b: int

    class Loose(Base, total=False):
        """Loose."""

        __pydantic_config__ = {'extra': 'forbid'}  # type: ignore[misc]  # noqa: RUF012
        c: int
        d: typing_extensions.Required[Annotated[int, Field(ge=1)]]

    definition = only(Loose).definition
    assert definition.description == 'Loose.'
    assert sorted(definition.parameters_json_schema['required']) == ['a', 'b', 'd']
    assert definition.parameters_json_schema['additionalProperties'] is False
    with pytest.raises(ValidationError) as caught:
        only(Loose).validate({'a': 1, 'b': 2, 'd': 0, 'e': 1})
    assert sorted(error['loc'] for error in caught.value.errors()) == [('d',), ('e',)]


# --- the rest ---


def test_pickle_builds_it_anew() -> None:
    spec = result_spec(Box | int | str, tool_name='answer', tool_description='Mine')
    copy = pickle.loads(pickle.dumps(spec))
    assert copy == spec
    assert copy.tools['answer_int'].validate('{"response": 1}') == 1


def test_the_type_is_kept() -> None:
    spec: ResultSpec[Box] = result_spec(Box)
    assert spec.result_type is Box
    assert only(list[int]).type == list[int]
    assert only(list[int]).type_name == 'list_int'

"""Results that are still arriving: of every type, no beginning gives a value that the whole does not have.

The right values are those that pydantic makes of the whole text.
"""

# No `from __future__ import annotations`: annotations are objects here.

import collections
import datetime as dt
import enum
import itertools
import json
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    AnyUrl,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Discriminator,
    Field,
    Json,
    OnErrorOmit,
    RootModel,
    SecretStr,
    StringConstraints,
    Tag,
    ValidationError,
    WrapValidator,
    conint,
    constr,
    field_validator,
    model_validator,
)
from schema_kinds import name_of
from typing_extensions import TypeAliasType, TypedDict

from syncai._schema import result_spec
from syncai._schema.shapes import shape_of


class Size(enum.Enum):
    S = 's'
    SMALL = 'small'


class Word(enum.StrEnum):
    IN = 'in'
    INSIDE = 'inside'


class Number(enum.IntEnum):
    ONE = 1
    TWELVE = 12


class Row(TypedDict, total=False):
    number: int
    when: dt.datetime
    word: Literal['in', 'inside']
    text: str
    rows: 'list[Row]'


class Flat(BaseModel):
    number: int | None = None
    day: dt.date | None = None
    size: Size | None = None
    text: str = ''


class Aliased(BaseModel):
    number: int | None = Field(None, alias='n')
    day: dt.date | None = Field(None, validation_alias=AliasChoices('d', 'day', AliasPath('path', 0)))
    text: str = Field('', alias='t')


class Open(BaseModel):
    model_config = ConfigDict(extra='allow')
    __pydantic_extra__: dict[str, dt.date]


class Cat(BaseModel):
    kind: Literal['cat'] = 'cat'
    note: str = ''
    lives: int | None = None


class Dog(BaseModel):
    kind: Literal['dog', 'doggy'] = 'dog'
    note: dt.date | None = None


class Swapped(BaseModel):
    number: int | None = None
    text: str = ''

    @model_validator(mode='before')
    @classmethod
    def renamed(cls, data: Any) -> Any:
        return {'number': data.get('count'), 'text': data.get('text', '')}


class Checked(BaseModel):
    code: str | None = None
    text: str = ''

    @field_validator('code')
    @classmethod
    def lower(cls, code: str) -> str:
        return code[::-1]


@dataclass
class Point:
    x: int = 0
    y: float = 0.0
    label: str = ''


class Pair(NamedTuple):
    number: int = 0
    text: str = ''


class Tree(BaseModel):
    value: int | None = None
    children: list['Tree'] = []


class Numbers(RootModel[dict[str, int]]):
    pass


Alias = TypeAliasType('Alias', list[dt.date])
Recursive = TypeAliasType('Recursive', 'list[Recursive | int]')
NOTHING: Any = object()
UserId = NewType('UserId', int)
Pet = Annotated[Cat | Dog, Discriminator('kind')]
Called = Annotated[
    Annotated[Cat, Tag('cat')] | Annotated[Dog, Tag('dog')],
    Discriminator(lambda value: 'dog' if str(value.get('kind')).startswith('dog') else 'cat'),
]

# The type of one value, and the JSON of one.
SCALARS: list[tuple[Any, Any]] = [
    (int, 12345),
    (int, '12345'),
    (int, -12),
    (float, 12.75),
    (float, 1e5),
    (float, '1.25'),
    (bool, True),
    (bool, 'yes'),
    (bool, 1),
    (Decimal, 12.5),
    (Decimal, '12.50'),
    (dt.date, '2026-11-27'),
    (dt.date, 1764201600),
    (dt.datetime, '2026-11-27T10:20:30Z'),
    (dt.time, '10:20:30'),
    (dt.timedelta, 'P1DT2H30M'),
    (dt.timedelta, 100.5),
    (uuid.UUID, '12345678-1234-5678-1234-567812345678'),
    (bytes, 'aGVsbG8='),
    (Base64Bytes, 'aGVsbG8='),
    (pathlib.Path, '/home/ben'),
    (IPv4Address, '10.0.0.123'),
    (AnyUrl, 'https://example.com/page'),
    (SecretStr, 'secret'),
    (ByteSize, '12MB'),
    (Json[list[int]], '[1, 22]'),
    (Size, 'small'),
    (Word, 'inside'),
    (Number, 12),
    (Literal['in', 'inside', 'insider'], 'insider'),
    (Literal[1, 12, True], 12),
    (Literal['a', 12] | None, 'a'),
    (UserId, 123),
    (conint(gt=0), 123),
    (Annotated[int, Field(ge=1, multiple_of=3)], 123),
    (Annotated[Decimal, Field(max_digits=5)], '123.45'),
    (constr(pattern=r'^\d+$'), '12345'),
    (Annotated[str, AfterValidator(lambda text: text[::-1])], 'abc'),
    (Annotated[str, BeforeValidator(str.upper)], 'abc'),
    (Annotated[str, WrapValidator(lambda text, handler: len(handler(text)))], 'abc'),
    (Annotated[int, BeforeValidator(lambda text: int(str(text).replace(',', '')))], '12,345'),
    (int | None, 123),
    (Optional[dt.date], '2026-11-27'),  # noqa: UP045 - as older code has it
    (int | dt.date, '2026-11-27'),
    (dt.date | str, '2026-11-27'),
    (Decimal | str, '12.5'),
    (Literal['in'] | dt.date, 'in'),
    (Annotated[int | str, Field(union_mode='left_to_right')], '123'),
    (int | float, 12.75),
]

# Text, which grows: the type, the text, and what is made of it.
TEXTS: list[tuple[Any, str, str]] = [
    (str, 'caf\u00e9 \U0001f600 "q" \\ \n end', 'caf\u00e9 \U0001f600 "q" \\ \n end'),
    (str | None, 'some words', 'some words'),
    (int | str, '12 words', '12 words'),
    (str | list[int], 'words', 'words'),
    (str | Literal['wo'], 'words', 'words'),
    (Any, 'words', 'words'),
    (NewType('Name', str), 'words', 'words'),
    (Annotated[str, Field(max_length=100)], 'words', 'words'),
    (Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)], ' My Words ', 'my words'),
]

# Other types that hold more than one value.
CONTAINERS: list[tuple[Any, Any]] = [
    (Row, {'number': 10, 'text': 'ab', 'rows': [{'number': 200, 'word': 'inside'}, {'when': '2026-11-27T10:20:30Z'}]}),
    (Flat, {'text': 'ab', 'number': 123, 'day': '2026-11-27', 'size': 'small'}),
    (Flat, {'number': 12.0, 'unknown': {'deep': [1, 22]}, 'text': 'ab'}),
    (Aliased, {'n': 123, 't': 'ab', 'd': '2026-11-27'}),
    (Aliased, {'path': ['2026-11-27', '2027-11-27'], 'n': 12}),
    (Open, {'one': '2026-11-27', 'two': '2026-11-28'}),
    (list[Pet], [{'kind': 'cat', 'note': 'ab', 'lives': 12}, {'kind': 'dog', 'note': '2026-11-27'}]),
    (list[Called], [{'kind': 'doggy'}, {'kind': 'cat', 'lives': 12}]),
    (list[Cat | Point], [{'x': 12, 'y': 1.25}, {'kind': 'cat', 'note': 'ab'}]),
    (dict[str, list[int] | list[str]], {'a': [12, 34], 'b': ['ab']}),
    (Swapped, {'count': '123', 'text': 'ab'}),
    (Checked, {'code': 'abc', 'text': 'ab'}),
    (Point, {'x': 12, 'y': 1.25, 'label': 'ab'}),
    (Tree, {'value': 12, 'children': [{'value': 34}, {'children': [{'value': 56}], 'value': 7.0}]}),
    (Numbers, {'one': 111, 'two': 222}),
    (Pair, [12, 'ab']),
    (list[Pair], [[12, 'ab'], {'text': 'cd', 'number': 34}]),
    (Alias, ['2026-11-27', '2026-11-28']),
    (Recursive, [12, [34, [56, 78]], 9]),
    (set[str], ['ab', 'abc', 'abcd']),
    (frozenset[tuple[str, ...]], [['ab', 'cd'], ['ef']]),
    (set[int], [11, 22]),
    (tuple[int, str, dt.date], [12, 'ab', '2026-11-27']),
    (tuple[int, ...], [123, 456]),
    (tuple[str, ...], ['abc', 'def']),
    (collections.deque[int], [123, 456]),
    (Sequence[Decimal], ['1.25', '100.5']),
    (list[str], ['ab', '', 'c']),
    (list[list[int]], [[12, 34], [], [56]]),
    (list[OnErrorOmit[int]], [12, 'x', 34]),
    (list[Any], [12, 'ab', {'a': [1.5, None, True]}]),
    (Annotated[list[int], Field(max_length=2)], [123, 456]),
    (Annotated[list[int], AfterValidator(sorted)], [456, 123]),
    (dict[str, list[int] | None], {'a': [123, 456], 'b': None}),
    (dict[str, Row], {'a': {'number': 12}, 'b': {'text': 'ab', 'number': 34}}),
    (dict[dt.date, int], {'2026-11-27': 12, '2026-11-28': 34}),
    (Mapping[str, set[int]], {'a': [12, 34], 'b': [56]}),
    (collections.OrderedDict[str, int], {'a': 12, 'b': 34}),
    (collections.defaultdict[str, list[int]], {'a': [12, 34]}),
]


def is_beginning(part: Any, whole: Any) -> bool:
    """Whether the one may be shown before the other: text may grow, and members may still be missing."""
    if isinstance(part, BaseModel):
        part, whole = dict(part), dict(whole)
    if is_dataclass(part) and not isinstance(part, type):
        part, whole = asdict(part), asdict(whole)
    if isinstance(part, Mapping):
        return all(key in whole and is_beginning(value, whole[key]) for key, value in part.items())
    if isinstance(part, set | frozenset):
        return bool(part <= whole)
    if isinstance(part, list | tuple | collections.deque):
        return len(part) <= len(whole) and all(map(is_beginning, part, whole))
    if type(part) is str and type(whole) is str:
        return whole.startswith(part)
    return part in ([], None, 0, '') or (part == whole and type(part) is type(whole))  # or a default of the types above


def values_of(kind: Any, data: Any) -> tuple[list[Any], Any]:
    """All values that the beginnings of a result give, and the whole one."""
    (tool,) = result_spec(kind).tools.values()
    text = json.dumps({tool.outer_key: data} if tool.outer_key else data)
    arriving, values = tool.arriving(), []
    for end in range(len(text) + 1):
        arriving.add(text[max(0, end - 1) : end])
        growing = value_or_nothing(arriving.value)
        at_once = value_or_nothing(lambda end=end: tool.validate(text[:end], allow_partial=True))
        assert growing == at_once or growing is NOTHING, text[:end]
        values += [] if growing is NOTHING else [growing]
    return values, tool.validate(text)


def typed_dict(**fields: Any) -> Any:
    make: Any = TypedDict
    return make('fields', fields, total=False)


def value_or_nothing(make: Any) -> Any:
    try:
        return make()
    except (ValidationError, ValueError, AttributeError):
        return NOTHING


@pytest.mark.many(7)
@pytest.mark.parametrize(('kind', 'data'), SCALARS, ids=name_of)
def test_scalars_are_left_out_until_they_are_whole(kind: Any, data: Any) -> None:
    fields = typed_dict(it=kind, next=int)
    for more in ({}, {'next': 5}):
        values, whole = values_of(fields, {'it': data, **more})
        assert {repr(value['it']) for value in values if 'it' in value} == {repr(whole['it'])}
    for container in (list[kind], tuple[kind, ...], tuple[int, kind]):
        values, whole = values_of(container, [12, data] if container == tuple[int, kind] else [data, data])
        assert values[-1] == whole
        assert all(value == whole[: len(value)] for value in values)
    values, whole = values_of(dict[str, kind], {'a': data, 'b': data})
    assert all(value.items() <= whole.items() for value in values)
    if kind.__hash__ is not None and data != '[1, 22]':
        values, whole = values_of(set[kind], [data])
        assert {len(value) for value in values} == {0, 1}


@pytest.mark.parametrize(('kind', 'data', 'expected'), TEXTS, ids=name_of)
def test_text_grows(kind: Any, data: str, expected: str) -> None:
    fields = typed_dict(it=kind)
    values, whole = values_of(fields, {'it': data})
    assert whole == {'it': expected}
    texts = [value['it'] for value in values if 'it' in value]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert all(expected.startswith(text) for text in texts)
    assert len(set(texts)) > len(expected) // 2


@pytest.mark.parametrize(('kind', 'data'), CONTAINERS, ids=name_of)
def test_containers_grow_by_what_is_whole(kind: Any, data: Any) -> None:
    values, whole = values_of(kind, data)
    assert values[-1] == whole
    if kind == Annotated[list[int], AfterValidator(sorted)]:  # its own order
        assert all(set(value) <= set(whole) for value in values)
    else:
        assert [value for value in values if not is_beginning(value, whole)] == []


def test_a_member_of_a_set_that_changed_would_be_another_one() -> None:
    values, _ = values_of(set[str], ['ab', 'abc'])
    assert [value for value, _ in itertools.groupby(values)] == [set(), {'ab'}, {'ab', 'abc'}]


def test_choices_between_objects_are_for_the_whole() -> None:
    values, _ = values_of(list[Cat | Point], [{'x': 12}, {'kind': 'cat'}])
    assert [value for value, _ in itertools.groupby(values)] == [[], [Point(12)], [Point(12), Cat()]]


def test_a_tag_chooses_at_once() -> None:
    values, _ = values_of(list[Pet], [{'kind': 'cat', 'lives': 12}])
    assert [value for value, _ in itertools.groupby(values)] == [[], [Cat()], [Cat(lives=12)]]


def test_kinds_of_schemas_that_are_not_known_are_shown_when_they_are_whole() -> None:
    shape = shape_of({'type': 'model-fields', 'fields': {'x': {'type': 'model-field', 'schema': {'type': 'new'}}}})
    assert callable(shape.object)
    assert shape.object('x').text is shape.object('x').object is shape.object('x').array is False


@pytest.mark.slow
@settings(deadline=None)
@given(st.recursive(st.integers() | st.text(max_size=5) | st.none(), lambda inner: st.lists(inner, max_size=4)))
def test_any_json(value: Any) -> None:
    values, whole = values_of(list[Any], [value])
    assert [part for part in values if not is_beginning(part, whole)] == []

"""The canonical form of any value: a rule, a test."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, HttpUrl

from syncai._canonical import canonical_bytes, canonical_key, canonical_value
from syncai.exceptions import UserError
from syncai.messages import BinaryContent, DocumentUrl, ImageUrl, ModelRequest, ModelResponse, ToolCallPart

PNG = b'\x89PNG\r\n\x1a\n' + bytes(8)
EAST = timezone(timedelta(hours=2))


class Colour(Enum):
    RED = 'red'


class Level(IntEnum):
    LOW = 1


@dataclass
class Point:
    x: int
    y: int


class Pair(NamedTuple):
    left: int
    right: int


class Row(BaseModel):
    name: str = Field(serialization_alias='Name')
    site: HttpUrl
    tags: set[str] = set()


def same(one: object, other: object) -> bool:
    return canonical_key(one) == canonical_key(other)


def test_a_key_is_the_sha256_of_versioned_json() -> None:
    expected = hashlib.sha256(b'syncai value 1\n{"a":[1,"\xc3\xa9"],"b":null}').hexdigest()
    assert canonical_key({'b': None, 'a': (1, 'é')}) == expected


def test_the_order_of_a_dict_does_not_count_and_that_of_a_list_does() -> None:
    assert same({'a': 1, 'b': {'c': 2, 'd': 3}}, {'b': {'d': 3, 'c': 2}, 'a': 1})
    assert same(OrderedDict(b=1, a=2), MappingProxyType({'a': 2, 'b': 1}))
    assert not same([1, 2], [2, 1])


@pytest.mark.parametrize('key', [1, None, 1.5, True, ('a', 'b')])
def test_a_key_that_is_no_text_is_refused(key: object) -> None:
    with pytest.raises(UserError, match=r"row\['deep'\]\[0\] is a dict with the key .* keys must be str"):
        canonical_value({'deep': [{key: 1}]}, name='row')


def test_values_of_different_types_have_different_keys() -> None:
    values: list[object] = [1, 1.0, 1.5, True, '1', None, 'None', '', [], {}, [1], [[1]], b'1', '0']
    keys = {canonical_key(value) for value in values}
    assert len(keys) == 14


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf'), Decimal('NaN'), Decimal('-Infinity')])
def test_numbers_that_json_lacks_are_refused(value: object) -> None:
    with pytest.raises(UserError, match=r"the value\['x'\] is .*which JSON lacks"):
        canonical_value({'x': value})


def test_floats_are_written_as_repr_does() -> None:
    # https://docs.python.org/3/library/functions.html#repr: the shortest text that reads as the same float.
    assert canonical_bytes(canonical_value([0.1 + 0.2, 1e16, -0.0, 5e-324])).endswith(
        b'[0.30000000000000004,1e+16,-0.0,5e-324]'
    )


def test_sets_are_sorted_by_their_items_and_mixed_types_are_no_problem() -> None:
    assert canonical_value({'b', 'a', 1, None}) == canonical_value(frozenset([None, 1, 'a', 'b']))
    assert same({Colour.RED, 'blue'}, {'blue', 'red'})
    assert same({frozenset('ab'), frozenset('cd')}, {frozenset('dc'), frozenset('ba')})


def test_enums_dataclasses_and_tuples_are_what_they_hold() -> None:
    assert canonical_value([Colour.RED, Level.LOW, Point(1, 2), Pair(3, 4)]) == ['red', 1, {'x': 1, 'y': 2}, [3, 4]]
    assert canonical_value({Colour.RED: 1}) == {'red': 1}


def test_times_with_a_zone_are_in_utc() -> None:
    moment = datetime(2026, 1, 1, 12, 30, tzinfo=EAST)
    assert canonical_value(moment) == '2026-01-01T10:30:00Z'
    assert same(moment, moment.astimezone(UTC))
    assert not same(moment, moment.replace(tzinfo=None))
    assert canonical_value([date(2026, 1, 1), timedelta(days=-1)]) == ['2026-01-01', 'PT-86400S']


def test_text_counts_as_it_is() -> None:
    texts = ['\u00e9', 'e\u0301', 'a\r\nb', 'a\nb', '\ud83d']
    assert len({canonical_key(text) for text in texts}) == 5


def test_bytes_are_their_hash_and_size() -> None:
    assert canonical_value(PNG) == canonical_value(bytearray(PNG)) == canonical_value(memoryview(PNG))
    assert canonical_value(PNG) == {'sha256': hashlib.sha256(PNG).hexdigest(), 'bytes': 16}


def test_files_count_by_content(tmp_path: Path) -> None:
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'cat.png').write_bytes(PNG)
    first, second = (['look', tmp_path / name / 'cat.png'] for name in ('a', 'b'))
    assert same(first, second)
    assert same(first, ['look', BinaryContent(PNG, 'image/png', filename='cat.png')])
    (tmp_path / 'b' / 'cat.png').write_bytes(PNG + b'\0')
    assert not same(first, second)
    assert not same(BinaryContent(PNG, 'image/png'), BinaryContent(PNG, 'image/png', detail='low'))
    with pytest.raises(UserError, match='gone'):
        canonical_key(tmp_path / 'gone.png')


def test_files_by_address_count_by_address_and_kind() -> None:
    url = 'https://host.example/a'
    assert canonical_value(ImageUrl(url)) == {'url': url, 'kind': 'image-url'}
    assert not same(ImageUrl(url), DocumentUrl(url))
    assert not same(ImageUrl(url), ImageUrl(url, media_type_='image/png'))


def test_pydantic_models_are_what_json_shows_of_them() -> None:
    row = Row(name='x', site=HttpUrl('https://host.example'), tags={'b', 'a'})
    assert canonical_value(row) == {**json.loads(row.model_dump_json(by_alias=True)), 'tags': ['a', 'b']}


def test_messages_in_a_value_are_without_times_and_ids() -> None:
    def row(call: str) -> list[object]:
        return [ModelRequest.user_text_prompt('hi'), ModelResponse([ToolCallPart('f', '{"a": 1}', call)])]

    assert same(row('call_1'), row('call_2'))


def test_identifiers_and_numbers_of_libraries() -> None:
    numpy = pytest.importorskip('numpy')
    assert canonical_value([UUID(int=5), Decimal('1.50')]) == ['00000000-0000-0000-0000-000000000005', '1.50']
    assert canonical_value([numpy.int64(3), numpy.float64(1.5)]) == [3, 1.5]


def looped() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize('value', [object(), len, int, (n for n in [1]), type('Own', (), {})()])
def test_a_value_without_a_form_is_refused_and_never_its_repr(value: object) -> None:
    with pytest.raises(UserError, match=r"prompt\['x'\] is a .* of which no stable key can be made: use str, numbers"):
        canonical_value({'x': value}, name='prompt')


def test_a_value_that_holds_itself_is_refused() -> None:
    with pytest.raises(UserError, match='prompt holds itself'):
        canonical_value(looped(), name='prompt')


def test_rewriting_takes_what_does_not_count_out_of_all_texts() -> None:
    def form(day: str) -> object:
        return canonical_value({'a': [f'on {day}']}, rewrite=lambda text: text.replace(day, 'DAY'))

    assert form('Monday') == form('Friday') == {'a': ['on DAY']}

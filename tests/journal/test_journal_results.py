"""Results of all types, kept as JSON by the adapter of the result type and read again."""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from random import Random
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, SecretStr
from pydantic_core import core_schema
from typing_extensions import TypedDict

from syncai import Agent
from syncai.exceptions import UserError
from syncai.journal import Journal
from syncai.journal._keys import Occurrences
from syncai.models.test import TestModel

ItemT = TypeVar('ItemT')


class Page(BaseModel, Generic[ItemT]):
    items: list[ItemT]


class City(BaseModel):
    name: str = Field(alias='Name')
    people: int


class Named(BaseModel):
    model_config = {'populate_by_name': True}
    full: str = Field(serialization_alias='Full', validation_alias='full')


@dataclass
class Point:
    x: int
    when: datetime


@dataclass
class Tree:
    name: str
    branches: list[Tree]


class Colour(Enum):
    RED = 'red'


class Pair(NamedTuple):
    left: int
    right: str


class Row(TypedDict):
    name: str
    tags: set[str]


class Dog(BaseModel):
    kind: Literal['dog'] = 'dog'
    name: str


class Cat(BaseModel):
    kind: Literal['cat'] = 'cat'
    name: str


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RESULTS: list[tuple[Any, Any]] = [
    (str, 'text \u00e9 \x00 \U0001f600'),
    (int, 10**20),
    (float, 0.1),
    (float, float('inf')),
    (bool, False),
    (bytes, b'\xff\x00'),
    (date, date(2026, 1, 1)),
    (datetime, NOON),
    (timedelta, timedelta(days=2, microseconds=1)),
    (Decimal, Decimal('1.50')),
    (UUID, UUID(int=7)),
    (Colour, Colour.RED),
    (Path, Path('/tmp/x')),
    (list[date], [date(2026, 1, 1)]),
    (dict[str, list[int]], {'a': [1]}),
    (dict[int, str], {1: 'one'}),
    (tuple[int, str], (1, 'a')),
    (set[int], {1, 2}),
    (Page[City], Page[City](items=[City(Name='Rome', people=3)])),
    (Page[date], Page[date](items=[date(2026, 1, 1)])),
    (City, City(Name='Rome', people=3)),
    (Named, Named(full='x')),
    (Point, Point(1, NOON)),
    (Tree, Tree('a', [Tree('b', [])])),
    (Pair, Pair(1, 'a')),
    (Row, {'name': 'a', 'tags': {'x'}}),
    (Dog | Cat, Cat(name='Tom')),
    (City | int, 3),
    (int | str, '3'),
    (str | int, 3),
    (date | datetime, NOON),
    (list[Dog] | Cat, [Dog(name='Rex')]),
    (City | None, None),
]
ARGUMENTS: dict[Any, Any] = {dict[int, str]: {'1': 'one'}, Tree: {'name': 'a', 'branches': []}}
"""The answer of the model for schemas that `TestModel` cannot satisfy."""


@pytest.mark.many(5)
@pytest.mark.parametrize(('kind', 'value'), RESULTS, ids=lambda one: repr(one)[:40])
def test_a_result_comes_back_as_it_was(kind: Any, value: Any, tmp_path: Path) -> None:
    agent: Agent[None, Any] = Agent(TestModel(custom_result_args=ARGUMENTS.get(kind)), result_type=kind)

    @agent.result_validator
    def whatever_the_model_says(data: Any) -> Any:
        return value

    for stored in (False, True):
        [row] = agent.map_sync(['a'], journal=tmp_path / 'j')
        assert row.error is None, row.error
        assert row.stored is stored
        assert type(row.data) is type(value)
        assert row.data == value
    [row] = Journal(tmp_path / 'j').rows(kind)
    assert row.data == value


class Opaque:
    """Without a comparison of its own, as many classes are."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.plain_serializer_function_ser_schema(_name_of)
        )


def _name_of(value: Opaque) -> str:
    return value.name


def test_a_class_without_a_comparison_comes_back_too(tmp_path: Path) -> None:
    agent = Agent(TestModel(custom_result_args='Ann'), result_type=Opaque)
    for _ in range(2):
        [row] = agent.map_sync(['a'], journal=tmp_path / 'j')
        assert row.data.name == 'Ann'


class Login(BaseModel):
    name: str
    password: SecretStr


def test_what_json_would_hide_is_an_error_and_not_kept_as_stars(tmp_path: Path) -> None:
    agent = Agent(TestModel(custom_result_args={'name': 'Ann', 'password': 'hush'}), result_type=Login)
    with pytest.raises(UserError, match='A result of the type Login cannot be kept'):
        list(agent.map_sync(['a'], journal=tmp_path / 'j'))
    assert Journal(tmp_path / 'j').counts()['done'] == 0


def test_a_journal_holds_json_alone(tmp_path: Path) -> None:
    agent = Agent(TestModel(custom_result_args={'Name': 'Rome', 'people': 3}), result_type=City)
    list(agent.map_sync(['a', 'b'], journal=tmp_path / 'j'))
    database = sqlite3.connect(tmp_path / 'j')
    rows = database.execute('SELECT key, data, messages, run, error, note FROM syncai_journal_rows').fetchall()
    notes = database.execute('SELECT text FROM syncai_journal_notes').fetchall()
    database.close()
    texts = [text for row in (*rows, *notes) for text in row if text is not None]
    assert len(texts) >= 8
    for text in texts:
        json.loads(text)
        with pytest.raises((pickle.UnpicklingError, ValueError, KeyError, EOFError, IndexError, AttributeError)):
            pickle.loads(text.encode())


def test_duplicates_do_not_collapse_and_their_order_does_not_matter(tmp_path: Path) -> None:
    agent = Agent(TestModel(custom_result_text='ok'))
    first = list(agent.map_sync(['a', 'b', 'a', 'a'], journal=tmp_path / 'j'))
    assert len({row.key for row in first}) == 4
    again = list(agent.map_sync(['a', 'a', 'b', 'a', 'a'], journal=tmp_path / 'j'))
    assert [row.stored for row in again] == [True, True, True, True, False]
    assert {row.key for row in first} < {row.key for row in again}


def test_occurrences_are_counted_beyond_what_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Occurrences, '_IN_MEMORY', 100)
    occurrences, chance = Occurrences(), Random(7)
    counted: Counter[str] = Counter()
    for _ in range(30):
        keys = [str(chance.randrange(400)) for _ in range(chance.randrange(1, 700))]
        expected = []
        for key in keys:
            counted[key] += 1
            expected.append(counted[key])
        assert occurrences.count(keys) == expected
    assert occurrences.count([]) == []
    occurrences.close()

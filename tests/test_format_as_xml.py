from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import BaseModel

from syncai import UserError
from syncai.format_as_xml import format_as_xml


@dataclass
class Point:
    x: int
    y: int


class Person(BaseModel):
    name: str
    born: date | None = None


class Colour(Enum):
    RED = 'red'


def numbers() -> Iterator[int]:
    yield from (1, 2)


@pytest.mark.parametrize(
    ('value', 'inner'),
    [
        ('text', 'text'),
        ('', ''),
        ('a < b & c', 'a &lt; b &amp; c'),
        (b'bytes', 'bytes'),
        (7, '7'),
        (1.5, '1.5'),
        (True, 'True'),
        (None, 'null'),
        (date(2024, 2, 29), '2024-02-29'),
        (datetime(2024, 2, 29, 12, 30), '2024-02-29T12:30:00'),
        (Colour.RED, 'red'),
    ],
)
def test_single_values(value: Any, inner: str) -> None:
    assert format_as_xml(value) == f'<examples>{inner}</examples>'
    assert format_as_xml(value, include_root_tag=False) == inner


def test_what_is_nested() -> None:
    person = Person(name='Ada', born=date(1815, 12, 10))
    value = {'who': person, 'where': [Point(1, 2), {'x': None}], 'none': [], 1: numbers()}
    assert format_as_xml(value, root_tag='data', item_tag='item', none_str='unknown').splitlines() == [
        '<data>',
        '  <who>',
        '    <name>Ada</name>',
        '    <born>1815-12-10</born>',
        '  </who>',
        '  <where>',
        '    <Point>',
        '      <x>1</x>',
        '      <y>2</y>',
        '    </Point>',
        '    <item>',
        '      <x>unknown</x>',
        '    </item>',
        '  </where>',
        '  <none />',
        '  <1>',
        '    <item>1</item>',
        '    <item>2</item>',
        '  </1>',
        '</data>',
    ]


def test_without_the_outer_tag_and_on_one_line() -> None:
    examples = [{'q': 'one'}, {'q': 'two'}]
    assert format_as_xml(examples, include_root_tag=False) == (
        '<example>\n  <q>one</q>\n</example>\n<example>\n  <q>two</q>\n</example>'
    )
    assert format_as_xml(examples, indent=None) == (
        '<examples><example><q>one</q></example><example><q>two</q></example></examples>'
    )


def test_it_can_be_parsed() -> None:
    text = format_as_xml([Person(name='<b>"&"</b>')])
    assert ElementTree.fromstring(text).findtext('Person/name') == '<b>"&"</b>'


@pytest.mark.parametrize('value', [object(), Point, [Point(1, 2), 1j]])
def test_what_cannot_be_written(value: Any) -> None:
    with pytest.raises(UserError, match=r'format_as_xml cannot write a (object|type|complex)'):
        format_as_xml(value)

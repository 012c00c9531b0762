"""The rules of OpenAI's strict mode, and types for schemas.

The rules are those of OpenAI's guide, https://developers.openai.com/api/docs/guides/structured-outputs, and of errors
that its API gave: `'default' is not permitted` (567-labs/instructor#1074), `'oneOf' is not permitted` (issue 5302 of
livekit/agents), `schema must have a 'type' key`, `array schema missing items` (AnswerDotAI/fastcore#798), `object
schema missing properties` (spring-projects/spring-ai#4776).
"""

# No `from __future__ import annotations`: pydantic reads the annotations.

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field, HttpUrl

# The keywords of the guide, and the descriptions and definitions that its examples have.
_ANYWHERE = {'type', 'title', 'description', 'enum', 'const', 'anyOf', '$ref', '$defs'}
_BY_TYPE = {
    'string': {'pattern', 'format'},
    'number': {'multipleOf', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum'},
    'integer': {'multipleOf', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum'},
    'array': {'items', 'minItems', 'maxItems'},
    'object': {'properties', 'required', 'additionalProperties'},
}
_FORMATS = {'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'}


def violations(node: Any, place: str = '') -> Iterator[str]:
    """The parts of a strict schema that the API would refuse."""
    if not isinstance(node, dict):
        yield f'{place}: {node!r} is no schema'
        return
    yield from _of_node(node, place)
    for key in ('properties', '$defs'):
        for name, child in node.get(key, {}).items():
            yield from violations(child, f'{place}/{name}')
    for child in (*node.get('anyOf', ()), *([node['items']] if 'items' in node else ())):
        yield from violations(child, f'{place}/*')


def _of_node(node: dict[str, Any], place: str) -> Iterator[str]:
    kinds = node.get('type', [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    for keyword in node.keys() - _ANYWHERE - {keyword for kind in kinds for keyword in _BY_TYPE.get(kind, ())}:
        yield f'{place}: {keyword!r} is not permitted'
    if not node.keys() & {'type', 'anyOf', '$ref'}:
        yield f"{place}: schema must have a 'type' key"
    if '$ref' in node and len(node) > 1:
        yield f'{place}: $ref cannot have keywords beside it'
    if node.get('format', 'date') not in _FORMATS:
        yield f'{place}: format {node["format"]!r} is not valid'
    if 'object' in kinds and node.get('additionalProperties') is not False:
        yield f"{place}: 'additionalProperties' is required to be supplied and to be false"
    if 'object' in kinds and set(node.get('required', ())) != set(node.get('properties', {'': ''})):
        yield f'{place}: required is not every key in properties'
    if 'array' in kinds and 'items' not in node:
        yield f'{place}: array schema missing items'


class Colour(enum.Enum):
    RED = 'red'
    BLUE = 'blue'


class Cat(BaseModel):
    """A cat."""

    kind: Literal['cat']
    meows: int = Field(ge=0, lt=10)


class Dog(BaseModel):
    kind: Literal['dog']
    barks: float = 1.5


class Home(BaseModel):
    pets: list[Annotated[Cat | Dog, Field(discriminator='kind')]]
    favourite: Annotated[Cat | Dog, Field(discriminator='kind', description='The best.')] | None = None


class Tree(BaseModel):
    name: str
    children: list['Tree'] = []


class Size(NamedTuple):
    width: int
    height: int


class Many(BaseModel):
    code: str = Field(pattern=r'^[A-Z]+$', min_length=2, max_length=5)
    word: str = Field(examples=['ab'])
    price: Decimal
    link: HttpUrl
    raw: bytes
    path: Path
    day: date
    moment: datetime
    span: timedelta
    id: UUID
    tags: set[str]
    pair: tuple[int, str]
    triple: tuple[int, int, int]
    any_length: tuple[int, ...]
    size: Size
    colour: Colour
    choice: Literal['a', 1, True]
    fixed: Literal[3]
    maybe: int | None
    names: Annotated[list[str], Field(min_length=1, max_length=3)]
    deprecated: Annotated[str, Field(deprecated=True)] = 'x'


@dataclass
class Point:
    x: int
    """Where."""
    y: float = 0.0


class Open(BaseModel):
    scores: dict[str, int]


class AnyValue(BaseModel):
    value: Any


class Extra(BaseModel, extra='allow'):
    name: str


class ByName(BaseModel):
    counts: dict[Annotated[str, Field(pattern='^a')], int] = {}


class Deep(BaseModel):
    inner: list[Open]

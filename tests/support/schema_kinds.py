"""Types and helpers that the tests of schemas share."""

# No `from __future__ import annotations`: annotations are objects here, and text only where a test writes text.

import enum
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Generic, NotRequired, TypedDict, TypeVar

import pytest
import typing_extensions
from pydantic import BaseModel, Field, ValidationError

from syncai._schema import FunctionSchema, function_schema, retry_errors

T = TypeVar('T')


class RunContext(Generic[T]):
    """Stands for the real one, which is on a higher floor: it is known by its name."""


class Colour(enum.Enum):
    """A colour."""

    red = 'r'
    blue = 'b'


class Box(BaseModel):
    """A box."""

    width: int
    label: Annotated[str, Field(title='The Label')] = '?'


@dataclass
class Point:
    x: int
    y: int = 0


class Place(TypedDict):
    city: str
    since: NotRequired[date]


class ModernPlace(typing_extensions.TypedDict, total=False):
    city: str


class Node(BaseModel):
    value: int
    children: list['Node'] = []


def plain(function: Callable[..., Any], **options: Any) -> FunctionSchema:
    return function_schema(function, takes_ctx=False, **options)


def call(function: Callable[..., Any], args: Any) -> Any:
    positional, keyword = plain(function).validate(args)
    return function(*positional, **keyword)


def two(prefix: str, item: str, suffix: str = '') -> str:
    """Join.

    Args:
        item: The middle.
    """
    return prefix + item + suffix


def errors_of(function: Callable[..., Any], args: Any) -> list[dict[str, Any]]:
    with pytest.raises(ValidationError) as caught:
        plain(function).validate(args)
    errors = retry_errors(caught.value)
    assert json.loads(json.dumps(errors, ensure_ascii=False).encode()) == errors
    return errors


def name_of(value: object) -> str:
    """The id of a parameter: its text without addresses in memory, which differ between the processes of a test run."""
    return re.sub(r' at 0x[0-9a-f]+', '', str(value))

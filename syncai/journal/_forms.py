"""The forms of stored results: pydantic's JSON, and one for values that JSON lacks."""

from __future__ import annotations

import base64
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_BYTES = '$bytes'
_FLOAT = '$float'


class Form(ABC):
    """One way to write values of a type as JSON text."""

    name: str

    @abstractmethod
    def dump(self, adapter: TypeAdapter[Any], value: Any) -> str | None:
        """The value as JSON text; None, or an error of pydantic, if this form cannot hold it."""

    @abstractmethod
    def load(self, adapter: TypeAdapter[Any], text: str) -> Any:
        """The value of that text, validated."""


class PlainForm(Form):
    """The adapter's own JSON, by aliases or by the names of fields."""

    name = 'json'
    _by_alias = True

    def dump(self, adapter: TypeAdapter[Any], value: Any) -> str | None:
        """As JSON text; None if a number does not exist in JSON, since pydantic would write null."""
        text = adapter.dump_json(value, by_alias=self._by_alias, warnings='error').decode()
        if 'null' in text and _has_no_number(adapter.dump_python(value, by_alias=self._by_alias)):
            return None
        return text

    def load(self, adapter: TypeAdapter[Any], text: str) -> Any:
        """The value."""
        return adapter.validate_json(text)


class NamedForm(PlainForm):
    """For models that are validated by the names of their fields."""

    name = 'names'
    _by_alias = False


class TaggedForm(Form):
    """Bytes in base64, numbers that JSON lacks, and text that UTF-8 lacks."""

    name = 'tagged'

    def dump(self, adapter: TypeAdapter[Any], value: Any) -> str:
        """As JSON text in ASCII."""
        return json.dumps(_tagged(adapter.dump_python(value, by_alias=True, warnings='error')), separators=(',', ':'))

    def load(self, adapter: TypeAdapter[Any], text: str) -> Any:
        """The value."""
        return adapter.validate_python(_untagged(json.loads(text)))


FORMS: tuple[Form, ...] = (PlainForm(), NamedForm(), TaggedForm())
"""In the order in which they are tried."""


def _tagged(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(float(value))}
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else to_jsonable_python(key): _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple | Set):
        return [_tagged(item) for item in value]
    return to_jsonable_python(value)


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_BYTES}:
        return base64.b64decode(value[_BYTES])
    if set(value) == {_FLOAT}:
        return float(value[_FLOAT])
    return {key: _untagged(item) for key, item in value.items()}


def _has_no_number(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(_has_no_number, value.values()))
    return isinstance(value, list | tuple | Set) and any(map(_has_no_number, value))

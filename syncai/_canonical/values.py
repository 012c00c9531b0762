"""Any value in its canonical form: JSON without anything that may differ between two processes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Rational, Real
from pathlib import Path, PurePath
from typing import Any, TypeAlias
from uuid import UUID

from ..content import BinaryContent, UrlContent
from ..exceptions import UserError
from .places import KeyPlace

Json: TypeAlias = 'bool | int | float | str | list[Json] | dict[str, Json] | None'
Rewrite: TypeAlias = Callable[[str], str]

_REMEDY = 'use str, numbers, bytes, dates, lists, dicts, dataclasses, enums or pydantic models'


class Values:
    """Writes values in their canonical form; calls of tools are numbered over all that one instance writes.

    Args:
        rewrite: Takes each text, and returns the part that counts; None keeps texts unchanged.
        files: Takes each file under its hash; None drops them.
    """

    def __init__(self, rewrite: Rewrite | None = None, files: dict[str, BinaryContent] | None = None) -> None:
        self._rewrite = rewrite
        self._files = files
        self._calls: dict[str, int] = {}

    def text(self, text: str) -> str:
        """A text, unchanged or rewritten."""
        return self._rewrite(text) if self._rewrite is not None else text

    def call_id(self, call_id: str | None) -> int | None:
        """The number of a call in the order of first occurrence, since its id is random; None for a call without an
        id.
        """
        return self._calls.setdefault(call_id, len(self._calls) + 1) if call_id else None

    def value(self, value: Any, place: KeyPlace) -> Json:
        """Any value; `place` says in an error where it stands."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.value(value.value, place)
        if isinstance(value, str):
            return self.text(str.__str__(value))
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Real) and not isinstance(value, Rational):
            return self.number(float(value), place)
        if isinstance(value, Mapping):
            return self._mapping(value, place)
        if isinstance(value, bytes | bytearray | memoryview):
            return self.binary(bytes(value))
        return self._collection(value, place) if isinstance(value, Sequence | Set) else self.instance(value, place)

    def number(self, value: float, place: KeyPlace) -> Json:
        """A float, written as `repr` writes it."""
        if not math.isfinite(value):
            raise UserError(f'{place} is {value}, which JSON lacks: use a finite number, or None')
        return value

    def binary(self, data: bytes) -> Json:
        """Bytes without a media type, by their content."""
        return file_hash(data)

    def key(self, key: Any, place: KeyPlace) -> str:
        """The key of a dict."""
        if isinstance(key, Enum):
            key = key.value
        if not isinstance(key, str):
            raise UserError(
                f'{place} is a dict with the key {key!r:.50} of type {type(key).__name__}: keys must be str, since '
                '1 and "1" are one key in JSON'
            )
        return str.__str__(key)

    def _mapping(self, value: Mapping[Any, Any], place: KeyPlace) -> dict[str, Json]:
        form: dict[str, Json] = {}
        for key, item in value.items():
            form[self.key(key, place)] = self.value(item, place.at(key))
        return form

    def _collection(self, value: Sequence[Any] | Set[Any], place: KeyPlace) -> list[Json]:
        items = [self.value(item, place.at(number)) for number, item in enumerate(value)]
        return sorted(items, key=_sorting) if isinstance(value, Set) else items

    def instance(self, value: Any, place: KeyPlace) -> Json:
        """A value that is no text, number, list or dict."""
        if isinstance(value, datetime | date | time | timedelta):
            return _in_time(value, place)
        if isinstance(value, Decimal):
            return str(value) if value.is_finite() else self.number(float(value), place)
        if isinstance(value, UUID):
            return str(value)
        if isinstance(value, PurePath):
            return self.path(value)
        if isinstance(value, BinaryContent):
            return self.file(value)
        if isinstance(value, UrlContent):
            return self.address(value)
        if is_dataclass(value) and not isinstance(value, type):
            return {f.name: self.value(getattr(value, f.name), place.at(f.name)) for f in fields(value)}
        return self.value(_dumped(value, place), place)

    def path(self, path: PurePath) -> Json:
        """A path: the file at it, as in a prompt."""
        return self.file(BinaryContent.from_path(Path(path)))

    def file(self, file: BinaryContent) -> dict[str, Json]:
        """A file by its content, and its other data that the model sees."""
        attributes = {'filename': file.filename and self.text(file.filename), 'detail': file.detail}
        form = file_hash(file.data)
        if self._files is not None:
            self._files[str(form['sha256'])] = file
        return {**form, 'media_type': file.media_type, **{k: v for k, v in attributes.items() if v}}

    def address(self, file: UrlContent) -> dict[str, Json]:
        """A file by its address, since its content is not known."""
        attributes = {'media_type': file.media_type_, 'detail': getattr(file, 'detail', None)}
        return {'url': self.text(file.url), 'kind': file.kind, **{k: v for k, v in attributes.items() if v}}


def file_hash(data: bytes) -> dict[str, Json]:
    """Bytes by their content: their SHA-256 and their number."""
    return {'sha256': hashlib.sha256(data).hexdigest(), 'bytes': len(data)}


def _dumped(value: object, place: KeyPlace) -> Any:
    """A pydantic model as a dict; values that pydantic writes as JSON text or a number, such as addresses, as that."""
    dump = getattr(type(value), 'model_dump', None)
    if callable(dump):
        return dump(value, by_alias=True)
    if not hasattr(value, '__iter__') and not isinstance(value, type):
        from pydantic_core import PydanticSerializationError, to_jsonable_python

        try:
            form = to_jsonable_python(value)
        except PydanticSerializationError:
            form = None
        if isinstance(form, str | int | float):
            return form
    name = f'{type(value).__module__}.{type(value).__qualname__}'
    raise UserError(f'{place} is a {name}, of which no stable key can be made: {_REMEDY}')


def _sorting(form: Json) -> str:
    return json.dumps(form, sort_keys=True)


def _in_time(value: datetime | date | time | timedelta, place: KeyPlace) -> str:
    if value != value:  # pandas.NaT
        raise UserError(f'{place} is {value}, which JSON lacks: use a time, or None')
    if isinstance(value, timedelta):
        return f'PT{Decimal(value // timedelta(microseconds=1)) / 10**6}S'
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value.astimezone(UTC).isoformat().removesuffix('+00:00') + 'Z'
    return value.isoformat()

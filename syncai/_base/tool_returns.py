"""Returns of tools in stored messages: any value, in which files stay files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ..content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, VideoUrl
from .json_values import base64_bytes, json_value
from .system import warn_in_log

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_KINDS: Mapping[object, type[Any]] = {
    'image-url': ImageUrl,
    'audio-url': AudioUrl,
    'document-url': DocumentUrl,
    'video-url': VideoUrl,
    'binary': BinaryContent,
}
_FIELDS = {kind: {field.name for field in fields(kind)} for kind in _KINDS.values()}


class Returned:
    """Marks a field of any value. In JSON its files are objects, which are read back as files."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        """How pydantic reads and writes it."""
        return _schema(handler(source), json_value)


class Metadata:
    """Marks a field of any value that is left out of the JSON, with a warning, where JSON cannot hold it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        """How pydantic reads and writes it."""
        return _schema(handler(source), _storable)


def _schema(value: CoreSchema, as_json: Callable[[Any], Any]) -> CoreSchema:
    from pydantic_core import core_schema

    schema = core_schema.no_info_after_validator_function(with_files, value)
    schema['serialization'] = core_schema.plain_serializer_function_ser_schema(as_json, when_used='json')
    return schema


def with_files(value: Any) -> Any:
    """The value with its files restored; the same object if it holds none. An object counts as a file if it has exactly
    the fields of one, which is rare for other objects.
    """
    if isinstance(value, list):
        items = [with_files(item) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if not isinstance(value, dict):
        return value
    kind = _KINDS.get(value.get('kind')) if isinstance(value.get('kind'), str) else None
    if kind is not None and value.keys() == _FIELDS[kind]:
        return _file(kind, value)
    items_by_key = {key: with_files(item) for key, item in value.items()}
    return items_by_key if any(items_by_key[key] is not item for key, item in value.items()) else value


def _file(kind: type[Any], values: dict[str, Any]) -> Any:
    data = values.get('data')
    try:
        return kind(**{**values, 'data': base64_bytes(data)} if isinstance(data, str) else values)
    except (ValueError, RuntimeError):  # RuntimeError: a UserError, for what only looks like a file
        return values


def _storable(metadata: Any) -> Any:
    try:
        return json_value(metadata)
    except (ValueError, RecursionError):
        warn_in_log(
            'Metadata of a tool, a value of %s, cannot be written as JSON, and is left out of the stored messages',
            type(metadata).__name__,
        )
        return None

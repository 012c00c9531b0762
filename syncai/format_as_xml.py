"""Data as XML for a prompt: models find examples easier to read between tags than in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any
from xml.sax.saxutils import escape

from .exceptions import UserError

__all__ = ['format_as_xml']


def format_as_xml(
    obj: Any,
    root_tag: str = 'examples',
    item_tag: str = 'example',
    include_root_tag: bool = True,
    none_str: str = 'null',
    indent: str | None = '  ',
) -> str:
    """The object as XML text for a prompt.

    Args:
        obj: Text, a number, a date, an enum, None, or mappings, dataclasses, pydantic models and iterables of such. The
            elements of an iterable that are dataclasses or pydantic models are tagged with the names of their classes.
        root_tag: The outermost tag.
        item_tag: The tag around each other element of an iterable.
        include_root_tag: Whether to write the outer tag, or only its content.
        none_str: The text for None.
        indent: The indentation of each level; None puts everything on one line.

    Raises:
        UserError: The object holds a value of another type.
    """
    writer = _Writer(item_tag, none_str)
    children = writer.content(obj)
    top = [(root_tag, children)] if include_root_tag else children
    if isinstance(top, str):
        return top
    lines = _lines(top, indent or '', 0)
    return ''.join(lines) if indent is None else '\n'.join(lines)


Content = str | list[tuple[str, 'Content']]
"""Escaped text, or tags with their content."""


@dataclass(frozen=True, slots=True)
class _Writer:
    item_tag: str
    none_str: str

    def content(self, value: Any) -> Any:
        """The text of a value, or its elements by their tags."""
        text = self._text(value)
        if text is not None:
            return escape(text)
        members = _members(value)
        if members is not None:
            return [(str(name), self.content(member)) for name, member in members]
        if isinstance(value, Iterable):
            return [(self._tag(item), self.content(item)) for item in value]
        raise UserError(f'format_as_xml cannot write a {type(value).__name__}: make it a str, dict, list or dataclass')

    def _text(self, value: Any) -> str | None:
        if value is None:
            return self.none_str
        if isinstance(value, Enum):
            return self._text(value.value)
        if isinstance(value, bytes | bytearray):
            return value.decode(errors='replace')
        if isinstance(value, date):
            return value.isoformat()
        return str(value) if isinstance(value, str | int | float) else None

    def _tag(self, item: Any) -> str:
        named = not isinstance(item, Mapping) and _members(item) is not None
        return type(item).__name__ if named else self.item_tag


def _members(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Names and values of a mapping, dataclass or pydantic model; None of anything else."""
    if isinstance(value, Mapping):
        return value.items()
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    names = getattr(type(value), 'model_fields', None)
    return None if names is None else [(name, getattr(value, name)) for name in names]


def _lines(elements: Any, indent: str, depth: int) -> Iterator[str]:
    margin = indent * depth
    for tag, content in elements:
        if isinstance(content, str):
            yield f'{margin}<{tag}>{content}</{tag}>'
        elif not content:
            yield f'{margin}<{tag} />'
        else:
            yield f'{margin}<{tag}>'
            yield from _lines(content, indent, depth + 1)
            yield f'{margin}</{tag}>'

"""Pieces of JSON, written by hand where every token of an answer passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any

from .._base.json_values import whole_json_text

quoted: Callable[[str], str] = encode_basestring
"""A text as a JSON string; with what is in it besides ASCII as it is."""

plain_json = json.JSONEncoder(ensure_ascii=False, separators=(',', ':')).encode
"""What is made of dicts, lists, text and numbers alone, as JSON text."""


def value_json(value: Any) -> str:
    """Any value as JSON text: a result, or what a tool returned.

    What cannot be written is its repr, so that a page never loses the rest of the stream for it.
    """
    if isinstance(value, str):
        return quoted(value)
    try:
        return whole_json_text(value)
    except ValueError:
        return quoted(repr(value))


def to_bytes(text: str) -> bytes:
    r"""UTF-8; a half of a surrogate pair, which may stand in a JSON string alone, as its escape, such as `\ud83d`.

    The other half may come with the next token; a browser puts the two together.
    """
    return text.encode('utf-8', 'backslashreplace')


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that have a value: both protocols end a stream at a null where a field is optional."""
    return {name: value for name, value in fields.items() if value is not None}

"""Fast writers of JSON, for the path of every token."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any

from .._base.json_values import whole_json_text

quoted: Callable[[str], str] = encode_basestring
"""A text as a JSON string, without escapes for non-ASCII characters."""

plain_json = json.JSONEncoder(ensure_ascii=False, separators=(',', ':')).encode
"""A value of dicts, lists, text and numbers as JSON text."""


def value_json(value: Any) -> str:
    """Any value as JSON text: a result, or the return of a tool. A value that JSON cannot hold is its repr, so that the
    stream goes on.
    """
    if isinstance(value, str):
        return quoted(value)
    try:
        return whole_json_text(value)
    except ValueError:
        return quoted(repr(value))


def to_bytes(text: str) -> bytes:
    r"""UTF-8, with an escape such as `\ud83d` for half of a surrogate pair in a JSON string. The other half may come
    with the next token; a browser joins them.
    """
    return text.encode('utf-8', 'backslashreplace')


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields with a value: in both protocols, a null in an optional field ends the stream."""
    return {name: value for name, value in fields.items() if value is not None}

"""Messages as rows: JSON, with long files beside it under the SHA-256 of their bytes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...exceptions import UserError
from ...messages import ModelMessage, ModelMessagesTypeAdapter

__all__ = ['FORMAT', 'messages_of', 'row_of']

FORMAT = 1
"""The version of the JSON; rows of a newer one are not read."""

_LONG = 64 * 1024  # bytes of a file that is kept beside its message


def row_of(message: ModelMessage) -> tuple[str, dict[str, bytes]]:
    """The JSON of a message, and the files that are left out of it, by their SHA-256."""
    blobs: dict[str, bytes] = {}
    (value,) = ModelMessagesTypeAdapter.dump_python([message], mode='json')

    def without_data(file: dict[str, Any]) -> dict[str, Any]:
        text = file.get('data')
        if not isinstance(text, str) or len(text) < _LONG:  # base64 is longer than its bytes
            return file
        data = base64.b64decode(text)
        if len(data) <= _LONG:
            return file
        blobs[name := hashlib.sha256(data).hexdigest()] = data
        return {**file, 'data': {'sha256': name}}

    return _as_text(_with_files(value, without_data)), blobs


def _as_text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which databases refuse
        return json.dumps(value)
    return text


def messages_of(
    rows: Sequence[tuple[int, str]], blobs: Callable[[set[str]], Mapping[str, bytes]]
) -> list[ModelMessage]:
    """The messages of rows, each a format and its JSON.

    Args:
        rows: The rows in their order.
        blobs: Gives the files by their names.

    Raises:
        UserError: A row is of a newer format, or its file is gone.
    """
    if newer := [number for number, _ in rows if number > FORMAT]:
        raise UserError(
            f'This conversation was written by a newer version of syncai (format {max(newer)}, this one reads up to '
            f'{FORMAT}): install that version here too'
        )
    values = [json.loads(body) for _, body in rows]
    names: set[str] = set()
    _with_files(values, lambda file: _noting(file, names))
    if names:
        data = blobs(names)
        values = _with_files(values, lambda file: _with_data(file, data))
    return ModelMessagesTypeAdapter.validate_python(values)


def _with_files(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A JSON value in which each file is changed."""
    if isinstance(value, list):
        return [_with_files(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get('kind') == 'binary' and 'media_type' in value:
        return change(value)
    return {name: _with_files(item, change) for name, item in value.items()}


def _name_of(file: dict[str, Any]) -> str | None:
    data = file.get('data')
    return data.get('sha256') if isinstance(data, dict) else None


def _noting(file: dict[str, Any], names: set[str]) -> dict[str, Any]:
    if (name := _name_of(file)) is not None:
        names.add(name)
    return file


def _with_data(file: dict[str, Any], blobs: Mapping[str, bytes]) -> dict[str, Any]:
    name = _name_of(file)
    if name is None:
        return file
    if name not in blobs:
        raise UserError(f'A file of this conversation is gone from the table of blobs: SHA-256 {name}')
    return {**file, 'data': base64.b64encode(blobs[name]).decode()}

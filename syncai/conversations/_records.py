"""Messages as text for a store, with long files stored separately under the SHA-256 of their bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import UserError
from ..messages import ModelMessage

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ['messages_of', 'Record', 'record_of']

FORMAT = 1
"""The version of the text; a newer one is not read."""

_LONG = 64 * 1024  # bytes from which a file is stored separately
_HEAD = f'{{"format":{FORMAT},"message":'
_NAME = re.compile('sha256:([0-9a-f]{64})')
_FIELDS = {'data', 'media_type', 'filename', 'detail', 'kind'}


@dataclass(frozen=True, slots=True)
class Record:
    """A message as a store keeps it.

    Attributes:
        text: JSON, with the version of its format.
        blobs: The bytes of its long files, by their SHA-256 in hexadecimal digits; the text names them.
    """

    text: str
    blobs: Mapping[str, bytes]


def record_of(message: ModelMessage) -> Record:
    """The message for a store; files of more than 64 kB are not in its text."""
    text = _text_of(message)
    if len(text) <= _LONG:
        return Record(f'{_HEAD}{text}}}', {})
    blobs: dict[str, bytes] = {}
    value = json.loads(text)
    for file in _files_in(value):
        data = _bytes_of(file['data'])
        if data is not None and len(data) > _LONG:
            name = hashlib.sha256(data).hexdigest()
            blobs[name] = data
            file['data'] = f'sha256:{name}'
    return Record(f'{_HEAD}{json.dumps(value)}}}' if blobs else f'{_HEAD}{text}}}', blobs)


def _text_of(message: ModelMessage) -> str:
    adapter = _adapter()
    try:
        return adapter.dump_json([message])[1:-1].decode()
    except ValueError:  # half of a surrogate pair, which UTF-8 lacks and JSON can escape
        return json.dumps(adapter.dump_python([message], mode='json')[0])


def messages_of(
    texts: Sequence[str], blobs: Callable[[Sequence[str]], Mapping[str, bytes]], where: str
) -> list[ModelMessage]:
    """The messages of records.

    Args:
        texts: Their texts, in order.
        blobs: Returns the bytes of known names.
        where: Their place, for errors, such as `conversation 'user-42' in chats.db`.

    Raises:
        UserError: One is of a newer format, is no message, or its file is gone.
    """
    bodies = [_body_of(text, number, where) for number, text in enumerate(texts)]
    names_by_number = {number: names for number, body in enumerate(bodies) if (names := _NAME.findall(body))}
    if names_by_number:
        contents = blobs(sorted({name for names in names_by_number.values() for name in names}))
        for number in names_by_number:
            bodies[number] = _with_blobs(bodies[number], contents, where)
    from pydantic import ValidationError

    try:
        whole = f'[{",".join(bodies)}]'
        if '\\ud' in whole:  # may be half of a surrogate pair, which pydantic's parser refuses
            return _adapter().validate_python(json.loads(whole))
        return _adapter().validate_json(whole)
    except ValidationError as error:
        raise UserError(f'{where.capitalize()} holds what is no message: {error.errors()[0]["msg"]}') from None


def _body_of(text: str, number: int, where: str) -> str:
    if text.startswith(_HEAD):
        return text[len(_HEAD) : -1]
    try:
        value = json.loads(text)
        version = value['format']
        if isinstance(version, int) and version <= FORMAT:
            return json.dumps(value['message'])  # no version: written by another program
    except (ValueError, TypeError, KeyError):
        raise UserError(f'Message {number} of {where} is no message of syncai: {text!r:.100}') from None
    raise UserError(
        f'Message {number} of {where} has the format {version!r} of a newer version of syncai, and this one reads up '
        f'to {FORMAT}: upgrade syncai'
    )


def _files_in(value: Any) -> Iterator[dict[str, Any]]:
    """The files with bytes in a JSON value, also in returns of tools."""
    if isinstance(value, list):
        for item in value:
            yield from _files_in(item)
    elif isinstance(value, dict):
        if value.get('kind') == 'binary' and value.keys() == _FIELDS and isinstance(value['data'], str):
            yield value
        else:
            for item in value.values():
                yield from _files_in(item)


def _bytes_of(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, altchars=b'-_', validate=True) if len(text) > _LONG else None
    except ValueError:  # a value that only looks like a file
        return None


def _with_blobs(body: str, blobs: Mapping[str, bytes], where: str) -> str:
    value = json.loads(body)
    for file in _files_in(value):
        if (match := _NAME.fullmatch(file['data'])) is None:
            continue
        data = blobs.get(match[1])
        if data is None:
            raise UserError(f'A file of {where} is gone: SHA-256 {match[1]}, {file["media_type"]}')
        file['data'] = base64.b64encode(data).decode()
    return json.dumps(value)


def _adapter() -> TypeAdapter[list[ModelMessage]]:
    from ..messages import ModelMessagesTypeAdapter

    return ModelMessagesTypeAdapter

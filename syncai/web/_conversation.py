"""The messages of a page as a prompt and a history."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes, urlsplit

from .._base.json_values import whole_text
from ..content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, UserContent, VideoUrl
from ..exceptions import ChatRequestError, UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from ._addresses import is_public_address
from ._request import Bounds

Said = tuple[str, list[UserContent]]
"""A role, `user` or `assistant`, and its content."""

_MEDIA = ('image/', 'audio/', 'video/', 'text/', 'application/pdf', 'application/json', 'application/xml')
"""Prefixes of the media types that models read; other files are refused before any request."""
_MEDIA_TYPE = re.compile(r'[a-z]+/[\w.+*-]{1,80}', re.ASCII)
_URLS: dict[str, type[AudioUrl | ImageUrl | VideoUrl]] = {'audio': AudioUrl, 'image': ImageUrl, 'video': VideoUrl}


def conversation(entries: Sequence[Said], *, with_history: bool) -> tuple[list[UserContent], list[ModelMessage]]:
    """The last message of the user, which is the prompt, and the messages before it.

    The prompt is empty if the assistant's message is the last.
    """
    prompt: list[UserContent] = entries[-1][1] if entries and entries[-1][0] == 'user' else []
    before = entries[:-1] if prompt else entries
    history: list[ModelMessage] = []
    for role, content in before if with_history else ():
        if not content:
            continue
        if role == 'user':
            history.append(ModelRequest([UserPromptPart(plain(content))]))
        else:
            history.append(ModelResponse([TextPart(str(text)) for text in content]))
    return prompt, history


def plain(content: list[UserContent]) -> str | list[UserContent]:
    """Text alone, joined by lines, or the content unchanged."""
    if all(isinstance(item, str) for item in content):
        return '\n'.join(map(str, content))
    return content


def files_of(content: Sequence[UserContent]) -> list[UserContent]:
    """The files in a content."""
    return [item for item in content if not isinstance(item, str)]


def said_text(value: object) -> str:
    """A text of the page.

    Raises:
        ChatRequestError: It is none.
    """
    if not isinstance(value, str):
        raise ChatRequestError('The text of a message must be a text.')
    return whole_text(value).replace('\0', '\ufffd')  # no column of PostgreSQL takes it


def file_of(url: object, media_type: object, name: object, bounds: Bounds) -> UserContent | None:
    """A file by its address or with its bytes in a `data:` address; None if it is not allowed.

    Raises:
        ChatRequestError: It is broken, of a type that no model reads, or over the limit of files.
    """
    if not isinstance(url, str):
        raise ChatRequestError('A file must have an address, or its bytes as a `data:` address.')
    if url[:5].lower() == 'data:':
        bounds.count_file()
        return _upload(url, name)
    if not url.lower().startswith(('https://', 'http://')):
        bounds.drop('file with another address than http')
        return None
    if not is_public_address(url):
        bounds.drop('file with an address that is not public')
        return None
    bounds.count_file()
    media = _media_type(media_type) if media_type else None
    kind = _URLS.get((media or mimetypes.guess_type(urlsplit(url).path)[0] or '').partition('/')[0], DocumentUrl)
    file = kind(url, media_type_=media)
    try:
        _media_type(file.media_type)
    except UserError:
        raise ChatRequestError('Files of this type cannot be read here.', status_code=415) from None
    return file


def upload(data: object, media_type: object, name: object, bounds: Bounds) -> BinaryContent:
    """A file whose bytes are base64."""
    bounds.count_file()
    if not isinstance(data, str) or not isinstance(media_type, str):
        raise ChatRequestError('A file must have its bytes as base64, and a media type.')
    return _content(_decoded(data), media_type, name)


def _upload(url: str, name: object) -> BinaryContent:
    head, comma, data = url[5:].partition(',')
    if not comma:
        raise ChatRequestError('A `data:` address has no data.')
    media_type, *parameters = head.split(';')
    coded = parameters and parameters[-1].strip().lower() == 'base64'
    return _content(_decoded(data) if coded else unquote_to_bytes(data), media_type or 'text/plain', name)


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ChatRequestError('The bytes of a file are not base64.') from None


def _content(data: bytes, media_type: str, name: object) -> BinaryContent:
    media_type = _media_type(media_type)
    if not data:
        raise ChatRequestError('This file is empty.')
    return BinaryContent(data, media_type, filename=_file_name(name))


def _media_type(value: object) -> str:
    media_type = value.partition(';')[0].strip().lower() if isinstance(value, str) else ''
    if not media_type.startswith(_MEDIA) or not _MEDIA_TYPE.fullmatch(media_type):
        raise ChatRequestError('Files of this type cannot be read here.', status_code=415)
    return media_type


def _file_name(value: object) -> str | None:
    """The name of a file, without folders and unprintable characters."""
    name = value.replace('\\', '/').rpartition('/')[2] if isinstance(value, str) else ''
    return ''.join(filter(str.isprintable, name))[:200] or None

"""The messages of a page become a prompt and a history."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from .._base.json_values import whole_text
from ..content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, UserContent, VideoUrl
from ..exceptions import ChatRequestError
from ..messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from ._request import Bounds

Said = tuple[str, list[UserContent]]
"""Who said something, `user` or `assistant`, and what."""

_MEDIA = ('image/', 'audio/', 'video/', 'text/', 'application/pdf', 'application/json', 'application/xml')
"""The beginnings of the media types of files that models read; another is refused before anything is asked."""


def conversation(said: Sequence[Said], *, with_history: bool) -> tuple[list[UserContent], list[ModelMessage]]:
    """The last message of the user, which is the prompt, and the messages before it.

    The prompt is empty where the assistant has the last word.
    """
    prompt: list[UserContent] = said[-1][1] if said and said[-1][0] == 'user' else []
    before = said[:-1] if prompt else said
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
    """Text where there is nothing else, joined by lines."""
    if all(isinstance(item, str) for item in content):
        return '\n'.join(map(str, content))
    return content


def files_of(content: Sequence[UserContent]) -> list[UserContent]:
    """The files in what somebody said."""
    return [item for item in content if not isinstance(item, str)]


def said_text(value: object) -> str:
    """A text of the page.

    Raises:
        ChatRequestError: It is none.
    """
    if not isinstance(value, str):
        raise ChatRequestError('The text of a message must be a text.')
    return whole_text(value)


def file_of(url: object, media_type: object, name: object, bounds: Bounds) -> UserContent | None:
    """A file by its address or with its bytes in a `data:` address; None where it may not be taken.

    Raises:
        ChatRequestError: It is broken, of a type that no model reads, or one too many.
    """
    if not isinstance(url, str):
        raise ChatRequestError('A file must have an address, or its bytes as a `data:` address.')
    if url[:5].lower() == 'data:':
        bounds.count_file()
        return _upload(url, name)
    if not url.lower().startswith(('https://', 'http://')):
        bounds.drop('file with another address than http')
        return None
    bounds.count_file()
    media = media_type if isinstance(media_type, str) else None
    kind = (media or '').partition('/')[0]
    if kind == 'audio':
        return AudioUrl(url, media_type_=media)
    if kind == 'video':
        return VideoUrl(url, media_type_=media)
    if kind == 'image':
        return ImageUrl(url, media_type_=media)
    return DocumentUrl(url, media_type_=media)


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
    media_type = media_type.strip().lower()
    if not media_type.startswith(_MEDIA) or len(media_type) > 100:
        raise ChatRequestError('Files of this type cannot be read here.', status_code=415)
    if not data:
        raise ChatRequestError('This file is empty.')
    return BinaryContent(data, media_type, filename=name[:200] if isinstance(name, str) and name else None)

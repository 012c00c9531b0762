"""Content of users and tools as content blocks of Anthropic: text, images and documents; pure."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence
from typing import Any

from ...content import BinaryContent, DocumentUrl, ImageUrl, UserContent
from ...exceptions import UserError
from .._http.requests import NO_CONTENT, is_text_document, returned_items

_IMAGES = {
    'image/jpeg': 'image/jpeg',
    'image/jpg': 'image/jpeg',
    'image/png': 'image/png',
    'image/gif': 'image/gif',
    'image/webp': 'image/webp',
}
_PDF = 'application/pdf'


def text_block(text: str) -> dict[str, Any]:
    """A block of text."""
    return {'type': 'text', 'text': text}


def user_blocks(content: str | Sequence[UserContent]) -> list[dict[str, Any]]:
    """The blocks of a user prompt; blank text is left out, since the API refuses it.

    Raises:
        UserError: The prompt is empty, or holds a file that Anthropic does not take; names it.
    """
    if isinstance(content, str):
        content = [content]
    if not content:
        raise UserError(NO_CONTENT)
    return list(_blocks(content))


def tool_result_content(content: Any) -> str | list[dict[str, Any]]:
    """The return of a tool: files, alone or in a list, as separate blocks, and anything else as text.

    Raises:
        UserError: The return holds a file that Anthropic does not take; names it.
    """
    items = returned_items(content)
    only = items[0] if len(items) == 1 else None
    return only if isinstance(only, str) else list(_blocks(items))


def document_type(item: DocumentUrl) -> str:
    """The media type of a document by its address; an address without an ending may be a PDF."""
    return item.media_type_ or mimetypes.guess_type(item.url.partition('?')[0])[0] or _PDF


def _blocks(content: Sequence[UserContent]) -> Iterator[dict[str, Any]]:
    for item in content:
        if not isinstance(item, str):
            yield _file(item)
        elif item.strip():
            yield text_block(item)


def _file(item: object) -> dict[str, Any]:
    if isinstance(item, ImageUrl):
        return {'type': 'image', 'source': {'type': 'url', 'url': item.url}}
    if isinstance(item, DocumentUrl) and document_type(item) == _PDF:
        return {'type': 'document', 'source': {'type': 'url', 'url': item.url}}
    if isinstance(item, BinaryContent):
        return _binary(item)
    raise UserError(_unsupported(item))


def _binary(item: BinaryContent) -> dict[str, Any]:
    media_type = item.media_type.partition(';')[0].strip().lower()
    if media_type in _IMAGES:
        return {'type': 'image', 'source': _base64(_IMAGES[media_type], item.base64)}
    if media_type == _PDF:
        return _document(_base64(_PDF, item.base64), item.filename)
    if is_text_document(media_type):
        text = item.data.decode('utf-8', errors='replace')
        return _document({'type': 'text', 'media_type': 'text/plain', 'data': text}, item.filename)
    raise UserError(_unsupported(item))


def _base64(media_type: str, data: str) -> dict[str, Any]:
    return {'type': 'base64', 'media_type': media_type, 'data': data}


def _document(source: dict[str, Any], title: str | None) -> dict[str, Any]:
    return {'type': 'document', 'source': source, **({'title': title} if title else {})}


def _unsupported(item: object) -> str:
    kind = type(item).__name__
    if isinstance(item, BinaryContent | DocumentUrl):
        kind += f'({item.media_type if isinstance(item, BinaryContent) else document_type(item)})'
    return (
        f'Anthropic takes no {kind}; it takes text, images (JPEG, PNG, GIF, WebP) and PDF by address or as '
        'BinaryContent, and text files as BinaryContent'
    )

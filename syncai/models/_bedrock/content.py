"""Content of users and tools as content blocks of Bedrock: text, images, documents, video and sound; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...content import BinaryContent, UrlContent, UserContent
from ...exceptions import UserError
from .._http.requests import NO_CONTENT, returned_items

S3 = 's3://'
"""The only kind of address that Bedrock fetches from."""

_WORD = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
_SHEET = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'

# The formats are those of ImageFormat, DocumentFormat, VideoFormat and AudioFormat in the API's reference.
_FORMATS: Mapping[str, tuple[str, str]] = {
    **{f'image/{kind}': ('image', kind) for kind in ('png', 'jpeg', 'gif', 'webp')},
    'image/jpg': ('image', 'jpeg'),
    'application/pdf': ('document', 'pdf'),
    'text/csv': ('document', 'csv'),
    'application/msword': ('document', 'doc'),
    _WORD: ('document', 'docx'),
    'application/vnd.ms-excel': ('document', 'xls'),
    _SHEET: ('document', 'xlsx'),
    'text/html': ('document', 'html'),
    'text/plain': ('document', 'txt'),
    'text/markdown': ('document', 'md'),
    'video/x-matroska': ('video', 'mkv'),
    'video/quicktime': ('video', 'mov'),
    'video/mp4': ('video', 'mp4'),
    'video/webm': ('video', 'webm'),
    'video/x-flv': ('video', 'flv'),
    'video/mpeg': ('video', 'mpeg'),
    'video/x-ms-wmv': ('video', 'wmv'),
    'video/3gpp': ('video', 'three_gp'),
    'audio/mpeg': ('audio', 'mp3'),
    'audio/mp3': ('audio', 'mp3'),
    'audio/opus': ('audio', 'opus'),
    'audio/wav': ('audio', 'wav'),
    'audio/x-wav': ('audio', 'wav'),
    'audio/aac': ('audio', 'aac'),
    'audio/flac': ('audio', 'flac'),
    'audio/mp4': ('audio', 'mp4'),
    'audio/ogg': ('audio', 'ogg'),
    'audio/webm': ('audio', 'webm'),
}
_NOT_IN_A_NAME = re.compile(r'[^A-Za-z0-9()\[\]-]+')


class DocumentNames:
    """Names of documents as the API takes them: of a small set of characters, and each only once in a request."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def name(self, filename: str | None) -> str:
        """The name for a file, without its ending, which `format` replaces."""
        stem = (filename or 'document').rpartition('.')[0] or filename or 'document'
        plain = candidate = _NOT_IN_A_NAME.sub(' ', stem).strip()[:150] or 'document'
        number = 1
        while candidate in self._names:
            number += 1
            candidate = f'{plain} {number}'
        self._names.add(candidate)
        return candidate


def content_blocks(content: str | Sequence[UserContent], names: DocumentNames) -> list[dict[str, Any]]:
    """The blocks of a user prompt; blank text is left out, since the API refuses it.

    Raises:
        UserError: The prompt is empty, or holds a file that Bedrock does not take; names it.
    """
    if isinstance(content, str):
        content = [content]
    if not content:
        raise UserError(NO_CONTENT)
    return list(_blocks(content, names))


def tool_result_content(content: Any, names: DocumentNames) -> list[dict[str, Any]]:
    """The return of a tool: files, alone or in a list, as separate blocks, and anything else as text."""
    return list(_blocks(returned_items(content), names)) or [{'text': '(nothing)'}]


def _blocks(content: Sequence[UserContent], names: DocumentNames) -> Iterator[dict[str, Any]]:
    for item in content:
        if not isinstance(item, str):
            yield _file(item, names)
        elif item.strip():
            yield {'text': item}


def _file(item: object, names: DocumentNames) -> dict[str, Any]:
    if isinstance(item, BinaryContent):
        source: dict[str, Any] = {'bytes': item.base64}
        filename = item.filename
    elif isinstance(item, UrlContent):  # an address of S3; files at other addresses are bytes here
        source, filename = {'s3Location': {'uri': item.url}}, item.url.rpartition('/')[2]
    else:
        raise UserError(f'A user prompt cannot hold {item!r:.200}')
    media_type = item.media_type
    kind_and_format = _FORMATS.get(media_type.partition(';')[0].strip().lower())
    if kind_and_format is None:
        raise UserError(
            f'Bedrock takes no {media_type}; it takes images (PNG, JPEG, GIF, WebP), documents (PDF, CSV, Word, Excel, '
            'HTML, text, Markdown), video and sound of the usual kinds, as far as the model does'
        )
    kind, form = kind_and_format
    name = {'name': names.name(filename)} if kind == 'document' else {}
    return {kind: {'format': form, **name, 'source': source}}

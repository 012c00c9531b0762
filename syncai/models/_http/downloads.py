"""Files that a provider cannot fetch itself, inserted into the messages as bytes."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from ..._base.json_values import JsonFile
from ..._base.system import FREE_DESCRIPTORS, is_out_of_descriptors
from ...content import BinaryContent, ImageUrl, MultiModalContent, UrlContent
from ...exceptions import DownloadError, UserError
from ...messages import ModelMessage, ModelRequest, ModelRequestPart, ToolReturnPart, UserPromptPart
from ...settings import HttpOptions

if TYPE_CHECKING:
    from ..._transport.download import Download

_UNKNOWN = (None, 'application/octet-stream', 'binary/octet-stream')
_DATA = 'data:'
_MOST_AT_ONCE = 4  # the most files of one request


async def with_downloads(
    messages: Sequence[ModelMessage], is_needed: Callable[[UrlContent], bool], options: HttpOptions
) -> Sequence[ModelMessage]:
    """The messages with the wanted files as `BinaryContent`; each address is fetched once. Files may be in user prompts
    and in returns of tools, alone or in lists and dicts. Those whose address holds them (`data:...`) are
    `BinaryContent` for every provider.

    Args:
        messages: The conversation.
        is_needed: Whether the provider needs the bytes of a file that has an address.
        options: How to connect, and what may be fetched.

    Raises:
        UserError: An address is not allowed, a file is too large, or its type is unknown.
        DownloadError: A file could not be fetched.
    """
    urls = [item for item in _files(messages) if not isinstance(item, BinaryContent)]
    if not urls:
        return messages
    files: dict[MultiModalContent, BinaryContent] = {item: _inline(item) for item in urls if item.url.startswith(_DATA)}
    wanting = [item for item in urls if item not in files and is_needed(item)]
    if not files and not wanting:
        return messages
    fetched = await _fetched(dict.fromkeys(item.url for item in wanting), options)
    files.update((item, _binary(item, fetched[item.url])) for item in wanting)
    return [_filled(message, files) if isinstance(message, ModelRequest) else message for message in messages]


def _files(messages: Sequence[ModelMessage]) -> list[MultiModalContent]:
    files: list[MultiModalContent] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                if isinstance(part, UserPromptPart | ToolReturnPart) and not isinstance(part.content, str):
                    _collect((part.content,), files)
    return files


def _collect(items: Iterable[Any], files: list[MultiModalContent]) -> None:
    for item in items:  # there may be thousands of values without a file
        if isinstance(item, JsonFile):
            files.append(item)  # type: ignore[arg-type]
        elif isinstance(item, dict):
            _collect(item.values(), files)
        elif isinstance(item, list | tuple):
            _collect(item, files)


async def _fetched(urls: Mapping[str, None], options: HttpOptions) -> dict[str, Download]:
    try:
        from ..._transport.download import download
    except (ImportError, OSError) as error:
        if not is_out_of_descriptors(error):
            raise
        raise DownloadError(f'No file can be fetched, since too many are open: {FREE_DESCRIPTORS}') from None
    try:
        places = asyncio.Semaphore(_MOST_AT_ONCE)

        async def one(url: str) -> Download:
            async with places:
                return await download(url, options)

        async with asyncio.TaskGroup() as group:
            tasks = {url: group.create_task(one(url)) for url in urls}
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    else:
        return {url: task.result() for url, task in tasks.items()}
    raise failure


def _filled(request: ModelRequest, files: Mapping[MultiModalContent, BinaryContent]) -> ModelRequest:
    def filled(item: Any) -> Any:
        if isinstance(item, MultiModalContent):
            return files.get(item, item)
        if isinstance(item, dict):
            return {key: filled(value) for key, value in item.items()}
        return [*map(filled, item)] if isinstance(item, list | tuple) else item

    def with_files(part: ModelRequestPart) -> ModelRequestPart:
        return (
            replace(part, content=filled(part.content)) if isinstance(part, UserPromptPart | ToolReturnPart) else part
        )

    return replace(request, parts=[with_files(part) for part in request.parts])


def _binary(item: UrlContent, file: Download) -> BinaryContent:
    media_type = item.media_type_ or (None if file.media_type in _UNKNOWN else file.media_type)
    name = unquote(urlsplit(item.url).path.rpartition('/')[2]) or None
    return BinaryContent(file.data, media_type or item.media_type, filename=name, detail=_detail(item))


def _inline(item: UrlContent) -> BinaryContent:
    """The file in a `data:` URL (RFC 2397)."""
    head, comma, data = item.url.removeprefix(_DATA).partition(',')
    bare, base64_mark, _ = head.partition(';base64')
    try:
        content = base64.b64decode(unquote(data), validate=True) if base64_mark else unquote_to_bytes(data)
    except ValueError:
        comma = ''
    if not comma:
        raise UserError(f'A data: URL must hold a file as base64, which {item.url!r:.60} does not')
    return BinaryContent(content, item.media_type_ or bare or 'text/plain', detail=_detail(item))


def _detail(item: UrlContent) -> Any:
    return item.detail if isinstance(item, ImageUrl) else None

"""Files that a provider cannot fetch from their addresses, put into the messages as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from ..settings import HttpOptions

if TYPE_CHECKING:
    from .._transport.download import Download

_UNKNOWN = (None, 'application/octet-stream', 'binary/octet-stream')


async def with_downloads(
    messages: Sequence[ModelMessage], wanted: Callable[[UserContent], bool], options: HttpOptions
) -> Sequence[ModelMessage]:
    """The messages with the files that are wanted as `BinaryContent`; each address is fetched once.

    Args:
        messages: The conversation.
        wanted: Whether the provider wants the bytes of an item that names a file by its address.
        options: How to connect, and what may be fetched.

    Raises:
        UserError: An address is not one that we fetch from, a file is too large, or nobody says what it is.
        DownloadError: A file could not be fetched.
    """
    urls = [item.url for item in _items(messages) if not isinstance(item, str | BinaryContent) and wanted(item)]
    if not urls:
        return messages
    files = await _fetched(dict.fromkeys(urls), options)
    return [_filled(message, wanted, files) if isinstance(message, ModelRequest) else message for message in messages]


def _items(messages: Sequence[ModelMessage]) -> list[UserContent]:
    requests = [message for message in messages if isinstance(message, ModelRequest)]
    prompts = [part for request in requests for part in request.parts if isinstance(part, UserPromptPart)]
    return [item for prompt in prompts if not isinstance(prompt.content, str) for item in prompt.content]


async def _fetched(urls: Mapping[str, None], options: HttpOptions) -> dict[str, Download]:
    from .._transport.download import download

    try:
        async with asyncio.TaskGroup() as group:
            tasks = {url: group.create_task(download(url, options)) for url in urls}
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
    else:
        return {url: task.result() for url, task in tasks.items()}
    raise failure


def _filled(
    request: ModelRequest, wanted: Callable[[UserContent], bool], files: Mapping[str, Download]
) -> ModelRequest:
    def filled(item: UserContent) -> UserContent:
        if isinstance(item, str | BinaryContent) or not wanted(item):
            return item
        return _binary(item, files[item.url])

    parts = [
        replace(part, content=[filled(item) for item in part.content])
        if isinstance(part, UserPromptPart) and not isinstance(part.content, str)
        else part
        for part in request.parts
    ]
    return replace(request, parts=parts)


def _binary(item: ImageUrl | AudioUrl | DocumentUrl | VideoUrl, file: Download) -> BinaryContent:
    told = item.media_type_ or (None if file.media_type in _UNKNOWN else file.media_type)
    name = unquote(urlsplit(item.url).path.rpartition('/')[2]) or None
    detail = item.detail if isinstance(item, ImageUrl) else None
    return BinaryContent(file.data, told or item.media_type, filename=name, detail=detail)

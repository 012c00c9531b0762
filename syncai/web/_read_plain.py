"""The request of a custom page: a prompt, or messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..content import UserContent
from ..exceptions import ChatRequestError
from ._conversation import conversation, file_of, files_of, plain, said_text
from ._request import Bounds, ChatRequest, text_of


def read_plain(
    data: Mapping[str, Any], form: Literal['events', 'text'], bounds: Bounds, *, with_history: bool
) -> ChatRequest:
    """The request: `prompt`, with `files` by address, or `messages` with a role and a content."""
    messages = bounds.messages_of(data.get('messages', []), with_history=with_history)
    entries = [entry for message in messages if (entry := _said(message, bounds)) is not None]
    if data.get('prompt'):
        entries.append(('user', [said_text(data['prompt']), *_files(data, bounds)]))
    prompt, history = conversation(entries, with_history=with_history)
    if not prompt:
        raise ChatRequestError('There is no `prompt` to answer.')
    return ChatRequest(
        form=form,
        prompt=plain(prompt),
        files=files_of(prompt),
        message_history=history,
        id=text_of(data, 'id'),
        message_id=text_of(data, 'message_id'),
    )


def _said(message: Mapping[str, Any], bounds: Bounds) -> tuple[str, list[UserContent]] | None:
    role, content = message.get('role'), message.get('content')
    if role in ('system', 'developer', 'tool'):
        bounds.drop(f'{role} message')
        return None
    if role not in ('user', 'assistant'):
        raise ChatRequestError('The role of a message must be user or assistant.')
    return role, [said_text(content)] if content else []


def _files(data: Mapping[str, Any], bounds: Bounds) -> list[UserContent]:
    entries = data.get('files') or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ChatRequestError('`files` must be a list of objects with url and mediaType.')
    files = (file_of(entry.get('url'), entry.get('mediaType'), entry.get('filename'), bounds) for entry in entries)
    return [file for file in files if file is not None]

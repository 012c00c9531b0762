"""The request of `useChat` of the AI SDK 5, 6 and 7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..content import UserContent
from ..exceptions import ChatRequestError
from ._conversation import conversation, file_of, files_of, plain, said_text
from ._request import Approval, Bounds, ChatRequest, text_of


def read_ai_sdk(data: Mapping[str, Any], bounds: Bounds, *, with_history: bool) -> ChatRequest:
    """The request: the messages of a chat, or with `message` the last one alone."""
    trigger = data.get('trigger', 'submit-message')
    if trigger not in ('submit-message', 'regenerate-message'):
        raise ChatRequestError('`trigger` must be submit-message or regenerate-message.')
    alone = data.get('message')
    entries_sent = [alone] if 'messages' not in data and alone is not None else data.get('messages')
    messages = bounds.messages_of(entries_sent, with_history=with_history)
    entries = [entry for message in messages if (entry := _said(message, bounds)) is not None]
    prompt, history = conversation(entries, with_history=with_history)
    approvals = () if prompt or not messages else tuple(_approvals(messages[-1]))
    if not prompt and not approvals:
        raise ChatRequestError('There is no message of a user to answer.')
    return ChatRequest(
        form='ai-sdk',
        prompt=plain(prompt) if prompt else None,
        files=files_of(prompt),
        message_history=history,
        id=text_of(data, 'id'),
        message_id=text_of(data, 'messageId') or text_of(messages[-1], 'id'),
        trigger=trigger,
        approvals=approvals,
    )


def _said(message: Mapping[str, Any], bounds: Bounds) -> tuple[str, list[UserContent]] | None:
    role = message.get('role')
    if role == 'system':
        bounds.drop('system message')
        return None
    if role not in ('user', 'assistant'):
        raise ChatRequestError('The role of a message must be user or assistant.')
    parts = message.get('parts', [{'type': 'text', 'text': message['content']}] if 'content' in message else None)
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
        raise ChatRequestError('`parts` of a message must be a list of parts.')
    content = [item for part in parts if (item := _item(part, role, bounds)) is not None]
    return role, content


def _item(part: Mapping[str, Any], role: str, bounds: Bounds) -> UserContent | None:
    """The content of a part; unknown kinds of newer versions are skipped."""
    kind = part.get('type')
    if kind == 'text':
        return said_text(part.get('text')) or None
    if kind == 'file' and role == 'user':
        return file_of(part.get('url'), part.get('mediaType'), part.get('filename'), bounds)
    if isinstance(kind, str) and (kind == 'dynamic-tool' or kind.startswith('tool-')):
        if part.get('state') not in ('approval-responded', 'approval-requested'):
            bounds.drop('call of a tool')
    elif kind == 'file':
        bounds.drop('file of the assistant')
    return None


def _approvals(message: Mapping[str, Any]) -> list[Approval]:
    """The decisions in the last message of the assistant."""
    if message.get('role') != 'assistant':
        return []
    parts = [part for part in message.get('parts', ()) if part.get('state') == 'approval-responded']
    return [_approval(part) for part in parts]


def _approval(part: Mapping[str, Any]) -> Approval:
    answer = part.get('approval')
    if not isinstance(answer, Mapping) or not isinstance(answer.get('approved'), bool):
        raise ChatRequestError('A decision about a call must say whether it is approved.')
    ident = text_of(answer, 'id')
    if ident is None:
        raise ChatRequestError('A decision about a call must have an id.')
    reason = answer.get('reason')
    return Approval(
        ident, answer['approved'], text_of(part, 'toolCallId'), said_text(reason)[:2000] if reason else None
    )

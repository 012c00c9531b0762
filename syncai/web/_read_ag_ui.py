"""The request of an AG-UI client: `RunAgentInput`, https://docs.ag-ui.com/sdk/js/core/types"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..content import UserContent
from ..exceptions import ChatRequestError
from ._conversation import conversation, file_of, files_of, plain, said_text, upload
from ._request import Approval, Bounds, ChatRequest, text_of

_MEDIA = ('image', 'audio', 'video', 'document')


def read_ag_ui(data: Mapping[str, Any], bounds: Bounds, *, with_history: bool) -> ChatRequest:
    """The request: the messages of a thread."""
    messages = bounds.messages_of(data.get('messages'), with_history=with_history)
    entries = [entry for message in messages if (entry := _said(message, bounds)) is not None]
    prompt, history = conversation(entries, with_history=with_history)
    approvals = tuple(map(_approval, _list(data, 'resume')))
    if not prompt and not approvals:
        raise ChatRequestError('There is no message of a user to answer.')
    for name in ('tools', 'context'):
        for _ in _list(data, name):
            bounds.drop('tool of the page' if name == 'tools' else 'context of the page')
    return ChatRequest(
        form='ag-ui',
        prompt=plain(prompt) if prompt and not approvals else None,
        files=files_of(prompt),
        message_history=history,
        id=text_of(data, 'threadId'),
        run_id=text_of(data, 'runId'),
        message_id=text_of(messages[-1], 'id') if messages else None,
        approvals=approvals,
        state=data.get('state'),
    )


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ChatRequestError(f'`{name}` must be a list.')
    return value


def _said(message: Mapping[str, Any], bounds: Bounds) -> tuple[str, list[UserContent]] | None:
    role, content = message.get('role'), message.get('content')
    if role in ('system', 'developer'):
        bounds.drop(f'{role} message')
        return None
    if role == 'tool':
        bounds.drop('result of a tool')
        return None
    if role in ('reasoning', 'activity'):
        return None
    if role not in ('user', 'assistant'):
        raise ChatRequestError('The role of a message is unknown.')
    if message.get('toolCalls'):
        bounds.drop('call of a tool')
    if content is None and role == 'assistant':
        return role, []
    if isinstance(content, str):
        return role, [said_text(content)] if content else []
    if not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
        raise ChatRequestError('`content` of a message must be a text or a list of parts.')
    return role, [item for part in content if (item := _item(part, role, bounds)) is not None]


def _item(part: Mapping[str, Any], role: str, bounds: Bounds) -> UserContent | None:
    kind = part.get('type')
    if kind == 'text':
        return said_text(part.get('text')) or None
    source = part.get('source')
    if kind not in _MEDIA or role != 'user' or not isinstance(source, Mapping):
        bounds.drop('part of a message')
        return None
    name = part.get('filename')
    if source.get('type') == 'data':
        return upload(source.get('value'), source.get('mimeType'), name, bounds)
    if source.get('type') == 'url':
        default = f'{kind}/*' if kind != 'document' else None
        return file_of(source.get('value'), source.get('mimeType') or default, name, bounds)
    bounds.drop('id of an uploaded file')
    return None


def _approval(entry: Any) -> Approval:
    """A decision. The asking server defines `payload`; syncai asks for `approved`."""
    if not isinstance(entry, Mapping) or entry.get('status') not in ('resolved', 'cancelled'):
        raise ChatRequestError('An entry of `resume` must be resolved or cancelled.')
    ident, payload = text_of(entry, 'interruptId'), entry.get('payload')
    if ident is None:
        raise ChatRequestError('An entry of `resume` must name its interrupt.')
    fields = payload if isinstance(payload, Mapping) else {}
    approved = entry['status'] == 'resolved' and fields.get('approved') is True
    reason = fields.get('reason')
    return Approval(ident, approved, reason=said_text(reason)[:2000] if reason else None)

"""A conversation as HTML to read, in which everything that a user, a model or a tool wrote is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, assert_never

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..._base.printable import printable
from ...content import BinaryContent, UserContent
from ...exceptions import UnexpectedModelBehavior
from ...messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

__all__ = ['transcript']

_MOST = 200  # the most messages shown; nobody reads a longer page
_LONGEST = 20_000  # characters of one part


def transcript(messages: Sequence[ModelMessage]) -> SafeString:
    """The messages in their order, a block for each part; of a long conversation the last 200 messages."""
    left_out = len(messages) - _MOST
    note = format_html('<p>{} earlier messages are not shown.</p>', left_out) if left_out > 0 else ''
    blocks = [block for message in messages[-_MOST:] for block in _blocks(message)]
    return format_html('<div class="syncai-transcript">{}{}</div>', note, _joined(blocks))


def _blocks(message: ModelMessage) -> Iterator[SafeString]:
    if isinstance(message, ModelRequest):
        for part in message.parts:
            yield _of_request(part)
        for call in message.pending:
            yield _block('tool', f'{call.tool_name} waits for a decision', [_text(call.reason or '')])
        return
    if isinstance(message, ModelResponse):
        for answer in message.parts:
            yield _of_response(answer, message)
        if message.incomplete:
            yield _block('model', 'Stopped', [_text('The answer was stopped before its end.')])
        return
    assert_never(message)


def _of_request(part: ModelRequestPart) -> SafeString:
    if isinstance(part, UserPromptPart):
        contents = [part.content] if isinstance(part.content, str) else part.content
        return _block('user', 'User', [_content(content) for content in contents])
    if isinstance(part, SystemPromptPart):
        return _block('system', 'System', [_folded('Instructions', _text(part.content))])
    if isinstance(part, ToolReturnPart):
        return _block('tool', f'{part.tool_name} returned', [_code(part.model_response_str())])
    if isinstance(part, RetryPromptPart):
        return _block('tool', f'{part.tool_name or "Result"} refused', [_code(part.model_response())])
    assert_never(part)


def _of_response(part: ModelResponsePart, message: ModelResponse) -> SafeString:
    if isinstance(part, TextPart):
        return _block('model', message.model_name or 'Model', [_text(part.content)])
    if isinstance(part, ThinkingPart):
        return _block('model', 'Thinking', [_folded('Thoughts', _text(part.content or 'hidden by the provider'))])
    if isinstance(part, ToolCallPart):
        return _block('tool', f'Calls {part.tool_name}', [_code(_arguments(part))])
    assert_never(part)


def _arguments(part: ToolCallPart) -> str:
    try:
        return json.dumps(part.args_as_dict(), indent=2, ensure_ascii=False)
    except UnexpectedModelBehavior:  # the model did not write JSON
        return str(part.args)


def _content(content: UserContent) -> SafeString:
    if isinstance(content, str):
        return _text(content)
    if isinstance(content, BinaryContent):
        return _text(f'[file {content.media_type}, {len(content.data)} bytes]')
    return _text(f'[file {getattr(content, "url", None) or content!r:.100}]')


def _block(kind: str, title: str, bodies: Sequence[SafeString]) -> SafeString:
    return format_html(
        '<div class="syncai-message {}"><h3>{}</h3>{}</div>',
        kind,
        printable(title),
        _joined(bodies),
    )


def _joined(pieces: Sequence[SafeString]) -> SafeString:
    html: SafeString = format_html_join('', '{}', ((piece,) for piece in pieces))
    return html


def _text(text: str) -> SafeString:
    return format_html('<pre>{}</pre>', _shown(text))


def _code(text: str) -> SafeString:
    return format_html('<pre class="code">{}</pre>', _shown(text))


def _folded(title: str, body: SafeString) -> SafeString:
    return format_html('<details><summary>{}</summary>{}</details>', title, body)


def _shown(text: Any) -> str:
    text = printable(str(text))
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}\n[{len(text) - _LONGEST} more characters]'

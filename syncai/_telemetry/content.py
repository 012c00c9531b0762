"""Conversations in the form of spans, for programs that want their content in spans; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, assert_never

from .._base.json_values import json_value, whole_json_text, without_files
from ..content import BinaryContent
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)


def system_instructions(messages: Sequence[ModelMessage]) -> str | None:
    """All system prompts, as JSON; None if there are none."""
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    texts = [_text(part.content) for part in parts if isinstance(part, SystemPromptPart)]
    texts += [_text(m.instructions) for m in messages if isinstance(m, ModelRequest) and m.instructions]
    return whole_json_text(texts) if texts else None


def input_messages(messages: Sequence[ModelMessage], *, binary: bool) -> str:
    """The sent messages without system prompts, as JSON."""
    return whole_json_text([item for message in messages for item in _message(message, binary=binary)])


def output_messages(response: ModelResponse) -> str:
    """The answer, as JSON."""
    return whole_json_text([_response(response)])


def _message(message: ModelMessage, *, binary: bool) -> Iterator[dict[str, Any]]:
    if isinstance(message, ModelResponse):
        yield _response(message)
        return
    for part in message.parts:
        if not isinstance(part, SystemPromptPart):
            yield _request_part(part, binary=binary)


def _request_part(part: UserPromptPart | ToolReturnPart | RetryPromptPart, *, binary: bool) -> dict[str, Any]:
    if isinstance(part, UserPromptPart):
        content: Iterable[UserContent] = [part.content] if isinstance(part.content, str) else part.content
        return {'role': 'user', 'parts': [_user_content(item, binary=binary) for item in content]}
    if isinstance(part, ToolReturnPart):
        response, files = without_files(json_value, part.content)
        contents = [_user_content(file, binary=binary) for file in files]
        return {'role': 'tool', 'parts': [_tool_response(part.tool_call_id, response), *contents]}
    if isinstance(part, RetryPromptPart):
        if part.tool_name:
            return {'role': 'tool', 'parts': [_tool_response(part.tool_call_id, part.model_response())]}
        return {'role': 'user', 'parts': [_text(part.model_response())]}
    assert_never(part)


def _user_content(item: UserContent, *, binary: bool) -> dict[str, Any]:
    if isinstance(item, str):
        return _text(item)
    if isinstance(item, BinaryContent):
        modality = item.media_type.partition('/')[0]
        blob = {'type': 'blob', 'modality': modality, 'mime_type': item.media_type}
        return {**blob, 'content': item.base64} if binary else blob
    return {'type': 'uri', 'modality': item.kind.removesuffix('-url'), 'uri': item.url}


def _response(response: ModelResponse) -> dict[str, Any]:
    output: dict[str, Any] = {'role': 'assistant', 'parts': [_response_part(part) for part in response.parts]}
    if response.finish_reason:
        output['finish_reason'] = response.finish_reason
    return output


def _response_part(part: ModelResponsePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return _text(part.content)
    if isinstance(part, ThinkingPart):
        return {'type': 'reasoning', 'content': part.content}
    if not isinstance(part, ToolCallPart):
        assert_never(part)
    return {'type': 'tool_call', 'id': part.tool_call_id, 'name': part.tool_name, 'arguments': part.args}


def _tool_response(call_id: str | None, content: Any) -> dict[str, Any]:
    return {'type': 'tool_call_response', 'id': call_id, 'response': content}


def _text(content: str) -> dict[str, Any]:
    return {'type': 'text', 'content': content}

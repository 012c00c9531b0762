"""Ids and names of calls in the form that providers accept; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from ...messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    ToolCallPart,
    ToolReturnPart,
)
from .calls import own_id

_PartT = TypeVar('_PartT')

_REFUSED = re.compile(r'[^a-zA-Z0-9_-]')
_LONGEST_NAME = 64


def name_to_send(name: str) -> str:
    """The name of a called tool in a form that providers accept: a model may invent names such as `functions.look`.

    OpenAI, Anthropic and Bedrock take `^[a-zA-Z0-9_-]{1,64}$`, and refuse each later turn of a conversation that holds
    another. Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
    """
    return _REFUSED.sub('_', name)[:_LONGEST_NAME]


def with_own_ids(messages: Sequence[ModelMessage]) -> Sequence[ModelMessage]:
    """The messages with a unique id for each call of an answer.

    Stored messages keep their ids: in a copy, calls without a unique id get one. So do their returns, matched by the
    name of the tool and then by order.
    """
    if not any(isinstance(message, ModelResponse) and _is_ambiguous(message) for message in messages):
        return messages
    copies: list[ModelMessage] = []
    open_calls: list[tuple[ToolCallPart, str]] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            parts = [_returned(part, open_calls) for part in message.parts]
            copies.append(replace(message, parts=parts))
        else:
            open_calls = []
            copies.append(_renamed(message, open_calls) if _is_ambiguous(message) else message)
    return copies


def with_short_ids(messages: Sequence[ModelMessage], longest: int, provider_name: str) -> Sequence[ModelMessage]:
    """The messages with ids of other providers shortened for this one. Its own ids are unchanged: a gateway may need
    them, such as LiteLLM, which writes Gemini's signatures into them. OpenAI answers 400 to more than 40 characters
    (https://github.com/vercel/ai/issues/5171).
    """
    foreign = {
        part.tool_call_id
        for message in messages
        if isinstance(message, ModelResponse) and message.provider_name != provider_name
        for part in message.parts
        if isinstance(part, ToolCallPart) and len(part.tool_call_id) > longest
    }
    if not foreign:
        return messages
    from hashlib import sha256

    short = {call_id: f'call_{sha256(call_id.encode()).hexdigest()[: longest - 5]}' for call_id in foreign}
    return [_shortened(message, short) for message in messages]


def _shortened(message: ModelMessage, short: dict[str, str]) -> ModelMessage:
    if isinstance(message, ModelRequest):
        return replace(message, parts=[_with_short_id(part, short) for part in message.parts])
    return replace(message, parts=[_with_short_id(part, short) for part in message.parts])


def _with_short_id(part: _PartT, short: dict[str, str]) -> _PartT:
    if not isinstance(part, ToolCallPart | ToolReturnPart | RetryPromptPart):
        return part
    call_id = short.get(part.tool_call_id or '')
    return part if call_id is None else replace(part, tool_call_id=call_id)


def _is_ambiguous(response: ModelResponse) -> bool:
    ids = [part.tool_call_id for part in response.parts if isinstance(part, ToolCallPart)]
    return '' in ids or len(set(ids)) < len(ids)


def _renamed(response: ModelResponse, open_calls: list[tuple[ToolCallPart, str]]) -> ModelResponse:
    ids: set[str] = set()
    parts = list(response.parts)
    for number, part in enumerate(parts):
        if isinstance(part, ToolCallPart):
            call_id = own_id(part.tool_call_id or 'call', ids)
            open_calls.append((part, call_id))
            parts[number] = replace(part, tool_call_id=call_id)
    return replace(response, parts=parts)


def _returned(part: ModelRequestPart, open_calls: list[tuple[ToolCallPart, str]]) -> ModelRequestPart:
    if not isinstance(part, ToolReturnPart | RetryPromptPart) or part.tool_name is None:
        return part
    same = [entry for entry in open_calls if entry[0].tool_call_id == (part.tool_call_id or '')]
    entry = next((entry for entry in same if entry[0].tool_name == part.tool_name), same[0] if same else None)
    if entry is None:
        return part
    open_calls.remove(entry)
    return replace(part, tool_call_id=entry[1])

"""Messages as Anthropic Messages writes them; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..._base.tool_arguments import args_to_send
from ...exceptions import UserError
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
from .._http.own_ids import name_to_send
from .._http.requests import NO_MESSAGES, for_tool, latest_instructions, unknown_part
from .content import text_block, tool_result_content, user_blocks
from .server_calls import without_open_calls

OPENING = 'Begin.'
"""The user's text before a conversation that does not begin with the user, as the API demands."""

_NOT_IN_AN_ID = re.compile(r'[^A-Za-z0-9_-]')
_LONGEST_ID = 60  # and room for a number after it


def system_texts(messages: Sequence[ModelMessage], *, cached: bool) -> list[str]:
    """The instructions of the latest request as one text, and all system prompts as another; either may be missing.

    If system prompts are cached, the instructions come last: they may change from one request to the next, and only
    text before them can be read from the cache.
    """
    requests = [message for message in messages if isinstance(message, ModelRequest)]
    prompts = [part.content for request in requests for part in request.parts if isinstance(part, SystemPromptPart)]
    joined = '\n\n'.join(prompt for prompt in prompts if prompt.strip())
    instructions = latest_instructions(messages)
    texts = (joined, instructions) if cached else (instructions, joined)
    return [text for text in texts if text and text.strip()]


def anthropic_messages(messages: Sequence[ModelMessage], provider: str) -> list[dict[str, Any]]:
    """The conversation as alternating turns of user and assistant. Thoughts go back unchanged, only to their own
    provider. Thoughts of other providers, and those without a signature because the stream broke off, are dropped.

    Raises:
        UserError: There is no message, or one holds what Anthropic cannot take; names it.
    """
    if not any(message.parts or getattr(message, 'instructions', None) for message in messages):
        raise UserError(NO_MESSAGES)
    ids = CallIds()
    turns: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            _add(turns, 'user', [block for part in message.parts for block in _request_part(part, ids)])
        else:
            _add(turns, 'assistant', list(_answer(message, provider, ids)))
    if not turns or turns[0]['role'] != 'user':
        turns.insert(0, {'role': 'user', 'content': [text_block(OPENING)]})
    turns = without_open_calls(turns)
    for turn in turns:
        if turn['role'] == 'user':  # results of tools must come first
            turn['content'].sort(key=lambda block: block['type'] != 'tool_result')
    return turns


def _add(turns: list[dict[str, Any]], role: str, blocks: list[dict[str, Any]]) -> None:
    if blocks and turns and turns[-1]['role'] == role:
        turns[-1]['content'] += blocks
    elif blocks:
        turns.append({'role': role, 'content': blocks})


class CallIds:
    """The ids of tool calls as the API takes them: of a small set of characters, and each only once in a conversation.
    Bedrock takes at most 64 characters.
    """

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._waiting: dict[str, list[str]] = {}
        self._answered: dict[str, str] = {}

    def of_call(self, call_id: str) -> str:
        plain = candidate = _plain(call_id)
        number = 1
        while candidate in self._ids:
            number += 1
            candidate = f'{plain}_{number}'
        self._ids.add(candidate)
        self._waiting.setdefault(call_id, []).append(candidate)
        return candidate

    def of_return(self, call_id: str) -> str:
        if waiting := self._waiting.get(call_id):
            self._answered[call_id] = waiting.pop(0)
        return self._answered.get(call_id) or _plain(call_id)


def _plain(call_id: str) -> str:
    return _NOT_IN_AN_ID.sub('_', call_id)[:_LONGEST_ID] or 'call'


# --- requests ---------------------------------------------------------------------------------------------------------


def _request_part(part: ModelRequestPart, ids: CallIds) -> list[dict[str, Any]]:
    if isinstance(part, SystemPromptPart):
        return []
    if isinstance(part, UserPromptPart):
        return user_blocks(part.content)
    if isinstance(part, ToolReturnPart):
        content = for_tool(part.tool_name, tool_result_content, part.content)
        return [_tool_result(part.tool_call_id, content, ids, is_error=False)]
    if isinstance(part, RetryPromptPart):
        if part.tool_name is None or not part.tool_call_id:
            return [text_block(part.model_response())]
        return [_tool_result(part.tool_call_id, part.model_response(), ids, is_error=True)]
    raise unknown_part('ModelRequest', part)


def _tool_result(call_id: str, content: str | list[dict[str, Any]], ids: CallIds, *, is_error: bool) -> dict[str, Any]:
    block = {'type': 'tool_result', 'tool_use_id': ids.of_return(call_id), 'is_error': is_error}
    return {**block, 'content': content} if content else block


# --- answers ----------------------------------------------------------------------------------------------------------


def _answer(response: ModelResponse, provider: str, ids: CallIds) -> Iterator[dict[str, Any]]:
    own = response.provider_name == provider
    for part in response.parts:
        if isinstance(part, ToolCallPart):
            yield _tool_use(part, ids, own)
        elif isinstance(part, TextPart):
            if part.content.strip():
                yield {**text_block(part.content), **_details(part, own)}
        elif isinstance(part, ThinkingPart):
            if part.provider_name == provider:
                yield from _thinking(part)
        else:
            raise unknown_part('ModelResponse', part)


def _tool_use(part: ToolCallPart, ids: CallIds, own: bool) -> dict[str, Any]:
    args, call_id = args_to_send(part.args), ids.of_call(part.tool_call_id)
    return {
        'type': 'tool_use',
        'id': call_id,
        'name': name_to_send(part.tool_name),
        'input': args,
        **_details(part, own),
    }


def _thinking(part: ThinkingPart) -> Iterator[dict[str, Any]]:
    if part.provider_details is not None:  # an opaque block, such as redacted thinking
        yield dict(part.provider_details)
    elif part.signature:
        yield {'type': 'thinking', 'thinking': part.content, 'signature': part.signature}


def _details(part: ModelResponsePart, own: bool) -> dict[str, Any]:
    return part.provider_details or {} if own else {}

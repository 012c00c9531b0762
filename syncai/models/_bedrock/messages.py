"""Messages as Converse writes them; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._base.tool_arguments import args_to_send
from ...exceptions import UserError
from ...messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from .._anthropic.messages import OPENING, CallIds
from .._http.own_ids import name_to_send
from .._http.requests import NO_MESSAGES, for_tool, unknown_part
from .content import DocumentNames, content_blocks, tool_result_content


def converse_messages(messages: Sequence[ModelMessage], provider: str, *, status: bool) -> list[dict[str, Any]]:
    """The conversation as alternating turns of user and assistant. Thoughts go back unchanged, only to their own
    provider; those of others, and those without a signature, are dropped.

    Args:
        messages: The conversation.
        provider: The name of the provider.
        status: Whether the model takes the status of a tool's result.

    Raises:
        UserError: There is no message, or one holds what Bedrock cannot take; names it.
    """
    if not any(message.parts or getattr(message, 'instructions', None) for message in messages):
        raise UserError(NO_MESSAGES)
    writer = _Writer(provider, status)
    turns: list[dict[str, Any]] = []
    for message in messages:
        asked = isinstance(message, ModelRequest)
        blocks = list(writer.request(message) if isinstance(message, ModelRequest) else writer.answer(message))
        role = 'user' if asked else 'assistant'
        if blocks and turns and turns[-1]['role'] == role:
            turns[-1]['content'] += blocks
        elif blocks:
            turns.append({'role': role, 'content': blocks})
    if not turns or turns[0]['role'] != 'user':
        turns.insert(0, {'role': 'user', 'content': [{'text': OPENING}]})
    for turn in turns:
        if turn['role'] == 'user':  # results of tools must come first
            turn['content'].sort(key=lambda block: 'toolResult' not in block)
    return turns


class _Writer:
    """Writes the messages of one request; keeps the ids and names used so far."""

    def __init__(self, provider: str, status: bool) -> None:
        self._provider = provider
        self._status = status
        self._ids = CallIds()
        self._names = DocumentNames()

    def request(self, message: ModelRequest) -> Iterator[dict[str, Any]]:
        for part in message.parts:
            yield from self._request_part(part)

    def answer(self, response: ModelResponse) -> Iterator[dict[str, Any]]:
        own = response.provider_name == self._provider
        for part in response.parts:
            if isinstance(part, ToolCallPart):
                yield self._tool_use(part)
            elif isinstance(part, TextPart):
                if part.content.strip():
                    yield _text(part, own)
            elif isinstance(part, ThinkingPart):
                if part.provider_name == self._provider:
                    yield from _thinking(part)
            else:
                raise unknown_part('ModelResponse', part)

    def _request_part(self, part: ModelRequestPart) -> list[dict[str, Any]]:
        if isinstance(part, SystemPromptPart):
            return []
        if isinstance(part, UserPromptPart):
            return content_blocks(part.content, self._names)
        if isinstance(part, ToolReturnPart):
            content = for_tool(part.tool_name, tool_result_content, part.content, self._names)
            return [self._result(part.tool_call_id, content, 'success')]
        if isinstance(part, RetryPromptPart):
            text = [{'text': part.model_response()}]
            if part.tool_name is None or not part.tool_call_id:
                return text
            return [self._result(part.tool_call_id, text, 'error')]
        raise unknown_part('ModelRequest', part)

    def _result(self, call_id: str, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
        more = {'status': status} if self._status else {}
        return {'toolResult': {'toolUseId': self._ids.of_return(call_id), 'content': content, **more}}

    def _tool_use(self, part: ToolCallPart) -> dict[str, Any]:
        call_id, args = self._ids.of_call(part.tool_call_id), args_to_send(part.args)
        return {'toolUse': {'toolUseId': call_id, 'name': name_to_send(part.tool_name), 'input': args}}


def _text(part: TextPart, own: bool) -> dict[str, Any]:
    citations = (part.provider_details or {}).get('citations') if own else None
    if citations:
        return {'citationsContent': {'content': [{'text': part.content}], 'citations': citations}}
    return {'text': part.content}


def _thinking(part: ThinkingPart) -> Iterator[dict[str, Any]]:
    if part.provider_details is not None:  # an opaque block, such as redacted thoughts
        yield dict(part.provider_details)
    elif part.signature:
        yield {'reasoningContent': {'reasoningText': {'text': part.content, 'signature': part.signature}}}

"""Estimates of usage: of models without a provider, and of requests before their answers; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ...messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
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
from ...settings import ModelSettings
from ...usage import Usage
from .requests import unknown_part

_OVERHEAD = 50  # tokens that providers add to a request, approximately
_LETTERS = 4  # in a token, about
_FILE = 4000  # letters
_SEPARATORS = re.compile(r'[\s",.:]+')


def estimate_usage(messages: Iterable[ModelMessage]) -> Usage:
    """The approximate usage of a conversation; words count as tokens."""
    request, response = _OVERHEAD, 0
    for message in messages:
        if isinstance(message, ModelRequest):
            request += sum(_request_part(part) for part in message.parts)
        else:
            response += sum(_response_part(part) for part in message.parts)
    return Usage(requests=1, request_tokens=request, response_tokens=response, total_tokens=request + response)


def estimated_tokens(body: object, settings: ModelSettings) -> int:
    """The approximate tokens of a request: those of the texts in its JSON, plus `max_tokens` if it is set."""
    return settings.get('max_tokens', 0) + _letters(body) // _LETTERS


def _letters(value: object) -> int:
    if isinstance(value, str):
        is_file = (
            len(value) > _FILE and ' ' not in value[:_FILE]
        )  # as base64, which providers do not count by its length
        return _FILE if is_file else len(value)
    if isinstance(value, Mapping):
        return sum(map(_letters, value.values()))
    return sum(map(_letters, value)) if isinstance(value, list | tuple) else 0


def _request_part(part: ModelRequestPart) -> int:
    if isinstance(part, ToolReturnPart):
        return _tokens(part.model_response_str())
    if isinstance(part, RetryPromptPart):
        return _tokens(part.model_response())
    if isinstance(part, SystemPromptPart | UserPromptPart):
        return _tokens(part.content)
    raise unknown_part('ModelRequest', part)


def _response_part(part: ModelResponsePart) -> int:
    if isinstance(part, ToolCallPart):
        return 1 + _tokens(part.args_as_json_str())
    if isinstance(part, TextPart | ThinkingPart):
        return _tokens(part.content)
    raise unknown_part('ModelResponse', part)


def _tokens(content: str | Sequence[UserContent]) -> int:
    if isinstance(content, str):
        return len(_SEPARATORS.split(content.strip())) if content else 0
    return sum(
        _tokens(c) if isinstance(c, str) else len(c.data) if isinstance(c, BinaryContent) else 0 for c in content
    )

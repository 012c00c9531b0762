"""Approximate tokens of messages; the provider's count of the last response corrects them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, assert_never

from .._base.json_values import returned_text, without_files
from ..content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, UserContent, VideoUrl
from ..messages import (
    ModelMessage,
    ModelRequestPart,
    ModelResponsePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

__all__ = ['count_of', 'size_of']

_PART = 4  # tokens around each part
# One image of the largest size that Claude looks at is about 1,600 tokens (platform.claude.com, "Vision"); a page of a
# PDF 1,500 to 3,000 (the same, "PDF support"); a second of sound 32 and of video about 300 (ai.google.dev, "Tokens").
_IMAGE, _DOCUMENT, _AUDIO, _VIDEO = 1_600, 10_000, 2_000, 20_000


def size_of(message: ModelMessage) -> int:
    """The approximate tokens of a message, without its instructions, which only the last request sends."""
    return sum(_PART + _of_part(part) for part in message.parts)


def count_of(message: ModelMessage) -> int:
    """The provider's count of all tokens up to and including a response; 0 if there is none."""
    usage = getattr(message, 'usage', None)
    if usage is None or not usage.request_tokens:
        return 0
    return int(usage.request_tokens + (usage.response_tokens or 0))


def _of_part(part: ModelRequestPart | ModelResponsePart) -> int:
    match part:
        case SystemPromptPart() | TextPart() | ThinkingPart():
            return _of_text(part.content)
        case UserPromptPart():
            return _of_contents([part.content] if isinstance(part.content, str) else part.content)
        case ToolReturnPart():
            text, files = without_files(returned_text, part.content)
            return _of_text(text) + _of_contents(files)
        case RetryPromptPart():
            return _of_text(part.model_response())
        case ToolCallPart():
            return _of_text(part.tool_name) + _of_text(part.args_as_json_str())
        case _:
            assert_never(part)


def _of_contents(contents: Iterable[Any]) -> int:
    return sum(_of_content(content) for content in contents)


def _of_content(content: UserContent) -> int:
    match content:
        case str():
            return _of_text(content)
        case ImageUrl():
            return _IMAGE
        case AudioUrl():
            return _AUDIO
        case VideoUrl():
            return _VIDEO
        case DocumentUrl():
            return _DOCUMENT
        case BinaryContent():
            return _of_file(content)
        case _:
            assert_never(content)


def _of_file(file: BinaryContent) -> int:
    if file.media_type.startswith('text/'):
        return math.ceil(len(file.data) / 4)
    kinds = ((file.is_image, _IMAGE), (file.is_audio, _AUDIO), (file.is_video, _VIDEO))
    return next((size for fits, size in kinds if fits), _DOCUMENT)


def _of_text(text: str) -> int:
    """A token is four letters of English, or one character of Chinese or Japanese (three bytes)."""
    return math.ceil(len(text) / 4) if text.isascii() else math.ceil(len(text.encode(errors='replace')) / 3)

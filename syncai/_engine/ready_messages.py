"""The caller's messages, prepared in the caller's thread: files read, text encodable."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..content import user_content
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, UserPromptPart


def with_files_read(prompt: Any) -> Any:
    """A prompt for another process, with its files read here; a wrong prompt is refused there."""
    try:
        return user_content(prompt, 'The prompt')
    except UserError:
        return prompt


def ready_messages(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages with sendable user prompts; messages that need no change are the same objects.

    Raises:
        UserError: A prompt holds what cannot be sent, or a file that cannot be read.
    """
    return [_ready(message) if isinstance(message, ModelRequest) else message for message in messages]


def _ready(request: ModelRequest) -> ModelRequest:
    parts = [_ready_part(part) if isinstance(part, UserPromptPart) else part for part in request.parts]
    return request if all(map(operator.is_, parts, request.parts)) else replace(request, parts=parts)


def _ready_part(part: UserPromptPart) -> UserPromptPart:
    content = user_content(part.content, 'A UserPromptPart')
    return part if content is part.content else replace(part, content=content)

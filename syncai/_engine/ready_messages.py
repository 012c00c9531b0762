"""Messages of the caller, made ready in the caller's thread: their files read, their text whole."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..content import user_content
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, UserPromptPart


def with_files_read(prompt: Any) -> Any:
    """A prompt that travels to another process, with its files read here; one that is wrong is refused there."""
    try:
        return user_content(prompt, 'The prompt')
    except UserError:
        return prompt


def ready_messages(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages, with what users say in them as it can be sent; those that need nothing are the same objects.

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

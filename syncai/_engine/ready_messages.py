"""Messages of the caller, made ready in the caller's thread: their files read, their text whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..content import user_content
from ..messages import ModelMessage, ModelRequest, ModelRequestPart, UserPromptPart


def ready_messages(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages, with what users say in them as it can be sent; those that need nothing are the same objects.

    Raises:
        UserError: A prompt holds what cannot be sent, or a file that cannot be read.
    """
    return [_ready(message) if isinstance(message, ModelRequest) else message for message in messages]


def _ready(request: ModelRequest) -> ModelRequest:
    parts = [_ready_part(part) for part in request.parts]
    same = all(part is before for part, before in zip(parts, request.parts, strict=True))
    return request if same else replace(request, parts=parts)


def _ready_part(part: ModelRequestPart) -> ModelRequestPart:
    if not isinstance(part, UserPromptPart):
        return part
    content = user_content(part.content, 'A UserPromptPart')
    return part if content is part.content else replace(part, content=content)

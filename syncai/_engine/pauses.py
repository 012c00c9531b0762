"""Answers that the provider interrupts and continues in the next response; for the run they are one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..messages import ModelMessage, ModelResponse


def _interrupted(messages: Sequence[ModelMessage]) -> list[ModelResponse]:
    """The interrupted responses at the end of the conversation, the last first."""
    responses: list[ModelResponse] = []
    for message in reversed(messages):
        if not (isinstance(message, ModelResponse) and message.paused):
            break
        responses.append(message)
    return responses


def whole_text(messages: Sequence[ModelMessage], response: ModelResponse) -> str:
    """The text of an answer, with that of the responses before it which were interrupted.

    Args:
        messages: The conversation, which ends in the response.
        response: The last response of the answer.
    """
    before = _interrupted(messages[:-1])
    return ''.join(part.text for part in [*reversed(before), response]) if before else response.text


def parts_before(messages: Sequence[ModelMessage]) -> int:
    """The number of parts of the interrupted answer at the end of the conversation."""
    return sum(len(response.parts) for response in _interrupted(messages))


def shifted(events: Sequence[Any], by: int) -> list[Any]:
    """The events of a continuing response, with the indexes of its parts in the whole answer."""
    return [replace(event, index=event.index + by) for event in events]

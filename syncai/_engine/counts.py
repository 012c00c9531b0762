"""The counts of a run before it was paused, or before this step, read from its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..messages import ModelMessage, ModelRequest, ModelResponse, RetryPromptPart, UserPromptPart
from .whole_history import is_return

if TYPE_CHECKING:
    from .plan import RunPlan


@dataclass(slots=True)
class Counts:
    """The counts of a run.

    Attributes:
        responses: Its answers.
        tool_calls: The calls of tools that returned.
        result_retries: The failed attempts at a result.
        tool_retries: How often each tool has failed in a row.
    """

    responses: int = 0
    tool_calls: int = 0
    result_retries: int = 0
    tool_retries: dict[str, int] = field(default_factory=dict)


def counts_of(plan: RunPlan[Any]) -> Counts:
    """The counts at the end of the run's history; zeros if the run begins there."""
    counts = Counts()
    if plan.goes_on:
        for message in _of_last_run(plan.history):
            if isinstance(message, ModelResponse):
                counts.responses += 1
            else:
                _count(counts, message, plan.tools)
    return counts


def _of_last_run(messages: Sequence[ModelMessage]) -> Sequence[ModelMessage]:
    """The messages after the last prompt of the user."""
    for number in range(len(messages) - 1, -1, -1):
        message = messages[number]
        if isinstance(message, ModelRequest) and _is_prompt(message):
            return messages[number + 1 :]
    return messages


def _is_prompt(request: ModelRequest) -> bool:
    """Whether it holds a prompt of the user; a prompt beside returns comes from a tool."""
    if request.pending or any(is_return(part) for part in request.parts):
        return False
    return any(isinstance(part, UserPromptPart) for part in request.parts)


def _count(counts: Counts, request: ModelRequest, tools: Mapping[str, object]) -> None:
    failed = [part.tool_name for part in request.parts if isinstance(part, RetryPromptPart)]
    returned = [part.tool_name for part in request.parts if is_return(part) and part.tool_name in tools]
    counts.tool_calls += len(returned)
    counts.result_retries += any(name not in tools for name in failed)
    for name in {str(name) for name in returned}:
        if name in failed:
            counts.tool_retries[name] = counts.tool_retries.get(name, 0) + 1
        else:
            counts.tool_retries.pop(name, None)

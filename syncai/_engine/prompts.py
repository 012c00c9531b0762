"""How a run begins: the first request, after the history that it goes on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeAlias

from .._bridge import call_user_function
from ..content import UserContent
from ..exceptions import UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    ToolCallPart,
    UserPromptPart,
)
from .plan import PromptFunction, RunPlan

if TYPE_CHECKING:
    from ..tools import RunContext

MakeContext: TypeAlias = 'Callable[[], RunContext[Any]]'  # most runs need none, and it is not free


def check_start(plan: RunPlan[Any]) -> None:
    """Nothing, when the prompt and the history are something to answer.

    Raises:
        UserError: Says what is missing.
    """
    last = plan.history[-1] if plan.history else None
    _check_calls(plan)
    if plan.prompt is None:
        if last is None:
            raise UserError('A run needs a prompt, or a message_history that ends in one')
        if isinstance(last, ModelResponse) and not unanswered_calls(last):
            raise UserError('message_history ends in an answer of the model, and there is no prompt: give one')
        return
    _check_prompt(plan.prompt)


def _check_calls(plan: RunPlan[Any]) -> None:
    """Every call of the last answer was answered, or none, and the run is to answer them all."""
    later = list(takewhile(lambda message: isinstance(message, ModelRequest), reversed(plan.history)))
    response = plan.history[-len(later) - 1] if len(later) < len(plan.history) else None
    if not isinstance(response, ModelResponse):
        return
    answered = {getattr(part, 'tool_call_id', None) for message in later for part in message.parts}
    unanswered = [call for call in unanswered_calls(response) if call.tool_call_id not in answered]
    if unanswered and (later or plan.prompt is not None):
        names = ', '.join(sorted({call.tool_name for call in unanswered}))
        way_out = '' if later else 'run without a prompt to have the tools called, or '
        raise UserError(
            f'message_history ends in calls of {names} that nobody has answered, and nothing may come between a call '
            f'and its answer: {way_out}give a ToolReturnPart for each call in the ModelRequest after it'
        )


def _check_prompt(prompt: str | Sequence[UserContent]) -> None:
    if all(item == '' for item in prompt):  # the letters of a text are not empty
        raise UserError('The prompt is empty: the model needs something to answer')


def usable_history(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The history as it can be sent: of an answer that was left early, only the text and the thoughts, if any."""
    return [usable for message in messages if (usable := _usable(message)).parts or not message.parts]


def _usable(message: ModelMessage) -> ModelMessage:
    if not isinstance(message, ModelResponse) or not message.incomplete or not message.tool_calls:
        return message
    return replace(message, parts=[part for part in message.parts if not isinstance(part, ToolCallPart)])


def unanswered_calls(response: ModelResponse) -> list[ToolCallPart]:
    """The calls of the last answer, which stand open; those of an answer that broke off do not count."""
    return [] if response.incomplete else response.tool_calls


async def first_parts(plan: RunPlan[Any], context: MakeContext) -> list[ModelRequestPart]:
    """The parts of the first request: system prompts, unless the history has them, and what the user says."""
    parts: list[ModelRequestPart] = []
    if not plan.history:
        parts.extend(SystemPromptPart(text) for text in plan.system_prompts if text)
        written = [(await _written(prompt, context), prompt.dynamic_ref) for prompt in plan.prompt_functions]
        parts.extend(SystemPromptPart(text, dynamic_ref=ref) for text, ref in written if text)
    if plan.prompt is not None:
        parts.append(UserPromptPart(plan.prompt))
    return parts


async def refresh_dynamic_prompts(
    plan: RunPlan[Any], messages: list[ModelMessage], context: MakeContext
) -> list[ModelMessage]:
    """The history with its dynamic system prompts written anew."""
    writers: Mapping[str | None, PromptFunction] = {
        prompt.dynamic_ref: prompt for prompt in plan.prompt_functions if prompt.dynamic_ref
    }
    if not writers:
        return messages
    return [
        replace(message, parts=[await _refreshed(part, writers, context) for part in message.parts])
        if isinstance(message, ModelRequest)
        else message
        for message in messages
    ]


async def _refreshed(
    part: ModelRequestPart, writers: Mapping[str | None, PromptFunction], context: MakeContext
) -> ModelRequestPart:
    if not isinstance(part, SystemPromptPart) or part.dynamic_ref not in writers:
        return part
    return replace(part, content=await _written(writers[part.dynamic_ref], context))


async def _written(prompt: PromptFunction, context: MakeContext) -> str:
    text = await call_user_function(prompt.function, *([context()] if prompt.takes_ctx else []))
    if not isinstance(text, str):
        name = getattr(prompt.function, '__name__', repr(prompt.function))
        raise UserError(f'The system prompt function {name!r} must return a str, not {type(text).__name__}')
    return text

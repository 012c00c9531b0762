"""How a run begins: the first request, after the history that it continues from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._base.system import warn_in_log
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
from .plan import RunPlan
from .user_functions import MakeContext, PromptFunction, written_text
from .whole_history import is_return

if TYPE_CHECKING:
    from .run_state import RunState

_MOST_NOTED = 100  # the most foreign system prompts that one agent warns of


def check_start(plan: RunPlan[Any]) -> None:
    """Raise UserError unless the prompt and the history can be answered; the message says what is missing."""
    last = plan.history[-1] if plan.history else None
    if plan.prompt is not None:
        _check_prompt(plan.prompt)
    elif last is None:
        raise UserError('A run needs a prompt, or a message_history that ends in one')
    elif isinstance(last, ModelResponse) and (last.incomplete or not (last.tool_calls or last.paused or plan.goes_on)):
        raise UserError('message_history ends in an answer of the model, and there is no prompt: give one')


def _check_prompt(prompt: str | Sequence[UserContent]) -> None:
    if not prompt or (not isinstance(prompt, str) and all(item == '' for item in prompt)):
        raise UserError('The prompt is empty: the model needs something to answer')


def open_calls(messages: Sequence[ModelMessage]) -> ModelResponse | None:
    """The last response, with those of its calls that have no return yet, if nothing but returns follows it."""
    returned: Counter[str | None] = Counter()
    for message in reversed(messages):
        if isinstance(message, ModelResponse):
            parts = [part for part in message.parts if not isinstance(part, ToolCallPart) or not _took(returned, part)]
            return replace(message, parts=parts) if any(isinstance(part, ToolCallPart) for part in parts) else None
        for part in message.parts:
            if is_return(part):
                returned[part.tool_call_id] += 1
            elif not message.pending:  # in a paused run, this came from tools
                return None
    return None


def _took(returned: Counter[str | None], call: ToolCallPart) -> bool:
    """Whether one of the returns belongs to the call; takes it out, so that it belongs to no other."""
    returned[call.tool_call_id] -= 1
    return returned[call.tool_call_id] >= 0


async def first_parts(run: RunState[Any]) -> list[ModelRequestPart]:
    """The parts of the first request: system prompts, unless there is a history to put them in, and the prompt."""
    plan = run.plan
    parts: list[ModelRequestPart] = []
    if plan.history:
        await _settle_history(run)
    elif plan.system_prompts or plan.prompt_functions:
        parts.extend(SystemPromptPart(text) for text in plan.system_prompts if text)
        prompts = [await _written(prompt, run.context) for prompt in plan.prompt_functions]
        parts.extend(part for part in prompts if part)
    if plan.prompt is not None:
        parts.append(UserPromptPart(plan.prompt))
    return parts


async def _written(prompt: PromptFunction, context: MakeContext) -> SystemPromptPart | None:
    text = await written_text(prompt, context, 'system prompt')
    return SystemPromptPart(text, dynamic_ref=prompt.dynamic_ref, written_by=prompt.written_by) if text else None


# --- a history and the system prompts of the agent --------------------------------------------------------------------


async def _settle_history(run: RunState[Any]) -> None:
    """Have the history hold each system prompt of the agent once, the dynamic ones as they are now. Missing ones are
    sent at its front and not stored, so that another agent may continue from the stored history.
    """
    plan = run.plan
    if not (plan.system_prompts or plan.prompt_functions or plan.instructions):
        return
    stored = [part for message in run.history for part in message.parts if isinstance(part, SystemPromptPart)]
    writers = [_writer_of(part, plan.prompt_functions) for part in stored]
    texts = {part.content.strip() for part in stored}
    front = [SystemPromptPart(text) for text in plan.system_prompts if text and text.strip() not in texts]
    own, fresh = {text.strip() for text in plan.system_prompts}, dict[str, str]()
    for prompt in plan.prompt_functions:
        known = prompt in writers
        if known and prompt.dynamic_ref is None:
            continue
        part = await _written(prompt, run.context)
        own.add(part.content.strip() if part else '')
        if known:
            fresh[prompt.written_by] = part.content if part else ''
        elif part and part.content.strip() not in texts:
            front.append(part)
    foreign = [part.content for part, writer in zip(stored, writers, strict=True) if not writer]
    await _note_foreign(plan, [text for text in foreign if text.strip() not in own])
    if fresh:
        run.messages[:] = _refreshed(run.messages, fresh, plan.prompt_functions)
        run.history = _without_empty(_refreshed(run.history, fresh, plan.prompt_functions))
    if front:
        run.history = _with_front(run.history, front)


def _writer_of(part: SystemPromptPart, prompts: Sequence[PromptFunction]) -> PromptFunction | None:
    """The function of the agent that wrote a part, by its name or its `dynamic_ref`."""
    if part.written_by is not None:
        return next((prompt for prompt in prompts if prompt.written_by == part.written_by), None)
    if part.dynamic_ref is not None:
        return next((prompt for prompt in prompts if prompt.dynamic_ref == part.dynamic_ref), None)
    return None


async def _note_foreign(plan: RunPlan[Any], texts: Sequence[str]) -> None:
    """Log, once for an agent and a text, that the system prompt of another agent is sent."""
    new = [text for text in texts if text not in plan.foreign_prompts]
    if not new or len(plan.foreign_prompts) >= _MOST_NOTED:
        return
    plan.foreign_prompts.update(new)
    await call_user_function(
        warn_in_log,
        'message_history holds system prompts (%d) that are not of the agent %s; they are sent too, after its own: '
        'leave them out of the history where they are not to hold',
        len(new),
        repr(plan.agent_name) if plan.agent_name else 'that runs',
    )


def _refreshed(
    messages: Sequence[ModelMessage], fresh: Mapping[str, str], prompts: Sequence[PromptFunction]
) -> list[ModelMessage]:
    """The messages with new texts of the functions in `fresh`."""

    def part_of(part: ModelRequestPart) -> ModelRequestPart:
        writer = _writer_of(part, prompts) if isinstance(part, SystemPromptPart) else None
        text = fresh.get(writer.written_by) if writer else None
        return part if text is None else replace(part, content=text)

    return [
        replace(message, parts=[part_of(part) for part in message.parts])
        if isinstance(message, ModelRequest) and any(isinstance(part, SystemPromptPart) for part in message.parts)
        else message
        for message in messages
    ]


def _without_empty(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages without empty system prompts, which are stored and not sent."""

    def says(part: object) -> bool:
        return not isinstance(part, SystemPromptPart) or bool(part.content)

    return [
        message if all(map(says, message.parts)) else replace(message, parts=[*filter(says, message.parts)])  # type: ignore[arg-type]
        for message in messages
    ]


def _with_front(messages: Sequence[ModelMessage], front: Sequence[ModelRequestPart]) -> list[ModelMessage]:
    first = messages[0]
    if isinstance(first, ModelRequest):
        return [replace(first, parts=[*front, *first.parts]), *messages[1:]]
    return [ModelRequest(front), *messages]

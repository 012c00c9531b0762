"""Calls of function tools: arguments validated, functions run where they belong, their returns for the model."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._base.functions import is_async
from .._base.json_values import sendable_text
from .._base.phases import phase
from .._bridge import call_in_thread, call_user_function, run_together, takes_turns
from ..events import FunctionToolCallEvent, FunctionToolResultEvent
from ..exceptions import ModelRetry, UnexpectedModelBehavior
from ..messages import RetryPromptPart, ToolCallPart, ToolReturnPart, UserPromptPart
from ..tools import ToolReturn
from .tool_values import ready_value

if TYPE_CHECKING:
    from ..runs import RunContext
    from ..tools import Tool
    from .model_call import Emit
    from .run_state import RunState


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call returned, and what its tool wants to be said beside it, after all returns."""

    part: ToolReturnPart | RetryPromptPart
    content: UserPromptPart | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The call failed in a way that the model can correct."""

    content: str | list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Arguments:
    positional: list[Any]
    keyword: dict[str, Any]


async def call_tools(run: RunState[Any], calls: Mapping[int, ToolCallPart], emit: Emit | None) -> None:
    """Put what the tools return into `run.returned`, each as soon as it is there, under the number of its call.

    Async tools and those in threads run side by side.
    """
    if not calls:
        return
    run.count_tool_calls(len(calls))
    if emit is not None:
        await emit([FunctionToolCallEvent(call) for call in calls.values()])
    await run_together([_one_by_one(run, lane, emit) for lane in _lanes(run, calls)])


def _lanes(run: RunState[Any], calls: Mapping[int, ToolCallPart]) -> list[dict[int, ToolCallPart]]:
    """The calls in lanes: those in one lane run one after another, so that none begins after one has failed."""
    tools = run.plan.tools
    turns = {i: call for i, call in calls.items() if takes_turns() and _in_callers_thread(tools[call.tool_name])}
    lanes = [{i: call} for i, call in calls.items() if i not in turns]
    return [turns, *lanes] if turns else lanes


def _in_callers_thread(tool: Tool[Any]) -> bool:
    return tool.run_in == 'caller' and not is_async(tool.function)


async def _one_by_one(run: RunState[Any], calls: Mapping[int, ToolCallPart], emit: Emit | None) -> None:
    for number, call in calls.items():
        returned = run.returned[number] = await _call(run, call)
        await run.written()
        if emit is not None:
            await emit([FunctionToolResultEvent(returned.part)])


async def _call(run: RunState[Any], call: ToolCallPart) -> Returned:
    tool = run.plan.tools[call.tool_name]
    tracing = run.plan.tracing
    span: Any = tracing.tool(call, tool.definition.description) if tracing else nullcontext()
    with phase(f'tool {call.tool_name!r}'), span as end_span:
        value = await _outcome(tool, run.context(call), call.args)
        returned = _returned(call, value)
        if end_span is not None:
            end_span(returned.part.content, isinstance(value, Rejected))
    return returned


def _returned(call: ToolCallPart, value: Any) -> Returned:
    if isinstance(value, Rejected):
        return Returned(retry_prompt(value, call))
    if not isinstance(value, ToolReturn):
        return Returned(ToolReturnPart(call.tool_name, value, call.tool_call_id))
    part = ToolReturnPart(call.tool_name, value.value, call.tool_call_id, metadata=value.metadata)
    content: Any = value.content  # of which `ready_value` has read the files
    return Returned(part, None if content is None else UserPromptPart(content))


def retry_prompt(rejected: Rejected, call: ToolCallPart | None) -> RetryPromptPart:
    """What the model is asked to correct: the arguments of a call, or its whole answer."""
    content = rejected.content
    if isinstance(content, str):
        content = sendable_text(content, 'A ModelRetry')
    name, call_id = (call.tool_name, call.tool_call_id) if call else (None, None)
    return RetryPromptPart(content, tool_name=name, tool_call_id=call_id)


def count_failures(run: RunState[Any], returned: Sequence[ToolReturnPart | RetryPromptPart]) -> None:
    """Count the tools that failed, each once for the whole answer, and forget the failures of the others.

    Raises:
        UnexpectedModelBehavior: One has failed too often.
    """
    failures = {part.tool_name: part for part in returned if isinstance(part, RetryPromptPart)}
    for name in {part.tool_name for part in returned if part.tool_name not in failures}:
        run.tool_retries.pop(str(name), None)
    for name, part in failures.items():
        _count_failure(run, run.plan.tools[str(name)], part)


def _count_failure(run: RunState[Any], tool: Tool[Any], last: RetryPromptPart) -> None:
    allowed = run.plan.retries if tool.retries is None else tool.retries
    failed = run.tool_retries.get(tool.name, 0)
    if failed >= allowed:
        raise UnexpectedModelBehavior(
            f'Tool {tool.name!r} failed {failed + 1} times in a row (retries={allowed}); the last time: {last.content}'
        )
    run.tool_retries[tool.name] = failed + 1


async def _outcome(tool: Tool[Any], context: RunContext[Any], args: str | dict[str, Any] | None) -> Any:
    """What the tool returned, or why the model has to try again."""
    if is_async(tool.function):
        arguments = await call_user_function(_validated, tool, args)
        if isinstance(arguments, Rejected):
            return arguments
        return await call_user_function(_call_async, tool, context, arguments)
    if tool.run_in == 'thread':
        return await _in_thread(tool, context, args)
    return await call_user_function(_call_sync, tool, context, args)


def _validated(tool: Tool[Any], args: str | dict[str, Any] | None) -> _Arguments | Rejected:
    """Runs where the caller is: validators in the annotations are the user's functions too."""
    from pydantic import ValidationError

    from .._schema import retry_errors

    try:
        return _Arguments(*tool.schema.validate(args))
    except ValidationError as error:
        return Rejected(retry_errors(error))
    except ModelRetry as retry:  # of a validator in an annotation, which pydantic lets through
        return Rejected(retry.message)


def _call_sync(tool: Tool[Any], context: RunContext[Any], args: str | dict[str, Any] | None) -> Any:
    arguments = _validated(tool, args)
    if isinstance(arguments, Rejected):
        return arguments
    try:
        value = tool.function(*([context] if tool.takes_ctx else []), *arguments.positional, **arguments.keyword)
    except ModelRetry as retry:
        return Rejected(retry.message)
    # An awaitable is awaited where the caller's async functions run.
    return _ready_later(tool, value) if inspect.isawaitable(value) else ready_value(tool, value)


async def _call_async(tool: Tool[Any], context: RunContext[Any], arguments: _Arguments) -> Any:
    try:
        async with asyncio.timeout(tool.timeout) as scope:
            value = await tool.function(
                *([context] if tool.takes_ctx else []), *arguments.positional, **arguments.keyword
            )
    except ModelRetry as retry:
        return Rejected(retry.message)
    except TimeoutError:
        if scope.expired():
            return _too_slow(tool)
        raise
    finally:
        del scope  # it knows the task, whose error knows this frame
    return ready_value(tool, value)


async def _in_thread(tool: Tool[Any], context: RunContext[Any], args: str | dict[str, Any] | None) -> Any:
    try:
        async with asyncio.timeout(tool.timeout) as scope:
            value = await call_in_thread(_call_sync, tool, context, args)
            return await value if inspect.isawaitable(value) else value
    except TimeoutError:
        if scope.expired():
            return _too_slow(tool)
        raise
    finally:
        del scope  # it knows the task, whose error knows this frame


async def _ready_later(tool: Tool[Any], value: Any) -> Any:
    """What a sync function that returned an awaitable has to say."""
    try:
        return ready_value(tool, await value)
    except ModelRetry as retry:
        return Rejected(retry.message)


def _too_slow(tool: Tool[Any]) -> Rejected:
    return Rejected(f'The call took longer than {tool.timeout:g} seconds and was stopped.')

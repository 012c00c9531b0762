"""Calls of function tools: arguments validated, functions run where they belong, their returns for the model."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .._bridge import call_in_thread, call_user_function, run_together, takes_turns
from .._functions import is_async
from .._phases import phase
from ..events import FunctionToolCallEvent, FunctionToolResultEvent
from ..exceptions import ModelRetry, UnexpectedModelBehavior, UserError
from ..messages import RetryPromptPart, ToolCallPart, ToolReturnPart

if TYPE_CHECKING:
    from ..tools import RunContext, Tool
    from .run_state import RunState

Emit: TypeAlias = Callable[[list[Any]], Awaitable[None]]
Returned: TypeAlias = ToolReturnPart | RetryPromptPart


@dataclass(frozen=True, slots=True)
class Rejected:
    """The call failed in a way that the model can mend."""

    content: str | list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Arguments:
    positional: list[Any]
    keyword: dict[str, Any]


async def call_tools(run: RunState[Any], calls: Sequence[ToolCallPart], emit: Emit | None) -> list[Returned]:
    """What the tools returned, in the order of the calls; async tools and those in threads run side by side."""
    if not calls:
        return []
    run.count_tool_calls(len(calls))
    if emit is not None:
        await emit([FunctionToolCallEvent(call) for call in calls])
    lanes = _lanes(run, calls)
    done = await run_together([_one_by_one(run, [calls[i] for i in lane], emit) for lane in lanes])
    returned = {i: part for lane, parts in zip(lanes, done, strict=True) for i, part in zip(lane, parts, strict=True)}
    return [returned[i] for i in range(len(calls))]


def _lanes(run: RunState[Any], calls: Sequence[ToolCallPart]) -> list[list[int]]:
    """The numbers of the calls: those in one lane run one after another, so that none begins after one has failed."""
    turns = [i for i, call in enumerate(calls) if takes_turns() and _in_callers_thread(run.plan.tools[call.tool_name])]
    lanes = [[i] for i in range(len(calls)) if i not in turns]
    return [turns, *lanes] if turns else lanes


def _in_callers_thread(tool: Tool[Any]) -> bool:
    return tool.run_in == 'caller' and not is_async(tool.function)


async def _one_by_one(run: RunState[Any], calls: Sequence[ToolCallPart], emit: Emit | None) -> list[Returned]:
    return [await _call(run, call, emit) for call in calls]


async def _call(run: RunState[Any], call: ToolCallPart, emit: Emit | None) -> Returned:
    tool = run.plan.tools[call.tool_name]
    tracing = run.plan.tracing
    span: Any = tracing.tool(call, tool.definition.description) if tracing else nullcontext()
    with phase(f'tool {call.tool_name!r}'), span as told:
        value = await _outcome(tool, run.context(call), call.args)
        if told is not None:
            told(value.content if isinstance(value, Rejected) else value, isinstance(value, Rejected))
    result: Returned
    if isinstance(value, Rejected):
        result = RetryPromptPart(value.content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)
    else:
        result = ToolReturnPart(call.tool_name, value, call.tool_call_id)
    if emit is not None:
        await emit([FunctionToolResultEvent(result)])
    return result


def count_failures(run: RunState[Any], returned: Sequence[Returned]) -> None:
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
    return _checked_later(tool, value) if inspect.isawaitable(value) else _checked(tool, value)


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
    return _checked(tool, value)


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


async def _checked_later(tool: Tool[Any], value: Any) -> Any:
    """What a sync function that returned an awaitable has to say."""
    try:
        return _checked(tool, await value)
    except ModelRetry as retry:
        return Rejected(retry.message)


def _too_slow(tool: Tool[Any]) -> Rejected:
    return Rejected(f'The call took longer than {tool.timeout:g} seconds and was stopped.')


def _checked(tool: Tool[Any], value: Any) -> Any:
    """The value, when it can be written for the model.

    Raises:
        UserError: It cannot.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Iterator):
        value = list(value)  # it can be read once, and is written more than once
    from pydantic_core import to_json

    try:
        to_json(value)
    except ValueError as error:
        raise UserError(
            f'Tool {tool.name!r} returned a value of {type(value).__name__}, which cannot be written as JSON for the '
            f'model ({error}): return a str, a number, a list, a dict, a dataclass or a pydantic model'
        ) from None
    return value

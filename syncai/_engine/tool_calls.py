"""Calls of function tools: arguments validated, functions run where they belong, their returns for the model."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .._bridge import call_in_thread, call_user_function, run_together
from .._functions import is_async
from ..events import FunctionToolCallEvent, FunctionToolResultEvent
from ..exceptions import ModelRetry, UnexpectedModelBehavior, UserError
from ..messages import ModelRequestPart, RetryPromptPart, ToolCallPart, ToolReturnPart

if TYPE_CHECKING:
    from ..tools import RunContext, Tool
    from .agent_run import AgentRun

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


async def call_tools(run: AgentRun[Any], calls: Sequence[ToolCallPart], emit: Emit | None) -> list[ModelRequestPart]:
    """What the tools returned, in the order of the calls; async tools and those in threads run side by side."""
    run.count_tool_calls(len(calls))
    if emit is not None and calls:
        await emit([FunctionToolCallEvent(call) for call in calls])
    return list(await run_together([_call(run, call, emit) for call in calls])) if calls else []


async def _call(run: AgentRun[Any], call: ToolCallPart, emit: Emit | None) -> Returned:
    tool = run.plan.tools[call.tool_name]
    with run.phase(f'tool {call.tool_name!r}'):
        value = await _outcome(tool, run.context(call), call.args)
    if isinstance(value, Rejected):
        result: Returned = _retry(run, tool, call, value)
    else:
        run.tool_retries.pop(tool.name, None)
        result = ToolReturnPart(call.tool_name, value, call.tool_call_id)
    if emit is not None:
        await emit([FunctionToolResultEvent(result)])
    return result


def _retry(run: AgentRun[Any], tool: Tool[Any], call: ToolCallPart, rejected: Rejected) -> RetryPromptPart:
    allowed = run.plan.retries if tool.retries is None else tool.retries
    failed = run.tool_retries.get(tool.name, 0)
    if failed >= allowed:
        raise UnexpectedModelBehavior(
            f'Tool {tool.name!r} failed {failed + 1} times in a row (retries={allowed}); the last time: '
            f'{rejected.content}'
        )
    run.tool_retries[tool.name] = failed + 1
    return RetryPromptPart(rejected.content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)


async def _outcome(tool: Tool[Any], context: RunContext[Any], args: str | dict[str, Any] | None) -> Any:
    """What the tool returned, or why the model has to try again."""
    if is_async(tool.function):
        arguments = await call_user_function(_validated, tool, args)
        if isinstance(arguments, Rejected):
            return arguments
        return await call_user_function(_call_async, tool, context, arguments)
    if tool.run_in == 'thread':
        return await _in_thread(tool, context, args)
    value = await call_user_function(_call_sync, tool, context, args)
    return await _checked_later(tool, value) if inspect.isawaitable(value) else value


def _validated(tool: Tool[Any], args: str | dict[str, Any] | None) -> _Arguments | Rejected:
    """Runs where the caller is: validators in the annotations are the user's functions too."""
    from pydantic import ValidationError

    from .._schema import retry_errors

    try:
        return _Arguments(*tool.schema.validate(args))
    except ValidationError as error:
        return Rejected(retry_errors(error))


def _call_sync(tool: Tool[Any], context: RunContext[Any], args: str | dict[str, Any] | None) -> Any:
    arguments = _validated(tool, args)
    if isinstance(arguments, Rejected):
        return arguments
    try:
        value = tool.function(*([context] if tool.takes_ctx else []), *arguments.positional, **arguments.keyword)
    except ModelRetry as retry:
        return Rejected(retry.message)
    return value if inspect.isawaitable(value) else _checked(tool, value)


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
    return _checked(tool, value)


async def _in_thread(tool: Tool[Any], context: RunContext[Any], args: str | dict[str, Any] | None) -> Any:
    try:
        async with asyncio.timeout(tool.timeout) as scope:
            return await call_in_thread(_call_sync, tool, context, args)
    except TimeoutError:
        if scope.expired():
            return _too_slow(tool)
        raise


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
    from pydantic_core import PydanticSerializationError, to_json

    try:
        to_json(value)
    except PydanticSerializationError as error:
        raise UserError(
            f'Tool {tool.name!r} returned a {type(value).__name__}, which cannot be written as JSON for the model '
            f'({error}): return a str, a number, a list, a dict, a dataclass or a pydantic model'
        ) from None
    return value

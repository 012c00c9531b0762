"""One call of a function tool, run in its place, and its outcome."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._base.functions import is_async
from .._bridge import call_in_thread, call_user_function
from ..exceptions import ModelRetry, Pause
from ..result import RunPaused
from .tool_values import ready_value

if TYPE_CHECKING:
    from ..runs import RunContext
    from ..tools import Tool


@dataclass(frozen=True, slots=True)
class Rejected:
    """The call failed in a way that the model can correct."""

    content: str | list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Paused:
    """The tool asks for a decision."""

    reason: str | None
    details: Any = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """Validated arguments, without the context."""

    positional: list[Any]
    keyword: dict[str, Any]


async def outcome_of(tool: Tool[Any], context: RunContext[Any], args: str | dict[str, Any] | None) -> Any:
    """The value of the tool, why the model has to try again, or why the call waits."""
    if is_async(tool.function):
        arguments = await call_user_function(validated, tool, args)
        if isinstance(arguments, Rejected):
            return arguments
        return await call_user_function(_call_async, tool, context, arguments)
    if tool.run_in == 'thread':
        return await _in_thread(tool, context, args)
    return await call_user_function(_call_sync, tool, context, args)


def validated(tool: Tool[Any], args: str | dict[str, Any] | None) -> Arguments | Rejected:
    """Runs in the caller's thread: validators in the annotations are the user's functions too."""
    from pydantic import ValidationError

    from .._schema import retry_errors

    try:
        return Arguments(*tool.schema.validate(args))
    except ValidationError as error:
        return Rejected(retry_errors(error))
    except ModelRetry as retry:  # raised by a validator in an annotation; pydantic passes it on
        return Rejected(retry.message)


def _call_sync(tool: Tool[Any], context: RunContext[Any], args: str | dict[str, Any] | None) -> Any:
    arguments = validated(tool, args)
    if isinstance(arguments, Rejected):
        return arguments
    try:
        value = tool.function(*([context] if tool.takes_ctx else []), *arguments.positional, **arguments.keyword)
    except (ModelRetry, Pause, RunPaused) as raised:
        return _asked_for(raised)
    # An awaitable is awaited on the loop of the caller's async functions.
    return _ready_later(tool, value) if inspect.isawaitable(value) else ready_value(tool.name, value)


async def _call_async(tool: Tool[Any], context: RunContext[Any], arguments: Arguments) -> Any:
    try:
        async with asyncio.timeout(tool.timeout) as scope:
            value = await tool.function(
                *([context] if tool.takes_ctx else []), *arguments.positional, **arguments.keyword
            )
    except (ModelRetry, Pause, RunPaused) as raised:
        return _asked_for(raised)
    except TimeoutError:
        if scope.expired():
            return _too_slow(tool)
        raise
    finally:
        del scope  # it knows the task, whose error knows this frame
    return ready_value(tool.name, value)


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
    """The value of the awaitable that a sync function returned."""
    try:
        return ready_value(tool.name, await value)
    except (ModelRetry, Pause, RunPaused) as raised:
        return _asked_for(raised)


def _asked_for(raised: ModelRetry | Pause | RunPaused) -> Rejected | Paused:
    """The request in a tool's exception; a paused run within the tool makes the call wait too."""
    if isinstance(raised, ModelRetry):
        return Rejected(raised.message)
    if isinstance(raised, Pause):
        return Paused(raised.message, raised.details)
    pending = [
        {'id': call.id, 'tool_name': call.tool_name, 'args': call.args, 'reason': call.reason, 'details': call.details}
        for call in raised.pending
    ]
    details = {'pending': pending, 'messages': raised.messages_json().decode()}
    return Paused('A run within the tool waits: resume it, and give its result as Answered(...)', details)


def _too_slow(tool: Tool[Any]) -> Rejected:
    return Rejected(f'The call took longer than {tool.timeout:g} seconds and was stopped.')

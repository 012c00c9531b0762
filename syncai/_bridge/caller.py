"""The place of the user's functions: with the caller. A sync caller's sync functions run in its own thread while it
waits, so they have its database connection, request context and thread-locals; its async functions run on the loop
thread. An async caller's async functions run on its own loop, and its sync functions in a worker thread. For a
submitted call, sync functions run in worker threads and async ones on the loop thread.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from .._base.functions import is_async
from .._base.phases import names_wait
from .channel import Channel
from .event_loop import BridgeLoop
from .work import Work, changes

_END = object()
_current: contextvars.ContextVar[Caller | AbsentCaller | None] = contextvars.ContextVar('syncai_caller', default=None)


class Caller:
    """The consumer of a channel in its role as the runner of the user's functions.

    Args:
        channel: The call that the consumer waits for.
        asynchronous: Whether the consumer is a coroutine on its own loop.
    """

    def __init__(self, channel: Channel[Any], *, asynchronous: bool) -> None:
        self.channel = channel
        self.asynchronous = asynchronous

    def adopt(self) -> None:
        """Make this the caller of all work in the channel's task."""
        self.channel.context.run(_current.set, self)

    @names_wait('an async function of the program')
    async def run(self, function: Callable[[], Any]) -> Any:
        """The result of `function`, which runs in the caller's place."""
        if is_async(function) and not self.asynchronous:
            return await function()
        work = Work(function, self.channel.began_with, _current)
        await self.channel.send_work(work)
        value = await work.reply()
        return await value if inspect.isawaitable(value) else value


class AbsentCaller:
    """The caller of a submitted call: functions run in worker threads and on the loop thread."""

    @names_wait('an async function of the program')
    async def run(self, function: Callable[[], Any]) -> Any:
        """What `function` returns."""
        value = function() if is_async(function) else await call_in_thread(function)
        return await value if inspect.isawaitable(value) else value


async def call_user_function(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of the user's sync or async `function`, which runs in the place of the running call's caller."""
    bound = functools.partial(function, *args, **kwargs)
    caller = _current.get()
    if caller is not None:
        return await caller.run(bound)
    value = bound()
    return await value if inspect.isawaitable(value) else value


def watched_channel() -> Channel[Any] | None:
    """The channel of the running call, if its reader is watched."""
    caller = _current.get()
    return caller.channel if isinstance(caller, Caller) and caller.channel.takes is not None else None


def takes_turns() -> bool:
    """Whether sync functions of the running call run one after another, in the thread that waits for it."""
    caller = _current.get()
    return isinstance(caller, Caller) and not caller.asynchronous


async def call_in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of the user's sync `function`, which runs in a worker thread, concurrently."""
    loop = asyncio.get_running_loop()
    bound = functools.partial(function, *args, **kwargs)
    if not isinstance(loop, BridgeLoop):
        return await asyncio.to_thread(bound)
    before = contextvars.copy_context()
    context = before.copy()
    try:
        return await loop.workers.run(functools.partial(context.run, bound))
    finally:
        for var, value in changes(before, context):
            var.set(value)


def absent(context: contextvars.Context) -> None:
    """Remove the caller from `context`."""
    context.run(_current.set, AbsentCaller())


async def iterate_user_generator(source: Iterator[Any] | AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The items of the user's sync or async generator; each step runs in the caller's place; closed at the end."""
    asynchronous = hasattr(source, '__anext__')
    stepping = False
    step: Callable[..., Any] = _anext_or_end if asynchronous else _next_or_end
    close = getattr(source, 'aclose' if asynchronous else 'close', None)
    try:
        while True:
            stepping = True
            item = await call_user_function(step, source)
            stepping = False
            if item is _END:
                return
            yield item
    finally:
        # At an early end the caller waits and serves no more work, so the generator is closed here, on the loop thread.
        # If the caller still runs a step of it, it is closed when the caller drops it.
        if close is not None and not stepping:
            closing = close()
            if asynchronous:
                await closing


async def _anext_or_end(source: AsyncIterator[Any]) -> Any:
    return await anext(source, _END)


def _next_or_end(source: Iterator[Any]) -> Any:
    return next(source, _END)

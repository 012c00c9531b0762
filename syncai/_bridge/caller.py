"""Where the user's functions run: with the caller.

A sync caller's sync functions run in its own thread, while it waits, so that its database connection, request context
and thread-locals are the ones they know; its async functions run on the loop thread. An async caller's async functions
run on its own loop, and its sync functions in a worker thread. Where nobody waits (a submitted call), sync functions
run in worker threads and async ones on the loop thread.
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
    """The consumer of a channel, as the one that runs the user's functions.

    Args:
        channel: The call that is being waited for.
        asynchronous: Whether the consumer is a coroutine on a loop of its own.
    """

    def __init__(self, channel: Channel[Any], *, asynchronous: bool) -> None:
        self.channel = channel
        self.asynchronous = asynchronous

    def adopt(self) -> None:
        """Make this the caller of everything that the channel's task does."""
        self.channel.context.run(_current.set, self)

    @names_wait('an async function of the program')
    async def run(self, function: Callable[[], Any]) -> Any:
        """What `function` returns, run where the caller is."""
        if is_async(function) and not self.asynchronous:
            return await function()
        work = Work(function, self.channel.began_with, _current)
        await self.channel.send_work(work)
        value = await work.reply()
        return await value if inspect.isawaitable(value) else value


class AbsentCaller:
    """Nobody waits for the call: its functions run in worker threads and on the loop thread."""

    @names_wait('an async function of the program')
    async def run(self, function: Callable[[], Any]) -> Any:
        """What `function` returns."""
        value = function() if is_async(function) else await call_in_thread(function)
        return await value if inspect.isawaitable(value) else value


async def call_user_function(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the user's sync or async `function` returns, run where the caller of the running call is."""
    bound = functools.partial(function, *args, **kwargs)
    caller = _current.get()
    if caller is not None:
        return await caller.run(bound)
    value = bound()
    return await value if inspect.isawaitable(value) else value


def watched_channel() -> Channel[Any] | None:
    """The channel of the running call, if what its reader takes is noted."""
    caller = _current.get()
    return caller.channel if isinstance(caller, Caller) and caller.channel.takes is not None else None


def takes_turns() -> bool:
    """Whether the sync functions of the running call run one after another, in the one thread that waits for it."""
    caller = _current.get()
    return isinstance(caller, Caller) and not caller.asynchronous


async def call_in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the user's sync `function` returns, run in a worker thread, beside whatever else goes on."""
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
    """Make nobody the caller of what runs in `context`."""
    context.run(_current.set, AbsentCaller())


async def iterate_user_generator(source: Iterator[Any] | AsyncIterator[Any]) -> AsyncIterator[Any]:
    """What the user's sync or async generator yields, each step run where the caller is; it is closed at the end."""
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
        # At an early end the caller waits for us and serves no more work, so it is closed here, on the loop thread; but
        # not while the caller still runs a step of it: then it is closed when the caller drops it.
        if close is not None and not stepping:
            closing = close()
            if asynchronous:
                await closing


async def _anext_or_end(source: AsyncIterator[Any]) -> Any:
    return await anext(source, _END)


def _next_or_end(source: Iterator[Any]) -> Any:
    return next(source, _END)

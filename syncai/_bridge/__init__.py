"""Between synchronous callers and the loop thread. Knows nothing of messages, models or HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from .async_consumer import AsyncConsumer
from .caller import Caller, call_user_function, iterate_user_generator
from .channel import Channel
from .loop_thread import loop_thread

__all__ = [
    'AsyncConsumer',
    'Channel',
    'call_user_function',
    'iterate_user_generator',
    'loop_thread',
    'open_async',
    'open_sync',
    'run_async',
    'run_sync',
]

T = TypeVar('T')
Streaming = Callable[[Channel[T]], Awaitable[T]]
Weigh = Callable[[Sequence[Any]], int]


def run_sync(work: Callable[[], Awaitable[T]], *, name: str = 'call') -> T:
    """What `work` returns, run on the loop thread while this thread waits and runs the user's functions."""
    return open_sync(lambda _: work(), name=name).result()


async def run_async(work: Callable[[], Awaitable[T]], *, name: str = 'call') -> T:
    """What `work` returns, run on the loop thread while the running loop goes on."""
    return await open_async(lambda _: work(), name=name).result()


def open_sync(work: Streaming[T], *, weigh: Weigh = len, name: str = 'stream') -> Channel[T]:
    """A started call, to be consumed by `next_batch` from any thread."""
    return _open(work, weigh, name, asynchronous=False)


def open_async(work: Streaming[T], *, weigh: Weigh = len, name: str = 'stream') -> AsyncConsumer[T]:
    """A started call, to be consumed on the running loop."""
    return AsyncConsumer(_open(work, weigh, name, asynchronous=True))


def _open(work: Streaming[T], weigh: Weigh, name: str, *, asynchronous: bool) -> Channel[T]:
    channel = Channel(work, weigh=weigh, name=name)
    if asynchronous and loop_thread.is_current():
        channel.submit_here()  # a function that already runs for some caller, and goes on doing so
    else:
        Caller(channel, asynchronous=asynchronous).adopt()
        channel.submit()
    return channel

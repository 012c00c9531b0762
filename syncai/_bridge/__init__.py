"""The bridge between synchronous callers and the loop thread, without messages, models and HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ..exceptions import UserError
from .async_consumer import AsyncConsumer
from .caller import Caller, call_in_thread, call_user_function, iterate_user_generator, takes_turns
from .channel import Channel
from .event_loop import few_sockets_at_once
from .futures import submit
from .hang_ups import HangUp, on_hang_up
from .loop_thread import loop_thread
from .open_calls import OpenCall, loop_stack, open_calls, stack_of
from .reader import Takes, WatchedAsyncConsumer, WatchedSyncConsumer, reader_limit
from .sync_consumer import SyncConsumer
from .together import run_together
from .work import RunSync, sync_runner
from .workers import after_functions

__all__ = [
    'after_functions',
    'AsyncConsumer',
    'Channel',
    'HangUp',
    'OpenCall',
    'SyncConsumer',
    'call_in_thread',
    'call_user_function',
    'few_sockets_at_once',
    'iterate_user_generator',
    'loop_stack',
    'loop_thread',
    'on_hang_up',
    'open_async',
    'open_calls',
    'open_sync',
    'reader_limit',
    'run_async',
    'run_sync',
    'run_together',
    'RunSync',
    'stack_of',
    'submit',
    'sync_runner',
    'takes_turns',
]

T = TypeVar('T')
Streaming = Callable[[Channel[T]], Awaitable[T]]
Weigh = Callable[[Sequence[Any]], int]
Limits = tuple[float, float] | None


def run_sync(work: Callable[[], Awaitable[T]], *, name: str = 'call', silence_limits: Limits = None) -> T:
    """The result of `work`, which runs on the loop thread while this thread waits and runs the user's functions."""
    return open_sync(lambda _: work(), name=name, silence_limits=silence_limits).result()


async def run_async(work: Callable[[], Awaitable[T]], *, name: str = 'call', silence_limits: Limits = None) -> T:
    """The result of `work`, which runs on the loop thread while the running loop continues."""
    return await open_async(lambda _: work(), name=name, silence_limits=silence_limits).result()


def open_sync(
    work: Streaming[T],
    *,
    weigh: Weigh = len,
    name: str = 'stream',
    silence_limits: Limits = None,
    reader_timeout: float | None = None,
) -> SyncConsumer[T]:
    """A started call, for `next_batch` from any thread.

    Within a `reader_limit` it ends when its reader does not take waiting items for `reader_timeout` seconds.
    """
    channel = Channel(work, weigh=weigh, name=name, silence_limits=silence_limits)
    if reader_timeout is None:
        consumer = SyncConsumer(channel)
    else:
        channel.takes = Takes(reader_timeout)
        consumer = WatchedSyncConsumer(channel, channel.takes)
    Caller(channel, asynchronous=False).adopt()
    channel.submit()
    return consumer


def open_async(
    work: Streaming[T],
    *,
    weigh: Weigh = len,
    name: str = 'stream',
    silence_limits: Limits = None,
    reader_timeout: float | None = None,
) -> AsyncConsumer[T]:
    """A started call, for a consumer on the running loop; limits as in `open_sync`."""
    channel = Channel(work, weigh=weigh, name=name, silence_limits=silence_limits)
    if reader_timeout is None:
        consumer = AsyncConsumer(channel)
    else:
        channel.takes = Takes(reader_timeout)
        consumer = WatchedAsyncConsumer(channel, channel.takes)
    if loop_thread.is_current():
        channel.submit_here()  # a function that keeps running for its caller
        return consumer
    Caller(channel, asynchronous=True).adopt()
    channel.submit()
    if channel.threadless:
        channel.cancel()
        raise UserError('The interpreter is shutting down and starts no threads: use the synchronous form here')
    return consumer

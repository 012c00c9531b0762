"""Limits for readers: a stream ends if its reader takes nothing for too long. Only streams with a limit are watched."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import Context
from types import TracebackType
from typing import Any, TypeVar

from ..exceptions import SyncAIError
from .async_consumer import AsyncConsumer
from .caller import watched_channel
from .channel import Channel
from .sync_consumer import SyncConsumer

T = TypeVar('T')

_LOOKS = 4
"""The number of checks of the reader within the limit; the limit may be exceeded by one interval."""


class Takes:
    """The record of a watched reader, one event at a time, so that a slow reader does not count as idle. The reader
    writes without a lock; the loop thread reads. A value that is late by one event does no harm.
    """

    __slots__ = ('count', 'rest', 'seconds')

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.count = 0
        self.rest: deque[Any] = deque()  # of the batch that was taken last

    def one_of(self, batch: list[Any] | None) -> list[Any] | None:
        """The first event of a batch; the others are given next."""
        self.count += 1
        if not batch:
            return batch
        self.rest.extend(batch[1:])
        return batch[:1]

    def one_more(self) -> list[Any]:
        """The next event of the last batch; empty at its end."""
        self.count += 1
        return [self.rest.popleft()] if self.rest else []


class WatchedSyncConsumer(SyncConsumer[T]):
    """A consumer that records what it takes."""

    def __init__(self, channel: Channel[T], takes: Takes) -> None:
        super().__init__(channel)
        self._takes = takes

    def next_batch(self, timeout: float | None = None) -> list[Any] | None:
        """The next event, as a batch of one, or None at the end."""
        return self._takes.one_more() or self._takes.one_of(super().next_batch(timeout))


class WatchedAsyncConsumer(AsyncConsumer[T]):
    """The same for a coroutine."""

    def __init__(self, channel: Channel[T], takes: Takes) -> None:
        super().__init__(channel)
        self._takes = takes

    async def next_batch(self, timeout: float | None = None) -> list[Any] | None:
        """The next event, as a batch of one, or None at the end."""
        return self._takes.one_more() or self._takes.one_of(await super().next_batch(timeout))


def reader_limit(late: Callable[[float], SyncAIError]) -> AbstractAsyncContextManager[None]:
    """A block of the running call that ends when its reader does not take waiting items for too long.

    Args:
        late: Makes the error for that from the seconds of the limit.
    """
    channel = watched_channel()
    return _UNWATCHED if channel is None else _ReaderLimit(channel, late)


_UNWATCHED = nullcontext()


class _ReaderLimit(AbstractAsyncContextManager[None]):
    """Used by the loop thread alone."""

    def __init__(self, channel: Channel[Any], late: Callable[[float], SyncAIError]) -> None:
        self._late = late
        self._channel: Channel[Any] | None = channel
        self._seconds: float = channel.takes.seconds
        self._scope = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0
        self._since = 0.0  # since when items wait for the reader

    async def __aenter__(self) -> None:
        await self._scope.__aenter__()
        self._look()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._channel = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None  # it knows this block
        try:
            await self._scope.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise self._late(self._seconds) from None
        # On its way out the cancellation may have become a TimeoutError.
        if self._scope.expired() and isinstance(error, TimeoutError) and not isinstance(error, SyncAIError):
            raise self._late(self._seconds) from None

    def _look(self) -> None:
        channel = self._channel
        if channel is None:
            return
        loop, takes = asyncio.get_running_loop(), channel.takes
        now = loop.time()
        if takes.count != self._count or not (takes.rest or channel.has_waiting()):
            self._count, self._since = takes.count, now
        if now - self._since >= takes.seconds:
            self._scope.reschedule(now)
        else:
            self._timer = loop.call_later(takes.seconds / _LOOKS, self._look, context=Context())

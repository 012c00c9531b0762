"""The asynchronous face of a channel: a consumer on any other event loop."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Generic, TypeVar

from .batch_queue import Empty, ShutDown
from .channel import GRACE_SECONDS, Channel
from .work import Work

T = TypeVar('T')


class AsyncConsumer(Generic[T]):
    """Takes a channel's items on the running loop, which is not the loop thread's. Its fields belong to that loop."""

    def __init__(self, channel: Channel[T]) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._works: set[asyncio.Task[None]] = set()
        # A consumer that is dropped, with its loop perhaps, stops its call.
        weakref.finalize(self, channel.cancel).atexit = False

    async def next_batch(self) -> list[Any] | None:
        """The next batch of events, or None at the end; work that comes in between runs beside the wait."""
        try:
            while True:
                item = await self._next_item()
                if type(item) is not Work:
                    return item  # type: ignore[no-any-return]
                self._run(item)
        except ShutDown:
            return None
        except BaseException:
            await self.close()
            raise

    async def result(self) -> T:
        """What the work returned; its events are dropped."""
        while await self.next_batch() is not None:
            pass
        return self.finish()

    def finish(self) -> T:
        """What the work returned, or its exception raised, once the items have ended."""
        return self._channel.finish()

    async def close(self, timeout: float = GRACE_SECONDS) -> bool:
        """Stop the work, and wait until its connection is closed; returns whether it is."""
        for task in self._works:
            task.cancel()
        if not self._channel.done:
            self._channel.cancel()
            try:
                async with asyncio.timeout(timeout):
                    while True:
                        await self._next_item()
            except (ShutDown, TimeoutError):
                pass
        return self._channel.done

    async def _next_item(self) -> Any:
        while True:
            rung = self._loop.create_future()
            try:
                return self._channel.take_now(lambda: self._loop.call_soon_threadsafe(_wake, rung))  # noqa: B023
            except Empty:
                await rung

    def _run(self, work: Work) -> None:
        task = self._loop.create_task(work.run_there())
        self._works.add(task)
        task.add_done_callback(self._works.discard)


def _wake(rung: asyncio.Future[None]) -> None:
    if not rung.done():
        rung.set_result(None)

"""The asynchronous face of a channel: a consumer on any other event loop."""

from __future__ import annotations

import asyncio
import functools
import math
from typing import Any, Generic, TypeVar

from ..exceptions import UserError
from .batch_queue import Empty, ShutDown
from .channel import GRACE_SECONDS, Channel
from .owner import Tie
from .watch import look_after
from .work import Changes, Work

T = TypeVar('T')

_POLL_SECONDS = 1.0


class AsyncConsumer(Generic[T]):
    """Takes a channel's items on the running loop. Its fields belong to that loop."""

    def __init__(self, channel: Channel[T]) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self._works: set[asyncio.Task[None]] = set()
        self._outward: Changes = []
        # The bell refers to the waiter and not to this object, so that a dropped consumer is collected.
        self._waiters: list[asyncio.Future[None]] = []
        self._bell = functools.partial(self._loop.call_soon_threadsafe, _wake, self._waiters)
        self._tie = Tie(self, channel.cancel)

    async def next_batch(self, timeout: float | None = None) -> list[Any] | None:
        """The next batch of events, or None at the end; work that arrives meanwhile runs beside the wait. The batch is
        empty after `timeout` seconds, or when the producer wakes its reader.

        Raises:
            UserError: Another task is waiting for this call.
        """
        if self._reading:
            raise UserError(
                f'Another task is waiting for this {self._channel.name}: a stream has one consumer at a time'
            )
        self._reading = True
        deadline = math.inf if timeout is None else self._loop.time() + timeout
        try:
            while True:
                item = await self._next_item(deadline)
                if type(item) is not Work:
                    return item  # type: ignore[no-any-return]
                self._run(item)
        except ShutDown:
            self._tie.undo()
            await self._stop_works()  # the call ended before its functions did
            return None
        except BaseException:
            await self.close()
            raise
        finally:
            self._reading = False
            self._adopt_changes()

    async def result(self) -> T:
        """The result of the work, or raises its exception; drops its events."""
        while await self.next_batch() is not None:
            pass
        return self._channel.outcome()

    def finish(self) -> T:
        """The result of the work, or raises its exception, once; call it after `next_batch` gave None."""
        return self._channel.outcome()

    async def close(self, timeout: float = GRACE_SECONDS) -> bool:
        """Stop the work and wait until its connection is closed; returns whether it is closed."""
        over = self._channel.done
        self._channel.cancel()
        await self._stop_works(timeout)
        if not over:
            try:
                async with asyncio.timeout(timeout):
                    while True:
                        await self._next_item()
            except (ShutDown, TimeoutError):
                pass
        return self._channel.done

    async def _next_item(self, deadline: float = math.inf) -> Any:
        """The next item, or an empty batch when the deadline has passed."""
        waited = 0.0
        while True:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            self._channel.doorbell = self._bell  # pyright: ignore[reportAttributeAccessIssue]
            try:
                item = self._channel.queue.take_nowait()
            except Empty:
                if self._loop.time() >= deadline:
                    waiter.cancel()
                    return []
                if waited >= _POLL_SECONDS:
                    look_after(self._channel, waited)
                waited += await self._rung(waiter, deadline)
                continue
            if self._channel.wants_room:
                self._channel.made_room()
            return item

    async def _rung(self, waiter: asyncio.Future[None], deadline: float) -> float:
        """Wait until there may be an item, for at most a second; returns the elapsed seconds."""
        began = self._loop.time()
        alarm = self._loop.call_at(min(began + _POLL_SECONDS, deadline), _wake, self._waiters)
        try:
            await waiter
        finally:
            alarm.cancel()
        self._channel.check_alive()
        return self._loop.time() - began

    def _run(self, work: Work) -> None:
        task = self._loop.create_task(work.run_there())
        work.stop = functools.partial(self._loop.call_soon_threadsafe, task.cancel)  # pyright: ignore[reportAttributeAccessIssue]
        if work.withdrawn:
            task.cancel()
        self._works.add(task)
        task.add_done_callback(functools.partial(self._done, work))

    async def _stop_works(self, timeout: float = GRACE_SECONDS) -> None:
        works = self._works - {asyncio.current_task()}  # one of these functions may itself stop the call
        for task in works:
            task.cancel()
        if works:
            await asyncio.wait(works, timeout=timeout)

    def _done(self, work: Work, task: asyncio.Task[None]) -> None:
        self._works.discard(task)
        work.stop = None
        work.abandon()  # a task that was cancelled before its first step has not replied
        self._outward += work.outward
        if not task.cancelled():
            task.exception()  # an exit or interrupt has already passed through the loop

    def _adopt_changes(self) -> None:
        """Copy context variables that the functions have set into the caller's context."""
        outward, self._outward = self._outward, []
        for var, value in outward:
            var.set(value)


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    waiters.clear()

"""The way between a call on the loop thread and the one who waits for it.

A channel carries three kinds of item: batches of events (whatever one network read gave is one batch), work (a function
of the user, to be run where the consumer is) and, once, the end. The loop thread never waits for a lock that the
consumer may hold, and nothing ever waits inside janus on the loop's side: when the queue is full, the producer keeps
what it has, asks to be called, and stops reading its socket.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from ..exceptions import CallCancelled, ForkedError, LoopThreadDied, UserError
from .batch_queue import BatchQueue, Empty, QueueBusyError, ShutDown
from .event_loop import BridgeLoop
from .loop_thread import EMPTY_CONTEXT, loop_thread
from .work import Work

T = TypeVar('T')

DEPTH = 4
"""Batches that may wait in the queue, each from one network read."""
MAX_PENDING_EVENTS = 256
MAX_PENDING_BYTES = 1 << 20
"""What may gather behind a full queue before the producer stops reading."""

# How often a waiting thread looks whether the loop is still there. On Windows a wait on a lock cannot be interrupted.
POLL_SECONDS = 0.1 if sys.platform == 'win32' else 5.0
GRACE_SECONDS = 2.0


class Channel(Generic[T]):
    """One call: a task on the loop thread, and the queue that it feeds.

    Args:
        work: Makes the coroutine that does the work, on the loop thread; it is given the channel, to emit events.
        weigh: The size in bytes of a batch of events; asked only when the consumer is slow.
        name: What the caller calls this, for messages.
    """

    def __init__(
        self,
        work: Callable[[Channel[T]], Awaitable[T]],
        *,
        weigh: Callable[[Sequence[Any]], int] = len,
        name: str = 'call',
    ) -> None:
        self.name = name
        self.pid = os.getpid()
        self.began_with = contextvars.copy_context()
        self.context = contextvars.copy_context()
        self.loop: BridgeLoop | None = None
        self._work: Callable[[Channel[T]], Awaitable[T]] | None = work
        self._weigh = weigh
        self._queue = BatchQueue(DEPTH)
        self._items = self._queue.sync_q
        # Set by any thread, read by the loop thread.
        self._cancel_requested = False
        # Set by the loop thread, cleared by the consumer; both sides pass through the queue's mutex in between.
        self._wants_room = False
        # Set by an async consumer, taken by the loop thread; ordered likewise.
        self._doorbell: Callable[[], object] | None = None
        # Written by the loop thread before the queue is shut down, read by the consumer after.
        self._value: T | None = None
        self._error: BaseException | None = None
        # A raw lock, held until the task is over: waiting for it takes no lock that an interrupt could leave taken.
        self._done = threading.Lock()
        self._done.acquire()
        # The loop thread's own.
        self._task: asyncio.Task[None] | None = None
        self._worked = False
        self._pending: list[Any] = []
        self._pending_bytes = 0
        self._room: asyncio.Future[None] | None = None
        # The consumer's own.
        self._consuming = threading.Lock()
        self._consumer: int | None = None

    # --- the loop thread ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the work, unless it was cancelled before it could begin."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, BridgeLoop)
        loop.calls.add(self)
        # The context knows its caller, who knows this channel: the task keeps it, for as long as it runs.
        context, self.context = self.context, EMPTY_CONTEXT
        if self._cancel_requested:
            self._finish(loop)
            return
        self._task = loop.create_task(self._run(loop), context=context)
        # A task that is cancelled before its first step never runs, not even its `finally`.
        self._task.add_done_callback(lambda _: self._finish(loop), context=EMPTY_CONTEXT)

    def cancel_on_loop(self) -> None:
        """Cancel the work now."""
        self._cancel_requested = True
        if self._task is not None:
            self._task.cancel()

    async def emit(self, batch: list[Any]) -> None:
        """Hand a batch of events to the consumer; returns when there is room for more."""
        if not self._pending:
            if self._offer(batch):
                return
            self._pending, self._pending_bytes = list(batch), self._weigh(batch)
        else:
            self._pending.extend(batch)
            self._pending_bytes += self._weigh(batch)
        while not self._flush() and (
            len(self._pending) >= MAX_PENDING_EVENTS or self._pending_bytes >= MAX_PENDING_BYTES
        ):
            await self._wait_for_room()

    async def send_work(self, work: Work) -> None:
        """Hand a function to the consumer, after all events emitted before it."""
        await self._drain()
        while not self._offer(work):
            await self._wait_for_room()

    async def _run(self, loop: BridgeLoop) -> None:
        # Every exception ends up with the consumer: one that escaped would stop the loop of all callers.
        self._worked = True
        try:
            try:
                work, self._work = self._work, None
                assert work is not None
                self._value = await work(self)
                del work
                await self._drain()
            except asyncio.CancelledError:
                self._error = self._cancelled()
            except BaseException as error:
                await self._drain()
                self._error = error
        except BaseException:  # cancelled while the events before the error were being handed over
            self._error = self._cancelled()
        finally:
            self._finish(loop)

    def _finish(self, loop: BridgeLoop) -> None:
        if self.done:
            return
        if not self._worked:
            self._error = self._cancelled()
        try:
            self._queue.end(drop=self._cancel_requested)
        except QueueBusyError:
            loop.call_soon(self._finish, loop, context=EMPTY_CONTEXT)
            return
        self._task = self._work = None
        self._pending = []
        loop.calls.discard(self)
        self._wake_later()
        self._done.release()

    def _cancelled(self) -> CallCancelled:
        return CallCancelled(f'The {self.name} was cancelled before it was done')

    def _offer(self, item: Any) -> bool:
        try:
            if not self._queue.offer(item):
                self._wants_room = True
                # The consumer may have made room before it could see the wish.
                if not self._queue.offer(item):
                    return False
                self._wants_room = False
        except QueueBusyError:
            asyncio.get_running_loop().call_soon(self._on_room, context=EMPTY_CONTEXT)
            return False
        self._wake_later()
        return True

    def _flush(self) -> bool:
        if self._pending and not self._offer(self._pending):
            return False
        self._pending, self._pending_bytes = [], 0
        return True

    async def _drain(self) -> None:
        while not self._flush():
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        self._room = asyncio.get_running_loop().create_future()
        try:
            await self._room
        finally:
            self._room = None

    def _on_room(self) -> None:
        """The consumer took a batch."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        else:
            self._flush()

    def _wake_later(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, BridgeLoop)
        loop.before_wait(self._wake)

    def _wake(self) -> None:
        self._queue.wake()
        doorbell, self._doorbell = self._doorbell, None
        if doorbell is not None:
            try:
                doorbell()
            except RuntimeError:  # the consumer's loop is closed: nobody waits any more
                self.cancel_on_loop()

    # --- any thread ---------------------------------------------------------------------------------------------------

    def submit(self) -> None:
        """Start the work on the loop thread.

        Raises:
            LoopThreadError: This is the loop thread.
        """
        try:
            self.loop = loop_thread.submit(self)
        except BaseException:  # an interrupt may land after the start
            self._cancel_requested = True
            raise

    def submit_here(self) -> None:
        """Start the work from a coroutine that runs on the loop thread."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, BridgeLoop)
        self.loop = loop
        self.start()

    def cancel(self) -> None:
        """Ask the work to stop. Never waits and never raises: finalizers and signal handlers use it."""
        self._cancel_requested = True
        if not self.done:
            self._post(self.cancel_on_loop)

    def _post(self, callback: Callable[[], object]) -> None:
        if self.loop is None or self.pid != os.getpid():
            return
        try:
            self.loop.call_soon_threadsafe(callback, context=EMPTY_CONTEXT)
        except RuntimeError:  # the loop is closed, and the work with it
            return

    @property
    def done(self) -> bool:
        """Whether the work is over; what it emitted may still be waiting here."""
        return not self._done.locked()

    def close(self, timeout: float = GRACE_SECONDS) -> bool:
        """Stop the work and wait until its connection is closed.

        Returns:
            Whether it is over; False when `timeout` seconds did not suffice or this thread may not wait for it.
        """
        if self.done:
            return True
        self.cancel()
        return self._may_wait() and self._wait_done(timeout)

    def _may_wait(self) -> bool:
        if self.loop is None or self.pid != os.getpid() or sys.is_finalizing() or loop_thread.is_current():
            return False
        if self._consumer == threading.get_ident():
            return False  # a signal handler that interrupted this thread's own wait
        return loop_thread.serves(self.loop)

    def _wait_done(self, timeout: float) -> bool:
        if self.threadless:
            self._drive(self._done_soon(timeout))
            return self.done
        if self._done.acquire(timeout=timeout):
            self._done.release()
            return True
        return False

    async def _done_soon(self, timeout: float) -> None:
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout)

    # --- the consumer -------------------------------------------------------------------------------------------------

    def next_batch(self) -> list[Any] | None:
        """The next batch of events, or None at the end; runs the work that comes in between, here and now.

        Any exception out of the wait, Ctrl-C included, stops the call before it goes on.

        Raises:
            UserError: Another thread is waiting for this call.
            Exception: What the work raised, once.
        """
        if not self._consuming.acquire(blocking=False):
            raise UserError(
                f'Another thread is already waiting for this {self.name}: a stream has one consumer at a time'
            )
        self._consumer = threading.get_ident()
        try:
            while True:
                item = self._next_item()
                if type(item) is not Work:
                    return item  # type: ignore[no-any-return]
                item.run_here()
        except ShutDown:
            return None
        except BaseException as error:
            self._consumer = None
            self.close()
            interrupt = error.__context__
            if isinstance(error, RuntimeError) and interrupt is not None and not isinstance(interrupt, Exception):
                raise interrupt from None  # Ctrl-C inside the queue's own wait surfaces as a broken lock
            raise
        finally:
            self._consumer = None
            self._consuming.release()

    def finish(self) -> T:
        """What the work returned, or its exception raised; the queue has ended."""
        self._queue.dismantle()
        error, self._error = self._error, None
        if error is None:
            return self._value  # type: ignore[return-value]
        try:
            raise error
        finally:
            del error  # the traceback holds this frame, and must not hold itself

    def result(self) -> T:
        """What the work returned, waited for in this thread; its events are dropped."""
        while self.next_batch() is not None:
            pass
        return self.finish()

    def taken(self) -> None:
        """Tell the producer, where it asked, that there is room."""
        if self._wants_room:
            self._wants_room = False
            self._post(self._on_room)

    def _next_item(self) -> Any:
        if self.pid != os.getpid():
            raise ForkedError(
                f'This {self.name} was begun before the fork and goes on in the parent: start a new one here'
            )
        while True:
            try:
                item = self._queue.take(POLL_SECONDS) if not self.threadless else self._get_driving()
            except Empty:
                self._check_alive()
                continue
            self.taken()
            return item

    def take_now(self, doorbell: Callable[[], object]) -> Any:
        """The next item if there is one; else `doorbell` is called, on the loop thread, when one comes.

        Raises:
            Empty: There is none yet.
            ShutDown: There will be none any more.
        """
        self._doorbell = doorbell
        item = self._items.get_nowait()
        self._doorbell = None
        self.taken()
        return item

    def _check_alive(self) -> None:
        assert self.loop is not None
        if not self.done and not loop_thread.serves(self.loop):
            raise LoopThreadDied(f'The loop thread ended under this {self.name}; call again to start a new one')

    # --- where no thread can be started any more, the consumer runs the loop itself -----------------------------------

    @property
    def threadless(self) -> bool:
        """Whether the loop has no thread, as in an `atexit` handler of an interpreter that starts none any more."""
        return self.loop is not None and self.loop.threadless

    def _get_driving(self) -> Any:
        while self._items.empty() and not self.done:
            self._drive(asyncio.sleep(0.001))
        return self._items.get_nowait()

    def _drive(self, awaitable: Awaitable[None]) -> None:
        assert self.loop is not None

        async def wait() -> None:
            await awaitable

        self.loop.run_until_complete(wait())

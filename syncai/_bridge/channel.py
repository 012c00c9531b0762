"""The channel between a call on the loop thread and its caller. It carries three kinds of item: batches of events (the
events of one network read are one batch), work (a function of the user, to be run by the consumer) and, once, the end.
The loop thread never waits for a lock that the consumer may hold, and never waits inside janus: when the queue is full,
the producer keeps its items, requests a callback, and stops reading its socket.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

from .._base.phases import names_wait, phase
from .._base.tracebacks import hide_library_frames
from ..exceptions import CallCancelled, ForkedError, LoopThreadDied
from .batch_queue import BatchQueue, QueueBusyError, ShutDown
from .event_loop import BridgeLoop
from .loop_thread import loop_thread
from .open_calls import current_place
from .threads import new_waiting_lock
from .work import Work

T = TypeVar('T')

DEPTH = 4
"""The most batches in the queue, each from one network read."""
MAX_PENDING_EVENTS = 256
MAX_PENDING_BYTES = 1 << 20
"""The bytes that may gather behind a full queue before the producer stops reading."""
GRACE_SECONDS = 2.0
"""Seconds to wait for a call to stop."""


class Channel(Generic[T]):
    """One call: a task on the loop thread, and the queue that it feeds.

                +------------- cancelled before its work began -------------+
                |                                                           v
    submit --> made --- first step ---> started --- work has ended ----> ended
                |                          |                                ^
                +---- cancel_on_loop ------+-----> cancelling -- work has cleaned up

    Args:
        work: Makes the coroutine that does the work, on the loop thread; it is given the channel, to emit events.
        weigh: The size in bytes of a batch of events; called only when the consumer is slow.
        name: Its name in messages.
        silence_limits: Seconds that a wait for the beginning of an answer, and any other wait, may take before the
            caller logs a warning; None for the default.
    """

    # For the caller: the future that the work waits for, and when it was first seen. Few calls last long enough.
    waits_for: Any = None
    waits_since = 0.0
    # The record of a watched reader (`reader.Takes`); set before the call is started.
    takes: Any = None

    def __init__(
        self,
        work: Callable[[Channel[T]], Awaitable[T]],
        *,
        weigh: Callable[[Sequence[Any]], int] = len,
        name: str = 'call',
        silence_limits: tuple[float, float] | None = None,
    ) -> None:
        self.name = name
        self.silence_limits = silence_limits
        self.pid = os.getpid()
        self.made_at = time.monotonic()
        self.made_in = current_place()
        # The ident of the waiting thread, under the key 0; used by its consumer.
        self.reader: dict[int, int] = {}
        self.warned_of_wait = False  # by the caller
        self.began_with = contextvars.copy_context()
        self.context = contextvars.copy_context()
        self.queue = BatchQueue(DEPTH)
        # Set by the submitting thread before the loop thread gets this channel.
        self.loop: BridgeLoop | None = None
        # Set by an async consumer, taken by the loop thread; both sides pass through the queue's mutex in between.
        self.doorbell: Callable[[], object] | None = None
        # Set by the loop thread, as in the drawing; any thread may check whether it has ended.
        self._state: Literal['made', 'started', 'cancelling', 'ended'] = 'made'
        # Set by any thread, read by the loop thread. Separate from the state, since the two would overwrite each other.
        self._cancel_requested = False
        # Set by the loop thread, cleared by the consumer; ordered by the queue's mutex.
        self.wants_room = False
        # Written by the loop thread before it ends the queue, read by the consumer after.
        self._value: T | None = None
        self._error: BaseException | None = None
        # A raw lock, held until the work is over: an interrupt of a wait for it leaves no other lock taken.
        self._over = new_waiting_lock()
        self._over.acquire()
        # Used by the loop thread alone.
        self._work: Callable[[Channel[T]], Awaitable[T]] | None = work
        self._weigh = weigh
        self._task: asyncio.Task[None] | None = None
        self._pending: list[Any] = []
        self._pending_bytes = 0
        self._waiters: list[asyncio.Future[None]] = []

    # --- the loop thread: the life of the call ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the work, unless it was cancelled before it could begin."""
        loop = self.loop
        assert loop is not None
        loop.calls.add(self)
        self.queue.bells = loop.bells
        # The context refers to its caller, which refers to this channel: the task keeps it alive while it runs.
        context, self.context = self.context, loop.empty_context
        if self._cancel_requested:
            self._finish(loop)
            return
        self._task = loop.create_task(self._run(loop), context=context)
        # A task that is cancelled before its first step never runs, not even its `finally`.
        self._task.add_done_callback(lambda _: self._finish(loop), context=loop.empty_context)

    def cancel_on_loop(self) -> None:
        """Cancel the work now, only once, so that a consumer dropped meanwhile does not interrupt the clean-up."""
        self._cancel_requested = True
        # Not read from the task: it may be in a cancellation by its own timeout, which undoes it.
        if self._task is not None and self._state != 'cancelling':
            self._state = 'cancelling'
            self._task.cancel()

    async def _run(self, loop: BridgeLoop) -> None:
        # Every exception goes to the consumer: an escaped one would stop the loop of all callers.
        self._state = 'started'
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
        if self._error is None and (self._cancel_requested or self._state == 'made'):
            self._error = self._cancelled()
        try:
            self.queue.end(drop=self._cancel_requested)
        except QueueBusyError:
            loop.call_soon(self._finish, loop, context=loop.empty_context)
            return
        self._state = 'ended'
        self._task = self._work = None
        self._pending = []
        loop.calls.discard(self)
        self._ring()
        self._over.release()

    def _cancelled(self) -> CallCancelled:
        return CallCancelled(f'The {self.name} was cancelled before it was done')

    # --- the loop thread: what is handed over -------------------------------------------------------------------------

    async def emit(self, batch: list[Any]) -> None:
        """Pass a batch of events to the consumer; returns when there is room for more."""
        if not self._pending and self._offer(batch):
            return
        self._pending = [*self._pending, *batch]
        self._pending_bytes += self._weigh(batch)
        while not self._flush() and self._overfull():
            await self._wait_for_room()

    def offer(self, batch: list[Any]) -> bool:
        """Hand a batch to the consumer, if there is room now; else it is for `emit`."""
        if self._pending:
            return False
        try:
            if not self.queue.offer(batch):
                return self._offer(batch)
        except (QueueBusyError, ShutDown):
            return self._offer(batch)
        if self.doorbell is not None:
            self._ring()
        return True

    def has_room(self) -> bool:
        """Whether `put` may be called; remains so as long as nothing else is handed over."""
        return not self._pending and not self.queue.is_full()

    def put(self, batch: list[Any]) -> None:
        """Hand a batch to the consumer after `has_room` said yes: at once, or once the consumer let go of the queue."""
        if not self._offer(batch):
            self._pending, self._pending_bytes = batch, self._weigh(batch)

    async def send_work(self, work: Work) -> None:
        """Pass a function to the consumer, after all events emitted before it.

        Raises:
            CallCancelled: The call is over, and its consumer takes no more work.
        """
        await self._send(work)

    async def wake_reader(self) -> None:
        """Pass an empty batch to the consumer, after all events emitted before it, so that it checks its conditions."""
        await self._send([])

    async def _send(self, item: Any) -> None:
        await self._drain()
        while not self._offer(item):
            await self._wait_for_room()

    def has_waiting(self) -> bool:
        """Whether the consumer has items to take."""
        return bool(self._pending) or not self.queue.is_empty()

    def _overfull(self) -> bool:
        return len(self._pending) >= MAX_PENDING_EVENTS or self._pending_bytes >= MAX_PENDING_BYTES

    def _offer(self, item: Any) -> bool:
        assert self.loop is not None
        try:
            if not self.queue.offer(item):
                self.wants_room = True
                # The consumer may have made room before it could see the request.
                if not self.queue.offer(item):
                    return False
                # The pending items were offered first; other tasks that wait for room still wait.
                self.wants_room = bool(self._waiters)
        except QueueBusyError:
            self.loop.call_soon(self._on_room, context=self.loop.empty_context)
            return False
        except ShutDown:
            raise self._cancelled() from None
        if self.doorbell is not None:
            self._ring()
        return True

    def _flush(self) -> bool:
        if self._pending and not self._offer(self._pending):
            return False
        self._pending, self._pending_bytes = [], 0
        return True

    async def _drain(self) -> None:
        while not self._flush():
            await self._wait_for_room()

    @names_wait('its reader, which has not taken what arrived')
    async def _wait_for_room(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        with phase('stream reader'):
            await waiter

    def _on_room(self) -> None:
        """After the consumer took an item: offer the gathered items, and have all waiting tasks try again."""
        if self.done or not self._flush():
            return
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _ring(self) -> None:
        """Wake a waiting async consumer; the queue itself wakes a synchronous one."""
        doorbell, self.doorbell = self.doorbell, None
        if doorbell is not None:
            try:
                doorbell()
            except RuntimeError:  # the consumer's loop is closed: no one waits any more
                self.cancel_on_loop()

    # --- any thread ---------------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether the call has ended."""
        return self._state == 'ended'

    def submit(self) -> None:
        """Start the work on the loop thread.

        Raises:
            LoopThreadError: This is the loop thread.
        """
        loop_thread.submit(self)

    def submit_here(self) -> None:
        """Start the work from a coroutine that runs on the loop thread."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, BridgeLoop)
        self.loop = loop
        self.start()

    def cancel(self) -> None:
        """Request that the work stops. Never waits and never raises: finalizers and signal handlers use it."""
        self._cancel_requested = True
        if not self.done:
            self._post(self.cancel_on_loop)

    def close(self, timeout: float = GRACE_SECONDS) -> bool:
        """Stop the work and wait until its connection is closed.

        Returns:
            Whether it is over; False after `timeout` seconds, or if this thread may not wait for it.
        """
        if self.done:
            return True
        self.cancel()
        return self._may_wait() and self._wait(timeout)

    def check_process(self) -> None:
        """Raise ForkedError unless this process began the call.

        Raises:
            ForkedError: It is the parent's of this forked process.
        """
        if self.pid != os.getpid():
            raise ForkedError(f"This {self.name} was begun before the fork and is the parent's: start a new one here")

    def check_alive(self) -> None:
        """Raise an error unless the call is over, or the loop thread works on it.

        Raises:
            ForkedError: It is the parent's of this forked process.
            LoopThreadDied: The loop thread is gone.
        """
        self.check_process()
        assert self.loop is not None
        if not self.done and not loop_thread.serves(self.loop):
            loop_thread.let_the_interpreter_end()
            raise LoopThreadDied(f'The loop thread ended under this {self.name}; call again to start a new one')

    def drive(self, awaitable: Awaitable[None]) -> None:
        """Run the loop in this thread, if no thread can be started for it any more."""
        assert self.loop is not None

        async def wait() -> None:
            await awaitable

        self.loop.run_until_complete(wait())

    @property
    def threadless(self) -> bool:
        """Whether the loop has no thread, as in an `atexit` handler of an interpreter that starts no more threads."""
        return self.loop is not None and self.loop.threadless

    def _may_wait(self) -> bool:
        if self.loop is None or self.pid != os.getpid() or sys.is_finalizing() or loop_thread.is_current():
            return False
        return loop_thread.serves(self.loop)

    def _wait(self, timeout: float) -> bool:
        if self.threadless:
            self.drive(self._over_soon(timeout))
        elif self._over.acquire(timeout=timeout):
            self._over.release()
        return self.done

    async def _over_soon(self, timeout: float) -> None:
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout)

    def _post(self, callback: Callable[[], object]) -> None:
        if self.loop is None or self.pid != os.getpid():
            return
        try:
            self.loop.call_soon_threadsafe(callback, context=self.loop.empty_context)
        except RuntimeError:  # the loop is closed, and so is the work
            return

    # --- the consumer -------------------------------------------------------------------------------------------------

    def made_room(self) -> None:
        """Wake the producer, which waits for room."""
        self.wants_room = False
        self._post(self._on_room)

    def take_error(self) -> BaseException | None:
        """The exception of the work or None, once; call it after the end of the queue."""
        error, self._error = self._error, None
        return error

    def outcome(self) -> T:
        """The result of the work, or raises its exception, once; call it after the end of the queue."""
        error, self._error = self._error, None
        if error is None:
            return self._value  # type: ignore[return-value]
        hide_library_frames(error)
        try:
            raise error
        finally:
            del error  # the traceback holds this frame: no cycle

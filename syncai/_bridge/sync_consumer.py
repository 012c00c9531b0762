"""The synchronous face of a channel: a thread that waits, and runs the user's functions meanwhile."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from ..exceptions import UserError
from .batch_queue import Empty, ShutDown
from .channel import GRACE_SECONDS, Channel
from .loop_thread import loop_thread
from .owner import Tie
from .threads import raise_interrupt_behind
from .watch import look_after
from .work import Work

T = TypeVar('T')

# Seconds between a waiting thread's checks of the loop. On Windows a wait on a lock cannot be interrupted.
POLL_SECONDS = 0.1 if sys.platform == 'win32' else 1.0

# The same inside a running event loop, which handles Ctrl-C itself: see `_patience`.
TASK_POLL_SECONDS = 0.1

INTERRUPT_SECONDS = 0.05
"""Seconds to wait for a call to stop after Ctrl-C: once in the wait, and once in the `with` around it. The user has
waited enough, and a busy loop, such as one that imports modules for the first call, stops the call anyway.
"""


class SyncConsumer(Generic[T]):
    """Takes a channel's items in any thread, one thread at a time.

    It exists before its call is started, and stops the call when it is dropped. So an interrupt at any moment leaves no
    call without an owner.
    """

    def __init__(self, channel: Channel[T]) -> None:
        self._channel = channel
        self._grace = GRACE_SECONDS  # shortened by the thread that is interrupted
        # The reading thread, under the key 0. `setdefault` is atomic; a thread that an interrupt left there may read
        # again.
        self._reader: dict[int, int] = channel.reader
        self.longest_work = 0.0  # seconds of the functions that ran in the last wait; used by the reader
        self._tie = Tie(self, channel.cancel)

    def next_batch(self, timeout: float | None = None) -> list[Any] | None:
        """The next batch of events, or None at the end; runs work that arrives meanwhile in this thread. The batch is
        empty after `timeout` seconds, or when the producer wakes its reader. Any exception out of the wait, Ctrl-C
        included, first stops the call.

        Raises:
            LoopThreadError: This is the loop thread, which would wait for itself.
            UserError: Another thread is waiting for this call.
        """
        self._claim()
        deadline = None if timeout is None else time.monotonic() + timeout
        self.longest_work = 0.0
        try:
            while True:
                item = self._next_item(deadline)
                if type(item) is not Work:
                    return item  # type: ignore[no-any-return]
                began = time.monotonic()
                item.run_here()
                self.longest_work = max(self.longest_work, time.monotonic() - began)
        except ShutDown:
            self._tie.undo()
            loop_thread.let_the_interpreter_end()
            return None
        except BaseException as error:
            self._reader.clear()  # first: `close` does not wait if it interrupts the reader in its own thread
            if not isinstance(error, Exception):
                self._grace = INTERRUPT_SECONDS
            self.close()
            raise_interrupt_behind(error)
            raise
        finally:
            self._reader.clear()

    def _claim(self) -> None:
        """Make this thread the reader; raises the errors of `next_batch`."""
        loop_thread.refuse_on_loop_thread()
        if self._channel.pid != os.getpid():
            self._channel.check_process()
        me = threading.get_ident()
        if self._reader.setdefault(0, me) != me:
            name = self._channel.name
            raise UserError(f'Another thread is waiting for this {name}: a stream has one consumer at a time')

    def result(self) -> T:
        """The result of the work, or raises its exception; waits in this thread, and drops its events."""
        while self.next_batch() is not None:
            pass
        return self._channel.outcome()

    def finish(self) -> T:
        """The result of the work, or raises its exception, once; call it after `next_batch` gave None."""
        return self._channel.outcome()

    def close(self, timeout: float | None = None) -> bool:
        """Stop the call and wait until its connection is closed, from any thread, any number of times.

        Args:
            timeout: Seconds to wait; None is long enough for a busy loop, or short after an interrupt.

        Returns:
            Whether it is over. A signal handler that interrupted the reader in this thread does not wait.
        """
        if self._reader.get(0) == threading.get_ident():
            self._channel.cancel()
            return self._channel.done
        over = self._channel.close(self._grace if timeout is None else timeout)
        if over:
            self._tie.undo()
        return over

    def _next_item(self, deadline: float | None) -> Any:
        """The next item, or an empty batch when the deadline has passed."""
        channel, waited = self._channel, 0.0
        while True:
            patience = POLL_SECONDS if _loop_of_this_thread() is None else _patience()
            if deadline is not None:
                patience = min(patience, max(0.0, deadline - time.monotonic()))
            try:
                item = self._take_driving(patience) if channel.threadless else channel.queue.take(patience)
            except Empty:
                channel.check_alive()
                waited += patience
                if waited >= POLL_SECONDS:
                    look_after(channel, waited)
                if deadline is not None and time.monotonic() >= deadline:
                    return []
                continue
            if channel.wants_room:
                channel.made_room()
            return item

    def _take_driving(self, patience: float) -> Any:
        """The next item of a loop without a thread: runs the loop here until there is one."""
        end = time.monotonic() + patience
        while True:
            try:
                return self._channel.queue.take_nowait()
            except Empty:
                if time.monotonic() >= end:
                    raise
                self._channel.drive(asyncio.sleep(0.001))


def _patience() -> float:
    """Seconds to wait before the next check.

    Raises:
        asyncio.CancelledError: The task that waits here is to stop. On Ctrl-C, `asyncio.run` cancels its task and
        raises nothing, and the loop that could deliver this is blocked while we wait.
    """
    loop = _loop_of_this_thread()
    if loop is None:
        return POLL_SECONDS
    task = asyncio.current_task(loop)
    # `_must_cancel`: cancelled, but not yet raised by an `await`.
    if task is not None and getattr(task, '_must_cancel', False) and _delivered.get(task, 0) < task.cancelling():
        _delivered[task] = task.cancelling()
        raise asyncio.CancelledError
    return TASK_POLL_SECONDS


_loop_of_this_thread = asyncio._get_running_loop  # the public function raises without a loop, and this is called often

# The number of a task's cancellations raised here: each is raised once, so a task may make calls to clean up.
_delivered: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()

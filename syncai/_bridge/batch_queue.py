"""The janus queue under a channel, made safe against interrupts."""

from __future__ import annotations

from typing import Any

import janus

from .bells import RING_AT_ONCE, Bell, Bells, borrow_bell, give_back
from .threads import allocate_lock

Empty = janus.SyncQueueEmpty
ShutDown = janus.SyncQueueShutDown


class BatchQueue(janus.Queue[Any]):
    """A janus queue that interrupts cannot leave locked. Both sides use it as threads, so it makes no tasks.

    The producer, which is the loop thread, never waits for the mutex: a signal handler may have interrupted the
    consumer inside it, and may itself be waiting for the loop thread.
    """

    def __init__(self, maxsize: int) -> None:
        # janus's own `__init__` is not called: it makes objects for its own put and get, which are not used here. An
        # interrupt could leave its six conditions locked, its two faces would make every queue a reference cycle, and
        # together they cost 16 us per call.
        self._maxsize = maxsize
        self._is_shutdown = False
        self._queue: list[Any] = []  # type: ignore[assignment] # a deque would take 600 bytes, with room for 64 items
        self._unfinished_tasks = 0
        self._sync_mutex = allocate_lock()
        # Only one consumer at a time waits, so one bell replaces a condition. Owned by the mutex.
        self._waiting: Bell | None = None
        self._bell: Bell | None = None  # from the first wait to the end; used by the consumer
        # The loop's list of bells to ring before it waits; set when the call begins.
        self.bells: Bells = RING_AT_ONCE

    # --- the consumer -------------------------------------------------------------------------------------------------

    def take(self, timeout: float) -> Any:
        """The next item; waits for it.

        Raises:
            Empty: No item came within `timeout` seconds.
            ShutDown: No more items will come.
        """
        bell = self._bell = self._bell or borrow_bell()  # before the mutex is taken, for which the producer may wait
        while True:  # a bell may ring for a wait that has ended
            with self._sync_mutex:
                if self._queue:
                    return self._queue.pop(0)
                if self._is_shutdown:
                    break
                self._waiting = bell
            if not bell.wait(timeout):
                raise Empty
        give_back(bell)
        self._bell = None
        raise ShutDown

    def take_nowait(self) -> Any:
        """The next item, if there is one; raises as `take` does."""
        with self._sync_mutex:
            if self._queue:
                return self._queue.pop(0)
            raise ShutDown if self._is_shutdown else Empty

    def is_empty(self) -> bool:
        """Whether it is empty at the moment; takes no lock."""
        return not self._queue

    def is_full(self) -> bool:
        """Whether `offer` would refuse an item at the moment; takes no lock."""
        return len(self._queue) >= self._maxsize

    # --- the producer -------------------------------------------------------------------------------------------------

    def offer(self, item: Any) -> bool:
        """Put `item` now and wake a waiting consumer; returns False if the queue is full.

        Raises:
            ShutDown: The end was put already.
            QueueBusyError: Somebody is in the queue right now; try again.
        """
        if not self._sync_mutex.acquire(False):
            raise QueueBusyError
        try:
            if self._is_shutdown:
                raise ShutDown
            if len(self._queue) >= self._maxsize:
                return False
            self._queue.append(item)
            waiting, self._waiting = self._waiting, None
        finally:
            self._sync_mutex.release()
        if waiting is not None:
            self.bells.append(waiting)
        return True

    def end(self, *, drop: bool) -> None:
        """Put the end after the queued items, or with `drop` instead of them, and wake a waiting consumer.

        Raises:
            QueueBusyError: Somebody is in the queue right now; try again.
        """
        if not self._sync_mutex.acquire(False):
            raise QueueBusyError
        try:
            self._is_shutdown = True
            if drop:
                self._queue.clear()
            waiting, self._waiting = self._waiting, None
        finally:
            self._sync_mutex.release()
        if waiting is not None:
            self.bells.append(waiting)


class QueueBusyError(Exception):
    """The queue's mutex is taken."""

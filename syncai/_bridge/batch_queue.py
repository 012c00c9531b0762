"""The janus queue under a channel, made safe against interrupts."""

from __future__ import annotations

from typing import Any

import janus

from .bells import RING_AT_ONCE, Bell, Bells, borrow_bell, give_back
from .threads import allocate_lock

Empty = janus.SyncQueueEmpty
ShutDown = janus.SyncQueueShutDown


class BatchQueue(janus.Queue[Any]):
    """A janus queue that interrupts cannot poison, used from threads on both sides so that it makes no tasks.

    The producer, which is the loop thread, never waits for the mutex: a signal handler may have interrupted the
    consumer inside it, and may itself be waiting for the loop thread.
    """

    def __init__(self, maxsize: int) -> None:
        # That of janus is not called: it makes what its own ways to put and take need, which are not used here. Its six
        # conditions are what an interrupt could leave locked, its two faces would make a reference cycle of every
        # queue, and together they cost 16 us a call.
        self._maxsize = maxsize
        self._is_shutdown = False
        self._init(maxsize)
        self._unfinished_tasks = 0
        self._sync_mutex = allocate_lock()
        # One consumer at a time waits: one bell does for it what a condition does for many. Owned by the mutex.
        self._waiting: Bell | None = None
        self._bell: Bell | None = None  # from the first wait to the end; the consumer's own
        # Where the loop keeps the bells that it rings before it waits; it has not begun with this one yet.
        self.bells: Bells = RING_AT_ONCE

    # --- the consumer -------------------------------------------------------------------------------------------------

    def take(self, timeout: float) -> Any:
        """The next item, waited for.

        Raises:
            Empty: Nothing came within `timeout` seconds.
            ShutDown: There will be no more.
        """
        while True:  # a bell may ring for a wait that has ended
            with self._sync_mutex:
                if self._queue:
                    return self._queue.popleft()
                if self._is_shutdown:
                    break
                bell = self._waiting = self._bell = self._bell or borrow_bell()
            if not bell.wait(timeout):
                raise Empty
        if self._bell is not None:
            give_back(self._bell)
            self._bell = None
        raise ShutDown

    def take_nowait(self) -> Any:
        """The next item, if there is one; raises as `take` does."""
        with self._sync_mutex:
            if self._queue:
                return self._queue.popleft()
            raise ShutDown if self._is_shutdown else Empty

    def is_empty(self) -> bool:
        """Whether nothing waits in it at the moment; takes no lock."""
        return not self._queue

    def is_full(self) -> bool:
        """Whether `offer` would refuse an item at the moment; takes no lock."""
        return len(self._queue) >= self._maxsize

    # --- the producer -------------------------------------------------------------------------------------------------

    def offer(self, item: Any) -> bool:
        """Put `item` at once, and wake the consumer, if it waits; False when the queue is full.

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
        """Put the end, after what is in the queue or, with `drop`, in place of it, and wake the consumer, if it waits.

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

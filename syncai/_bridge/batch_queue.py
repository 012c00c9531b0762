"""The janus queue under a channel, made safe against interrupts."""

from __future__ import annotations

import threading
from operator import attrgetter
from typing import Any

import janus

Empty = janus.SyncQueueEmpty
Full = janus.SyncQueueFull
ShutDown = janus.SyncQueueShutDown


class SafeCondition(threading.Condition):
    """A condition whose `with` calls the C lock itself.

    `Condition.__enter__` is a Python function: an interrupt may land between the lock being taken and the block being
    entered, and the lock then stays taken for ever, which would freeze the loop thread and every other caller with it.
    """

    __enter__ = property(attrgetter('_lock.__enter__'))
    __exit__ = property(attrgetter('_lock.__exit__'))


class BatchQueue(janus.Queue[Any]):
    """A janus queue that interrupts cannot poison, used from threads on both sides so that it makes no tasks."""

    def __init__(self, maxsize: int) -> None:
        super().__init__(maxsize)
        mutex = self._sync_mutex
        self._sync_not_empty = SafeCondition(mutex)
        self._sync_not_full = SafeCondition(mutex)
        self._sync_tasks_done = SafeCondition(mutex)

    def dismantle(self) -> None:
        """Break the reference cycles between the queue and its two faces."""
        self._sync_queue = self._async_queue = None  # type: ignore[assignment]

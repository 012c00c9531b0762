"""Bells wake a thread that waits for the loop thread: an eventfd on Linux, a lock elsewhere and beyond the first few
threads. A lock is released while the loop thread holds the interpreter's lock. The woken thread finds that lock taken,
sleeps again, and is woken a second time. An eventfd is written without the interpreter's lock, so the thread runs at
once: this halves the thread switches, and needs an eighth of the CPU for a slow stream. Its costs are two descriptors,
and that another busy thread may run instead of the loop thread during each write. So only a few threads have one.
"""

from __future__ import annotations

import _thread
import os
import select
from collections import deque
from typing import Any, Protocol

from .._base.system import original
from .threads import new_waiting_lock

MOST_EVENTFDS = 8
"""The most threads of a process with an eventfd; the others wait for locks."""

# Any thread takes and frees entries: both are single steps of a deque.
_places = deque[None]([None] * MOST_EVENTFDS)
_EVENTFDS_EXIST = hasattr(os, 'eventfd') and hasattr(select, 'epoll')


class Bell(Protocol):
    """Wakes one thread. A ring without a waiting thread is kept, so a wait may end because of an earlier ring."""

    pid: int

    def ring(self) -> None:
        """Wake the waiting thread, or the next one that waits; any thread may call it."""

    def wait(self, timeout: float) -> bool:
        """Return True once it was rung, or False after `timeout` seconds."""
        ...


class Bells(Protocol):
    """Where the loop thread leaves the bells of threads that it wakes."""

    def append(self, bell: Bell, /) -> None:
        """Have it rung, at once or soon."""


class _RingAtOnce:
    def append(self, bell: Bell, /) -> None:
        bell.ring()


RING_AT_ONCE = _RingAtOnce()


class LockBell:
    """A lock that is taken by each wait and given back by each ring; under gevent, other greenlets go on meanwhile."""

    __slots__ = ('_lock', 'pid')

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = new_waiting_lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake the thread that waits."""
        if self._lock.locked():  # already rung, with no thread waiting
            self._lock.release()

    def wait(self, timeout: float) -> bool:
        """Return whether it was rung."""
        return self._lock.acquire(True, timeout)


class EventBell:
    """An eventfd. It is closed with its last reference, so no ring reaches another file with the same number.

    It is never read: epoll reports each write once, so that a wait is one system call.

    Raises:
        IndexError: The highest number of them exists already.
        OSError: No descriptor is left.
    """

    __slots__ = ('_epoll', '_fd', '_place', 'pid')

    def __init__(self) -> None:
        self._fd = -1
        self._place = _Place()
        self.pid = os.getpid()
        self._epoll = select.epoll()
        self._fd = os.eventfd(0)
        self._epoll.register(self._fd, select.EPOLLIN | select.EPOLLET)

    def ring(self) -> None:
        """Wake the thread that waits."""
        os.eventfd_write(self._fd, 1)

    def wait(self, timeout: float) -> bool:
        """Return whether it was rung."""
        return bool(self._epoll.poll(timeout, 1))

    def __del__(self, close: Any = os.close) -> None:  # bound here: the module may be gone at exit
        if self._fd >= 0:
            close(self._fd)


class _Place:
    """One of the places for an eventfd, taken for as long as this object exists."""

    __slots__ = ('_taken',)

    def __init__(self) -> None:
        self._taken = False
        _places.pop()
        self._taken = True

    def __del__(self, free: Any = _places.append) -> None:
        if self._taken:
            free(None)


_own = original('_thread', '_local')()  # `bell`: the last bell of this thread


def borrow_bell() -> Bell:
    """The bell of this thread, until it is given back; a wait that interrupts this one gets another."""
    bell: Bell | None = _own.__dict__.pop('bell', None)
    if bell is None or bell.pid != os.getpid():  # a forked process must not use its parent's bells
        return _new_bell()
    return bell


def give_back(bell: Bell) -> None:
    """Keep a bell for the next wait of this thread."""
    _own.bell = bell


def drop_bell() -> None:
    """Close what this thread keeps for its next wait."""
    _own.__dict__.pop('bell', None)


def _new_bell() -> Bell:
    # Under gevent and eventlet, waiting for a descriptor would block all greenlets of the thread.
    if _EVENTFDS_EXIST and _places and type(new_waiting_lock()) is _thread.LockType:
        try:
            return EventBell()
        except (IndexError, OSError):
            pass
    return LockBell()

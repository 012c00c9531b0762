"""Bells wake a thread that waits for the loop thread: an eventfd on Linux, a lock elsewhere and beyond the first few
threads. A lock is released while the loop thread holds the interpreter's lock. The woken thread finds that lock taken,
sleeps again, and is woken a second time. An eventfd is written without the interpreter's lock, so the thread runs at
once: this halves the thread switches, and saves an eighth of the CPU of a slow stream. Its costs are two descriptors,
and that another busy thread may run instead of the loop thread during each write. So only a few threads have one.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import select
from functools import partial
from typing import Protocol
from weakref import ref

from .._base.system import original
from .threads import Lock, new_waiting_lock

MOST_EVENTFDS = 8
"""The threads of a process with an eventfd; the others wait for locks. Threads that begin at once may be more."""

_EVENTFDS_EXIST = hasattr(os, 'eventfd') and hasattr(select, 'epoll')


class Bell(Protocol):
    """Wakes one thread. A ring without a waiting thread is kept, so a wait may end because of an earlier ring."""

    pid: int

    def ring(self) -> object:
        """Wake the waiting thread, or the next one that waits; any thread may call it."""

    def wait(self, timeout: float, /) -> object:
        """Return something true once it was rung, or something false after `timeout` seconds."""


class Bells(Protocol):
    """Where the loop thread leaves the bells of threads that it wakes."""

    def append(self, bell: Bell, /) -> None:
        """Have it rung, at once or soon."""


class _RingAtOnce:
    def append(self, bell: Bell, /) -> None:
        bell.ring()


RING_AT_ONCE = _RingAtOnce()


class LockBell:
    """A lock that is taken by each wait and given back by each ring; under gevent, other greenlets go on meanwhile.

    `lock_bell` makes one. It has no `__init__`, which Python calls through C: a thread begins to wait where its stack
    is deepest, and would touch another page of it.
    """

    __slots__ = ('_lock', 'pid')

    _lock: Lock
    pid: int

    def ring(self) -> None:
        """Wake the thread that waits."""
        if self._lock.locked():  # already rung, with no thread waiting
            self._lock.release()

    def wait(self, timeout: float) -> bool:
        """Return whether it was rung."""
        return self._lock.acquire(True, timeout)


class EventBell:
    """An eventfd, closed with the last reference, so that no ring reaches another file of the same number.

    It is never read: epoll reports each write once, so that a wait is one system call.

    Raises:
        OSError: No descriptor is left.
    """

    __slots__ = ('__weakref__', '_eventfd', 'pid', 'ring', 'wait')

    def __init__(self) -> None:
        self.pid = os.getpid()
        epoll = select.epoll()
        self._eventfd = _new_eventfd()
        number = self._eventfd.fileno()
        epoll.register(number, select.EPOLLIN | select.EPOLLET)
        # Without a frame of Python between a thread and its system call: both are on the path of every event.
        self.ring = partial(os.eventfd_write, number, 1)
        self.wait = epoll.poll


def _new_eventfd() -> select.epoll:
    """An eventfd in an object that closes it.

    The object is written in C, since an interrupt in a `__del__` of Python would be lost. Both are made in one step,
    since an interrupt in between would leave the eventfd open forever.
    """
    return next(map(select.epoll.fromfd, map(os.eventfd, (0,))))


# The bells that exist, and some that do not any more. Any thread adds and removes bells, each in one step.
_event_bells: list[ref[EventBell]] = []
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


def lock_bell() -> LockBell:
    """A bell with a lock."""
    bell = LockBell()
    bell.pid, bell._lock = os.getpid(), new_waiting_lock()
    bell._lock.acquire()
    return bell


def _new_bell() -> Bell:
    # Under gevent and eventlet a thread that waits for a descriptor would hold up all its greenlets.
    if not _EVENTFDS_EXIST or type(new_waiting_lock()) is not _thread.LockType:
        return lock_bell()
    for other in tuple(_event_bells):
        if other() is None:
            with contextlib.suppress(ValueError):  # another thread has removed it
                _event_bells.remove(other)
    if len(_event_bells) >= MOST_EVENTFDS:
        return lock_bell()
    try:
        bell = EventBell()
    except OSError:
        return lock_bell()
    _event_bells.append(ref(bell))
    return bell

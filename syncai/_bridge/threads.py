"""Real threads and locks, and a lock on which greenlets wait without blocking each other."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Protocol

from .._base.system import gevent_is_active, original
from ..exceptions import SyncAIError

allocate_lock: Callable[[], Any] = original('_thread', 'allocate_lock')
get_native_ident: Callable[[], int] = original('_thread', 'get_ident')
reentrant_lock: Callable[[], Any] = original('_thread', 'RLock')


class SafeCondition(threading.Condition):
    """A condition whose `with` calls the C lock itself.

    `Condition.__enter__` is a Python function: an interrupt may land after the lock is taken and before the block is
    entered. The lock would then stay taken forever, and block the loop thread and every caller.
    """

    __enter__ = property(attrgetter('_lock.__enter__'))  # pyright: ignore[reportAssignmentType]
    __exit__ = property(attrgetter('_lock.__exit__'))  # pyright: ignore[reportAssignmentType]


class Thread(Protocol):
    """The interface of a thread."""

    def start(self) -> None: ...

    def join(self, timeout: float | None = None) -> None: ...


class Lock(Protocol):
    """A lock that one thread takes and another releases."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...

    def locked(self) -> bool: ...


def new_thread(target: Callable[[], object], name: str) -> Thread:
    """A thread of the operating system, not yet started, that does not keep the process alive."""
    if gevent_is_active():
        return _BareThread(target)
    thread = threading.Thread(target=target, name=name, daemon=True)
    # The starting thread waits for the first step under this condition, which an interrupt must not leave locked.
    thread._started._cond = SafeCondition(threading.Lock())  # type: ignore[attr-defined]
    return thread


def log_apart(log: Callable[[], object], patience: float = 0.0) -> None:
    """Run `log` in a separate thread, and wait at most `patience` seconds for it. A thread that Ctrl-C interrupts in
    `logging` may leave a lock of it taken. The loop thread must not wait for such a lock, and a caller's thread must
    not cause it.
    """
    writing = allocate_lock()
    writing.acquire()

    def write() -> None:
        try:
            log()
        finally:
            writing.release()

    with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
        new_thread(write, 'syncai-warning').start()
        if patience:
            writing.acquire(True, patience)


def new_waiting_lock() -> Lock:
    """A lock to wait on until another thread releases it; under gevent other greenlets run meanwhile."""
    if gevent_is_active():
        from .green_lock import GreenLock

        return GreenLock()
    return threading.Lock()  # looked up now: eventlet, whose threads stay green, may have replaced it


def raise_interrupt_behind(error: BaseException) -> None:
    """Raise the interrupt behind an error of a lock, if an interrupt of a wait caused `error`."""
    try:
        if (
            isinstance(error, RuntimeError)
            and not isinstance(error, SyncAIError)
            and not isinstance(error.__context__, Exception | None)
        ):
            raise error.__context__ from None
    finally:
        del error  # the traceback holds this frame: no cycle


class _BareThread:
    """A thread outside of `threading`, whose threads are greenlets under gevent."""

    def __init__(self, target: Callable[[], object]) -> None:
        self._target = target
        self._over = allocate_lock()  # held while the thread runs

    def start(self) -> None:
        self._over.acquire()
        try:
            original('_thread', 'start_new_thread')(self._run, ())
        except BaseException:
            self._over.release()
            raise

    def join(self, timeout: float | None = None) -> None:
        if self._over.acquire(timeout=-1 if timeout is None else timeout):
            self._over.release()

    def _run(self) -> None:
        try:
            self._target()
        finally:
            self._over.release()

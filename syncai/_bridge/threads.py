"""Real threads and locks, and a lock on which greenlets wait without stopping each other."""

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

    `Condition.__enter__` is a Python function: an interrupt may land between the lock being taken and the block being
    entered, and the lock then stays taken for ever, which would freeze the loop thread and every other caller with it.
    """

    __enter__ = property(attrgetter('_lock.__enter__'))  # pyright: ignore[reportAssignmentType]
    __exit__ = property(attrgetter('_lock.__exit__'))  # pyright: ignore[reportAssignmentType]


class Thread(Protocol):
    """What the bridge needs of a thread."""

    def start(self) -> None: ...

    def join(self, timeout: float | None = None) -> None: ...


class Lock(Protocol):
    """A lock that one thread takes and another gives back."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...

    def locked(self) -> bool: ...


def new_thread(target: Callable[[], object], name: str) -> Thread:
    """A thread of the operating system, not yet started, that does not keep the process alive."""
    if gevent_is_active():
        return _BareThread(target)
    thread = threading.Thread(target=target, name=name, daemon=True)
    # The thread that starts it waits for its first step under this condition, which no interrupt may leave locked.
    thread._started._cond = SafeCondition(threading.Lock())  # type: ignore[attr-defined]
    return thread


def log_apart(log: Callable[[], object], patience: float = 0.0) -> None:
    """Have `log` write its record in a thread of its own, and wait for it for at most `patience` seconds.

    A thread that Ctrl-C interrupts in `logging` may leave a lock of it taken, for which the loop thread must not wait
    for long; and the thread of a caller must not be the one that leaves it so, since the loop logs too.
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
    """A lock to wait on until another thread gives it back; under gevent other greenlets go on meanwhile."""
    if gevent_is_active():
        from .green_lock import GreenLock

        return GreenLock()
    return threading.Lock()  # looked up now: eventlet, whose threads stay green, may have put its own there


def raise_interrupt_behind(error: BaseException) -> None:
    """Raise the interrupt that landed inside a wait and surfaced as an error of the lock, if `error` is such a one."""
    try:
        if (
            isinstance(error, RuntimeError)
            and not isinstance(error, SyncAIError)
            and not isinstance(error.__context__, Exception | None)
        ):
            raise error.__context__ from None
    finally:
        del error  # the traceback of what is raised holds this frame, which must not hold what is raised


class _BareThread:
    """A thread that `threading`, whose threads are greenlets now, does not know."""

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

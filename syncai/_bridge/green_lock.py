"""A lock for greenlets: imported only where gevent has patched the standard library."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from gevent import getcurrent
from gevent._hub_local import get_hub_if_exists  # the public `get_hub` would make one in every thread
from gevent.hub import Waiter

from .._base.system import original

_allocate_lock: Callable[[], Any] = original('_thread', 'allocate_lock')

_NAP_SECONDS = 5.0


class GreenLock:
    """Waits in the hub, so that other greenlets of the thread run; any thread releases it. A thread without a hub has
    no other greenlets, and the hub itself cannot wait in the hub: both wait like plain threads.
    """

    def __init__(self) -> None:
        self._lock = _allocate_lock()
        # Each wakes one waiting greenlet. Waiters add and remove their own; the thread that unlocks reads a copy.
        self._wakers: list[Callable[[], object]] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._lock.acquire(False):
            return True
        if not blocking:
            return False
        hub = get_hub_if_exists()
        if hub is None or getcurrent() is hub:
            return bool(self._lock.acquire(timeout=timeout))
        deadline = None if timeout < 0 else time.monotonic() + timeout
        while not self._lock.acquire(False):
            nap = _NAP_SECONDS if deadline is None else deadline - time.monotonic()
            if nap <= 0:
                return False
            self._sleep(hub, min(nap, _NAP_SECONDS))
        return True

    def release(self) -> None:
        self._lock.release()
        for wake in tuple(self._wakers):
            with contextlib.suppress(Exception):  # the hub of an ended thread, without waiters
                wake()

    def locked(self) -> bool:
        locked: bool = self._lock.locked()
        return locked

    def _sleep(self, hub: Any, seconds: float) -> None:
        """Let other greenlets run until the lock is released or the time is over."""
        waiter = Waiter(hub)

        def wake() -> None:
            hub.loop.run_callback_threadsafe(waiter.switch, None)

        # The timer also keeps the hub from reporting that it would block forever.
        timer = hub.loop.timer(seconds)
        self._wakers.append(wake)
        try:
            if not self._lock.locked():
                return  # released before the waker was registered
            timer.start(waiter.switch, None, update=True)
            waiter.get()
        finally:
            self._wakers.remove(wake)
            timer.stop()
            timer.close()

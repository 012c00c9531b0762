"""The event loop that the loop thread runs, and the threads that look up host names for it."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

_MAX_RESOLVERS = 8
_IDLE_SECONDS = 10.0


class Call(Protocol):
    """What the loop thread runs: started on it, and cancelled on it."""

    loop: BridgeLoop | None

    def start(self) -> None: ...

    def cancel_on_loop(self) -> None: ...


class BridgeLoop(asyncio.SelectorEventLoop):
    """A selector loop, built directly so that no event loop policy can replace it.

    It looks up names on threads of its own: asyncio's default executor refuses work once the main thread has ended,
    so that a call in an `atexit` handler or in a worker that outlives the main thread would fail.
    """

    def __init__(self) -> None:
        selector = _RingingSelector()
        super().__init__(selector)
        self.before_wait = selector.before_wait
        self.ring = selector.ring
        self.calls: set[Call] = set()  # in flight; only the loop thread changes it
        self.threadless = False  # no thread could be started for it: whoever waits runs it
        self._resolver = _Resolver(self)

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """What `socket.getaddrinfo` gives, looked up off the loop."""
        return await self._resolver.run(lambda: socket.getaddrinfo(host, port, **options))


class _RingingSelector(selectors.DefaultSelector):
    """Wakes the threads that wait for the loop just before the loop itself waits.

    A thread that is woken earlier finds the interpreter's lock taken by the loop, and has to go to sleep a second time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bells: list[Callable[[], object]] = []

    def before_wait(self, bell: Callable[[], object]) -> None:
        """On the loop thread: call `bell`, which must not raise, when all that is ready has run."""
        self._bells.append(bell)

    def ring(self) -> None:
        """Call all bells now."""
        bells, self._bells = self._bells, []
        for bell in bells:
            bell()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._bells:
            self.ring()
        return super().select(timeout)


class _Resolver:
    """A few daemon threads that block in the system's resolver. Its fields belong to the loop thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]]] = queue.SimpleQueue()
        self._threads = 0
        self._busy = 0

    async def run(self, lookup: Callable[[], Any]) -> Any:
        if self._busy >= self._threads and not self._start_thread():
            return lookup()  # the interpreter is shutting down: blocking the loop beats failing the call
        future = self._loop.create_future()
        self._busy += 1
        self._jobs.put((lookup, future))
        return await future

    def _start_thread(self) -> bool:
        if self._threads >= _MAX_RESOLVERS:
            return True
        thread = threading.Thread(target=self._work, name='syncai-resolver', daemon=True)
        try:
            contextvars.Context().run(thread.start)
        except RuntimeError:
            return self._threads > 0
        self._threads += 1
        return True

    def _work(self) -> None:
        """Runs on a resolver thread until it was idle for a while."""
        while True:
            try:
                lookup, future = self._jobs.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                self._post(self._thread_idle)
                return
            try:
                value, error = lookup(), None
            except Exception as caught:
                value, error = None, caught
            if not self._post(self._deliver, future, value, error):
                return

    def _post(self, callback: Callable[..., object], *args: Any) -> bool:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # the loop was closed meanwhile
            return False
        return True

    def _thread_idle(self) -> None:
        self._threads -= 1
        if self._busy > self._threads:  # a job came in while the thread was leaving
            self._start_thread()

    def _deliver(self, future: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
        self._busy -= 1
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

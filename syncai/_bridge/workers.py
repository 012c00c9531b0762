"""Daemon threads that run blocking functions for the loop: the system's resolver, and functions of the user."""

from __future__ import annotations

import _queue
import asyncio
import contextvars
from collections.abc import Callable
from typing import Any, TypeVar

from .._base.phases import names_wait
from .threads import new_thread

T = TypeVar('T')

_IDLE_SECONDS = 10.0

after_functions: list[Callable[[], object]] = []
"""Called in a worker thread after each of its functions, as to close what the function opened for its thread. Added to
by any thread, never taken from; what they raise is dropped."""


class WorkerThreads:
    """Starts threads on demand and lets idle ones end. Its fields belong to the loop thread. asyncio's default executor
    is unsuitable: it refuses work once the main thread has ended, so a call in an `atexit` handler or in a worker that
    outlives the main thread would fail.

    Args:
        loop: The loop that waits for the functions.
        name: The name of the threads.
        limit: The most threads at a time; further functions wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, name: str, limit: int) -> None:
        self._loop = loop
        self._name = name
        self._limit = limit
        # The queue of C, also under gevent.
        self._jobs: _queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = _queue.SimpleQueue()
        self._threads = 0
        self._busy = 0

    @property
    def are_busy(self) -> bool:
        """Whether a further function would wait for one that runs."""
        return self._busy >= self._limit

    @names_wait('a function in a worker thread')
    async def run(self, function: Callable[[], T]) -> T:
        """The result of `function`, which runs in one of the threads."""
        if self._busy >= self._threads and not self._start_thread():
            return function()  # the interpreter is shutting down: blocking the loop is better than failing the call
        future: asyncio.Future[T] = self._loop.create_future()
        self._busy += 1
        self._jobs.put((function, future))
        try:
            return await future
        finally:
            del future  # the traceback of its error holds this frame: no cycle

    def close(self) -> None:
        """Let the threads end when they are idle; their loop is closed."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _start_thread(self) -> bool:
        if self._threads >= self._limit:
            return True
        thread = new_thread(self._work, self._name)
        try:
            contextvars.Context().run(thread.start)
        except RuntimeError:
            return self._threads > 0
        self._threads += 1
        return True

    def _work(self) -> None:
        """Runs on a worker thread until it was idle for a while."""
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE_SECONDS)
            except _queue.Empty:
                self._post(self._thread_idle)
                return
            if job is None:
                return
            function, future = job
            value, error = run_function(function)
            del function, job
            if not self._post(self._deliver, future, value, error):
                return
            del future, value, error  # an idle thread keeps nothing of the last job

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

    def _deliver(self, future: asyncio.Future[Any], value: object, error: BaseException | None) -> None:
        self._busy -= 1
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)


def run_function(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """In a worker thread: the outcome of the function; then restores the thread."""
    try:
        return _returned(function)  # not in a variable: the traceback of its error leads to this frame
    finally:
        for after in after_functions:
            _returned(after)


def _returned(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return function(), None
    except StopIteration as error:  # no future takes it
        return None, RuntimeError(f'A function ended with {error!r}')
    except BaseException as error:  # an exit in a worker thread ends the call, not the thread
        return None, error

"""Waiting for a batch: in the caller's thread, or for a coroutine in a separate thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any, TypeVar

from .._bridge import run_async, run_sync
from .._bridge.workers import WorkerThreads

__all__ = ['Waiting', 'WaitingForCoroutine']

T = TypeVar('T')
_NAME = 'batch'
_END = object()


class Waiting:
    """The caller's own thread works on the batch."""

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, which runs on the loop thread; the user's functions run in this thread."""
        return run_sync(work, name=_NAME)

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class WaitingForCoroutine(Waiting):
    """A separate thread works on the batch: async functions of the user run on the loop of the caller, sync ones in
    worker threads.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None  # set on it before the thread begins
        self._is_left = threading.Event()
        self._lock = threading.Lock()  # owns what runs, and whether more may
        self._running: Future[Any] | None = None

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, whose caller is the loop.

        Raises:
            CancelledError: The caller is gone.
        """
        assert self._loop is not None
        with self._lock:
            self._check_left()
            self._running = asyncio.run_coroutine_threadsafe(run_async(work, name=_NAME), self._loop)
        result: T = self._running.result()
        return result

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the caller.

        Raises:
            CancelledError: The caller is gone.
        """
        self._is_left.wait(seconds)
        self._check_left()

    async def rows(self, rows: Generator[Any, None, None]) -> AsyncGenerator[Any, None]:
        """On the caller's loop: the items of a generator that waits in the thread; leaving it early only ends the
        waiting.

        The thread is a separate one: the loop's worker threads run the functions that it waits for.
        """
        self._loop = loop = asyncio.get_running_loop()
        thread, context = WorkerThreads(loop, name='syncai-batch', limit=1), contextvars.copy_context()
        step: asyncio.Task[Any] | None = None
        try:
            while True:
                step = loop.create_task(thread.run(partial(context.run, next, rows, _END)))
                if (row := await asyncio.shield(step)) is _END:
                    return
                yield row
        finally:
            self._leave()
            if step is not None and not step.done():
                await asyncio.wait([step])
                step.exception()  # of a caller that has left
            await thread.run(partial(context.run, rows.close))
            thread.close()

    def _leave(self) -> None:
        with self._lock:
            self._is_left.set()
            if self._running is not None:
                self._running.cancel()

    def _check_left(self) -> None:
        if self._is_left.is_set():
            raise CancelledError

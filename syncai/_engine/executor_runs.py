"""Concurrent runs on the workers of an executor."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, TypeAlias, TypeVar

from .._base.tracebacks import only_user_frames
from ..result import MapRow, RunResult
from .map_rows import Numbered, RowOrder, failed_row_elsewhere
from .row_source import Due, RowSource, Taken

ResultT = TypeVar('ResultT')
Call: TypeAlias = Callable[[], RunResult[ResultT]]


class ExecutorRuns(Generic[ResultT]):
    """Calls over the rows of a source, made by the workers of an executor. Used by the caller alone.

    Args:
        executor: Whose workers make the calls.
        source: The rows, and the calls that run the agent on them.
        most: The most calls that are handed out and not yet answered.
        order: The order in which rows are given.
        history: How many messages each run begins with.
    """

    def __init__(
        self,
        executor: Executor,
        source: RowSource[Call[ResultT]],
        most: int,
        order: RowOrder[ResultT],
        history: int,
    ) -> None:
        self._executor = executor
        self._source = source
        self._most = most
        self._order = order
        self._history = history
        self._under_way: dict[int, Future[RunResult[ResultT]]] = {}
        self._over: SimpleQueue[Numbered] = SimpleQueue()  # rows of finished calls, added by any thread

    def rows(self) -> Generator[MapRow[ResultT], None, None]:
        """The rows, in the caller's thread; leaving early cancels the calls that no worker has begun."""
        read: Taken[Call[ResultT]] = Taken()
        try:
            with only_user_frames:
                while read.more or self._under_way:
                    read = self._source.take(self._most - len(self._under_way)) if read.more else Taken(more=False)
                    read.more &= self._begin_all(read.due)
                    yield from self._order.ready(self._ended(read))
                self._source.end()
        finally:
            for future in self._under_way.values():
                future.cancel()
            self._under_way.clear()
            self._source.close()

    async def rows_async(self) -> AsyncGenerator[MapRow[ResultT], None]:
        """The rows, on the caller's loop; a worker thread reads and waits."""
        rows = self.rows()
        try:
            while (row := await asyncio.get_running_loop().run_in_executor(None, next, rows, None)) is not None:
                yield row
        finally:
            with contextlib.suppress(ValueError):  # the thread still waits, and ends the rows when it drops them
                rows.close()

    def _begin_all(self, rows: list[Due[Call[ResultT]]]) -> bool:
        """Hand the calls out; False where the executor takes no more."""
        for number, due in enumerate(rows):
            try:
                self._begin(due)
            except Exception as error:  # such as a pool that lost a worker: it takes no more calls
                self._source.give_up(error, rows[number:])
                return False
        return True

    def _begin(self, due: Due[Call[ResultT]]) -> None:
        if isinstance(due.work, Exception):
            future: Future[RunResult[ResultT]] = Future()
            future.set_exception(due.work)
        else:
            assert due.work is not None
            future = self._executor.submit(due.work)
        self._under_way[due.number] = future
        future.add_done_callback(partial(self._end, due))

    def _end(self, due: Due[Call[ResultT]], future: Future[RunResult[ResultT]]) -> None:
        """Called in any thread when a call is over. The journal gets its row, whatever the caller does meanwhile."""
        if future.cancelled():  # by the executor, or because nobody takes its row any more
            self._over.put((due.number, due.row(failed_row_elsewhere(due.prompt, CancelledError(), self._history))))
            return
        error = future.exception()
        try:
            if error is None:
                row = MapRow(due.prompt, None, future.result(), key=due.key)
            elif isinstance(error, Exception):
                row = due.row(failed_row_elsewhere(due.prompt, error, self._history))
            else:
                self._over.put((due.number, error))
                return
            self._source.keep(due, row)
            self._over.put((due.number, row))
        finally:
            del error, future  # the traceback of the error may know this frame

    def _ended(self, read: Taken[Call[ResultT]]) -> list[Numbered]:
        """The rows of finished calls; waits for one if there is nothing else to do."""
        ended: list[Numbered] = []
        wait = bool(self._under_way) and not read.ready
        try:
            if wait:
                ended.append(self._over.get(timeout=_least(read.pause, self._order.tick)))
            elif read.pause is not None:
                time.sleep(read.pause)
            while self._under_way:
                ended.append(self._over.get_nowait())
        except Empty:
            pass
        for number, _ in ended:
            self._under_way.pop(number, None)
        return ended


def _least(*seconds: float | None) -> float | None:
    return min((one for one in seconds if one is not None), default=None)

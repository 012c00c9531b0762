"""Many runs at once, on the workers of an executor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from ..result import MapRow, RunResult
from .map_rows import Numbered, RowOrder, failed_row_elsewhere, window_of

ResultT = TypeVar('ResultT')
MakeCall: TypeAlias = Callable[[], Callable[[], RunResult[ResultT]]]


class ExecutorRuns(Generic[ResultT]):
    """Calls over the prompts of an iterator, made by the workers of an executor. All of it is the caller's own.

    Args:
        executor: Whose workers make the calls.
        calls: Each prompt, and what makes the call that runs the agent on it; making it may raise.
        most: How many are handed out and not yet answered.
        order: The order in which rows are given.
        history: How many messages each run begins with.
    """

    def __init__(
        self,
        executor: Executor,
        calls: Iterator[tuple[Any, MakeCall[ResultT]]],
        most: int,
        order: RowOrder[ResultT],
        history: int,
    ) -> None:
        self._executor = executor
        self._calls = calls
        self._most = most
        self._order = order
        self._history = history
        self._under_way: dict[int, tuple[Any, Future[RunResult[ResultT]]]] = {}
        self._over: SimpleQueue[int] = SimpleQueue()  # numbers of calls that are over, put there by any thread
        self._begun = 0
        self._read_out = False
        self._failure: Exception | None = None

    def rows(self) -> Generator[MapRow[ResultT], None, None]:
        """In the caller's thread: the rows; leaving early cancels the calls that no worker has begun."""
        try:
            while self._begin():
                yield from self._order.ready([self._next()])
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
        finally:
            failure = None  # its traceback holds this frame
            for _, future in self._under_way.values():
                future.cancel()
            self._under_way.clear()

    async def rows_async(self) -> AsyncGenerator[MapRow[ResultT], None]:
        """On the caller's loop: the same, waited for and read in a worker thread."""
        rows = self.rows()
        try:
            while (row := await asyncio.get_running_loop().run_in_executor(None, next, rows, None)) is not None:
                yield row
        finally:
            with contextlib.suppress(ValueError):  # the thread still waits: the rows end when it drops them
                rows.close()

    def _begin(self) -> bool:
        """Hand out as many calls as there is room for; whether some are under way."""
        window = window_of(self._most)
        while len(self._under_way) < self._most and self._begun - self._order.taken < window and not self._read_out:
            try:
                following = next(self._calls, None)
            except Exception as error:  # the caller's iterator failed: what was begun still ends
                following, self._failure = None, error
            if following is None:
                self._read_out = True
                break
            prompt, make_call = following
            number, self._begun = self._begun, self._begun + 1
            future = self._future(make_call)
            self._under_way[number] = prompt, future
            future.add_done_callback(partial(_put, self._over, number))
        return bool(self._under_way)

    def _future(self, make_call: MakeCall[ResultT]) -> Future[RunResult[ResultT]]:
        try:
            call = make_call()
        except Exception as error:
            failed: Future[RunResult[ResultT]] = Future()
            failed.set_exception(error)
            return failed
        return self._executor.submit(call)

    def _next(self) -> Numbered:
        number = self._over.get()
        prompt, future = self._under_way.pop(number)
        try:
            return number, MapRow(prompt, None, future.result())
        except Exception as error:
            return number, failed_row_elsewhere(prompt, error, self._history)


def _put(numbers: SimpleQueue[int], number: int, future: Future[Any]) -> None:
    del future
    numbers.put(number)

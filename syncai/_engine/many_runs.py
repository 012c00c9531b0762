"""Concurrent runs on the loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._base.phases import names_wait
from .._base.tracebacks import only_user_frames
from .._bridge import call_in_thread, call_user_function, few_sockets_at_once, open_async, open_sync, run_async
from ..result import MapRow
from .agent_run import AgentRun
from .map_rows import Numbered, RowOrder, failed_row
from .plan import RunPlan
from .row_source import Due, RowSource, Taken

if TYPE_CHECKING:
    from .._bridge import Channel

ResultT = TypeVar('ResultT')

_NAME = 'map of agent runs'
_RESERVED_PART = 8
"""One prompt is read ahead for this many concurrent runs."""


class ManyRuns(Generic[ResultT]):
    """Runs over the rows of a source. The source is read in the caller's thread, while the caller waits.

    Args:
        source: The rows and the plans of their runs.
        max_concurrency: The most runs at a time.
        order: The order in which rows are given.
        silence_limits: Those of the model of most of the runs.
    """

    def __init__(
        self,
        source: RowSource[RunPlan[ResultT]],
        max_concurrency: int,
        order: RowOrder[ResultT],
        silence_limits: tuple[float, float] | None,
    ) -> None:
        self._source = source
        self._silence_limits = silence_limits
        self._most = max_concurrency
        self._order = order  # the caller's own, as the source is

    def rows(self) -> Generator[MapRow[ResultT], None, None]:
        """The rows, in the caller's thread; leaving early stops all runs."""
        batch = None
        consumer = open_sync(self._execute, name=_NAME, silence_limits=self._silence_limits)
        try:
            with only_user_frames:
                while (batch := consumer.next_batch(self._order.tick)) is not None:
                    yield from self._order.ready(batch)
                consumer.finish()
                self._source.end()
        finally:
            consumer.close()
            # The traceback of what is raised holds this frame, which must not hold what is raised.
            batch = None
            self._source.close()

    async def rows_async(self) -> AsyncGenerator[MapRow[ResultT], None]:
        """The rows, on the caller's loop."""
        batch = None
        consumer = open_async(self._execute, name=_NAME, silence_limits=self._silence_limits)
        try:
            with only_user_frames:
                while (batch := await consumer.next_batch(self._order.tick)) is not None:
                    for row in self._order.ready(batch):
                        yield row
                consumer.finish()
                await _in_worker(self._source.end)
        finally:
            batch = None
            await consumer.close()
            await _in_worker(self._source.close)

    @names_wait('one of its runs')
    async def _execute(self, channel: Channel[None]) -> None:
        """On the loop thread: make the rows, and hand them over."""
        runs = _Runs(self._most, self._source)
        try:
            with few_sockets_at_once():
                await self._make_rows(runs, channel)
        finally:
            await runs.stop()

    async def _make_rows(self, runs: _Runs, channel: Channel[None]) -> None:
        """Begin runs while there is room, and hand over the rows of those that have ended."""
        read: Taken[RunPlan[ResultT]] = Taken()
        while read.more or runs:
            room = read.more and runs.wanted()
            if room:
                read = await call_user_function(self._source.take, room)
                runs.add(read.due)
                if read.ready:
                    await channel.wake_reader()
            if not (room and read.due and runs.wanted()):
                await runs.wait(read.pause)
            # Runs that ended at the same time are handed over together: each batch wakes the caller.
            if batch := runs.take_outcomes():
                await channel.emit(batch)


async def _in_worker(function: Callable[[], None]) -> None:
    """Call a function that may wait for a disk or a server, from any loop."""
    await run_async(partial(call_in_thread, function), name='end of a map')


class _Runs:
    """The runs of one map that are under way. Belongs to the loop thread.

    A few plans are kept ready, so that the next run begins as soon as one ends. To ask the caller's thread for a plan
    takes as long as that thread waits for the interpreter, which the loop keeps busy.
    """

    def __init__(self, most: int, source: RowSource[Any]) -> None:
        self._source = source  # for `keep` alone, which any thread may call
        self._most = most
        self._reserve = most // _RESERVED_PART
        self._ready: deque[Due[RunPlan[Any]]] = deque()
        self._outcomes: list[Numbered] = []
        self.running: set[asyncio.Task[None]] = set()
        self.arrived = asyncio.Event()
        self._context = contextvars.copy_context()

    def __bool__(self) -> bool:
        return bool(self.running or self._ready or self._outcomes)

    def wanted(self) -> int:
        """The number of plans to ask for; 0 while half of the reserve is there, since asking costs a thread switch."""
        if len(self._ready) > self._reserve // 2:
            return 0
        return self._most + self._reserve - len(self.running) - len(self._ready)

    def add(self, rows: list[Due[RunPlan[Any]]]) -> None:
        """Begin these while there is room, and the others later."""
        self._context = contextvars.copy_context()
        self._ready.extend(rows)
        self._begin()

    def _begin(self) -> None:
        while self._ready and len(self.running) < self._most:
            # Not in the context of the run that has just ended, whose functions may have set context variables.
            run = asyncio.get_running_loop().create_task(self._run(self._ready.popleft()), context=self._context.copy())
            self.running.add(run)

    def take_outcomes(self) -> list[Numbered]:
        """The outcomes since the last call."""
        self.arrived.clear()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    async def stop(self) -> None:
        """Cancel the runs under way, and wait for their end."""
        self._ready.clear()
        ending = list(self.running)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def wait(self, pause: float | None) -> None:
        """Wait until a run has ended, for `pause` seconds at most; not at all without runs and a pause."""
        if pause is None and not self.running:
            return
        try:
            async with asyncio.timeout(pause):
                await self.arrived.wait()
        except TimeoutError:
            pass

    async def _run(self, due: Due[RunPlan[Any]]) -> None:
        run: AgentRun[Any] | None = None
        outcome: MapRow[Any] | BaseException | None = None
        try:
            if isinstance(due.work, Exception):
                raise due.work
            assert due.work is not None
            run = AgentRun(due.work)
            outcome = MapRow(due.prompt, None, await run.execute(), key=due.key)
            self._source.keep(due, outcome)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            outcome = due.row(failed_row(due.prompt, error, run))
            self._source.keep(due, outcome)
        except BaseException as error:  # an exit, which belongs to the caller and not to the loop
            outcome = error
        finally:
            # Here and not in a callback, which would run after the caller has looked.
            if outcome is not None:
                self._outcomes.append((due.number, outcome))
            del due, run, outcome  # the traceback of an error knows this frame
            self.running -= {asyncio.current_task()}
            self.arrived.set()
            self._begin()

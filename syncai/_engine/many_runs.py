"""Many runs at once, on the loop."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._base.phases import names_wait
from .._bridge import call_user_function, open_async, open_sync
from ..result import MapRow
from .agent_run import AgentRun
from .map_rows import Numbered, RowOrder, failed_row, window_of
from .plan import RunPlan

if TYPE_CHECKING:
    from .._bridge import Channel

ResultT = TypeVar('ResultT')
Planned = tuple[int, Any, Any]
"""The number of a row, its prompt, and the plan of its run, or why there is none."""

_NAME = 'map of agent runs'
_PATIENCE = 0.002
"""Seconds for which prompts are read before the runs of those that were read begin."""
_RESERVED_PART = 8
"""For this number of runs at a time, one prompt is read ahead."""


class ManyRuns(Generic[ResultT]):
    """Runs over the prompts of an iterator, which is read where the caller is, while it waits.

    Args:
        plans: Each prompt, and what makes the plan of its run; making it may raise, which is then the error of its row.
        max_concurrency: The most runs at a time.
        order: The order in which rows are given.
        silence_limits: Those of the model of most of the runs.
    """

    def __init__(
        self,
        plans: Iterator[tuple[Any, Callable[[], RunPlan[ResultT]]]],
        max_concurrency: int,
        order: RowOrder[ResultT],
        silence_limits: tuple[float, float] | None,
    ) -> None:
        self._plans = plans
        self._silence_limits = silence_limits
        self._most = max_concurrency
        self._order = order  # the caller's own, and so is what follows: it reads the iterator, and takes the rows
        self._begun = 0
        self._read_out = False
        self._failure: Exception | None = None

    def rows(self) -> Generator[MapRow[ResultT], None, None]:
        """In the caller's thread: the rows; leaving early stops all runs."""
        batch = None
        consumer = open_sync(self._execute, name=_NAME, silence_limits=self._silence_limits)
        try:
            while (batch := consumer.next_batch()) is not None:
                yield from self._order.ready(batch)
            consumer.finish()
            self._raise_failure()
        finally:
            consumer.close()
            # The traceback of what is raised holds this frame, which must not hold what is raised.
            batch = None

    async def rows_async(self) -> AsyncGenerator[MapRow[ResultT], None]:
        """On the caller's loop: the same."""
        batch = None
        consumer = open_async(self._execute, name=_NAME, silence_limits=self._silence_limits)
        try:
            while (batch := await consumer.next_batch()) is not None:
                for row in self._order.ready(batch):
                    yield row
            consumer.finish()
            self._raise_failure()
        finally:
            batch = None
            await consumer.close()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            del failure

    @names_wait('one of its runs')
    async def _execute(self, channel: Channel[None]) -> None:
        """On the loop thread: begins runs as there is room, and hands over what they give."""
        runs = _Runs(self._most)
        more = True
        try:
            while more or runs:
                asked = more and runs.wanted()
                if asked:
                    plans, more = await call_user_function(self._next, asked)
                    runs.add(plans)
                if runs.running and not (asked and plans and runs.wanted()):
                    await runs.arrived.wait()
                # Whatever ended in one turn of the loop is handed over at once: each batch wakes the caller.
                if batch := runs.take_outcomes():
                    await channel.emit(batch)
        finally:
            await runs.stop()

    def _next(self, room: int) -> tuple[list[Planned], bool]:
        """Where the caller is: the next plans with their numbers and prompts, and whether there are more."""
        plans: list[Planned] = []
        began = time.monotonic()
        room = min(room, window_of(self._most) - (self._begun - self._order.taken))
        while len(plans) < room and not self._read_out:
            self._read_one(plans)
            if time.monotonic() - began > _PATIENCE:
                break
        return plans, not self._read_out

    def _read_one(self, plans: list[Planned]) -> None:
        try:
            following = next(self._plans, None)
        except Exception as error:  # the caller's iterator failed: what was begun still ends
            self._failure = error
            following = None
        if following is None:
            self._read_out = True
            return
        prompt, make_plan = following
        number, self._begun = self._begun, self._begun + 1
        try:
            plans.append((number, prompt, make_plan()))
        except Exception as error:
            plans.append((number, prompt, error))


class _Runs:
    """The runs of one map that go on. Belongs to the loop thread.

    A few plans are kept ready, so that a run that ends makes way for the next at once: to ask the caller's thread for
    it takes as long as that thread waits for the interpreter, which the loop keeps busy.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._reserve = most // _RESERVED_PART
        self._ready: deque[Planned] = deque()
        self._outcomes: list[Numbered] = []
        self.running: set[asyncio.Task[None]] = set()
        self.arrived = asyncio.Event()
        self._context = contextvars.copy_context()

    def __bool__(self) -> bool:
        return bool(self.running or self._ready or self._outcomes)

    def wanted(self) -> int:
        """How many further plans to ask for: none, while half of the reserve is there, since to ask costs a switch."""
        if len(self._ready) > self._reserve // 2:
            return 0
        return self._most + self._reserve - len(self.running) - len(self._ready)

    def add(self, plans: list[Planned]) -> None:
        """Begin these, as far as there is room, and the others as it comes."""
        self._context = contextvars.copy_context()
        self._ready.extend(plans)
        self._begin()

    def _begin(self) -> None:
        while self._ready and len(self.running) < self._most:
            # Not in the context of the run that has just ended, and whose functions may have set what they like.
            run = asyncio.get_running_loop().create_task(
                self._run(*self._ready.popleft()), context=self._context.copy()
            )
            self.running.add(run)

    def take_outcomes(self) -> list[Numbered]:
        """What has ended since this was asked last."""
        self.arrived.clear()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    async def stop(self) -> None:
        """Cancel what goes on, and wait for its end."""
        self._ready.clear()
        ending = list(self.running)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _run(self, number: int, prompt: Any, plan: RunPlan[Any] | Exception) -> None:
        run: AgentRun[Any] | None = None
        try:
            if isinstance(plan, Exception):
                raise plan
            run = AgentRun(plan)
            row = MapRow(prompt, None, await run.execute())
            self._outcomes.append((number, row))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._outcomes.append((number, failed_row(prompt, error, run)))
        except BaseException as error:  # an exit, which is the caller's and not the loop's
            self._outcomes.append((number, error))
        finally:
            # Here and not in a callback, which would come after the caller has looked.
            del plan, run  # the traceback of an error knows this frame
            self.running -= {asyncio.current_task()}
            self.arrived.set()
            self._begin()

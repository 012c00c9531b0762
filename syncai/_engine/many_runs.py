"""Many runs at once, in the order of their prompts: on the loop, or on the workers of an executor."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._bridge import call_user_function, open_sync
from .agent_run import AgentRun
from .plan import RunPlan

if TYPE_CHECKING:
    from .._bridge import Channel

ResultT = TypeVar('ResultT')
Numbered = tuple[int, Any]

_PATIENCE = 0.002
"""Seconds for which prompts are read before the runs of those that were read begin."""
_RESERVED_PART = 8
"""For so many runs at a time, one prompt is read ahead."""


class ManyRuns(Generic[ResultT]):
    """Runs over the prompts of an iterator, which is read in the caller's thread while it waits.

    Args:
        plans: One plan for each prompt; making one may raise, which is then the outcome of its run.
        max_concurrency: The most runs at a time. Twice as many may be begun and not yet taken, so that one slow run
            does not idle the others, and an iterator without an end is not read without an end.
        silence_limits: Those of the model of most of the runs.
    """

    def __init__(
        self,
        plans: Iterator[Callable[[], RunPlan[ResultT]]],
        max_concurrency: int,
        silence_limits: tuple[float, float] | None,
    ) -> None:
        self._plans = plans
        self._silence_limits = silence_limits
        self._most = max_concurrency
        # The caller's own: its thread reads the iterator, and takes the outcomes.
        self._begun = 0
        self._taken = 0
        self._read_out = False
        self._failure: Exception | None = None

    def results(self, *, return_exceptions: bool) -> Generator[Any, None, None]:
        """In the caller's thread: the outcomes in order; leaving early stops all runs."""
        waiting: dict[int, Any] = {}
        batch = outcome = None
        consumer = open_sync(self._execute, name='map of agent runs', silence_limits=self._silence_limits)
        try:
            while (batch := consumer.next_batch()) is not None:
                waiting.update(batch)
                while self._taken in waiting:
                    outcome = waiting.pop(self._taken)
                    self._taken += 1
                    if isinstance(outcome, BaseException) and not (
                        return_exceptions and isinstance(outcome, Exception)
                    ):
                        raise outcome
                    yield outcome
            consumer.finish()
            outcome, self._failure = self._failure, None
            if outcome is not None:
                raise outcome
        finally:
            consumer.close()
            # The traceback of what is raised holds this frame, which must not hold what is raised.
            batch = outcome = None
            waiting.clear()

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

    def _next(self, room: int) -> tuple[list[Numbered], bool]:
        """In the caller's thread: the next plans with their numbers, and whether there are more."""
        plans: list[Numbered] = []
        began = time.monotonic()
        while len(plans) < min(room, 2 * self._most - (self._begun - self._taken)) and not self._read_out:
            self._read_one(plans)
            if time.monotonic() - began > _PATIENCE:
                break
        return plans, not self._read_out

    def _read_one(self, plans: list[Numbered]) -> None:
        try:
            make_plan = next(self._plans, None)
        except Exception as error:  # the caller's iterator failed: what was begun still ends
            self._failure = error
            make_plan = None
        if make_plan is None:
            self._read_out = True
            return
        number, self._begun = self._begun, self._begun + 1
        try:
            plans.append((number, make_plan()))
        except Exception as error:
            plans.append((number, error))


class _Runs:
    """The runs of one map that go on. Belongs to the loop thread.

    A few plans are kept ready, so that a run that ends makes way for the next at once: to ask the caller's thread for
    it takes as long as that thread waits for the interpreter, which the loop keeps busy.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._reserve = most // _RESERVED_PART
        self._ready: deque[Numbered] = deque()
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

    def add(self, plans: list[Numbered]) -> None:
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

    async def _run(self, number: int, plan: Any) -> None:
        try:
            outcome = await AgentRun(plan).execute() if isinstance(plan, RunPlan) else plan
            self._outcomes.append((number, outcome))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # also an exit, which is the caller's and not the loop's
            self._outcomes.append((number, error))
        finally:
            # Here and not in a callback, which would come after whoever waits has looked.
            self.running -= {asyncio.current_task()}
            self.arrived.set()
            self._begin()


def executor_results(
    executor: Executor,
    calls: Iterator[Callable[[], Any]],
    ahead: int,
    *,
    return_exceptions: bool,
) -> Generator[Any, None, None]:
    """What the calls return on the workers of `executor`, in order; at most `ahead` are handed out at a time."""
    futures: deque[Future[Any]] = deque()
    more, failure = True, None
    try:
        while more or futures:
            while more and len(futures) < ahead:
                try:
                    call = next(calls, None)
                except Exception as error:  # the caller's iterator failed: what was begun still ends
                    call, failure = None, error
                if call is None:
                    more = False
                else:
                    futures.append(executor.submit(call))
            if futures:
                yield _outcome(futures.popleft(), return_exceptions)
        if failure is not None:
            raise failure
    finally:
        failure = None  # its traceback holds this frame
        for future in futures:
            future.cancel()


def _outcome(future: Future[Any], return_exceptions: bool) -> Any:
    try:
        return future.result()
    except Exception as error:
        if return_exceptions:
            return error
        raise

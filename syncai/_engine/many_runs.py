"""Many runs at once, in the order of their prompts: on the loop, or on the workers of an executor."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._bridge import call_user_function, open_sync
from ..result import RunResult
from .agent_run import AgentRun
from .plan import RunPlan

if TYPE_CHECKING:
    from .._bridge import Channel

ResultT = TypeVar('ResultT')
Outcome = RunResult[ResultT] | Exception

_END = object()
_FULL = object()


class ManyRuns(Generic[ResultT]):
    """Runs over the prompts of an iterator, which is read in the caller's thread while it waits.

    Args:
        plans: One plan for each prompt; making one may raise, which is then the outcome of its run.
        max_concurrency: The most runs at a time. Twice as many may be begun and not yet taken, so that one slow run
            does not idle the others, and an iterator without an end is not read without an end.
    """

    def __init__(self, plans: Iterator[Callable[[], RunPlan[ResultT]]], max_concurrency: int) -> None:
        self._plans = plans
        self._most = max_concurrency
        # The caller's own: its thread reads the iterator, and takes the outcomes.
        self._begun = 0
        self._taken = 0
        self._failure: Exception | None = None

    def results(self, *, return_exceptions: bool) -> Generator[Any, None, None]:
        """In the caller's thread: the outcomes in order; leaving early stops all runs."""
        waiting: dict[int, Outcome[ResultT]] = {}
        consumer = open_sync(self._execute, name='map of agent runs')
        try:
            while (batch := consumer.next_batch()) is not None:
                waiting.update(batch)
                while self._taken in waiting:
                    outcome = waiting.pop(self._taken)
                    self._taken += 1
                    if isinstance(outcome, Exception) and not return_exceptions:
                        raise outcome
                    yield outcome
            consumer.finish()
            if self._failure is not None:
                raise self._failure
        finally:
            consumer.close()

    async def _execute(self, channel: Channel[None]) -> None:
        """On the loop thread: begins runs as there is room."""
        running: set[asyncio.Task[None]] = set()
        try:
            while (plan := await call_user_function(self._next)) is not _END:
                if plan is not _FULL:
                    running.add(asyncio.create_task(self._run(plan, channel)))
                if running and (plan is _FULL or len(running) >= self._most):
                    _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, numbered: tuple[int, RunPlan[ResultT] | Exception], channel: Channel[None]) -> None:
        number, plan = numbered
        outcome: Outcome[ResultT]
        try:
            outcome = await AgentRun(plan).execute() if isinstance(plan, RunPlan) else plan
        except Exception as error:
            outcome = error
        await channel.emit([(number, outcome)])

    def _next(self) -> Any:
        """In the caller's thread: the next plan with its number, or why there is none."""
        if self._begun - self._taken >= 2 * self._most:
            return _FULL
        try:
            make_plan = next(self._plans, None)
        except Exception as error:  # the caller's iterator failed: what was begun still ends
            self._failure = error
            return _END
        if make_plan is None:
            return _END
        number, self._begun = self._begun, self._begun + 1
        try:
            return number, make_plan()
        except Exception as error:
            return number, error


def executor_results(
    executor: Executor,
    calls: Iterator[Callable[[], Any]],
    ahead: int,
    *,
    return_exceptions: bool,
) -> Generator[Any, None, None]:
    """What the calls return on the workers of `executor`, in order; at most `ahead` are handed out at a time."""
    futures: deque[Future[Any]] = deque()
    more = True
    try:
        while more or futures:
            while more and len(futures) < ahead:
                call = next(calls, None)
                if call is None:
                    more = False
                else:
                    futures.append(executor.submit(call))
            if futures:
                yield _outcome(futures.popleft(), return_exceptions)
    finally:
        for future in futures:
            future.cancel()


def _outcome(future: Future[Any], return_exceptions: bool) -> Any:
    try:
        return future.result()
    except Exception as error:
        if return_exceptions:
            return error
        raise

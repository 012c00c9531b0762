"""The loop's side of a ledger: its functions run in one worker thread after another, in the order in which they came.

So the loop never waits for a disk, a lock or a server. A hold always exists before it is ended. Failed writes are
repeated when the store is back.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from .._base.system import warn_in_log
from ..exceptions import StoreError, SyncAIError
from .ledger import Claim, Hold, Ledger, Refusal
from .pending import at_end

__all__ = ['LEASE', 'settle_open', 'Teller', 'teller_of']

LEASE = 120.0
"""Seconds after which a hold of a dead process is free; a live process renews its holds."""
_PATIENCE = 1.0  # seconds after a failure during which claims do not ask the store
_RETRY = 5.0  # seconds before a failed write is repeated
_LOOK = 0.001  # seconds between checks whether all is written
_MOST_KEPT = 100_000  # the most settlements kept for an unavailable store

Outcome = tuple[Any, Exception | None]


class _Job:
    """A call of the ledger. `lasting` ones, which record spending, are kept until the store takes them."""

    def __init__(self, function: Callable[[], Any], lasting: bool) -> None:
        self.function = function
        self.lasting = lasting
        self.outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class _Batch:
    """Jobs that a worker thread runs one after another."""

    def __init__(self, jobs: list[_Job]) -> None:
        self.jobs = jobs
        self.outcomes: list[Outcome] = []
        self.over = threading.Event()  # set by the worker thread

    def run(self) -> None:
        failure: Exception | None = None
        for job in self.jobs:
            if failure is None:
                outcome = _outcome(job.function)
                failure = outcome[1] if isinstance(outcome[1], StoreError) else None
            else:
                outcome = None, failure  # the store is unavailable: each job would wait as long
            self.outcomes.append(outcome)
        self.over.set()


class Teller:
    """The functions of one ledger for one loop; only the loop thread uses its fields.

    Args:
        ledger: The accounts.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.loop = asyncio.get_running_loop()
        self._jobs: deque[_Job] = deque()
        self._lasting: deque[Callable[[], Any]] = deque()
        self._batch: _Batch | None = None
        self._away: tuple[float, Exception] | None = None  # the time until which claims fail, and their error
        self._holds: dict[str, Hold] = {}  # the holds that are renewed
        self._timer: asyncio.TimerHandle | None = None
        self._freed = asyncio.Event()

    async def reserve(self, claim: Claim) -> Hold | Refusal:
        """Hold an amount; a cancelled caller holds nothing.

        Raises:
            StoreError, UserError: As in `Ledger.reserve`.
        """
        if self._away is not None and monotonic() < self._away[0]:
            raise type(self._away[1])(str(self._away[1]))
        outcome = self._post(partial(self.ledger.reserve, claim))
        try:
            hold: Hold | Refusal = await outcome
        except asyncio.CancelledError:
            self._post(partial(_cancel_claim, self.ledger, claim), lasting=True)
            raise
        if isinstance(hold, Hold):
            self._holds[hold.id] = hold
            self._renew_later()
        return hold

    def settle(self, hold: Hold, amount: int) -> asyncio.Future[Any]:
        """End a hold and count `amount` as spent; the future ends when the store wrote it, or failed."""
        return self._end(hold, partial(self.ledger.settle, hold, amount))

    def cancel(self, hold: Hold) -> asyncio.Future[Any]:
        """End a hold without spending."""
        return self._end(hold, partial(self.ledger.cancel, hold))

    def resize(self, hold: Hold, amount: int) -> None:
        """Change the amount of a hold until its end."""
        self._forget(hold)
        self._post(partial(self.ledger.resize, hold, amount), lasting=True)

    def let_end(self, hold: Hold) -> None:
        """Stop renewing a hold: it expires by itself."""
        self._forget(hold)

    async def freed(self, seconds: float) -> None:
        """Wait at most `seconds` until this process ends a hold."""
        try:
            async with asyncio.timeout(seconds):
                await self._freed.wait()
        except TimeoutError:
            pass

    async def settled(self) -> None:
        """Wait until the store has written all posted jobs, or failed."""
        while self._jobs or self._batch is not None:  # noqa: ASYNC110 - a report asks, which is not often
            await asyncio.sleep(_LOOK)

    def write_now(self) -> None:
        """Write what is pending, in this thread, before the loop ends."""
        if self._batch is not None:
            self._batch.over.wait(_PATIENCE)
        jobs = [job.function for job in self._jobs if job.lasting]
        for function in [*self._lasting, *jobs]:
            if isinstance(_outcome(function)[1], StoreError):
                break
        self._lasting.clear()
        self._jobs.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, hold: Hold, function: Callable[[], Any]) -> asyncio.Future[Any]:
        self._forget(hold)
        outcome = self._post(function, lasting=True)
        outcome.add_done_callback(self._ring)
        return outcome

    def _forget(self, hold: Hold) -> None:
        self._holds.pop(hold.id, None)
        if not self._holds and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self, _: object) -> None:
        freed, self._freed = self._freed, asyncio.Event()
        freed.set()

    def _post(self, function: Callable[[], Any], *, lasting: bool = False) -> asyncio.Future[Any]:
        job = _Job(function, lasting)
        if self.ledger.instant:
            self._deliver_one(job, _outcome(function))
            return job.outcome
        self._jobs.append(job)
        self._begin()
        return job.outcome

    def _begin(self) -> None:
        if self._batch is not None or not (self._jobs or self._lasting):
            return
        jobs = [_Job(function, lasting=True) for function in self._lasting]
        self._lasting.clear()
        batch = self._batch = _Batch([*jobs, *self._jobs])
        self._jobs.clear()
        running = asyncio.get_running_loop().run_in_executor(None, batch.run)
        running.add_done_callback(partial(self._deliver, batch))

    def _deliver(self, batch: _Batch, running: asyncio.Future[None]) -> None:
        if running.cancelled():
            asyncio.get_running_loop().call_later(_LOOK, self._look, batch, running)
            return
        self._batch = None
        for job, outcome in zip(batch.jobs, batch.outcomes, strict=True):
            self._deliver_one(job, outcome)
        self._begin_again()

    def _look(self, batch: _Batch, running: asyncio.Future[None]) -> None:
        """The task that waited for the thread was cancelled, as all tasks are at the end of a loop."""
        if batch.over.is_set():
            self._deliver(batch, self._done())
        else:
            asyncio.get_running_loop().call_later(_LOOK, self._look, batch, running)

    def _begin_again(self) -> None:
        if self._jobs:
            self._begin()
        elif self._lasting:
            asyncio.get_running_loop().call_later(_RETRY, self._begin)

    def _deliver_one(self, job: _Job, outcome: Outcome) -> None:
        value, error = outcome
        if isinstance(error, StoreError):
            self._note_away(error)
        elif error is None:
            self._away = None
        if job.lasting and error is not None:
            self._keep(job, error)
            value, error = None, None
        if job.outcome.done():
            return
        if error is None:
            job.outcome.set_result(value)
        else:
            job.outcome.set_exception(error)

    def _note_away(self, error: Exception) -> None:
        if self._away is None:
            warn_in_log('%s', error)
        self._away = monotonic() + _PATIENCE, error

    def _keep(self, job: _Job, error: Exception) -> None:
        if isinstance(error, StoreError) and len(self._lasting) < _MOST_KEPT:
            self._lasting.append(job.function)
        else:
            warn_in_log('%r could not note what was spent: %s', self.ledger, error)

    def _renew_later(self) -> None:
        if self._timer is None and self._holds:
            self._timer = asyncio.get_running_loop().call_later(LEASE / 4, self._renew)

    def _renew(self) -> None:
        self._timer = None
        if self._holds:
            renewal = self._post(partial(self.ledger.renew, list(self._holds.values()), LEASE))
            renewal.add_done_callback(lambda one: one.cancelled() or one.exception())  # the next one may succeed
            self._renew_later()

    def _done(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


def _outcome(function: Callable[[], Any]) -> Outcome:
    try:
        return function(), None
    except SyncAIError as error:
        return None, error
    except Exception as error:  # a custom store, or a defect of a store here
        return None, StoreError(f'The store failed: {type(error).__name__}: {error}')


def _cancel_claim(ledger: Ledger, claim: Claim) -> None:
    """End the possible hold of an abandoned claim: the same claim returns the same hold."""
    hold = ledger.reserve(claim)
    if isinstance(hold, Hold):
        ledger.cancel(hold)


_all: weakref.WeakSet[Teller] = weakref.WeakSet()  # by running loop; a forked process begins without any


def teller_of(ledger: Ledger) -> Teller:
    """The running loop's teller for a ledger; the ledger keeps it."""
    loop = asyncio.get_running_loop()
    teller = ledger.tellers.get(loop)
    if teller is None:
        teller = ledger.tellers[loop] = Teller(ledger)
        _all.add(teller)
    return teller


async def settle_open(ledger: Ledger) -> None:
    """Wait until a ledger has written all jobs that this loop posted."""
    await teller_of(ledger).settled()


def _write_what_is_left() -> None:
    """At the end of the running loop."""
    loop = asyncio.get_running_loop()
    for teller in [teller for teller in _all if teller.loop is loop]:
        teller.write_now()


at_end.append(_write_what_is_left)

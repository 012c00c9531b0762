"""One poll of a batch: check the jobs, collect the ended ones, and send waiting rows."""

from __future__ import annotations

import time

from .._bridge import call_user_function
from ..exceptions import NotFoundError
from ..models._http.batches import ProviderJob
from ._collecting import collect, lose_waiting
from ._desk import Desk
from ._finding import find_again
from ._ledger import BatchPart, RowNote
from ._paying import settle
from ._sending import Sender, adopt, send_again

__all__ = ['advance', 'cancel', 'find_lost']

_LATE_RESULTS = 600.0
"""Seconds to wait for the results of a completed job: some providers publish them late."""


async def advance(desk: Desk) -> float | None:
    """Check each job once; returns the seconds to wait before the next poll, or None.

    Raises:
        ModelAPIError: The provider cannot be reached now; nothing is lost.
    """
    await find_lost(desk)
    waits = [await _look(desk, part) for part in desk.ledger.open if part.job_id is not None]
    if not desk.ledger.open:
        await _send_waiting(desk)
    return max((wait for wait in waits if wait is not None), default=None)


async def find_lost(desk: Desk) -> None:
    """Find the jobs that were being made when a process died, or make them."""
    for part in desk.ledger.open:
        if part.job_id is None:
            outcome = await find_again(desk, part)
            if isinstance(outcome, ProviderJob):
                await adopt(desk, part, outcome)
            elif outcome == 'not made' and desk.ledger.cancelled:
                await call_user_function(desk.ledger.drop, part.tag)
                await settle(part, None)
            elif outcome == 'not made':
                await send_again(desk, part)


async def cancel(desk: Desk) -> None:
    """Request the end of all jobs; no further job is made."""
    await call_user_function(lambda: desk.ledger.cancel(cancelled=True))
    await find_lost(desk)
    for part in desk.ledger.open:
        if part.job_id is not None and part.state != 'cancelling':
            await desk.api.cancel(part.job_id)
            await call_user_function(lambda part=part: desk.ledger.change(part.tag, state='cancelling'))


async def _look(desk: Desk, part: BatchPart) -> float | None:
    assert part.job_id is not None
    try:
        job = await desk.api.job(part.job_id)
    except NotFoundError:
        await collect(desk, part, ProviderJob(job_id=part.job_id, state='failed', problem='it is no longer kept'))
        return None
    if job.state in ('ended', 'failed') and not await _late(desk, part, job):
        await collect(desk, part, job)
        return None
    state = 'cancelling' if 'cancelling' in (job.state, part.state) else 'running'
    answered = job.succeeded + job.failed
    await call_user_function(lambda: desk.ledger.change(part.tag, answered=answered, state=state, problem=job.problem))
    return job.retry_after


async def _late(desk: Desk, part: BatchPart, job: ProviderJob) -> bool:
    """Whether a completed job may still get its results."""
    if job.state == 'failed' or job.ending != 'completed' or job.files or job.answers or not desk.api.names_results:
        return False
    since = part.empty_since or time.time()
    await call_user_function(lambda: desk.ledger.change(part.tag, empty_since=since))
    return time.time() - since < _LATE_RESULTS


async def _send_waiting(desk: Desk) -> None:
    waiting = await call_user_function(desk.waiting)
    if desk.ledger.cancelled:
        await lose_waiting(desk, waiting)
        return
    sender = Sender(desk)
    for entry in waiting:
        run = await call_user_function(desk.run, RowNote.of(entry))
        await sender.add_all([(entry.key, run)], begun=True)
    await sender.send()

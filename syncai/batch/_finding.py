"""A job that was sent, and whose name never arrived: whether it was made, and which one it is."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Literal

from .._bridge import call_user_function
from ..models._http.batches import ProviderJob
from ._desk import Desk
from ._ledger import BatchPart

__all__ = ['find_again']

_SLACK = 3600.0  # seconds by which the clocks of this machine and of the provider may differ
SETTLED_AFTER = 2.0
"""Seconds after which a job whose connection broke is in the provider's lists, if it was made."""


async def find_again(desk: Desk, part: BatchPart) -> ProviderJob | Literal['not made', 'undecided']:
    """The job of a part whose name is not known.

    Where the provider keeps no name of a job, a job with as many rows is known only when it has ended, by the ids of
    its rows; until then nobody knows.

    Raises:
        ModelAPIError: The provider cannot be asked.
    """
    if (wait := part.begun + SETTLED_AFTER - time.time()) > 0:
        await asyncio.sleep(min(wait, SETTLED_AFTER))
    known = {other.job_id for other in desk.ledger.parts} | set(part.others)
    undecided = False
    candidates = list[ProviderJob]()
    async for job in desk.api.jobs(part.begun - _SLACK):
        if desk.api.has_tags:
            if job.tag == part.tag:
                return job
        elif job.job_id not in known and job.total == part.rows:
            candidates.append(job)
    for job in candidates:
        if job.state in ('running', 'cancelling'):
            undecided = True
        elif await _begins_with(desk, job, part.tag):
            return job
        else:
            part_now = desk.ledger.part(part.tag) or part
            await call_user_function(desk.ledger.change, part.tag, others=(*part_now.others, job.job_id))
    return 'undecided' if undecided else 'not made'


async def _begins_with(desk: Desk, job: ProviderJob, tag: str) -> bool:
    """Whether the first row in the results of a job is a row of this run."""
    async with aclosing(desk.api.answers(job)) as answers:
        async for answer in answers:
            return answer.custom_id.startswith(f'{tag}-')
    return False

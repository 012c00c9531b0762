"""The search for a job that was sent and whose name never arrived."""

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

_SLACK = 3600.0  # the most seconds between the clocks of this machine and the provider
SETTLED_AFTER = 2.0
"""Seconds until a job whose connection broke is in the provider's lists, if it was made."""


async def find_again(desk: Desk, part: BatchPart) -> ProviderJob | Literal['not made', 'undecided']:
    """The job of a part without a known id. If the provider stores no names, a job with the same number of rows is
    recognised by the ids of its rows, once it has ended; until then it is undecided.

    Raises:
        ModelAPIError: The provider cannot be asked.
    """
    if (wait := part.begun + SETTLED_AFTER - time.time()) > 0:
        await asyncio.sleep(min(wait, SETTLED_AFTER))
    job_ids = {other.job_id for other in desk.ledger.parts} | set(part.others)
    undecided = False
    candidates = list[ProviderJob]()
    async for job in desk.api.jobs(part.begun - _SLACK):
        if desk.api.has_tags:
            if job.tag == part.tag:
                return job
        elif job.job_id not in job_ids and job.total == part.rows:
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

"""Batches at half price: rows that a provider answers within a day, stored in a journal from the beginning.

    job = agent.batch(rows, journal='run.sqlite', key=lambda item: item.pk)    # sends them, and returns
    job.poll()                                                                 # what is new? for cron and Celery beat
    for row in job.results(): ...                                              # waits; rows as `map_sync` gives them

    job = agent.batch(journal='run.sqlite')                                    # the same, from any other process

A `BatchJob` may be several jobs at the provider (`BatchPart`), since each job takes a limited number of rows and bytes,
and since rows that need another answer, after tools or to correct a result, go into a further job.
"""

from __future__ import annotations

from ._job import BatchCounts, BatchJob, BatchState
from ._ledger import BatchPart

__all__ = ['BatchCounts', 'BatchJob', 'BatchPart', 'BatchState']

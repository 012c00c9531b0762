"""A Celery application whose group of tasks works on one journal."""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import os

from celery import Celery
from fleet_agent import agent, as_key, as_prompt

app = Celery('fleet', broker=os.environ['REDIS_URL'], backend=os.environ['REDIS_URL'])
app.conf.worker_prefetch_multiplier = 1
app.conf.broker_connection_retry_on_startup = True


@app.task
def work(count: int) -> int:
    """Takes rows until none is left; returns how many it paid for."""
    rows = agent.map_sync(
        range(count),
        journal=os.environ['JOURNAL'],
        share=True,
        key=as_key,
        prompt=as_prompt,
        ordered=False,
        max_concurrency=4,
    )
    return sum(not row.stored for row in rows)

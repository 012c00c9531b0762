"""The jobs of `ModelServer` have every field that recorded jobs of the providers have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from batch_servers import echo
from batch_wires import Make, anthropic, google, mistral, responses
from beside import RECORDINGS

from syncai import Agent
from syncai.testing import BatchPlan, ModelServer

pytestmark = pytest.mark.needs_recordings

WHERE = {
    'openai_responses_two_answers': (responses, '/v1/batches/{}'),
    'anthropic_two_answers': (anthropic, '/v1/messages/batches/{}'),
    'mistral_inline_two_answers': (mistral, '/v1/batch/jobs/{}'),
    'google_inline_two_answers': (google, '/v1beta/{}'),
}


def recorded_jobs(name: str) -> list[dict[str, Any]]:
    """The jobs among the recorded answers, at first and at last."""
    path = RECORDINGS / 'batch' / f'{name}.json'
    bodies = [exchange['response']['body'] for exchange in json.loads(path.read_text())]
    jobs = []
    for body in bodies:
        try:
            job = json.loads(body)
        except ValueError:  # a file of results
            continue
        if 'object' not in job or job['object'] == 'batch':
            jobs.append(job)
    return jobs


def fields(value: Any, *, depth: int = 2) -> set[str]:
    """The names of the fields, with those of the objects in them."""
    if not isinstance(value, dict) or not depth:
        return set()
    inner = {f'{name}.{one}' for name, item in value.items() for one in fields(item, depth=depth - 1)}
    return {*value, *inner}


@pytest.mark.parametrize('name', WHERE)
def test_no_field_of_a_recorded_job_is_missing(name: str, journal: str, tmp_path: Path) -> None:
    make: Make = WHERE[name][0]
    with ModelServer(echo, batches=BatchPlan(polls=1)) as server:
        job = Agent(make(server)).batch(['a', 'b'], journal=journal)
        address = server.base_url.removesuffix('/v1') + WHERE[name][1].format(job.parts[0].job_id)
        shown = [httpx.get(address).json() for _ in range(2)]
    first, last = recorded_jobs(name)[0], recorded_jobs(name)[-1]
    for recorded, ours in ((first, shown[0]), (last, shown[1])):
        missing = fields(recorded) - fields(ours)
        # What these answers used, and what stands in results, is another matter.
        assert {one for one in missing if not one.startswith(('usage.', 'response.', 'outputs'))} == set()

"""A batch whose journal is a real Redis server: sent by one machine, and collected by another."""

from __future__ import annotations

from pathlib import Path

import pytest
from batch_servers import weather
from batch_wires import chat
from redis_place import needs_redis, redis_server

from syncai import Agent
from syncai.testing import ModelServer


@needs_redis
def test_a_batch_in_redis(tmp_path: Path) -> None:
    pytest.importorskip('redis')

    def look(city: str) -> str:
        """Look."""
        return f'sunny in {city}'

    with redis_server(tmp_path) as url, ModelServer(weather) as server:
        journal = f'{url}#cities'
        Agent(chat(server), tools=[look]).batch(['Rome', 'Oslo'], journal=journal, key=str.lower, rounds=2)
        job = Agent(chat(server), tools=[look]).batch(journal=journal)
        assert job.counts.sent == 2
        rows = {row.key: row.data for row in job.results(interval=0.01)}
        assert rows == {'rome': 'It is sunny in Rome.', 'oslo': 'It is sunny in Oslo.'}

"""`retry_in` with RQ, Dramatiq and Django's tasks: their real workers, which wait as long as the provider asked for."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_place import needs_redis, redis_server
from serving import PLACES, SEARCH, Program, only_in_make_places

from syncai.testing import ModelServer, RecordedRequest, Reply

only_in_make_places()
for package in ('rq', 'dramatiq', 'django_tasks_db'):
    pytest.importorskip(package)

import redis  # noqa: E402


class BusyOnce:
    """A provider that is busy at the first request, and refuses prompts that say `wrong`."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: RecordedRequest) -> Reply:
        self.asked += 1
        if 'wrong' in str(request.json['messages']):
            return Reply(status=400)
        return Reply(status=429, headers={'retry-after': '2'}) if self.asked == 1 else Reply('answer')


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(BusyOnce()) as server:
        yield server


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path) as address:
        yield address


def until(value: Callable[[], Any], program: Program, seconds: float = 30) -> Any:
    """The value, once it is not None."""
    deadline = time.monotonic() + seconds
    while (now := value()) is None:
        assert time.monotonic() < deadline, program.output
        time.sleep(0.05)
    return now


def waited(model: ModelServer) -> float:
    """Seconds between the first two requests; there are no others before."""
    first, second = model.requests[:2]
    return second.received_at - first.received_at


@needs_redis
def test_rq(address: str, model: ModelServer, tmp_path: Path) -> None:
    from rq import Queue

    with redis.Redis.from_url(address) as connection:
        queue = Queue(connection=connection)
        environment = {'REDIS_URL': address, 'MODEL_URL': model.base_url}
        command = ('rq', 'worker', '--url', address, '--with-scheduler')
        with Program(*command, log=tmp_path / 'log', **environment) as worker:
            good = queue.enqueue('queue_jobs.job', 'x')
            model.wait_for_requests(1, timeout=30)
            until(lambda: good.return_value(refresh=True) if good.get_status() == 'finished' else None, worker)
            assert good.return_value() == 'answer'
            assert waited(model) >= 1.9
            wrong = queue.enqueue('queue_jobs.job', 'wrong')
            until(lambda: wrong.get_status() == 'failed' or None, worker)
            assert len(model.requests) == 3


@needs_redis
def test_dramatiq(address: str, model: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLACES))
    environment = {'REDIS_URL': address, 'MODEL_URL': model.base_url}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    import queue_jobs
    from dramatiq.results.errors import ResultFailure, ResultMissing

    def outcome_of(message: Any) -> Any:
        try:
            return message.get_result()
        except ResultMissing:
            return None

    with Program('dramatiq', 'queue_jobs', '-p', '1', '-t', '2', log=tmp_path / 'log', **environment) as worker:
        good = queue_jobs.actor.send('x')
        assert until(lambda: outcome_of(good), worker) == 'answer'
        assert waited(model) >= 1.9
        wrong = queue_jobs.actor.send('wrong')
        with pytest.raises(ResultFailure, match='BadRequestError'):
            until(lambda: outcome_of(wrong), worker)
        assert len(model.requests) == 3
    queue_jobs.broker.client.connection_pool.disconnect()
    queue_jobs.results.client.connection_pool.disconnect()
    del sys.modules['queue_jobs']


def test_tasks_of_django(model: ModelServer, tmp_path: Path) -> None:
    path = tmp_path / 'db.sqlite3'
    environment = {
        'DATABASE': str(path),
        'MODEL_URL': model.base_url,
        'DJANGO_SETTINGS_MODULE': 'django_queue_settings',
    }
    for command in (('-m', 'django', 'migrate', '-v', '0'), ('django_queue.py', 'x')):
        env = {**os.environ, 'PYTHONPATH': SEARCH, **environment}
        subprocess.run([sys.executable, *command], check=True, cwd=PLACES, env=env, timeout=50)

    def outcomes() -> Any:
        with sqlite3.connect(path, timeout=20) as connection:
            rows = connection.execute('SELECT status, return_value FROM django_tasks_database_dbtaskresult').fetchall()
        connection.close()
        values = [value for status, value in rows if status == 'SUCCESSFUL']
        return values if len(values) == 2 else None

    worker = ('python', '-m', 'django', 'db_worker', '--no-startup-delay', '--interval', '0.1')
    with Program(*worker, log=tmp_path / 'log', **environment) as program:
        assert '"answer"' in until(outcomes, program)
    assert waited(model) >= 1.9

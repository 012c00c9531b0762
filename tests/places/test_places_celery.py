"""Celery with Redis: its prefork, threads and gevent pools, driven by a client of this process."""

from __future__ import annotations

import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import LONG, Program, asked_model, only_in_make_places

from syncai import ModelMessagesTypeAdapter
from syncai.exceptions import BadRequestError
from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()

from celery import Celery  # noqa: E402
from celery.exceptions import TimeLimitExceeded  # noqa: E402

pytestmark = pytest.mark.leaky('the client of Celery keeps its connections to Redis')

Work = Callable[..., Celery]
REDIS = shutil.which('redis-server') or pytest.skip('redis-server is not installed', allow_module_level=True)


@pytest.fixture(scope='module')
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp('redis') / 'log'
    with Program(REDIS, '--port', str(port), '--bind', '127.0.0.1', '--save', '', log=log) as program:
        program.wait_for('Ready to accept connections')
        yield f'redis://127.0.0.1:{port}/0'


@pytest.fixture
def workers() -> Iterator[list[Program]]:
    """Those that `work` has started."""
    running: list[Program] = []
    yield running
    for program in running:
        program.__exit__()


@pytest.fixture
def work(redis_url: str, asked_model: ModelServer, tmp_path: Path, workers: list[Program]) -> Iterator[Work]:
    """`work(pool)` starts a worker and gives the application that sends it tasks."""
    apps: list[Celery] = []

    def start(pool: str, **environment: str) -> Celery:
        serializer = environment.get('SERIALIZER', 'json')
        queue = f'{pool}-{time.time_ns()}'
        program = Program(
            *('celery', '-A', 'celery_app', 'worker', '-P', pool, '-c', '4', '-Q', queue, '-l', 'INFO'),
            *('--without-gossip', '--without-mingle'),
            log=tmp_path / 'log',
            REDIS_URL=redis_url,
            MODEL_URL=asked_model.base_url,
            C_FORCE_ROOT='1',
            **environment,
        )
        workers.append(program)
        program.wait_for(r'celery@\S+ ready')
        app = Celery('client', broker=redis_url, backend=redis_url)
        app.conf.update(
            task_default_queue=queue,
            task_serializer=serializer,
            result_serializer=serializer,
            accept_content=['json', 'pickle'],
        )
        apps.append(app)
        return app

    yield start
    for app in apps:
        app.close()


def send(app: Celery, name: str, prompt: str) -> Any:
    return app.send_task(f'celery_app.{name}', (prompt,))


POOLS = ['prefork', 'threads', 'gevent']


@pytest.mark.parametrize('at_import', [False, True], ids=['', 'call at import'])
@pytest.mark.parametrize('pool', POOLS)
def test_calls_and_streams(work: Work, pool: str, at_import: bool, asked_model: ModelServer) -> None:
    app = work(pool, ASK_AT_IMPORT='1') if at_import else work(pool)
    calls = [send(app, 'ask', 'slow') for _ in range(8)]
    assert [job.get(timeout=20) for job in calls] == ['answer'] * 8
    streams = [send(app, 'stream', 'long') for _ in range(4)]
    assert [job.get(timeout=20)[0] for job in streams] == [LONG] * 4
    served = [r for r in asked_model.requests if r.streams]
    assert max(r.received_at for r in served) < min(r.finished_at or 0 for r in served), 'one after another'


@pytest.mark.timeout(240)
@pytest.mark.parametrize('pool', POOLS)
def test_streams_at_a_warm_shutdown_are_read_to_their_end(
    work: Work, workers: list[Program], pool: str, asked_model: ModelServer
) -> None:
    app = work(pool)
    streams = [send(app, 'stream', 'long') for _ in range(4)]
    deadline = time.monotonic() + 60
    while sum(request.streams for request in asked_model.requests) < 4:
        assert time.monotonic() < deadline, workers[0].output
        time.sleep(0.01)
    workers[0].stop(signal.SIGTERM, timeout=120)  # with a tenth of a processor, Celery's exit alone takes some 50 s
    assert [job.get(timeout=20)[0] for job in streams] == [LONG] * 4
    assert 'Traceback' not in workers[0].output, workers[0].output


def test_a_soft_time_limit_stops_the_stream(work: Work, asked_model: ModelServer) -> None:
    app = work('prefork')
    assert send(app, 'stream_softly', 'endless').get(timeout=20) == 'stopped; answer'
    assert asked_model.wait_for_disconnect().finished_at is None


@pytest.mark.parametrize('pool', ['prefork', 'gevent'])
def test_a_hard_time_limit_stops_the_stream(work: Work, pool: str, asked_model: ModelServer) -> None:
    app = work(pool)
    with pytest.raises(TimeLimitExceeded):
        send(app, 'stream_hard', 'endless').get(timeout=20)
    assert asked_model.wait_for_disconnect().finished_at is None
    assert send(app, 'ask', 'short').get(timeout=20) == 'answer'


@pytest.mark.parametrize('serializer', ['json', 'pickle'])
@pytest.mark.parametrize('pool', POOLS)
def test_an_error_travels(work: Work, pool: str, serializer: str) -> None:
    app = work(pool, SERIALIZER=serializer)
    job = send(app, 'ask', 'fails')
    with pytest.raises(BadRequestError, match='400') as info:
        job.get(timeout=20)
    assert info.value.status_code == 400
    assert 'run_sync' in job.traceback


def test_one_task_for_each_step(work: Work) -> None:
    """The transcript goes through Redis as JSON; each step may run in another process of the pool."""
    app = work('prefork')
    outcome = app.send_task('celery_app.advance', ['']).get(timeout=30)
    while isinstance(outcome, str):
        outcome = app.AsyncResult(outcome).get(timeout=30)
    steps, data, messages = outcome
    assert (steps, data) == (3, 'answer')
    assert [message.kind for message in ModelMessagesTypeAdapter.validate_json(messages)] == ['request', 'response'] * 3

"""`syncai.contrib.celery` with a real worker and a real Redis, its results read by another process."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Program, only_in_make_places

from syncai.testing import ModelServer, RecordedRequest, Reply

only_in_make_places()

from celery import Celery  # noqa: E402

from syncai.contrib.celery import TaskFailed, report_progress, syncai_task  # noqa: E402
from syncai.exceptions import UserError  # noqa: E402

pytestmark = pytest.mark.leaky('the client of Celery keeps its connections to Redis')
REDIS = shutil.which('redis-server') or pytest.skip('redis-server is not installed', allow_module_level=True)


def answer(request: RecordedRequest) -> Reply:
    prompt = str(request.json['messages'][-1]['content'])
    if 'endless' in prompt:
        return Reply('word ', repeat=100_000, delay_between_events=0.01)
    if 'busy' in prompt:
        return Reply(status=429, headers={'retry-after': '1'})
    if 'wrong' in prompt:
        return Reply(status=400)
    return Reply('answer')


class Once:
    """Busy at the first request, then well."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: RecordedRequest) -> Reply:
        self.asked += 'once' in str(request.json['messages'][-1]['content'])
        if self.asked == 1:
            return Reply(status=429, headers={'retry-after': '1'})
        return answer(request)


@pytest.fixture(scope='module')
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp('redis') / 'log'
    with Program(REDIS, '--port', str(port), '--bind', '127.0.0.1', '--save', '', log=log) as program:
        program.wait_for('Ready to accept connections')
        yield f'redis://127.0.0.1:{port}/0'


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(Once()) as server:
        yield server


@pytest.fixture(params=['json', 'pickle'])
def app(request: Any, redis_url: str, model: ModelServer, tmp_path: Path) -> Iterator[Celery]:
    queue = f'tasks-{time.time_ns()}'
    with Program(
        *('celery', '-A', 'celery_tasks', 'worker', '-P', 'prefork', '-c', '2', '-Q', queue, '-l', 'INFO'),
        *('--without-gossip', '--without-mingle'),
        log=tmp_path / 'log',
        REDIS_URL=redis_url,
        MODEL_URL=model.base_url,
        SERIALIZER=request.param,
        C_FORCE_ROOT='1',
    ) as worker:
        worker.wait_for(r'celery@\S+ ready')
        app = Celery('client', broker=redis_url, backend=redis_url)
        app.conf.update(
            task_default_queue=queue,
            task_serializer=request.param,
            result_serializer=request.param,
            accept_content=['json', 'pickle'],
        )
        yield app
        app.close()


def send(app: Celery, name: str, prompt: str) -> Any:
    return app.send_task(f'celery_tasks.{name}', (prompt,))


def test_tasks(app: Celery, model: ModelServer) -> None:
    """Tried again by Celery after the seconds that the provider asked for; failures with all that is known."""
    assert send(app, 'ask', 'once').get(timeout=30) == 'answer'
    first, second = model.requests
    assert second.received_at - first.received_at > 0.9  # and not after the half second of the library's own retries
    assert send(app, 'bound', 'x').get(timeout=30) == 'celery_tasks.bound: answer'

    with pytest.raises(TaskFailed, match='BadRequestError') as wrong:
        send(app, 'ask', 'wrong').get(timeout=30)
    assert (wrong.value.kind, wrong.value.partial) == ('BadRequestError', None)
    assert [message.kind for message in wrong.value.messages] == ['request']

    before = len(model.requests)
    with pytest.raises(TaskFailed, match='RateLimitError') as busy:
        send(app, 'ask', 'busy').get(timeout=30)
    assert busy.value.details['retry_after'] == 1.0
    assert len(model.requests) - before == 3  # once, and max_retries=2 times again


def test_a_soft_limit_keeps_the_answer_and_the_state_shows_it(app: Celery, model: ModelServer) -> None:
    job = send(app, 'softly', 'endless')
    until = time.monotonic() + 20
    while not (job.state == 'PROGRESS' and 'word word' in (job.info or {}).get('text', '')):
        assert time.monotonic() < until, job.state
        time.sleep(0.02)
    with pytest.raises(TaskFailed) as stopped:
        job.get(timeout=30)
    assert stopped.value.kind == 'SoftTimeLimitExceeded'
    assert stopped.value.partial is not None
    assert stopped.value.partial.text.startswith('word word')
    assert model.wait_for_disconnect(timeout=10).finished_at is None


def test_a_revoked_task_stops_its_request(app: Celery, model: ModelServer) -> None:
    job = send(app, 'softly', 'endless')
    model.wait_for_requests(1, timeout=20)
    job.revoke(terminate=True)
    assert model.wait_for_disconnect(timeout=10).finished_at is None


def test_what_is_no_application_is_refused() -> None:
    with pytest.raises(UserError, match='takes a Celery application, not function'):
        syncai_task(report_progress)

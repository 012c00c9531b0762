"""Under gunicorn, with each kind of worker, with and without `--preload`."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import LONG, Program, asked_model, only_in_make_places

from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()

KINDS = ['sync', 'gthread', 'gevent']
GRACE = 3
Serve = Callable[..., Program]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def serve(kind: str, asked_model: ModelServer, tmp_path: Path) -> Iterator[Serve]:
    """`serve(*options)` starts gunicorn with one worker of the kind."""
    running: list[Program] = []

    def start(*options: str, **environment: str) -> Program:
        many = {'sync': [], 'gthread': ['--threads', '8'], 'gevent': ['--worker-connections', '8']}[kind]
        command = ['gunicorn', '-k', kind, '-w', '1', '-b', '127.0.0.1:0', *many]
        program = Program(
            *command,
            *options,
            'wsgi_app:application',
            log=tmp_path / 'log',
            MODEL_URL=asked_model.base_url,
            **environment,
        )
        running.append(program)
        return program.serves(r'Listening at: http://127\.0\.0\.1:(\d+)')

    yield start
    for program in running:
        program.__exit__()


@pytest.mark.parametrize('preload', [False, True], ids=['', 'preload'])
def test_calls_and_streams(serve: Serve, kind: str, preload: bool, asked_model: ModelServer) -> None:
    """With the application preloaded, a call was made in the master, before the fork."""
    options = ('--graceful-timeout', '20')
    program = serve(*options, '--preload', ASK_AT_IMPORT='1') if preload else serve(*options)
    assert program.get('/ask/short') == 'answer'
    with ThreadPoolExecutor(6) as pool:
        streams = [pool.submit(program.get, '/stream/long') for _ in range(4)]
        calls = [pool.submit(program.get, '/ask/slow') for _ in range(2)]
        assert [job.result() for job in streams] == ['x' * LONG] * 4
        assert [job.result() for job in calls] == ['answer'] * 2
    assert asked_model.requests[0].finished_at is not None
    served = [r for r in asked_model.requests if r.streams]
    side_by_side = max(r.received_at for r in served) < min(r.finished_at or 0 for r in served)
    assert side_by_side == (kind != 'sync')
    assert program.stop() < 10  # there is nothing to wait for
    assert 'Traceback' not in program.output, program.output


def test_workers_that_are_replaced(serve: Serve) -> None:
    program = serve('--max-requests', '3')
    pids: set[str | None] = set()
    deadline = time.monotonic() + 25
    while len(pids) < 3:
        assert time.monotonic() < deadline, program.output
        with program.open('/ask/short') as response:
            assert response.read() == b'answer', program.output
            pids.add(response.headers['X-Pid'])


def test_a_worker_that_is_replaced_finishes_its_stream(serve: Serve, kind: str) -> None:
    if kind == 'sync':
        pytest.skip('a sync worker is not replaced before its one request is over')
    program = serve('--max-requests', '3')  # one of them was that of the start
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(program.get, '/stream/long')
        program.wait_for('Booting worker')
        pids = set[str]()
        while not stream.done() or len(pids) < 2:  # on a slow machine the stream may be over before
            with program.open('/ask/short') as response:
                pids.add(response.headers['X-Pid'])
        assert stream.result() == 'x' * LONG


@pytest.mark.parametrize('preload', [False, True], ids=['', 'preload'])
def test_sigterm_in_the_middle_of_a_stream(serve: Serve, preload: bool, asked_model: ModelServer) -> None:
    """The worker gets its graceful timeout, no more, and the server sees the disconnect."""
    options = ('--graceful-timeout', str(GRACE))
    program = serve(*options, '--preload', ASK_AT_IMPORT='1') if preload else serve(*options)
    with program.open('/stream/endless') as response:
        response.read(5)
        assert program.stop(signal.SIGTERM) < GRACE + 3, program.output
    gone = asked_model.wait_for_disconnect(timeout=3)
    assert gone.finished_at is None


def test_a_client_that_leaves_stops_the_stream(serve: Serve, asked_model: ModelServer) -> None:
    program = serve()
    response = program.open('/stream/endless')
    response.read(5)
    response.close()
    assert asked_model.wait_for_disconnect(timeout=5).finished_at is None
    assert program.get('/ask/short') == 'answer'

"""uWSGI: with threads, without them, and with forks that call no hooks of Python."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import LONG, Program, asked_model, only_in_make_places

from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()
Serve = Callable[..., Program]
OLD_UWSGI = os.environ.get('OLD_UWSGI')


@pytest.fixture
def serve(asked_model: ModelServer, tmp_path: Path) -> Iterator[Serve]:
    """`serve(*options)` starts uWSGI with a master and two workers."""
    running: list[Program] = []

    def start(*options: str, program: str = 'uwsgi', log: str = 'log', **environment: str) -> Program:
        started = Program(
            *(program, '--http-socket', '127.0.0.1:0', '--module', 'wsgi_app', '--master', '--processes', '2'),
            *('--need-app', '--die-on-term', '--worker-reload-mercy', '3'),
            *options,
            log=tmp_path / log,
            MODEL_URL=asked_model.base_url,
            **environment,
        )
        running.append(started)
        return started.serves(r'bound to TCP address 127\.0\.0\.1:(\d+)')

    yield start
    for program in running:
        program.__exit__()


FORKS = {
    'fork after import': (),
    'fork with hooks': ('--py-call-uwsgi-fork-hooks',),
    'import after fork': ('--lazy-apps',),
}


@pytest.mark.parametrize('at_import', [False, True], ids=['', 'call at import'])
@pytest.mark.parametrize('options', FORKS.values(), ids=FORKS)
def test_calls_and_streams(serve: Serve, options: tuple[str, ...], at_import: bool) -> None:
    program = serve('--enable-threads', *options, **({'ASK_AT_IMPORT': '1'} if at_import else {}))
    for _ in range(6):
        assert program.get('/ask/short') == 'answer'
        assert program.get('/stream/long') == 'x' * LONG


def test_threads_of_one_worker(serve: Serve) -> None:
    program = serve('--threads', '4')
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(program.get, ['/stream/long'] * 8)) == ['x' * LONG] * 8


def test_an_old_version_without_threads(serve: Serve) -> None:
    if not OLD_UWSGI:
        pytest.skip('set OLD_UWSGI to the path of a uWSGI up to 2.0.26, which starts without threads')
    program = serve(program=OLD_UWSGI)
    assert program.get('/ask/short') == 'answer'
    assert program.get('/stream/long') == 'x' * LONG
    assert program.output.count('RuntimeWarning: uWSGI runs without --enable-threads') in (1, 2)  # one a worker
    threaded = serve('--enable-threads', program=OLD_UWSGI, log='threaded')
    assert threaded.get('/ask/short') == 'answer'
    assert 'RuntimeWarning' not in threaded.output


def test_sigterm_in_the_middle_of_a_stream(serve: Serve, asked_model: ModelServer) -> None:
    program = serve('--enable-threads')
    with program.open('/stream/endless') as response:
        response.read(5)
        assert program.stop(signal.SIGTERM) < 6, program.output
    assert asked_model.wait_for_disconnect(timeout=3).finished_at is None

"""Maps over many processes: engines whose workers make the runs, and processes that share one journal."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postgres_place import postgres_server
from redis_place import PROGRAM, needs_redis, redis_server
from serving import BIN, PLACES, SEARCH, Program, only_in_make_places

from syncai.journal import Journal
from syncai.testing import ModelServer, RecordedRequest, Reply

only_in_make_places()
pytestmark = pytest.mark.leaky('the client of Celery keeps its connections to Redis')

ROWS = 60


class Provider:
    """Answers with the prompt after a moment; `row 13` with 429, and `row 7` not before `open` is set.

    `endless` is never answered, and makes the file `begun`.
    """

    def __init__(self, begun: Path) -> None:
        self.open = True
        self.begun = begun

    async def __call__(self, request: RecordedRequest) -> Reply:
        prompt = request.json['messages'][-1]['content']
        await asyncio.sleep(0.02)
        while prompt == 'row 7' and not self.open:
            await asyncio.sleep(0.01)
        if prompt == 'endless':
            self.begun.touch()
            return Reply('x', delay_headers=60)
        return Reply(status=429) if prompt == 'row 13' else Reply(f'answer to {prompt}', usage=(3, 2))


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    return Provider(tmp_path / 'begun')


@pytest.fixture
def server(provider: Provider) -> Iterator[ModelServer]:
    with ModelServer(provider) as started:
        yield started
        provider.open = True


def prompts_of(server: ModelServer) -> list[str]:
    return [request.json['messages'][-1]['content'] for request in server.requests]


def times_of(server: ModelServer, prompt: str) -> list[float]:
    return [r.received_at for r in server.requests if r.json['messages'][-1]['content'] == prompt]


# --- engines ----------------------------------------------------------------------------------------------------------

COMMANDS = {
    'processes': [sys.executable],
    'dask': [sys.executable],
    'ray': [sys.executable],
    'mpi': [str(BIN / 'mpiexec'), '-n', '3', sys.executable, '-m', 'mpi4py.futures'],
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize('engine', COMMANDS)
def test_an_engine_makes_the_runs_and_the_caller_keeps_the_journal(
    engine: str, server: ModelServer, tmp_path: Path
) -> None:
    if engine == 'mpi' and not (BIN / 'mpiexec').exists():
        pytest.skip('there is no mpiexec beside this Python (packages mpi4py and mpich)')
    pytest.importorskip({'dask': 'distributed', 'ray': 'ray', 'mpi': 'mpi4py'}.get(engine, 'syncai'))
    journal = tmp_path / 'run.sqlite'
    done = subprocess.run(
        [*COMMANDS[engine], str(PLACES / 'fleet_engines.py'), engine, str(journal), str(ROWS)],
        env={**os.environ, 'PYTHONPATH': SEARCH, 'MODEL_URL': server.base_url, 'BEGUN': str(tmp_path / 'begun')},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert seen['before'] == [0, 1, 2, 3, 4]
    assert seen['keys'] == list(range(ROWS))
    assert seen['failed'] == [[13, 429]], seen['errors']
    assert seen['answers'] == [number for number in range(ROWS) if number != 13]
    assert seen['elsewhere']
    assert seen['stored'] >= 5
    assert Journal(journal).counts() == {'done': ROWS - 1, 'failed': 1, 'claimed': 0, 'sent': 0}
    # Those under way when the map was left were asked again, and the failed row if it had come by then.
    assert len(server.requests) - 2 * (engine == 'ray') <= ROWS + 4 + 1
    if engine == 'ray':
        check_what_ray_did(seen)
        assert server.wait_for_disconnect().finished_at is None


def check_what_ray_did(seen: dict[str, Any]) -> None:
    """Errors keep their class and have a place; a call that is cancelled is stopped in its worker."""
    assert (seen['cause'], seen['place']) == ('_RemoteTraceback', True)
    assert seen['cancelled'] == [True, True, True, 1]
    assert seen['squares'] == [1, 4, 9]
    assert seen['odd'][0] == 'AgentRunError'
    assert seen['odd'][1].endswith('Odd: of the worker')
    assert 'Ray does not take these options of its tasks: ' in seen['wrong'][0]
    assert seen['wrong'][1] == 'The executor was shut down: use it within its `with` block'


# --- one journal for several processes --------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def postgres_url() -> Iterator[str]:
    with postgres_server() as port:
        yield f'postgresql://postgres@127.0.0.1:{port}/postgres'


@pytest.fixture(scope='module')
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if PROGRAM is None:
        pytest.skip('redis-server is not installed (Debian: redis-server)')
    with redis_server(tmp_path_factory.mktemp('redis')) as url:
        yield url


@pytest.fixture(params=['sqlite', 'postgres', 'redis'])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    name = tmp_path.name
    if request.param == 'sqlite':
        return str(tmp_path / 'run.sqlite')
    return f'{request.getfixturevalue(f"{request.param}_url")}#{name}'


def worker(journal: str, server: ModelServer, tmp_path: Path, *, lease: float = 60, elsewhere: bool = False) -> Program:
    """A process that shares the journal; `elsewhere` puts it where the others cannot see it, as in a container."""
    number = len(list(tmp_path.glob('*.log')))
    command = ['python', str(PLACES / 'fleet_worker.py'), journal, str(ROWS), str(lease)]
    if elsewhere:
        command = [str(shutil.which('unshare')), '--pid', '--fork', '--kill-child', str(BIN / command[0]), *command[1:]]
    return Program(*command, log=tmp_path / f'{number}.log', MODEL_URL=server.base_url)


@pytest.mark.timeout(90)
def test_processes_that_share_a_journal_pay_once_and_one_may_be_killed(
    journal: str, server: ModelServer, tmp_path: Path
) -> None:
    workers = [worker(journal, server, tmp_path) for _ in range(3)]
    try:
        for program in workers:
            program.wait_for(r'\d+ False')
        workers[0].__exit__()
        for program in workers[1:]:
            program.wait_for(r'\nend\n')
    finally:
        for program in workers:
            program.__exit__()
    kept = Journal(journal)
    assert kept.counts() == {'done': ROWS - 1, 'failed': 1, 'claimed': 0, 'sent': 0}
    rows = {row.key: row for row in kept.rows()}
    assert sorted(rows) == list(range(ROWS))
    assert all(row.data.startswith(f'answer to row {key} ') for key, row in rows.items() if key != 13)
    asked = prompts_of(server)
    assert len(set(asked)) == ROWS
    again = len(asked) - ROWS - (asked.count('row 13') - 1)
    # Four were under way in the process that was killed; those of its last 50 ms, four each 20 ms, were not committed.
    assert again <= 20


@pytest.mark.timeout(90)
def test_claims_of_a_process_that_nobody_can_see_are_free_after_the_lease(
    journal: str, server: ModelServer, provider: Provider, tmp_path: Path
) -> None:
    if shutil.which('unshare') is None or os.getuid() != 0:
        pytest.skip('name spaces of processes need root and unshare (Debian: util-linux)')
    provider.open = False
    lost = worker(journal, server, tmp_path, lease=4, elsewhere=True)
    deadline = time.monotonic() + 30
    while 'row 7' not in prompts_of(server):
        assert time.monotonic() < deadline, lost.output
        time.sleep(0.01)
    lost.__exit__()
    killed = time.monotonic()
    provider.open = True
    other = worker(journal, server, tmp_path, lease=4, elsewhere=True)
    try:
        other.wait_for(r'\nend\n')
    finally:
        other.__exit__()
    assert Journal(journal).counts() == {'done': ROWS - 1, 'failed': 1, 'claimed': 0, 'sent': 0}
    first, second = times_of(server, 'row 7')
    assert first < killed
    assert second > killed + 2.9, 'it was taken before its lease was over'  # a sign of life each second


# --- Celery -----------------------------------------------------------------------------------------------------------


@needs_redis
@pytest.mark.timeout(90)
def test_a_group_of_celery_with_the_journal_as_common_memory(
    server: ModelServer, redis_url: str, postgres_url: str, tmp_path: Path
) -> None:
    from celery import Celery, group, signature

    journal = f'{postgres_url}#celery'
    queue = f'fleet-{time.time_ns()}'
    workers = [
        Program(
            *('celery', '-A', 'fleet_tasks', 'worker', '-c', '2', '-Q', queue, '-l', 'INFO', '-n', f'{name}@%h'),
            *('--without-gossip', '--without-mingle'),
            log=tmp_path / f'{name}.log',
            REDIS_URL=redis_url,
            MODEL_URL=server.base_url,
            JOURNAL=journal,
            C_FORCE_ROOT='1',
        )
        for name in ('one', 'two')
    ]
    app = Celery('client', broker=redis_url, backend=redis_url)
    app.conf.task_default_queue = queue
    try:
        for program in workers:
            program.wait_for(r'celery@|ready\.')
            program.wait_for(r'ready\.')
        tasks = group(signature('fleet_tasks.work', (ROWS,), app=app) for _ in range(4))
        paid = tasks.apply_async().get(timeout=60)
    finally:
        for program in workers:
            program.__exit__()
        app.close()
    counts = Journal(journal).counts()
    assert (counts['done'], counts['claimed']) == (ROWS - 1, 0)
    assert len(paid) == 4
    asked = prompts_of(server)
    assert sum(paid) == len(asked)
    assert len(asked) - asked.count('row 13') == ROWS - 1

"""A journal that is lost in the middle of a map: what came is given, what is kept stays, and the error says why."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis_place import free_port, needs_redis, redis_server

from syncai import Agent, MapRow
from syncai.exceptions import StoreError, UserError
from syncai.journal import Journal
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, RecordedRequest, Reply


def shout(request: RecordedRequest) -> Reply:
    return Reply(request.json['messages'][-1]['content'].upper(), usage=(3, 2))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(shout) as started:
        yield started


def agent_of(server: ModelServer) -> Agent[None, str]:
    return Agent(OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(max_retries=0)))


def given_until(rows: Any, error: type[Exception]) -> tuple[list[MapRow[Any]], Exception]:
    """The rows that come, and the error behind them."""
    taken: list[MapRow[Any]] = []
    with pytest.raises(error) as raised:
        taken.extend(rows)
    return taken, raised.value


@contextmanager
def small_disk(folder: Path, size: str, *options: str) -> Iterator[Path]:
    """A file system of that size in memory; needs the right to mount."""
    folder.mkdir(exist_ok=True)
    mount = ['mount', '-t', 'tmpfs', '-o', ','.join([f'size={size}', *options]), 'tmpfs', str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip('a small disk needs the right to mount one')
    try:
        yield folder
    finally:
        subprocess.run(['umount', '--lazy', str(folder)], check=True)


@pytest.mark.parametrize('ordered', [True, False])
def test_a_full_disk_ends_a_map_whose_rows_all_come(server: ModelServer, tmp_path: Path, ordered: bool) -> None:
    with small_disk(tmp_path / 'disk', '400k') as disk:
        journal = Journal(disk / 'run.sqlite')
        list(agent_of(server).map_sync(['first'], journal=journal))
        prompts = ['first'] + [f'{number} {"x" * 2000}' for number in range(999)]
        rows, error = given_until(agent_of(server).map_sync(prompts, journal=journal, ordered=ordered), StoreError)
        assert 'is full' in str(error)
        assert 'free some space' in str(error)
        made = [row for row in rows if row.error is None]
        assert made[0].stored
        asked = {request.json['messages'][-1]['content'] for request in server.requests}
        assert {row.prompt for row in made} == asked, 'a row that was paid for did not come'
        assert len(asked) == len(server.requests) < 500
        assert all(isinstance(row.error, StoreError) for row in rows if row.error is not None)
        if ordered:
            assert [row.prompt for row in rows] == prompts[: len(rows)]
        kept = {row.prompt: row.data for row in journal.rows()}
        assert 0 < len(kept) <= len(made)
        assert all(data == str(prompt).upper() for prompt, data in kept.items())
        journal.close()


def test_a_disk_that_has_space_again_has_the_rows_that_waited(server: ModelServer, tmp_path: Path) -> None:
    """The last commit comes when the map ends: what waited for space until then is kept."""
    with small_disk(tmp_path / 'disk', '8m') as disk:
        (disk / 'ballast').write_bytes(bytes(8_000_000))
        journal = Journal(disk / 'run.sqlite')
        store: Any = journal._store
        put = store.put

        def freed_after_the_first_failure(*args: Any) -> None:
            try:
                put(*args)
            except StoreError:
                (disk / 'ballast').unlink(missing_ok=True)
                raise

        store.put = freed_after_the_first_failure
        prompts = [f'{number} {"x" * 2000}' for number in range(1000)]
        rows, _ = given_until(agent_of(server).map_sync(prompts, journal=journal), StoreError)
        assert journal.counts()['done'] == len([row for row in rows if row.error is None]) == len(server.requests)
        journal.close()


LIMITED = """
import resource, signal, sys
from syncai import Agent
from syncai.exceptions import StoreError
from syncai.models.test import TestModel
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
agent, count = Agent(TestModel(custom_result_text='y' * 2000)), 0
list(agent.map_sync(['0'], journal=sys.argv[1]))
try:
    for row in agent.map_sync(map(str, range(3000)), journal=sys.argv[1]):
        count += row.error is None
except StoreError as error:
    print(count, error)
"""


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_an_error_and_keeps_what_it_has(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes write() fail with EFBIG, as a quota does: https://man7.org/linux/man-pages/man2/write.2.html."""
    path = tmp_path / 'run.sqlite'
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(LIMITED), str(path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    count, _, words = done.stdout.partition(' ')
    assert str(path) in words, done.stdout + done.stderr
    kept = Journal(path)
    assert 0 < kept.counts()['done'] <= int(count)
    kept.close()
    database = sqlite3.connect(path)
    assert database.execute('PRAGMA integrity_check').fetchone() == ('ok',)
    database.close()


def test_a_file_system_that_is_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path / 'disk', '1m') as disk:
        path = disk / 'run.sqlite'
        agent = Agent(TestModel())
        list(agent.map_sync(['a'], journal=path))
        before = path.read_bytes()
        subprocess.run(['mount', '-o', 'remount,ro', str(disk)], check=True)
        with pytest.raises((UserError, StoreError), match=r'cannot be opened or written for the journal'):
            list(agent.map_sync(['a', 'b'], journal=path))
        assert path.read_bytes() == before


@needs_redis
@pytest.mark.parametrize('share', [False, True])
def test_a_redis_that_goes_away_ends_a_map_whose_rows_all_come(
    server: ModelServer, tmp_path: Path, share: bool
) -> None:
    pytest.importorskip('redis')
    port = free_port()
    url = f'redis://127.0.0.1:{port}/0?socket_timeout=1&socket_connect_timeout=1'
    taken: list[MapRow[str]] = []
    with redis_server(tmp_path, port=port) as address:
        rows = agent_of(server).map_sync(map(str, range(5000)), journal=url, share=share)
        for row in rows:
            taken.append(row)
            if len(taken) == 50:
                break
        assert address.startswith(f'redis://127.0.0.1:{port}')
    rest, error = given_until(rows, StoreError)
    assert f'Redis at 127.0.0.1:{port} could not be reached for the journal' in str(error)
    taken += rest
    asked = {request.json['messages'][-1]['content'] for request in server.requests}
    assert {row.prompt for row in taken if row.error is None} == asked
    assert len(asked) < 5000


def in_thread(agent: Agent[None, str], items: Any, **options: Any) -> Iterator[MapRow[str]]:
    yield from agent.map_sync(items, **options)


def on_loop(agent: Agent[None, str], items: Any, **options: Any) -> Iterator[MapRow[str]]:
    rows = agent.map(items, **options)
    with asyncio.Runner() as runner:
        while (row := runner.run(anext(rows, None))) is not None:
            yield row


def on_workers(agent: Agent[None, str], items: Any, **options: Any) -> Iterator[MapRow[str]]:
    with ThreadPoolExecutor(4) as executor:
        yield from agent.map_sync(items, executor=executor, **options)


@pytest.mark.parametrize('ordered', [True, False])
@pytest.mark.parametrize('read', [in_thread, on_loop, on_workers])
def test_a_wrong_key_in_the_middle_loses_no_row(server: ModelServer, tmp_path: Path, read: Any, ordered: bool) -> None:
    keys = {number: number for number in range(200)} | {150: 3}
    rows = read(
        agent_of(server),
        range(200),
        journal=tmp_path / 'j',
        key=lambda number: keys[number],
        prompt=lambda number: f'row {number}',
        ordered=ordered,
    )
    taken, error = given_until(rows, UserError)
    assert 'gave 3 for a second row' in str(error)
    made = [row for row in taken if row.error is None]
    assert len(made) == len(server.requests) > 100
    assert Journal(tmp_path / 'j').counts()['done'] == len(made)
    if ordered:
        assert [row.key for row in taken][:150] == list(range(150))


class Breaking(ThreadPoolExecutor):
    """Takes 50 calls, and then none, as a pool of processes does that has lost one."""

    taken = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.taken += 1
        if self.taken > 50:
            raise BrokenExecutor('A worker has died')
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize('kept', [True, False])
def test_an_executor_that_breaks_loses_no_row(server: ModelServer, tmp_path: Path, kept: bool) -> None:
    options: dict[str, Any] = {'journal': tmp_path / 'j'} if kept else {'return_exceptions': True}
    with Breaking(4) as executor:
        rows = agent_of(server).map_sync(map(str, range(200)), executor=executor, **options)
        taken, _ = given_until(rows, BrokenExecutor)
    assert [row.prompt for row in taken if row.error is None] == [str(number) for number in range(50)]
    assert len(server.requests) == 50
    if kept:
        assert Journal(tmp_path / 'j').counts()['done'] == 50


def test_a_result_that_cannot_be_kept_ends_the_map_and_loses_no_other(tmp_path: Path) -> None:
    class Odd:
        pass

    agent = Agent(TestModel())

    @agent.result_validator
    def odd(data: str) -> Any:
        return Odd()

    rows = agent.map_sync(map(str, range(2000)), journal=tmp_path / 'j')
    taken, error = given_until(rows, UserError)
    assert 'A result of the type Odd cannot be kept' in str(error)
    assert all(isinstance(row.data, Odd) for row in taken if row.error is None)
    assert len(taken) > 0
    assert json.dumps(dict(Journal(tmp_path / 'j').counts())).count('"done": 0') == 1

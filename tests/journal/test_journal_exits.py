"""A journal when its process ends badly, forks, or has ended and nobody has asked for its status."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncai import Agent
from syncai.journal import Journal
from syncai.journal._owners import this_place
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, RecordedRequest, Reply


@pytest.fixture
def server() -> Iterator[ModelServer]:
    def shout(request: RecordedRequest) -> Reply:
        return Reply(request.json['messages'][-1]['content'].upper())

    with ModelServer(shout) as started:
        yield started


PROGRAM = """
import sys
from syncai import Agent
from syncai.models.openai import OpenAIChatModel
agent = Agent(OpenAIChatModel('m', base_url=sys.argv[1], api_key='k'))
for number, row in enumerate(agent.map_sync(map(str, range(100)), journal=sys.argv[2], share=True)):
    if number == 20:
        {end}
"""
ENDS = {'an error': "raise ValueError('of the program')", 'an exit': 'sys.exit(3)', 'Ctrl-C': 'raise KeyboardInterrupt'}


@pytest.mark.slow
@pytest.mark.parametrize('end', ENDS)
def test_a_program_that_ends_in_the_middle_keeps_what_it_had(server: ModelServer, tmp_path: Path, end: str) -> None:
    """The generator lives as long as the traceback, so until the interpreter is being taken apart."""
    program, path = textwrap.dedent(PROGRAM).format(end=ENDS[end]), tmp_path / 'j'
    done = subprocess.run(
        [sys.executable, '-c', program, server.base_url, str(path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode != 0
    assert 'Exception ignored' not in done.stderr, done.stderr
    assert 'anic' not in done.stderr, done.stderr
    counts = Journal(path).counts()
    assert counts['claimed'] == 0
    assert counts['done'] >= 21


def test_a_fork_leaves_the_journal_to_its_parent(server: ModelServer, tmp_path: Path) -> None:
    agent = Agent(OpenAIChatModel('m', base_url=server.base_url, api_key='k'))
    rows = agent.map_sync(map(str, range(60)), journal=tmp_path / 'j', share=True, max_concurrency=4)
    next(rows)
    child = os.fork()
    if child == 0:
        try:
            rows.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    owners = sqlite3.connect(tmp_path / 'j')
    assert owners.execute('SELECT pid FROM syncai_journal_owners').fetchall() == [(os.getpid(),)]
    owners.close()
    assert len(list(rows)) == 59
    assert len(server.requests) == 60


@pytest.mark.skipif(sys.platform != 'linux', reason='known by /proc')
def test_a_process_that_has_ended_and_was_not_waited_for_is_gone(tmp_path: Path) -> None:
    path = tmp_path / 'j'
    list(Agent(TestModel()).map_sync(['a'], journal=path, share=True))
    ended = subprocess.Popen(['true'])
    deadline = time.monotonic() + 20
    while ' Z ' not in Path(f'/proc/{ended.pid}/stat').read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    database = sqlite3.connect(path, isolation_level=None)
    them = ('them', '', this_place(), ended.pid, 1, time.time())
    database.execute('INSERT INTO syncai_journal_owners VALUES (?, ?, ?, ?, ?, ?)', them)
    database.execute("UPDATE syncai_journal_rows SET state = 'claimed', owner = 'them'")
    database.close()
    assert [row.stored for row in Agent(TestModel()).map_sync(['a'], journal=path)] == [False]
    ended.wait()

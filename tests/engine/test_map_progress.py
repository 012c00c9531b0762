"""How far a map is: a bar in a terminal, a line in a notebook, and a line each 10 s elsewhere."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import subprocess
import sys
import textwrap
import types
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from syncai import Agent, MapRow, RunResult
from syncai._engine.map_progress import Progress
from syncai.exceptions import UserError
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply
from syncai.usage import Usage


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr('syncai._engine.map_progress.time', types.SimpleNamespace(monotonic=clock))
    return clock


def row(*, tokens: int = 0, error: Exception | None = None, stored: bool = False) -> MapRow[str]:
    usage = Usage(requests=1, request_tokens=tokens, response_tokens=0, total_tokens=tokens)
    return MapRow('a', error, RunResult('x', _messages=(), _first_new=0, _usage=usage), stored=stored)


def lines_of(stream: Any) -> list[str]:
    return list(stream.getvalue().splitlines())


def test_the_counts_the_rate_and_the_time_that_is_left(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'stderr', io.StringIO())
    monkeypatch.setattr(MapRow, 'price', Decimal('0.0125'))
    progress = Progress(1000)
    assert progress.tick == 10
    for _ in range(20):
        progress.add(row(tokens=100))
    progress.add(row(error=UserError('no')))
    progress.add(row(stored=True))
    clock.now += 4
    assert progress.words() == (
        '21 of 1,000 done, 1 failed, 1 from the journal, 5.2 rows/s, 2,000 tokens, $0.2625, 3:06 left'
    )
    # 21 of these rows were made in 4 s, and 978 are left: 978 / (21 / 4) = 186 s.


def test_dollars_are_left_out_where_a_price_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'stderr', io.StringIO())
    monkeypatch.setattr(MapRow, 'price', None)
    progress = Progress(None)
    progress.add(row(tokens=7))
    assert '$' not in progress.words()
    assert progress.words().startswith('1 done, 0 failed, ')
    assert 'left' not in progress.words()


def test_elsewhere_it_is_one_line_each_10_seconds(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, 'stderr', stream)
    progress = Progress(100)
    for _ in range(35):
        progress.add(row())
        clock.now += 1
        progress.look()
    assert [line.partition(',')[0] for line in lines_of(stream)] == [
        f'syncai: {count} of 100 done' for count in (10, 20, 30)
    ]
    progress.close()
    progress.close()
    assert lines_of(stream)[-1].startswith('syncai: 35 of 100 done, ')
    assert len(lines_of(stream)) == 4


def test_a_program_that_logs_gets_it_in_its_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger='syncai.map'):
        assert len(list(Agent(TestModel()).map_sync(['a', 'b'], progress=True))) == 2
    assert [record.getMessage().partition(',')[0] for record in caplog.records] == ['2 of 2 done']


def test_nothing_is_shown_before_the_first_row_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Agent(TestModel()).map_sync(['a', 'b'], progress=True)
    rows.close()
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize(
    ('items', 'words'),
    [
        (['a', 'b'], '2 of 2'),
        (iter(['a', 'b']), '2 of 2'),
        ((text for text in 'ab'), '2'),
        ({'a': 1, 'b': 2}, '2 of 2'),
    ],
)
def test_the_number_of_rows_is_known_where_the_iterable_has_one(
    items: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    list(Agent(TestModel()).map_sync(items, progress=True))
    assert capsys.readouterr().err.startswith(f'syncai: {words} done, ')


def test_a_map_that_ends_with_an_error_before_its_first_row_shows_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError):
        list(Agent(TestModel()).map_sync(['a'], progress=True, journal=tmp_path))
    assert capsys.readouterr().err == ''


def test_a_map_that_is_left_shows_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    rows = Agent(TestModel()).map_sync(map(str, range(1000)), progress=True)
    next(rows)
    rows.close()
    assert capsys.readouterr().err.startswith('syncai: 1 done, 0 failed, ')


def test_in_a_notebook_it_is_a_line_that_is_written_over(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class ZMQInteractiveShell:
        pass

    module: Any = types.ModuleType('IPython')
    module.get_ipython = ZMQInteractiveShell
    monkeypatch.setitem(sys.modules, 'IPython', module)
    progress = Progress(3)
    for _ in range(3):
        progress.add(row())
        clock.now += 1
        progress.look()
    progress.close()
    out, err = capsys.readouterr()
    assert err == ''
    assert out.count('\n') == 1
    assert [part.partition(',')[0] for part in out.strip().split('\r')] == [f'{n} of 3 done' for n in (1, 2, 3, 3)]


PROGRAM = """
import sys
from syncai import Agent
from syncai.models.test import TestModel
for number, row in enumerate(Agent(TestModel()).map_sync(map(str, range(300)), progress=True)):
    if number == 100:
        print('a line of the program', file=sys.stdout)
"""


def in_terminal(*, stdout: Any = None) -> str:
    """The output of the program on a terminal of 100 columns; its standard output may go elsewhere."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, 'COLUMNS': '100', 'TERM': 'xterm-256color'}
    process = subprocess.Popen(
        [sys.executable, '-c', textwrap.dedent(PROGRAM)], stdout=stdout or theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b''
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # Linux's way to say that the other side was closed
        pass
    os.close(ours)
    assert process.wait(30) == 0, shown
    return shown.decode()


needs_rich = pytest.mark.skipif(find_spec('rich') is None, reason='rich is not installed (extra cli)')


@pytest.mark.slow
@needs_rich
def test_in_a_terminal_it_is_a_bar_and_what_is_printed_goes_above_it() -> None:
    shown = re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]', '', in_terminal())
    assert '━' in shown
    assert '300 done, 0 failed' in shown
    assert shown.count('a line of the program') == 1


@pytest.mark.slow
@needs_rich
def test_a_bar_in_a_terminal_leaves_an_output_that_goes_to_a_file_alone(tmp_path: Path) -> None:
    with (tmp_path / 'out').open('w') as file:
        shown = in_terminal(stdout=file)
    assert (tmp_path / 'out').read_text() == 'a line of the program\n'
    assert 'a line of the program' not in shown


def test_tokens_and_dollars_of_rows_over_http(model_server: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    """gpt-4o costs 2.50 and 10 dollars for a million tokens of prompts and answers."""
    pytest.importorskip('genai_prices')
    model_server.reply(*[Reply('yes', usage=(1000, 1000))] * 4)
    assert len(list(Agent('openai-chat:gpt-4o').map_sync(list('abcd'), progress=True))) == 4
    assert '4 of 4 done, 0 failed, ' in (words := capsys.readouterr().err)
    assert '8,000 tokens, $0.0500' in words

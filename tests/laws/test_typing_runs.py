"""mypy and pyright on runs with their own options: the type of the result is that of the run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from type_checker import ROOT, check, plain

pytestmark = pytest.mark.xdist_group('checkers')  # they share a cache that one process may write

pytest.importorskip('mypy', reason='types are checked where the checkers are installed')
pytest.importorskip('pyright', reason='types are checked where the checkers are installed')

RUNS = """
from typing import Union

from pydantic import BaseModel

from syncai import Agent, RunContext, ask


class City(BaseModel):
    name: str


def look(ctx: RunContext[int], name: str) -> str:
    return name


def now(ctx: RunContext[int]) -> str:
    return 'It is noon.'


async def later() -> None: ...


reveal_type(Agent('openai:gpt-5.4-mini'))  # Agent[None, str]
reveal_type(Agent())  # Agent[None, str]
reveal_type(Agent('test', result_type=City))  # Agent[None, City]
reveal_type(Agent('test', deps_type=int))  # Agent[int, str]
reveal_type(ask('x'))  # str
reveal_type(ask('x', City, timeout=3).name)  # str
reveal_type(ask('x', result_type=list[City], model='test'))  # list[City]
agent = Agent('test', result_type=bool, deps_type=int)
reveal_type(agent.run_sync('x', deps=1))  # RunResult[bool]
reveal_type(agent.run_sync('x', deps=1, result_type=None))  # RunResult[bool]
reveal_type(agent.run_sync('x', deps=1, result_type=City))  # RunResult[City]
reveal_type(agent.run_sync('x', deps=1, result_type=City).data.name)  # str
reveal_type(agent.run_sync('x', result_type=list[City], deps=1, tools=[look]).data)  # list[City]
reveal_type(agent.run_sync('x', result_type=Union[City, str], deps=1))  # RunResult[City | str]
reveal_type(agent.run_sync('x', instructions=['Be kind.', now, later], deps=1))  # RunResult[bool]
reveal_type(agent.submit('x', deps=1, result_type=City))  # Future[RunResult[City]]
for row in agent.map_sync(['x'], deps=1, result_type=City):
    reveal_type(row)  # MapRow[City]
for outcome in agent.map_sync(['x'], deps=1, result_type=City, return_exceptions=True):
    reveal_type(outcome.data)  # City
for same in agent.map_sync(['x'], deps=1, tools=[look]):
    reveal_type(same)  # MapRow[bool]
with agent.run_stream_sync('x', deps=1, result_type=list[City]) as stream:
    reveal_type(stream)  # StreamedRunResultSync[list[City]]
    for item in stream.stream_items():
        reveal_type(item)  # City
with agent.run_stream_events_sync('x', deps=1, result_type=City) as events:
    reveal_type(events.result)  # RunResult[City]


async def main() -> None:
    reveal_type(await agent.run('x', deps=1, result_type=City))  # RunResult[City]
    async for row in agent.map(['x'], deps=1, result_type=City, ordered=False):
        reveal_type(row)  # MapRow[City]
    async for same in agent.map(['x'], deps=1, return_exceptions=True):
        reveal_type(same)  # MapRow[bool]
    async with agent.run_stream('x', deps=1, result_type=City) as stream:
        reveal_type(await stream.get_data())  # City
    async with agent.run_stream_events('x', deps=1, result_type=City) as events:
        reveal_type(events.result)  # RunResult[City]
"""

REFUSED = """
from syncai import Agent, RunContext, ask



def wrong(ctx: RunContext[str]) -> str:
    return ''


agent = Agent('test', deps_type=int)
agent.run_sync('x', deps=1, result_type='City')  # no such type
agent.run_sync('x', deps=1, instructions=3)  # no text
agent.run_sync('x', deps=1, instructions=wrong)  # other deps
agent.run_sync('x', deps=1, tools=3)  # no list
ask('x', 'City')  # no type
ask('x', temperature=1)  # no option
Agent('test', output_type=int)  # no argument
"""


def of_mypy(code: str, path: Path) -> dict[int, str]:
    said = check(code, path)
    return {line: re.sub(r'[a-z_]+\.(?=[\w.]*[A-Z])', '', plain(text)) for line, text in said.items()}


def of_pyright(code: str, path: Path) -> dict[int, str]:
    """The report of pyright for each line."""
    path.write_text(code)
    command = [sys.executable, '-m', 'pyright', '--outputjson', '--pythonpath', sys.executable, path.name]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode in (0, 1), done.stderr or done.stdout
    findings = json.loads(done.stdout)['generalDiagnostics']
    return {one['range']['start']['line'] + 1: one['message'] for one in findings}


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize('checker', [pytest.param(of_mypy, marks=pytest.mark.whole('make types')), of_pyright])
def test_the_type_of_a_run(checker: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    said = checker(RUNS, tmp_path / 'runs.py')  # type: ignore[operator]
    expected = {n: line.partition('  # ')[2] for n, line in enumerate(RUNS.splitlines(), 1) if 'reveal_type(' in line}
    assert {n: re.sub(r'^.*? is "|^Revealed type is "|"$', '', text) for n, text in said.items()} == expected


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize('checker', [pytest.param(of_mypy, marks=pytest.mark.whole('make types')), of_pyright])
def test_wrong_options_are_refused(checker: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    said = checker(REFUSED, tmp_path / 'refused.py')  # type: ignore[operator]
    assert set(said) == {n for n, line in enumerate(REFUSED.splitlines(), 1) if '  # ' in line}

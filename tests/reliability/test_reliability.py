"""The scripts under tests/reliability, each in a smaller form; docs/reliability.md has the figures of the full ones."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sampling import rounds

SCRIPTS = Path(__file__).parent.parent / 'reliability'


def figures(script: str, *arguments: object) -> list[dict[str, Any]]:
    """The output of the script: one JSON object in each line."""
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_ctrl_c_at_random_moments() -> None:
    trials = rounds(300)
    [found] = figures('interrupts.py', trials)
    lost = found.pop('lost', 0)  # in a finalizer of somebody, where the interpreter swallows every exception
    assert found['interrupted'] + lost == trials
    assert lost <= 2
    clean = {'poisoned': 0, 'left over': 0, 'requests going on': 0}
    assert {name: found[name] for name in clean} == clean
    known = {*clean, 'python', 'trials', 'interrupted', 'swallowed in', 'requests', 'seconds'}
    assert set(found) - known == set(), 'calls that go on, or other errors'


STEPS = ['call', 'first_call', 'call_with_work', 'stream_closed', 'stream_dropped', 'forked']
STEPS += ['submitted', 'submitted_and_awaited', 'submitted_and_cancelled']


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_an_interrupt_at_every_step() -> None:
    for found in figures('every_step.py', *STEPS):
        assert found['broken'] == {}
        assert found['interrupts'] > 30  # of the shortest scenario
        if found['scenario'] not in ('stream_dropped', 'forked'):  # those land in finalizers and fork hooks
            assert found['lost'] == {}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_steps_whose_process_is_killed() -> None:
    [figure] = figures('step_kills.py', 6)
    assert figure['kills'] >= 6
    assert (figure['flaws'], figure['made twice between steps'], figure['made again']) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_maps_with_a_journal_that_are_killed() -> None:
    for found in figures('journal.py', 4, 60, 1, 4):
        assert found['kills'] >= 4
        assert found['wrong'] == 0, found
        assert found['requests'] == found['rows'] + found['in flight at the kills']


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_conversation_whose_process_is_killed() -> None:
    [figure] = figures('conversation_kills.py', rounds(20))
    assert figure['messages'] > rounds(20)
    assert (figure['lost'], figure['doubled'], figure['made again']) == (0, 0, 0)


@pytest.mark.slow
def test_ctrl_c_ends_a_wait() -> None:
    [found] = figures('ctrl_c.py', rounds(15))
    assert found['disconnects'] == rounds(15)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_1500_calls_from_64_threads() -> None:
    calls = rounds(1500)
    [found] = figures('calls.py', calls)
    assert (found['failures'], found['tasks left'], found['requests']) == (0, 0, calls * 4 // 3)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_1000_streams_left_early() -> None:
    [found] = figures('early_exits.py', rounds(1000))
    counts = {name: count for name, count in found.items() if name.startswith(('leaked', 'connections', 'requests'))}
    assert len(counts) == 5
    assert all(count <= 0 for count in counts.values()), counts


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_processes_never_pass_a_budget_together() -> None:
    pytest.importorskip('genai_prices')
    [figure] = figures('budgets.py', 'sqlite', 120, 4)
    assert figure['above the line'] is False
    assert Decimal(figure['held']) == 0
    assert 83 <= figure['answered'] == figure['asked at the server'] <= 84  # the last may cost more than is left
    assert Decimal(figure['spent']) == Decimal(figure['spent by the answers']) <= Decimal(figure['line'])

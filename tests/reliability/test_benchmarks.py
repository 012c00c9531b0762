"""The benchmark runs: server, one process of syncai, and the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parent.parent.parent / 'benchmarks' / 'run.py'


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), '--quick', '--runs', '1', '--libraries', 'syncai', *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_a_measurement_of_syncai_alone_writes_its_table(tmp_path: Path) -> None:
    results = tmp_path / 'RESULTS.md'
    done = run('--only', 'a,d', '--output', str(results))
    assert done.returncode == 0, done.stderr
    assert 'failed' not in done.stderr
    text = results.read_text()
    for case in ('burst', 'short call', 'burst, TLS', 'short call, TLS'):
        assert f'| {case}: wall, µs |' in text


@pytest.mark.slow
def test_a_case_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    results = tmp_path / 'RESULTS.md'
    done = run('--only', 'z', '--output', str(results))
    assert done.returncode == 2
    assert 'nothing to measure' in done.stderr
    assert not results.exists()

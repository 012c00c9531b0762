"""The blocks of the README pass mypy and pyright, as they stand there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import BLOCKS
from test_typing import ROOT

pytest.importorskip('mypy', reason='types are checked where the checkers are installed')
pytest.importorskip('pyright', reason='types are checked where the checkers are installed')


@pytest.fixture
def blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files with the blocks, in a directory of their own."""
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    names = []
    for block in BLOCKS:
        if block.document.name == 'README.md':
            names.append(f'line_{block.line}.py')
            (tmp_path / names[-1]).write_text(block.before + block.code)
    assert len(names) > 5
    return names


def run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', *command]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=170, check=False)


@pytest.mark.timeout(180)
def test_mypy(blocks: list[str], tmp_path: Path) -> None:
    done = run(['mypy', '--strict', '--config-file', str(ROOT / 'pyproject.toml'), *blocks], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(180)
def test_pyright(blocks: list[str], tmp_path: Path) -> None:
    done = run(['pyright', '--outputjson', '--pythonpath', sys.executable, *blocks], tmp_path)
    problems = json.loads(done.stdout)
    assert problems['generalDiagnostics'] == []
    assert problems['summary']['filesAnalyzed'] >= len(blocks)

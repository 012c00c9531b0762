"""mypy and pyright on the blocks of the README: a user who copies one gets no error from a checker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ROOT, blocks_of

pytestmark = pytest.mark.xdist_group('checkers')  # they share a cache that one process may write


pytest.importorskip('mypy', reason='types are checked where the checkers are installed')
pytest.importorskip('pyright', reason='types are checked where the checkers are installed')

BLOCKS = [*blocks_of(ROOT / 'README.md')]
CHECKERS = {
    'mypy': ['mypy', '--strict', '--disable-error-code=import-untyped', '--python-executable', sys.executable],
    'pyright': ['pyright', '--pythonpath', sys.executable],
}
BOTH = [pytest.param('mypy', marks=pytest.mark.whole('make types')), 'pyright']


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize('checker', BOTH)
def test_readme(checker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MYPYPATH', str(ROOT))
    (tmp_path / 'pyrightconfig.json').write_text(f'{{"extraPaths": ["{ROOT}"]}}')
    for block in BLOCKS:
        (tmp_path / f'readme_{block.line}.py').write_text(block.before + block.code)
    command = [sys.executable, '-m', *CHECKERS[checker], *sorted(path.name for path in tmp_path.glob('*.py'))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize('checker', BOTH)
def test_an_error_in_a_block_is_seen(checker: str, tmp_path: Path) -> None:
    (tmp_path / 'wrong.py').write_text("length: int = 'three'\n")
    command = [sys.executable, '-m', *CHECKERS[checker], 'wrong.py']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 1, done.stderr
    assert 'wrong.py:1' in done.stdout

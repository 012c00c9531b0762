"""Django: its own test runner runs the suites of `chat_site`, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SUITES = sorted(path.stem for path in (HERE / 'chat_site').glob('suite_*.py'))


def run_suites(*names: str, **environment: str) -> None:
    """Fail with the output of Django's runner unless all tests of the suites passed."""
    pytest.importorskip('django')
    search = os.pathsep.join(map(str, (ROOT, ROOT / 'tests' / 'support', HERE)))
    env = {**os.environ, 'PYTHONPATH': search, 'DJANGO_SETTINGS_MODULE': 'chat_site.settings', **environment}
    command = [sys.executable, '-W', 'error', '-m', 'django', 'test', '--noinput', *(f'chat_site.{n}' for n in names)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False, cwd=HERE, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Ran 0 tests' not in done.stderr


@pytest.mark.slow
def test_the_suites() -> None:
    run_suites(*SUITES)

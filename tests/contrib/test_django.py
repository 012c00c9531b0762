"""Django, in separate processes: the suites of `chat_site`, and the tests of every store of conversations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SUITES = sorted(path.stem for path in (HERE / 'chat_site').glob('suite_*.py'))


def run(*command: str, **environment: str) -> str:
    """The output of a command with the site's settings, which must succeed."""
    pytest.importorskip('django')
    search = os.pathsep.join(map(str, (ROOT, ROOT / 'tests' / 'support', HERE)))
    env = {**os.environ, 'PYTHONPATH': search, 'DJANGO_SETTINGS_MODULE': 'chat_site.settings', **environment}
    done = subprocess.run(
        [sys.executable, '-W', 'error', '-m', *command],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
        cwd=HERE,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_suites() -> None:
    assert 'Ran 0 tests' not in run('django', 'test', '--noinput', *(f'chat_site.{name}' for name in SUITES))


@pytest.mark.slow
def test_the_store_does_what_all_stores_do(tmp_path: Path) -> None:
    """In files, since each thread of a test has a connection of its own."""
    paths = {alias: str(tmp_path / f'{alias}.sqlite3') for alias in ('default', 'other')}
    databases = {
        alias: {
            'ENGINE': 'django.db.backends.sqlite3',
            'NAME': path,
            'TEST': {'NAME': path},
            'OPTIONS': {'transaction_mode': 'IMMEDIATE', 'timeout': 20},
        }
        for alias, path in paths.items()
    }
    report = run(
        *('pytest', '-q', '-p', 'no:cacheprovider', 'chat_site/conformance.py'),
        SYNCAI_TEST_DATABASES=json.dumps(databases),
    )
    assert ' passed' in report
    assert 'skipped' not in report

"""Django on PostgreSQL: its suites, and conversations by many threads and processes, some of which are killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_place import django_site_on, postgres_server
from serving import only_in_make_places
from store_writers import check_processes

only_in_make_places()
pytest.importorskip('psycopg')

TESTS = Path(__file__).parents[1]
CONTRIB = TESTS / 'contrib'


@pytest.fixture(scope='module')
def port() -> Iterator[int]:
    with postgres_server() as port:
        yield port


def passes(*command: str, env: dict[str, str]) -> str:
    """The output of a command, which must succeed."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=55, check=False, cwd=CONTRIB, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_suites(port: int) -> None:
    suites = [f'chat_site.{path.stem}' for path in sorted((CONTRIB / 'chat_site').glob('suite_*.py'))]
    env = django_site_on(port, migrate=False)
    assert 'skipped' not in passes('-W', 'error', '-m', 'django', 'test', '--noinput', *suites, env=env)


def test_the_store_does_what_all_stores_do(port: int) -> None:
    env = django_site_on(port, migrate=True)
    report = passes('-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'chat_site/conformance.py', env=env)
    assert 'passed' in report
    assert 'skipped' not in report


def test_two_processes_and_sixteen_threads(port: int) -> None:
    env = django_site_on(port, migrate=True)
    assert check_processes('django', processes=2, threads=8, runs=1, env=env) > 0


def test_kills_between_steps_lose_and_repeat_nothing(port: int) -> None:
    env = django_site_on(port, migrate=True)
    assert '"lost": 0' in passes(str(TESTS / 'reliability' / 'conversation_kills.py'), '20', 'django', env=env)

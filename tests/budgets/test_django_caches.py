"""Budgets in the caches of Django that processes share: a table, and a real Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis_place import PROGRAM, redis_server

pytest.importorskip('django')
ROOT = Path(__file__).parent.parent.parent

PROGRAM_OF_ONE = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import django
from django.conf import settings

backend, location, database, work = sys.argv[1:]
settings.configure(
    CACHES={'default': {'BACKEND': 'django.core.cache.backends.' + backend, 'LOCATION': location}},
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': database, 'OPTIONS': {'timeout': 20}}},
)
django.setup()
from django.core.management import call_command
from django.db import connections
from syncai._stores.ledger import Claim, Hold
from syncai._stores.periods import period_of
from syncai.budgets import DjangoCache

ledger, day = DjangoCache(), period_of('day', 'UTC')


def use(number):
    try:
        outcome = ledger.reserve(Claim('account', 300, 10, f'{work}-{number}', 60.0, day))
        if not isinstance(outcome, Hold):
            return 0
        ledger.settle(outcome, 7)
        ledger.settle(outcome, 7)  # as one that is sent again counts once
        return 7
    finally:
        connections.close_all()


if work == 'prepare':
    if backend.startswith('db.'):
        call_command('createcachetable', verbosity=0)
elif work == 'state':
    state = ledger.state('account', day)
    print(json.dumps([state.spent, state.held]))
else:
    with ThreadPoolExecutor(3) as pool:
        print(json.dumps(sum(pool.map(use, range(15)))))
"""


def run(*arguments: str) -> str:
    command = [sys.executable, '-c', PROGRAM_OF_ONE, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=90, check=False, env={**os.environ, 'PYTHONPATH': str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def never_above_the_line(backend: str, location: str, database: str) -> None:
    run(backend, location, database, 'prepare')
    with ThreadPoolExecutor(3) as pool:
        spent = sum(json.loads(out) for out in pool.map(lambda one: run(backend, location, database, one), 'abc'))
    state = json.loads(run(backend, location, database, 'state'))
    assert state == [spent, 0]
    assert 250 < spent <= 300  # of the 315 that 45 requests want


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_table_of_the_database(tmp_path: Path) -> None:
    never_above_the_line('db.DatabaseCache', 'cache_table', str(tmp_path / 'db.sqlite3'))


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(PROGRAM is None, reason='redis-server is not installed (Debian: redis-server)')
def test_a_redis_cache(tmp_path: Path) -> None:
    pytest.importorskip('redis')
    with redis_server(tmp_path) as url:
        never_above_the_line('redis.RedisCache', url, ':memory:')

"""The suites of Django on PostgreSQL: conversations by many threads, transactions, files, decisions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from postgres_place import postgres_server
from serving import only_in_make_places

only_in_make_places()
pytest.importorskip('psycopg')

CONTRIB = Path(__file__).parents[1] / 'contrib'


def test_the_suites_on_postgresql() -> None:
    with postgres_server() as port:
        database = {'ENGINE': 'django.db.backends.postgresql', 'HOST': '127.0.0.1', 'PORT': port, 'USER': 'postgres'}
        names = {'default': 'postgres', 'other': 'other'}
        databases = {alias: {**database, 'NAME': name} for alias, name in names.items()}
        root = CONTRIB.parents[1]
        env = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(map(str, (root, root / 'tests' / 'support', CONTRIB))),
            'DJANGO_SETTINGS_MODULE': 'chat_site.settings',
            'SYNCAI_TEST_DATABASES': json.dumps(databases),
        }
        suites = [f'chat_site.{path.stem}' for path in sorted((CONTRIB / 'chat_site').glob('suite_*.py'))]
        command = [sys.executable, '-W', 'error', '-m', 'django', 'test', '--noinput', *suites]
        done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False, cwd=CONTRIB, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'skipped' not in done.stderr, done.stderr

"""A PostgreSQL server for one test, in a separate directory."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def postgres_programs() -> Path:
    """The directory of its programs; skips the test if there is none."""
    if (program := shutil.which('initdb')) is not None:
        return Path(program).parent
    versions = sorted(Path('/usr/lib/postgresql').glob('*/bin/initdb'))
    if not versions:
        pytest.skip('PostgreSQL is not installed')
    return versions[-1].parent


def _free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as listening:
        return int(listening.getsockname()[1])


def _as_postgres(command: list[str]) -> list[str]:
    """The command; PostgreSQL refuses to run as root."""
    return ['runuser', '-u', 'postgres', '--', *command] if os.getuid() == 0 else command


@contextmanager
def postgres_server() -> Iterator[int]:
    """A server on loopback without passwords, for its user `postgres`; gives the port."""
    programs, port = postgres_programs(), _free_port()
    directory = Path(tempfile.mkdtemp(prefix='syncai-postgres-', dir='/tmp'))
    if os.getuid() == 0:
        shutil.chown(directory, 'postgres')
    data = str(directory / 'data')
    options = f'-p {port} -h 127.0.0.1 -k {directory} -c fsync=off'
    start = [str(programs / 'pg_ctl'), '-D', data, '-o', options, '-l', str(directory / 'log'), '-w', 'start']
    init = [str(programs / 'initdb'), '-D', data, '-U', 'postgres', '-A', 'trust', '-N']
    try:
        for command in (init, start):
            subprocess.run(_as_postgres(command), check=True, stdout=subprocess.DEVNULL, timeout=50, cwd='/tmp')
        yield port
    finally:
        stop = [str(programs / 'pg_ctl'), '-D', data, '-m', 'immediate', 'stop']
        subprocess.run(_as_postgres(stop), check=False, stdout=subprocess.DEVNULL, timeout=50, cwd='/tmp')
        shutil.rmtree(directory, ignore_errors=True)


def django_site_on(port: int, *, migrate: bool) -> dict[str, str]:
    """The environment of a process that uses the project of `tests/contrib/chat_site` on a server.

    Args:
        port: That of the server.
        migrate: Whether to make the tables in its database `postgres`; Django's test runner has its own.
    """
    tests = Path(__file__).parents[1]
    database = {'ENGINE': 'django.db.backends.postgresql', 'HOST': '127.0.0.1', 'PORT': port, 'USER': 'postgres'}
    names = {'default': 'postgres', 'other': 'other'}
    env = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(map(str, (tests.parent, tests / 'support', tests / 'contrib'))),
        'DJANGO_SETTINGS_MODULE': 'chat_site.settings',
        'SYNCAI_TEST_DATABASES': json.dumps({alias: {**database, 'NAME': name} for alias, name in names.items()}),
    }
    if migrate:
        command = [sys.executable, '-m', 'django', 'migrate', '--verbosity', '0']
        subprocess.run(command, check=True, env=env, timeout=50)
    return env

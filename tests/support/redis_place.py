"""A real Redis server on a free port and without a disk, for the tests that need one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = shutil.which('redis-server')
needs_redis = pytest.mark.skipif(PROGRAM is None, reason='redis-server is not installed (Debian: redis-server)')


@contextmanager
def redis_server(folder: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """The address of a server that runs during the block."""
    port = port or free_port()
    command = [str(PROGRAM), '--port', str(port), '--save', '', '--appendonly', 'no', '--dir', str(folder), *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_it_listens(server, port)
        yield f'redis://127.0.0.1:{port}/0'
    finally:
        server.kill()
        server.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert server.poll() is None, 'redis-server ended at once'
        with socket.socket() as attempt:
            if attempt.connect_ex(('127.0.0.1', port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError('redis-server does not listen')

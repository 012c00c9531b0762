"""Two processes with eight threads each in one conversation: conflicts are errors, and the log is whole every time."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis_place import needs_redis, redis_server
from store_writers import check_processes

pytestmark = pytest.mark.slow


def test_in_sqlite(tmp_path: Path) -> None:
    assert check_processes(f'sqlite:{tmp_path / "chats.db"}', processes=2, threads=8, runs=1) > 0


@needs_redis
def test_in_redis(tmp_path: Path) -> None:
    with redis_server(tmp_path) as address:
        assert check_processes(address, processes=2, threads=8, runs=1) > 0

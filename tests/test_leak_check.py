"""The leak check of conftest.py can fail: for a thread, a task, a descriptor, a child."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import threading
from collections.abc import Callable

import pytest

from syncai._bridge import run_sync

Snapshot = Callable[[], Callable[[], list[str]]]


def test_nothing_left(snapshot: Snapshot) -> None:
    assert snapshot()() == []


def test_thread(snapshot: Snapshot) -> None:
    leaks = snapshot()
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait, name='left-behind')
    thread.start()
    try:
        assert leaks() == ['thread left-behind']
    finally:
        leave.set()
        thread.join()
    assert leaks() == []


def test_descriptor(snapshot: Snapshot) -> None:
    leaks = snapshot()
    with socket.socket():
        assert [leak.split()[0] for leak in leaks()] == ['descriptor']
    reading, writing = os.pipe()
    assert len(leaks()) == 2
    os.close(reading)
    os.close(writing)
    assert leaks() == []


def test_task(snapshot: Snapshot) -> None:
    leaks = snapshot()

    async def leave_a_task() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(60))

    task = run_sync(leave_a_task)
    assert len(leaks()) == 1

    async def cancel() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_sync(cancel)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='a child is quickest to make by a fork')
def test_child(snapshot: Snapshot) -> None:
    run_sync(lambda: asyncio.sleep(0))
    leaks = snapshot()
    context = multiprocessing.get_context('spawn')
    child = context.Process(target=os.getpid)
    child.start()
    try:
        assert any(leak.startswith('process') for leak in leaks())
    finally:
        child.join()
        child.close()

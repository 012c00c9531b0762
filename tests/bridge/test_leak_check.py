"""The leak check of conftest.py can fail: for a thread, a task, a descriptor, a child."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable

import pytest

from syncai import ModelRequest, model_request_stream_sync, model_request_sync
from syncai._bridge import run_sync
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

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


def test_an_idle_connection_is_no_leak_and_one_in_use_is(snapshot: Snapshot) -> None:
    ask = [ModelRequest.user_text_prompt('Hi')]
    with ModelServer(lambda request: Reply('word ', repeat=1000, delay_between_events=0.01)) as server:
        model = OpenAIChatModel('any', base_url=server.base_url)
        leaks = snapshot()
        with model_request_stream_sync(model, ask) as stream:
            assert stream.model_name
            assert any(leak.startswith('descriptor') for leak in leaks())
    with ModelServer(lambda request: Reply('word')) as server:
        leaks = snapshot()
        assert model_request_sync(OpenAIChatModel('any', base_url=server.base_url), ask).text == 'word'
        assert eventually_nothing(leaks) == []


def eventually_nothing(leaks: Callable[[], list[str]]) -> list[str]:
    deadline = time.monotonic() + 2
    while (found := leaks()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found

"""The bridge over its life: restarts, early exits of coroutines, threads in turn, debug mode, green threads."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from syncai import ModelRequest, model_request_stream, model_request_stream_sync
from syncai._bridge import call_user_function, loop_thread, run_async, run_sync
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply

DESCRIPTORS = Path('/dev/fd')
QUESTION = [ModelRequest.user_text_prompt('hi')]


async def answer() -> int:
    return 42


def test_shutdown_and_restart_leave_no_thread_and_no_descriptor() -> None:
    run_sync(answer)
    assert loop_thread.shutdown()
    threads, descriptors = threading.active_count(), len(list(DESCRIPTORS.iterdir()))
    for _ in range(20):
        assert run_sync(answer) == 42
        assert loop_thread.shutdown()
    assert threading.active_count() <= threads  # one of an earlier test may have ended meanwhile
    assert len(list(DESCRIPTORS.iterdir())) <= descriptors


@pytest.mark.slow
def test_a_loop_that_was_given_up_in_a_callback_of_its_own_is_not_in_the_way_of_the_next() -> None:
    release, entered = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        release.wait(20)

    async def post() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.call_soon(block, context=loop.empty_context)

    run_sync(post)
    try:
        assert entered.wait(10)
        assert not loop_thread.shutdown(0.01)
        assert run_sync(answer) == 42
    finally:
        release.set()


def test_leaving_an_async_stream_early_disconnects() -> None:
    async def leave(model: OpenAIChatModel) -> float:
        async with model_request_stream(model, QUESTION) as stream:
            async for _ in stream:
                break
        return time.time()

    with ModelServer() as server:
        server.reply(Reply('word ', repeat=10_000, delay_between_events=0.01))
        asyncio.run(leave(OpenAIChatModel('m', base_url=server.base_url, api_key='k')))
        deadline = time.monotonic() + 2
        while server.requests[0].disconnected_at is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.requests[0].disconnected_at is not None


def test_a_loop_is_continued_in_another_thread_after_a_break() -> None:
    with model_request_stream_sync(TestModel(), QUESTION) as stream:
        first = next(iter(stream))
        rest: list[object] = []
        thread = threading.Thread(target=lambda: rest.extend(stream))
        thread.start()
        thread.join(5)
    assert [first, *rest] == list_of_a_whole_stream()


def list_of_a_whole_stream() -> list[object]:
    with model_request_stream_sync(TestModel(), QUESTION) as stream:
        return list(stream)


def test_many_functions_of_an_async_caller_run_side_by_side() -> None:
    all_run = asyncio.Barrier(4)

    async def meet(i: int) -> int:
        async with asyncio.timeout(20):
            await all_run.wait()  # one after the other, none would get past this
        return i

    async def work() -> list[int]:
        return list(await asyncio.gather(*(call_user_function(meet, i) for i in range(4))))

    assert asyncio.run(run_async(work)) == [0, 1, 2, 3]


def test_it_works_in_asyncios_debug_mode() -> None:
    program = (
        'import asyncio\n'
        'from syncai import ModelRequest, model_request_stream_sync, model_request\n'
        'from syncai.models.test import TestModel\n'
        'm = [ModelRequest.user_text_prompt("x")]\n'
        'with model_request_stream_sync(TestModel(), m) as s: print(len(list(s)))\n'
        'print(asyncio.run(model_request(TestModel(), m)).text)\n'
    )
    environment = {**os.environ, 'PYTHONASYNCIODEBUG': '1'}
    done = subprocess.run(
        [sys.executable, '-X', 'dev', '-W', 'error', '-c', program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout, done.returncode) == ('5\nsuccess (no tool calls)\n', 0), done.stderr


@pytest.mark.slow
def test_green_threads_of_gevent_each_wait_for_their_own_call() -> None:
    pytest.importorskip('gevent')
    program = (
        'from gevent import monkey; monkey.patch_all()\n'
        'import asyncio, gevent\n'
        'from syncai._bridge import run_sync\n'
        'async def work(): await asyncio.sleep(0.2); return 1\n'
        'jobs = [gevent.spawn(run_sync, work) for _ in range(20)]\n'
        'gevent.joinall(jobs, timeout=2)\n'
        'print(sum(job.value for job in jobs))\n'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, timeout=30)
    assert done.stdout == '20\n', done.stderr

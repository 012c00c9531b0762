"""`syncai.debug()`, and the warnings of waiting callers."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from streams import eventually

import syncai
from syncai import Agent, HttpOptions, ModelRequest, model_request_stream_sync, model_request_sync
from syncai._bridge import async_consumer, open_calls, run_async, run_sync, sync_consumer, watch
from syncai._bridge.open_calls import current_place
from syncai.limits import limit, remove_limit
from syncai.models.fallback import FallbackModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall

QUESTION = [ModelRequest.user_text_prompt('hi')]
KEY = 'sk-planted-in-diagnosis'


def model_of(server: ModelServer, **options: Any) -> OpenAIChatModel:
    return OpenAIChatModel('m', base_url=server.base_url, api_key=KEY, http=HttpOptions(**options))


@contextmanager
def beside(function: Callable[[], Any]) -> Iterator[threading.Thread]:
    """`function` in a thread of its own, over at the end."""
    thread = threading.Thread(target=function, name='beside')
    thread.start()
    try:
        yield thread
    finally:
        thread.join(20)
        assert not thread.is_alive()


def ask(model: Any) -> None:
    model_request_sync(model, QUESTION)


def dump_with(*texts: str) -> str:
    """The output of debug(), once the texts are in it; fails with the output otherwise."""
    dump = ''

    def has_all() -> bool:
        nonlocal dump
        dump = syncai.debug(quiet=True)
        return all(text in dump for text in texts)

    eventually(has_all)
    assert [text for text in texts if text not in dump] == [], dump
    return dump


def test_nothing_open(capsys: pytest.CaptureFixture[str]) -> None:
    assert syncai.debug() == 'syncai: 0 open calls\n'
    assert capsys.readouterr() == ('', 'syncai: 0 open calls\n')
    file = io.StringIO()
    syncai.debug(file=file)
    assert file.getvalue() == 'syncai: 0 open calls\n'


def test_a_request_that_waits_for_its_answer(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=0.7))
    with beside(lambda: ask(model_of(model_server))):
        dump = dump_with('waits for the beginning of the answer', 'beside waits for it:')
    assert '1. model request, for 0.' in dump
    assert re.search(r'made at .*test_diagnosis.py:\d+ in ask', dump)
    assert 'model_request_sync(model, QUESTION)' in dump  # the line of the program, in its stack
    assert KEY not in dump


def test_a_stream_that_waits_for_its_next_event(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', 'b', delay_between_events=0.7))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        next(iter(stream))
        dump = dump_with('waits for the next bytes of the answer')
    assert 'nobody reads it' in dump


def test_a_stream_that_waits_for_its_reader(model_server: ModelServer) -> None:
    model_server.reply(Reply('word ' * 100, repeat=5000, events_per_write=50))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        next(iter(stream))
        dump_with('waits for its reader, which has not taken what arrived')


def test_a_request_that_waits_for_a_slot(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=0.7), Reply('later'))
    model = model_of(model_server, max_connections=1)
    with beside(lambda: ask(model)):
        dump_with('waits for the beginning of the answer')
        with beside(lambda: ask(model)):
            assert '2 open calls' in dump_with('waits for a free connection slot')


def test_a_request_that_waits_for_its_turn(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=0.7), Reply('later'))
    model = model_of(model_server)
    limit('openai', max_concurrency=1)
    try:
        with beside(lambda: ask(model)):
            dump_with('waits for the beginning of the answer')
            with beside(lambda: ask(model)):
                dump_with('waits for its turn under the limits of `syncai.limits`')
    finally:
        remove_limit('openai')


def test_a_request_that_waits_for_its_next_attempt(model_server: ModelServer) -> None:
    model_server.reply(Reply(status=503, headers={'retry-after-ms': '700'}), Reply('here'))
    with beside(lambda: ask(model_of(model_server))):
        dump_with('waits for the next attempt, after one that failed')


def test_a_run_whose_tool_shows_the_open_calls() -> None:
    dumps = []
    agent = Agent(TestModel())
    agent.tool_plain(lambda: dumps.append(syncai.debug(quiet=True)), name='tool')
    agent.run_sync('hi')
    assert 'agent run, for 0.0 s, waits for a function of the program' in dumps[0]


def test_a_submitted_call_and_one_of_an_async_caller(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=0.7), Reply('late', delay_headers=0.7))
    agent = Agent(model_of(model_server))
    future = agent.submit('hi')

    async def awaited() -> None:
        await agent.run('hi')

    with beside(lambda: asyncio.run(awaited())):
        assert eventually(lambda: syncai.debug(quiet=True).count('waits for the beginning of the answer') == 2)
        dump = syncai.debug(quiet=True)
    future.result(5)
    assert 'in test_a_submitted_call_and_one_of_an_async_caller' in dump
    assert 'awaited' in dump


def block(seconds: float) -> Callable[[], Any]:
    async def work() -> None:
        time.sleep(seconds)  # what one must not do here

    return work


def test_debug_while_the_loop_is_blocked() -> None:
    with beside(lambda: run_sync(block(0.7), name='blocking call')):
        dump = dump_with(
            'time.sleep(seconds)  # what one must not do here'
        )  # and not the steps of the loop before that
        with beside(lambda: ask(TestModel())):
            queued = dump_with('model request, for 0.')
    assert 'The loop thread is at work, or blocked, here:' in dump
    assert 'blocking call, for' in dump
    assert 'waits for the loop thread' in queued


def test_debug_in_a_signal_handler(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=0.5))
    dumps: list[str] = []
    before = signal.signal(signal.SIGALRM, lambda *_: dumps.append(syncai.debug(quiet=True)))
    signal.setitimer(signal.ITIMER_REAL, 0.25)
    try:
        ask(model_of(model_server))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert 'waits for the beginning of the answer' in dumps[0]
    assert 'MainThread waits for it:' in dumps[0]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting callers check ten times as often."""
    monkeypatch.setattr(sync_consumer, 'POLL_SECONDS', 0.1)
    monkeypatch.setattr(async_consumer, '_POLL_SECONDS', 0.1)
    monkeypatch.setattr(watch, 'BLOCKED_SECONDS', 0.1)


@pytest.mark.timing
def test_a_blocked_loop_is_warned_of_once(often: None, caplog: pytest.LogCaptureFixture) -> None:
    run_sync(block(0.7))
    warnings = [record for record in caplog.records if 'has been blocked' in record.message]
    assert len(warnings) == 1
    assert warnings[0].levelno == logging.WARNING
    assert warnings[0].name == 'syncai'
    assert 'time.sleep(seconds)  # what one must not do here' in warnings[0].message
    caplog.clear()
    run_sync(block(0.5))  # and again, when it is blocked again
    assert 'has been blocked' in caplog.text


@pytest.mark.timing
def test_a_busy_loop_is_not_blocked(often: None, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        end = time.monotonic() + 1
        loop = asyncio.get_running_loop()

        def one_of_many(left: int) -> None:
            time.sleep(0.01)
            if left:
                one_of_many(0)

        while time.monotonic() < end:
            for _ in range(20):  # in one turn of the loop, which takes longer than it may be blocked
                loop.call_soon(one_of_many, 1)
            await asyncio.sleep(0)

    run_sync(work)
    assert 'blocked' not in caplog.text


def test_a_blocked_loop_is_warned_of_by_an_async_caller(often: None, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(_blocked_beside_async_caller())
    assert 'has been blocked' in caplog.text


async def _blocked_beside_async_caller() -> None:
    await run_async(block(0.5))


def run_in_both_forms(agent: Agent[None, str], asynchronous: bool) -> None:
    if asynchronous:
        asyncio.run(_awaited(agent))
    else:
        agent.run_sync('hi')


async def _awaited(agent: Agent[None, str]) -> None:
    await agent.run('hi')


def waits_told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The description of the wait in each warning of a long wait."""
    eventually(lambda: 'has waited' in caplog.text)  # it is logged in a thread of its own
    found = [
        re.fullmatch(
            r'The .* made at .*test_diagnosis.py:\d+ in .* has waited \d+ s for (.*). '
            r'syncai.debug\(\) shows all open calls',
            record.message,
        )
        for record in caplog.records
    ]
    return [match[1] for match in found if match is not None]


@pytest.mark.slow
@pytest.mark.parametrize('asynchronous', [False, True])
def test_a_wait_beyond_the_idle_timeout_is_warned_of_once(
    asynchronous: bool, often: None, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.reply(Reply('at once'), Reply(tool_calls=[ToolCall('slow', {})]), Reply('over'))
    agent = Agent(model_of(model_server, idle_timeout=0.3))
    agent.run_sync('hi')  # the first call imports for a while
    caplog.clear()
    agent.tool_plain(lambda: time.sleep(0.8), name='slow', run_in='thread')
    run_in_both_forms(agent, asynchronous)
    assert waits_told(caplog) == ['a function in a worker thread']


@pytest.mark.slow
@pytest.mark.parametrize('delay', ['delay_headers', 'delay_first_event'])
@pytest.mark.parametrize('asynchronous', [False, True])
def test_the_first_event_has_a_limit_of_its_own(
    asynchronous: bool, delay: str, often: None, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    delays: dict[str, Any] = {delay: 0.8}
    model_server.reply(Reply('at once'), Reply('late', **delays))
    Agent(model_of(model_server)).run_sync('hi')
    caplog.clear()
    run_in_both_forms(Agent(model_of(model_server, idle_timeout=0.2, first_event_timeout=5)), asynchronous)
    assert 'has waited' not in caplog.text  # beyond its own limit it would be an error


@pytest.mark.timing
@pytest.mark.parametrize('times', [5, 1])
def test_many_short_waits_are_no_long_one(times: int, often: None, caplog: pytest.LogCaptureFixture) -> None:
    async def naps() -> None:
        for _ in range(times):
            await asyncio.sleep(1 / times)

    run_sync(naps, silence_limits=(0.5, 0.5))
    asyncio.run(run_async(naps, silence_limits=(0.5, 0.5)))
    assert caplog.text.count('has waited') == (2 if times == 1 else 0)


def test_a_stream_whose_headers_came_waits_for_the_beginning_of_the_answer(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_first_event=0.7))
    with model_request_stream_sync(model_of(model_server), QUESTION):
        dump_with('waits for the beginning of the answer')


@pytest.mark.timing
def test_the_streams_and_the_maps_of_a_model_have_its_limits(
    often: None, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.reply(
        Reply('at once'), Reply(tool_calls=[ToolCall('slow', {})]), Reply('over'), Reply('late', delay_headers=0.8)
    )
    agent = Agent(FallbackModel(model_of(model_server, idle_timeout=0.3), TestModel()))
    agent.run_sync('hi')
    caplog.clear()
    agent.tool_plain(lambda: time.sleep(0.8), name='slow', run_in='thread')
    with agent.run_stream_sync('hi') as stream:
        assert stream.get_data() == 'over'
    assert waits_told(caplog) == ['a function in a worker thread']
    caplog.clear()
    assert [result.data for result in agent.map_sync(['hi'])] == ['late']
    assert waits_told(caplog) == ['one of its runs']


@pytest.mark.slow
def test_a_wait_without_a_limit_of_its_own_is_warned_of_after_two_minutes(
    often: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch.IDLE_LIMIT_SECONDS == 120
    monkeypatch.setattr(watch, 'IDLE_LIMIT_SECONDS', 0.3)
    agent = Agent(TestModel())
    agent.tool_plain(lambda: time.sleep(0.8), name='slow', run_in='thread')
    agent.run_sync('hi')
    assert waits_told(caplog) == ['a function in a worker thread']


@pytest.mark.slow
@pytest.mark.timing
@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_an_idle_loop_is_never_woken() -> None:
    code = """
import time
from pathlib import Path
from syncai._bridge import loop_thread, run_sync

async def nothing():
    pass

def switches():
    status = Path(f'/proc/self/task/{loop_thread._thread.native_id}/status').read_text()
    return [line for line in status.splitlines() if line.startswith('voluntary')]

run_sync(nothing)
time.sleep(0.3)
before = switches()
time.sleep(1.3)
print(switches() == before)
"""
    # In a process of its own: connections of other tests that are kept alive wake the loop to be closed.
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == 'True\n', done.stderr


def test_where_a_call_is_made_is_found_without_keeping_frames() -> None:
    place = current_place()
    assert place is not None
    assert place[0].co_name == 'test_where_a_call_is_made_is_found_without_keeping_frames'
    assert isinstance(place[1], int)


def test_the_calls_of_the_dump_end(model_server: ModelServer) -> None:
    model_server.reply(Reply('here'))
    ask(model_of(model_server))
    assert open_calls() == []


@pytest.mark.slow
def test_a_lock_of_logging_that_is_never_given_back_does_not_stop_the_loop() -> None:
    code = """
import logging, os, threading
from syncai import HttpOptions, ModelRequest, model_request_sync
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

logging.lastResort.acquire()  # as Ctrl-C may leave it
with ModelServer(Reply('here', delay_headers=0.3)) as server:
    model = OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(max_connections=1))
    question = [ModelRequest.user_text_prompt('hi')]
    threads = [threading.Thread(target=lambda: print(model_request_sync(model, question).text)) for _ in range(2)]
    for thread in threads:
        thread.start()  # the second waits for a slot, and the transport says so in the log
    for thread in threads:
        thread.join(10)
print('over', flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == 'here\nhere\nover\n', done.stderr

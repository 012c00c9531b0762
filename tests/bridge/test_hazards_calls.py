"""Hazards of a bridge within one process: races of start and stop, the loop thread itself, errors, streams."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import threading
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cyclic_garbage import left_by, left_in_a_process
from streams import eventually, model_of

from syncai import Agent, ModelRequest, model_request_stream_sync, model_request_sync
from syncai._bridge import Channel, call_user_function, iterate_user_generator, loop_thread, open_sync, run_sync
from syncai.exceptions import AgentRunError, CallCancelled, LoopThreadDied, LoopThreadError, ModelHTTPError
from syncai.models.function import FunctionModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

QUESTION = [ModelRequest.user_text_prompt('hi')]


async def one() -> int:
    return 1


async def forever(channel: Channel[None]) -> None:
    await channel.emit([0])
    await asyncio.sleep(3600)


# --- start and stop ---------------------------------------------------------------------------------------------------


def test_many_threads_at_once_start_one_loop_again_and_again() -> None:
    barrier = threading.Barrier(32)

    async def ident() -> int:
        return threading.get_ident()

    def call(_: int) -> int:
        barrier.wait()
        return run_sync(ident)

    with ThreadPoolExecutor(32) as pool:
        for _ in range(30):
            assert loop_thread.shutdown()
            assert len(set(pool.map(call, range(32)))) == 1


@pytest.mark.slow
def test_calls_that_race_with_stops_return_or_say_that_they_were_stopped() -> None:
    stop, outcomes = threading.Event(), list[int | str]()

    def call() -> None:
        while not stop.is_set():
            try:
                outcomes.append(run_sync(one))
            except CallCancelled as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(outcomes) < 3000:
        assert loop_thread.shutdown()
    stop.set()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert set(outcomes) <= {1, 'CallCancelled'}
    assert outcomes.count(1) > 100


@pytest.mark.slow
def test_who_waits_for_a_loop_that_was_left_behind_is_told() -> None:
    """Work that refuses to end is left alone by a stop; its caller must not wait forever."""
    release = threading.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    def wait() -> str:
        try:
            run_sync(stubborn)
        except LoopThreadDied as error:
            return str(error)
        return 'nothing'

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        assert eventually(lambda: bool(loop_thread._loop and loop_thread._loop.calls))
        loop_thread.shutdown(0.1)
        assert run_sync(one) == 1
        assert 'call again' in waiting.result(10)
    release.set()


def test_cancelled_just_as_it_ends_a_call_ends_once() -> None:
    rnd, ends = random.Random(0), {'value': 0, 'cancelled': 0}

    async def work(_: Channel[int]) -> int:
        for _turn in range(3):
            await asyncio.sleep(0)
        return 7

    for _ in range(2000):
        consumer = open_sync(work)
        for _pause in range(rnd.randrange(60)):
            pass
        assert consumer.close()
        assert consumer.next_batch() is None
        try:
            assert consumer.finish() == 7
            ends['value'] += 1
        except CallCancelled:
            ends['cancelled'] += 1
    assert sum(ends.values()) == 2000
    assert ends['cancelled'] > 0


# --- on the loop thread -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('where', ['callback', 'finalizer'])
def test_a_sync_call_in_a_callback_or_finalizer_on_the_loop_thread_is_refused(where: str) -> None:
    errors: list[BaseException] = []

    def call(*_: object) -> None:
        try:
            run_sync(one)
        except LoopThreadError as error:
            errors.append(error)

    class Dropped:
        __del__ = call

    async def work() -> None:
        if where == 'callback':
            asyncio.create_task(one()).add_done_callback(call)
        else:
            Dropped()
        await asyncio.sleep(0.01)

    run_sync(work)
    assert len(errors) == 1


def test_a_stream_that_is_dropped_on_the_loop_thread_or_by_the_collector_ends(model_server: ModelServer) -> None:
    model_server.reply(*[Reply('x', repeat=100_000, delay_between_events=0.005)] * 2)
    held: list[Any] = []

    async def drop() -> None:
        held.clear()

    held.append(model_request_stream_sync(model_of(model_server), QUESTION).__enter__())
    next(iter(held[0]))
    run_sync(drop)
    model_server.wait_for_disconnect(timeout=5)
    cycle: dict[str, Any] = {'stream': model_request_stream_sync(model_of(model_server), QUESTION).__enter__()}
    next(iter(cycle['stream']))
    cycle['itself'] = cycle
    del cycle
    gc.collect()
    model_server.wait_for_disconnect(timeout=5)


# --- errors -----------------------------------------------------------------------------------------------------------


def length(error: BaseException) -> int:
    return len(traceback.extract_tb(error.__traceback__))


def test_an_error_that_a_stream_raises_a_hundred_times_does_not_grow(model_server: ModelServer) -> None:
    model_server.reply(Reply(status=400))
    lengths = []
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        for _ in range(101):
            with pytest.raises(ModelHTTPError) as caught:
                stream.get()
            lengths.append(length(caught.value))
    assert len(set(lengths[1:])) == 1
    assert max(lengths) < 30


def test_the_traceback_shows_the_users_two_ends() -> None:
    """The line that called, the line that failed, and a bounded number of frames in between."""

    def answer(messages: Any, info: Any) -> Any:
        raise LookupError('in the function')

    with pytest.raises(LookupError) as caught:
        Agent(FunctionModel(answer)).run_sync('hi')
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[0].filename == frames[-1].filename == __file__
    assert frames[-1].name == 'answer'
    assert len(frames) < 30


FAILURES = {
    'status': Reply(status=400),
    'temporary': Reply(status=503),
    'reset': Reply('x', ending='reset_before_headers'),
    'cut': Reply('a', 'b', ending='cut', cut_after_events=1),
    'malformed': Reply('a', 'b', malformed_event_at=1),
    'fine': Reply('fine'),
}


def garbage_of(name: str) -> list[str]:
    """The kinds of our objects that a call and a stream with this reply leave to the collector."""
    with ModelServer() as server:
        model = model_of(server, http=HttpOptions(max_retries=0))

        def cycle() -> None:
            server.reply(FAILURES[name], FAILURES[name])
            with contextlib.suppress(AgentRunError), model_request_stream_sync(model, QUESTION) as stream:
                list(stream)
            with contextlib.suppress(AgentRunError):
                model_request_sync(model, QUESTION)

        return left_by(cycle)


@pytest.mark.slow
@pytest.mark.parametrize('name', FAILURES)
def test_calls_and_streams_that_fail_leave_nothing_to_the_collector(name: str) -> None:
    """But for tenacity, whose objects are full of cycles: a failure that might be repeated stays with them."""
    assert left_in_a_process('test_hazards_calls', name) in ('[]', "['TemporaryFailure']")


# --- streams ----------------------------------------------------------------------------------------------------------


def test_one_task_steps_a_source_from_its_beginning_to_its_end() -> None:
    """So that timeouts, cancel scopes and spans may be open across its steps."""
    tasks: set[object] = set()

    async def source(channel: Channel[None]) -> None:
        async with asyncio.timeout(60):
            for number in range(50):
                tasks.add(asyncio.current_task())
                await channel.emit([number])

    consumer = open_sync(source)
    while consumer.next_batch() is not None:
        time.sleep(0.0005)
    consumer.finish()
    assert len(tasks) == 1


def test_an_async_generator_that_is_left_early_is_finalised_on_its_loop() -> None:
    ended: list[tuple[str, str]] = []

    async def generator() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            ended.append(('async', threading.current_thread().name))

    def plain() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.append(('sync', threading.current_thread().name))

    for make in (generator, plain):

        async def work(channel: Channel[None], make: Any = make) -> None:
            async for item in iterate_user_generator(make()):
                await channel.emit([item])

        consumer = open_sync(work)
        assert consumer.next_batch() == [1]
        assert consumer.close()
        count = 1 if make is generator else 2
        assert eventually(lambda count=count: len(ended) == count)  # type: ignore[misc]
    assert ended == [('async', 'syncai-loop'), ('sync', 'syncai-loop')]


@pytest.mark.slow
def test_beside_a_thread_that_computes_events_come_in_batches() -> None:
    """Each change of threads costs a switch interval: events that came meanwhile must not cost one each."""
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(1000))

    async def source(channel: Channel[None]) -> None:
        for number in range(3000):
            await channel.emit([number])
            await asyncio.sleep(0)

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        consumer, events, batches = open_sync(source), list[int](), 0
        while (batch := consumer.next_batch()) is not None:
            events += batch
            batches += 1
    finally:
        stop.set()
        thread.join()
    assert events == list(range(3000))
    assert batches < 1500


def test_a_stream_is_refused_after_it_was_closed_and_a_second_call_beside_it_works(model_server: ModelServer) -> None:
    model_server.reply(Reply('x', repeat=1000, delay_between_events=0.01), Reply('short'))
    with model_request_stream_sync(model_of(model_server), QUESTION) as stream:
        next(iter(stream))
        assert model_request_sync(model_of(model_server), QUESTION).text == 'short'
    with pytest.raises(Exception, match='closed'):
        next(iter(stream))


def test_a_function_of_a_call_that_was_left_is_not_begun() -> None:
    begun: list[int] = []

    async def work(channel: Channel[None]) -> None:
        await channel.emit([0])
        await call_user_function(lambda: begun.append(1))

    consumer = open_sync(work)
    assert consumer.next_batch() == [0]
    assert consumer.close()
    assert consumer.next_batch() is None
    assert begun == []

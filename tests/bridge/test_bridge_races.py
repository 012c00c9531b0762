"""Moments in which two threads meet, each brought about on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future, wait
from queue import Queue
from typing import Any

import pytest
from plain_http import wait_until

from syncai._bridge import Channel, SyncConsumer, call_user_function, loop_thread, open_sync, run_sync, submit
from syncai._bridge.channel import DEPTH
from syncai.exceptions import CallCancelled

PATIENCE = 10.0
"""Seconds that are never waited for, unless something is wrong."""


async def one() -> int:
    return 1


def rest_of(consumer: SyncConsumer[Any]) -> list[Any]:
    """All events that are left."""
    events: list[Any] = []
    while (batch := consumer.next_batch(PATIENCE)) is not None:
        assert batch, 'nothing comes any more'
        events += batch
    return events


def test_who_waits_for_room_is_not_forgotten_when_another_finds_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader takes something between the two looks of another, and looks for wishes only after both."""
    waiting, looks = threading.Event(), list[Any]()

    async def work(channel: Channel[list[int]]) -> list[int]:
        for number in range(DEPTH):
            await channel.emit([number])
        first = asyncio.create_task(call_user_function(lambda: 1))
        await asyncio.sleep(0)
        offer = channel.queue.offer

        def look(item: Any) -> bool:
            looks.append(item)
            if len(looks) == 2:
                channel.queue.take_nowait()
            return offer(item)

        monkeypatch.setattr(channel.queue, 'offer', look)
        second = asyncio.create_task(call_user_function(lambda: 2))
        await asyncio.sleep(0)
        monkeypatch.undo()
        waiting.set()
        return [await first, await second]

    consumer = open_sync(work)
    assert waiting.wait(PATIENCE)
    assert rest_of(consumer) == list(range(1, DEPTH))
    assert consumer.finish() == [1, 2]
    assert len(looks) == 2


def test_a_call_that_is_stopped_just_as_a_timeout_of_its_own_passes_stops() -> None:
    """asyncio takes the cancellation by its timeout back; ours, which came right after it, must not go with it."""
    begun, went_on = threading.Event(), list[bool]()

    async def work(channel: Channel[None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                limit.reschedule(loop.time())  # passes in the next turn of the loop
                loop.call_soon(channel.cancel_on_loop)  # and before the task hears of it
                begun.set()
                await asyncio.sleep(3600)
        except TimeoutError:
            went_on.append(True)
            await asyncio.sleep(3600)

    consumer = open_sync(work)
    assert begun.wait(PATIENCE)
    with pytest.raises(CallCancelled):
        rest_of(consumer)
        consumer.finish()
    assert went_on == []


@pytest.mark.parametrize('what', ['the future', 'a wait for several', 'a function to be called'])
def test_a_future_that_an_interrupt_left_locked_does_not_stop_the_loop(what: str) -> None:
    """Locks of the standard library, taken and not given back, as by a thread that was interrupted within."""
    end, taken, notified = asyncio.Event(), threading.Lock(), threading.Event()
    future: Any = submit(end.wait)
    loop: Any = loop_thread._loop
    locked: Any = contextlib.nullcontext()

    def notify(*_: object) -> None:
        with taken:
            notified.set()

    def wait_for_several() -> None:
        wait([future], PATIENCE)
        notify()

    if what == 'the future':
        locked = future._condition
    elif what == 'a wait for several':
        threading.Thread(target=wait_for_several).start()
        wait_until(lambda: bool(future._waiters))
        locked = future._waiters[0].event._cond
    else:
        locked = taken
        future.add_done_callback(notify)
    with locked:
        loop.call_soon_threadsafe(end.set)
        assert [run_sync(one) for _ in range(20)] == [1] * 20
        assert not notified.is_set()
    assert future.result(PATIENCE) is True
    assert what == 'the future' or notified.wait(PATIENCE)


def test_a_function_that_a_future_calls_may_make_calls() -> None:
    answers: Queue[int] = Queue()
    submit(one).add_done_callback(lambda _: answers.put(run_sync(one)))
    assert answers.get(timeout=PATIENCE) == 1


def test_the_private_names_of_futures_that_we_use_still_exist() -> None:
    future = Future[None]()
    assert future._waiters == future._done_callbacks == []  # type: ignore[attr-defined]
    assert isinstance(future._condition, threading.Condition)


@pytest.mark.slow
def test_what_asyncio_logs_waits_for_no_lock_of_logging_on_the_loop() -> None:
    code = """
import asyncio, gc, logging, os, sys
from syncai._bridge import run_sync

logging.lastResort.acquire()  # as Ctrl-C may leave it

async def forgotten() -> None:
    async def fail() -> None:
        raise LookupError('never asked for')
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()

run_sync(forgotten)
print(run_sync(lambda: asyncio.sleep(0, 'here')), flush=True)
logging.lastResort.release()
"""
    code += "while 'never asked for' not in open(sys.argv[1]).read(): pass\n"
    with tempfile.NamedTemporaryFile('w') as log:
        command = [sys.executable, '-c', code, log.name]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, timeout=30, check=False)
    assert done.stdout == 'here\n'


def test_a_stop_in_each_turn_of_the_loop_around_the_end_ends_the_call_once() -> None:
    """Stopped before its last step it is cancelled; after that, it has its value."""
    turns, ends = 3, list[str]()

    async def work(channel: Channel[int], stop_after: int) -> int:
        loop: Any = asyncio.get_running_loop()

        def stop(left: int) -> None:
            if left:
                loop.call_soon(stop, left - 1)
            else:
                channel.cancel_on_loop()

        stop(stop_after + 1)
        for _ in range(turns):
            await asyncio.sleep(0)
        return 7

    for stop_after in range(2 * turns):
        consumer = open_sync(functools.partial(work, stop_after=stop_after))
        assert rest_of(consumer) == []
        try:
            ends.append(f'value {consumer.finish()}')
        except CallCancelled:
            ends.append('cancelled')
        assert consumer.close()
        assert consumer.next_batch() is None
    assert ends == ['cancelled'] * turns + ['value 7'] * turns


@pytest.mark.slow
def test_a_look_at_the_threads_does_not_stop_the_process_when_garbage_is_collected_within() -> None:
    code = """
import gc, threading, time
from syncai._bridge import loop_stack, run_sync, stack_of

def nap() -> None:
    time.sleep(0.0005)  # in a frame that is new each time, and an object only for a look at it

def sleepy() -> None:
    while True:
        nap()

async def one() -> int:
    return 1

run_sync(one)
for _ in range(40):
    threading.Thread(target=sleepy, daemon=True).start()
for number in range(200):
    gc.collect()
    gc.disable()
    for _ in range(20):
        cycle: list = [threading.local()]
        cycle.append(cycle)
    del cycle
    gc.set_threshold(gc.get_count()[0] + 1 + number % 45)
    gc.enable()
    loop_stack()
    stack_of(threading.get_ident())
    assert gc.isenabled()
print('over', flush=True)
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=40, check=False)
    assert done.stdout == 'over\n', done.stderr

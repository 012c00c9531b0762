"""Streams over the bridge: order, bounds, early ends, many threads, interrupts."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from syncai._bridge import Channel, SyncConsumer, open_async, open_sync, run_sync
from syncai._bridge.channel import DEPTH, MAX_PENDING_BYTES, MAX_PENDING_EVENTS
from syncai.exceptions import CallCancelled, UserError


class Source:
    """Counts up in batches, and remembers how far it came and whether it was finalised."""

    def __init__(self, total: int, batch: int = 1, pause: float | None = 0) -> None:
        self.total, self.batch, self.pause = total, batch, pause
        self.emitted = 0
        self.finalised = threading.Event()

    async def run(self, channel: Channel[str]) -> str:
        try:
            while self.emitted < self.total:
                size = min(self.batch, self.total - self.emitted)
                await channel.emit(list(range(self.emitted, self.emitted + size)))
                self.emitted += size
                if self.pause is not None:
                    await asyncio.sleep(self.pause)
            return 'the value'
        finally:
            self.finalised.set()


def drain(channel: SyncConsumer[Any]) -> list[Any]:
    events: list[Any] = []
    while (batch := channel.next_batch()) is not None:
        events += batch
    return events


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_events_arrive_in_order_and_the_value_last() -> None:
    channel = open_sync(Source(1000, batch=7).run)
    assert drain(channel) == list(range(1000))
    assert channel.finish() == 'the value'


def test_events_before_an_error_arrive_before_it() -> None:
    async def fail(channel: Channel[None]) -> None:
        for i in range(50):
            await channel.emit([i])
        raise ValueError('after fifty')

    channel = open_sync(fail)
    assert drain(channel) == list(range(50))
    with pytest.raises(ValueError, match='after fifty'):
        channel.finish()


def test_a_stalled_consumer_stops_the_producer_within_its_window() -> None:
    source = Source(1_000_000, batch=10)
    channel = open_sync(source.run)
    bound = DEPTH * 10 + MAX_PENDING_EVENTS + 2 * 10
    assert eventually(lambda: source.emitted > DEPTH * 10)
    previous = -1
    while previous != source.emitted:
        previous = source.emitted
        run_sync(lambda: asyncio.sleep(0.02))
    assert source.emitted <= bound
    assert channel.next_batch() == list(range(10))
    assert channel.close()
    assert source.finalised.is_set()


def test_the_window_is_bounded_in_bytes_too() -> None:
    emitted = 0

    async def fat(channel: Channel[None]) -> None:
        nonlocal emitted
        while True:
            await channel.emit(['x' * (MAX_PENDING_BYTES // 2)])
            emitted += 1

    channel = open_sync(fat, weigh=lambda batch: sum(map(len, batch)))
    assert eventually(lambda: emitted >= DEPTH)
    run_sync(lambda: asyncio.sleep(0.05))
    assert emitted <= DEPTH + 3
    assert channel.close()


def test_closing_early_finalises_the_source_before_it_returns() -> None:
    source = Source(10**9)
    channel = open_sync(source.run)
    channel.next_batch()
    assert channel.close()
    assert source.finalised.is_set()
    assert channel.close(), 'closing again is harmless'


def test_closing_before_the_work_began_runs_none_of_it() -> None:
    for _ in range(200):
        channel = open_sync(Source(10**9).run)
        assert channel.close()


def test_closing_from_another_thread_ends_the_wait() -> None:
    async def silent(_: Channel[None]) -> None:
        await asyncio.sleep(3600)

    channel = open_sync(silent)
    threading.Timer(0.05, channel.close).start()
    assert channel.next_batch() is None
    with pytest.raises(CallCancelled):
        channel.finish()


def test_two_readers_at_once_are_refused() -> None:
    async def silent(_: Channel[None]) -> None:
        await asyncio.sleep(3600)

    channel = open_sync(silent)
    reader = threading.Thread(target=channel.next_batch)
    reader.start()
    assert eventually(lambda: bool(channel._reader))
    with pytest.raises(UserError, match='Another thread'):
        channel.next_batch()
    channel.close()
    reader.join()


def test_a_stream_may_be_read_in_a_thread_that_did_not_open_it() -> None:
    channel = open_sync(Source(100, batch=3).run)
    first = channel.next_batch()
    rest: list[Any] = []
    thread = threading.Thread(target=lambda: rest.extend(drain(channel)))
    thread.start()
    thread.join()
    assert first is not None
    assert first + rest == list(range(100))


def test_streams_hold_no_tasks_when_they_are_over() -> None:
    for channel in [open_sync(Source(100).run) for _ in range(20)]:
        drain(channel)

    async def tasks() -> int:
        await asyncio.sleep(0.01)
        return len(asyncio.all_tasks())

    assert run_sync(tasks) == 1


def test_streams_leave_no_cyclic_garbage() -> None:
    def cycle() -> None:
        channel = open_sync(Source(20, batch=5).run)
        drain(channel)
        channel.finish()

    for _ in range(5):
        cycle()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(20):
            cycle()
        run_sync(lambda: asyncio.sleep(0))
        gc.collect()
        assert [o for o in gc.garbage if type(o).__module__.startswith(('syncai', 'janus'))] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_an_async_consumer_gets_the_same() -> None:
    async def main() -> tuple[list[int], str]:
        consumer = open_async(Source(500, batch=3).run)
        events: list[int] = []
        while (batch := await consumer.next_batch()) is not None:
            events += batch
        return events, consumer.finish()

    assert asyncio.run(main()) == (list(range(500)), 'the value')


def test_cancelling_an_async_consumer_cancels_the_work() -> None:
    source = Source(1)

    async def silent(channel: Channel[str]) -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            source.finalised.set()
        return ''

    async def main() -> None:
        consumer = open_async(silent)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await consumer.next_batch()

    asyncio.run(main())
    assert source.finalised.is_set()


def test_work_ends_when_the_consumers_loop_is_gone() -> None:
    source = Source(10**9)

    async def main() -> None:
        consumer = open_async(source.run)
        await consumer.next_batch()

    asyncio.run(main())
    gc.collect()
    assert source.finalised.wait(5)


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(4))
def test_random_streams_from_six_threads_lose_nothing(seed: int) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    errors: list[object] = []
    started: list[Source] = []

    def worker(number: int) -> None:
        rnd = random.Random(seed * 100 + number)
        for _ in range(25):
            total = rnd.choice((0, 1, 3, 50, 500))
            stop = rnd.choice((None, None, 0, 1, total // 2))
            source = Source(total, batch=rnd.choice((1, 2, 5, 40)), pause=rnd.choice((None, 0, 0.0005)))
            started.append(source)
            channel = open_sync(source.run)
            seen = 0
            while stop is None or seen < stop:
                batch = channel.next_batch()
                if batch is None:
                    if seen != total:
                        errors.append(('short', seen, total))
                    break
                if batch != list(range(seen, seen + len(batch))):
                    errors.append(('order', batch, seen))
                seen += len(batch)
            if not channel.close():
                errors.append('not closed')

    threads = [threading.Thread(target=worker, args=(n,)) for n in range(6)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(50)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads)
    assert errors == []
    assert len(started) == 150

"""A loop that is slow because its process has no time for it is not blocked, and no warning is logged."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from syncai._bridge import loop_thread, run_sync, sync_consumer, watch
from syncai._bridge.starvation import is_starved


@contextlib.contextmanager
def busy_threads(number: int) -> Iterator[None]:
    """That number of threads that never stop to compute."""
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=compute) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def in_a_step(work: Callable[[], object]) -> bool:
    """Whether the loop is starved, as it seems from another thread while the loop does this work."""
    begun = threading.Event()

    async def step() -> None:
        begun.set()
        work()

    call = threading.Thread(target=run_sync, args=(step,))
    call.start()
    begun.wait(30)
    loop = loop_thread._loop
    assert loop is not None
    try:
        return any(is_starved(loop) for _ in range(5))
    finally:
        call.join()


@pytest.mark.slow
def test_a_loop_that_lacks_the_interpreter_is_starved_and_one_that_sleeps_is_not() -> None:
    """From outside all of these look the same: one step that does not end."""
    over = threading.Event()
    assert not in_a_step(lambda: time.sleep(0.6))
    assert not in_a_step(lambda: over.wait(0.6))
    with busy_threads(8):
        assert in_a_step(lambda: [sum(range(10_000)) for _ in range(1000)])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller looks at the loop more often than the loop gets the interpreter."""
    monkeypatch.setattr(sync_consumer, 'POLL_SECONDS', 0.02)
    monkeypatch.setattr(watch, 'BLOCKED_SECONDS', 0.02)


@pytest.mark.slow
def test_a_loop_among_many_busy_threads_is_not_called_blocked(
    impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def get_on() -> None:
        for _ in range(10):
            sum(range(100_000))
            await asyncio.sleep(0)

    with busy_threads(8):
        run_sync(get_on)
    assert 'blocked' not in caplog.text

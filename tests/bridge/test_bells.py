"""Bells: what wakes a thread that waits for the loop thread."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import ref

import pytest

from syncai._bridge import loop_thread
from syncai._bridge.batch_queue import BatchQueue, Empty
from syncai._bridge.bells import MOST_EVENTFDS, Bell, EventBell, LockBell, borrow_bell, give_back, lock_bell

needs_eventfd = pytest.mark.skipif(not hasattr(os, 'eventfd'), reason='eventfds are of Linux')


both_kinds = pytest.mark.parametrize('kind', [lock_bell, pytest.param(EventBell, marks=needs_eventfd)])
Kind = Callable[[], LockBell | EventBell]


def descriptors() -> int:
    return len(list(Path('/proc/self/fd').iterdir()))


@contextmanager
def waiting_threads(number: int) -> Iterator[list[Bell]]:
    """The bells of threads that all have theirs at the same time."""
    bells: list[Bell] = []
    all_have, leave = threading.Barrier(number + 1), threading.Event()

    def hold() -> None:
        mine = borrow_bell()
        bells.append(mine)
        all_have.wait(20)
        leave.wait(20)
        give_back(mine)

    threads = [threading.Thread(target=hold) for _ in range(number)]
    for thread in threads:
        thread.start()
    all_have.wait(20)
    try:
        yield bells
    finally:
        leave.set()
        for thread in threads:
            thread.join()


@both_kinds
def test_a_ring_wakes_the_thread_that_waits(kind: Kind) -> None:
    bell = kind()
    woken: list[bool] = []
    thread = threading.Thread(target=lambda: woken.append(bool(bell.wait(20))))
    thread.start()
    bell.ring()
    thread.join()
    assert woken == [True]


@both_kinds
def test_a_ring_before_the_wait_is_kept_once(kind: Kind) -> None:
    bell = kind()
    bell.ring()
    bell.ring()
    assert bell.wait(20)
    assert not bell.wait(0.01)


@both_kinds
def test_a_wait_without_a_ring_ends_after_its_timeout(kind: Kind) -> None:
    bell = kind()
    assert not bell.wait(0.01)
    assert not bell.wait(0)


@needs_eventfd
def test_a_shutdown_closes_the_bell_of_its_thread() -> None:
    bell = EventBell()
    give_back(bell)
    kept = ref(bell)
    del bell
    assert kept() is not None
    loop_thread.shutdown()
    assert kept() is None


def test_a_thread_keeps_its_bell() -> None:
    first = borrow_bell()
    give_back(first)
    second = borrow_bell()
    give_back(second)
    assert second is first


@needs_eventfd
def test_a_crowd_waits_for_locks_and_few_for_eventfds() -> None:
    kept = borrow_bell()
    before = descriptors()
    with waiting_threads(3 * MOST_EVENTFDS) as bells:
        kinds = [type(bell) for bell in bells]
        assert kinds.count(EventBell) <= 2 * MOST_EVENTFDS  # threads that begin at once do not wait for each other
        assert kinds.count(LockBell) >= MOST_EVENTFDS
        bells.clear()
    assert descriptors() == before  # those of threads that have ended are closed
    give_back(kept)


@needs_eventfd
def test_the_places_of_threads_that_ended_are_free_again() -> None:
    for _ in range(3):
        with waiting_threads(MOST_EVENTFDS) as bells:
            assert EventBell in {type(bell) for bell in bells}
            bells.clear()


@pytest.mark.skipif(not hasattr(signal, 'setitimer'), reason='needs timers')
def test_a_wait_in_a_signal_handler_takes_no_ring_of_the_wait_it_interrupts() -> None:
    outer, inner, items = BatchQueue(4), BatchQueue(4), list[object]()

    def handler(*_: object) -> None:
        outer.offer('outer')  # its ring comes while the wait within waits
        threading.Timer(0.05, inner.offer, ['inner']).start()
        items.append(inner.take(20))

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        items.append(outer.take(20))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert items == ['inner', 'outer']


def test_a_wait_goes_on_after_a_ring_that_was_for_an_earlier_one() -> None:
    queue = BatchQueue(4)
    with pytest.raises(Empty):
        queue.take(0.01)
    bell = borrow_bell()
    bell.ring()
    give_back(bell)
    threading.Timer(0.05, queue.offer, ['late']).start()
    assert queue.take(20) == 'late'


@needs_eventfd
def test_an_interrupt_while_a_bell_is_made_leaves_no_descriptor_open() -> None:
    """A signal that comes within a system call is handled before its result has a name."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before, interrupts, die = descriptors(), 0, random.Random(1)
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        while interrupts < 500:
            try:
                signal.setitimer(signal.ITIMER_REAL, die.uniform(0.00001, 0.0001))
                while True:
                    EventBell()
            except KeyboardInterrupt:
                interrupts += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert descriptors() == before


IN_A_CHILD = """
import os
from syncai._bridge.bells import borrow_bell, give_back

bell = borrow_bell()
give_back(bell)
pid = os.fork()
if pid == 0:
    own = borrow_bell()
    own.ring()
    os._exit(0 if own is not bell and own.wait(5) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), bool(bell.wait(0.1)))
"""
WITHOUT_DESCRIPTORS = """
import resource
from syncai._bridge.bells import borrow_bell

resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
bell = borrow_bell()
bell.ring()
print(type(bell).__name__, bool(bell.wait(5)))
"""


def printed(program: str) -> str:
    return subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, timeout=60, check=True
    ).stdout


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_a_forked_process_waits_for_a_bell_of_its_own() -> None:
    assert printed(IN_A_CHILD).split() == ['0', 'False']


@pytest.mark.slow
@needs_eventfd
def test_without_a_free_descriptor_a_thread_waits_for_a_lock() -> None:
    assert printed(WITHOUT_DESCRIPTORS).split() == ['LockBell', 'True']

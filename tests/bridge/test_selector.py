"""The selector of the loop thread: it runs the callbacks of sockets, and keeps no timer and no other call waiting."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from weakref import ref

import pytest

from syncai._bridge import selector as module
from syncai._bridge.bells import EventBell
from syncai._bridge.event_loop import BridgeLoop
from syncai._bridge.selector import BellSelector, new_selector

pytestmark = pytest.mark.skipif(not hasattr(select, 'epoll'), reason='only Linux has epoll')


@pytest.fixture(params=['as it is', 'in debug mode', 'with the general selector'])
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[BridgeLoop]:
    if request.param == 'with the general selector':
        monkeypatch.setattr('syncai._bridge.event_loop.new_selector', BellSelector)
    loop = BridgeLoop()
    loop.set_debug(request.param == 'in debug mode')
    with contextlib.closing(loop):
        yield loop


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


class Turns:
    """Counts what a loop has read from a socket that always has something to read."""

    def __init__(self, loop: BridgeLoop, pair: tuple[socket.socket, socket.socket], after: int = 10**9) -> None:
        self.count, self._loop, (self._left, self._right), self._after = 0, loop, pair, after
        loop.add_reader(self._left, self._read)
        self._right.send(b'x')

    def _read(self) -> None:
        self.count += len(self._left.recv(1))
        self._right.send(b'x')
        if self.count >= self._after:
            self._loop.stop()


def run(loop: BridgeLoop) -> None:
    """Run the loop until it is stopped, or for at most 20 seconds."""
    guard = threading.Timer(20, lambda: loop.call_soon_threadsafe(loop.stop))
    guard.start()
    loop.run_forever()
    assert guard.is_alive(), 'the loop did not stop by itself'
    guard.cancel()
    guard.join()


def test_a_callback_stops_the_loop(loop: BridgeLoop, pair: tuple[socket.socket, socket.socket]) -> None:
    turns = Turns(loop, pair, after=50)
    run(loop)
    assert turns.count == 50


def test_a_timer_fires_beside_a_busy_socket(loop: BridgeLoop, pair: tuple[socket.socket, socket.socket]) -> None:
    turns, fired = Turns(loop, pair), list[float]()
    due = loop.time() + 0.02

    def fire() -> None:
        fired.append(loop.time())
        loop.stop()

    loop.call_at(due, fire)
    run(loop)
    assert fired[0] >= due
    assert turns.count > 1


def test_a_timer_that_a_callback_sets_is_kept(loop: BridgeLoop, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    loop.call_later(1000, loop.stop)

    def read() -> None:
        left.recv(1)
        loop.call_later(0.01, loop.stop)

    loop.add_reader(left, read)
    right.send(b'x')
    run(loop)


def test_a_call_from_a_callback_runs_before_the_next_wait(
    loop: BridgeLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    loop.add_reader(left, lambda: (left.recv(1), loop.call_soon(loop.stop)))
    right.send(b'x')
    run(loop)


def test_a_call_from_another_thread_runs_beside_a_busy_socket(
    loop: BridgeLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    Turns(loop, pair)

    def stop() -> None:
        time.sleep(0.02)
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=stop)
    thread.start()
    run(loop)
    thread.join()


def test_a_socket_that_a_callback_removes_is_not_called(loop: BridgeLoop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    calls = list[int]()

    def only(index: int) -> Callable[[], None]:
        def read() -> None:
            calls.append(index)
            loop.remove_reader(pairs[1 - index][0])
            loop.remove_reader(pairs[index][0])
            loop.call_soon(loop.call_soon, loop.stop)

        return read

    with contextlib.ExitStack() as stack:
        for index, (left, right) in enumerate(pairs):
            stack.enter_context(left)
            stack.enter_context(right)
            right.send(b'x')
            loop.add_reader(left, only(index))
        run(loop)
    assert len(calls) == 1


def test_both_callbacks_of_a_socket_run_after_a_hang_up(
    loop: BridgeLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    calls = list[str]()

    def note(name: str) -> None:
        calls.append(name)
        if len(set(calls)) == 2:
            loop.stop()

    right.close()
    loop.add_reader(left, note, 'read')
    loop.add_writer(left, note, 'write')
    run(loop)
    assert calls[:2] == ['read', 'write']


def test_a_failing_callback_is_reported_and_the_loop_goes_on(
    loop: BridgeLoop, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    reports = list[object]()
    loop.set_exception_handler(lambda _, context: reports.append(context['exception']))

    def read() -> None:
        loop.call_soon(loop.stop)
        raise ZeroDivisionError(left.recv(1))

    loop.add_reader(left, read)
    right.send(b'x')
    run(loop)
    assert [type(report) for report in reports] == [ZeroDivisionError]


def test_waits_end_at_their_time_and_not_before(loop: BridgeLoop) -> None:
    async def sleep() -> list[float]:
        early = list[float]()
        for seconds in (0, 0.0004, 0.0015, 0.003):
            began = time.monotonic()
            await asyncio.sleep(seconds)
            early.append(seconds - (time.monotonic() - began))
        return early

    assert max(loop.run_until_complete(asyncio.wait_for(sleep(), 20))) <= 0


def test_a_loop_that_waits_keeps_no_bell_of_a_thread_that_has_ended(loop: BridgeLoop) -> None:
    bell = EventBell()
    known, bells = ref(bell), [bell]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    loop.call_soon_threadsafe(lambda: loop.bells.append(bells.pop()))
    assert bell.wait(20)
    del bell
    until = time.monotonic() + 5
    while known() is not None and time.monotonic() < until:
        time.sleep(0.001)
    freed = known() is None
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    assert freed


def test_without_the_private_names_it_is_the_general_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    with new_selector() as selector:
        assert type(selector) is not BellSelector
    monkeypatch.setattr(module, '_USED', (*module._USED, '_renamed'))
    with new_selector() as selector:
        assert type(selector) is BellSelector

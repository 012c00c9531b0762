"""The order in which the loop reads sockets that are ready, and runs the tasks that they wake."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from contextlib import AbstractContextManager, nullcontext

import pytest

from syncai._bridge import few_sockets_at_once
from syncai._bridge.event_loop import BridgeLoop

needs_epoll = pytest.mark.skipif(not hasattr(select, 'epoll'), reason='epoll is of Linux')


async def order(pairs: list[tuple[socket.socket, socket.socket]], block: AbstractContextManager[None]) -> str:
    """The steps of the loop for sockets that are ready at the same time: `r` reads one, `t` is the task that it
    wakes.
    """
    loop, done = asyncio.get_running_loop(), list[str]()
    with block:
        await asyncio.sleep(0)
        for ours, peer in pairs:
            loop.add_reader(ours, on_ready, loop, ours, done)
            peer.send(b'x')
        while done.count('t') < len(pairs):
            await asyncio.sleep(0)
    return ''.join(done)


def on_ready(loop: asyncio.AbstractEventLoop, ours: socket.socket, done: list[str]) -> None:
    loop.remove_reader(ours)
    done.append('r')
    loop.call_soon(done.append, 't')


def order_of(number: int, block: AbstractContextManager[None]) -> str:
    with contextlib.ExitStack() as stack, contextlib.closing(BridgeLoop()) as loop:
        pairs = [socket.socketpair() for _ in range(number)]
        for end in (end for pair in pairs for end in pair):
            stack.enter_context(end)
        return loop.run_until_complete(order(pairs, block))


def test_all_ready_sockets_are_read_before_the_tasks_that_they_wake_run() -> None:
    assert order_of(10, nullcontext()) == 'r' * 10 + 't' * 10


@needs_epoll
def test_in_a_map_the_first_answers_are_acted_on_before_the_last_are_read() -> None:
    assert order_of(10, few_sockets_at_once()) == 'rrrrtttt' * 2 + 'rrtt'


@needs_epoll
def test_a_task_that_closes_a_socket_keeps_the_loop_from_reading_it() -> None:
    async def closed_by_a_task(pairs: list[tuple[socket.socket, socket.socket]]) -> list[str]:
        loop, done = asyncio.get_running_loop(), list[str]()

        def forget_all() -> None:
            for ours, _ in pairs:
                loop.remove_reader(ours)

        def first(ours: socket.socket) -> None:
            done.append('r')
            loop.remove_reader(ours)
            loop.call_soon(forget_all)

        with few_sockets_at_once():
            for ours, peer in pairs:
                loop.add_reader(ours, first, ours)
                peer.send(b'x')
            for _ in range(3):
                await asyncio.sleep(0)
        return done

    with contextlib.ExitStack() as stack, contextlib.closing(BridgeLoop()) as loop:
        pairs = [socket.socketpair() for _ in range(10)]
        for end in (end for pair in pairs for end in pair):
            stack.enter_context(end)
        assert loop.run_until_complete(closed_by_a_task(pairs)) == ['r'] * 4


def test_an_exception_ends_the_block() -> None:
    async def fails() -> int:
        with pytest.raises(ValueError, match='wrong'), few_sockets_at_once():
            raise ValueError('wrong')
        loop = asyncio.get_running_loop()
        assert isinstance(loop, BridgeLoop)
        return loop.chains

    with contextlib.closing(BridgeLoop()) as loop:
        assert loop.run_until_complete(fails()) == 0

"""A run that is over leaves no objects that only the garbage collector could free."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from plain_http import wait_until

from syncai.agent import Agent
from syncai.models.test import TestModel
from syncai.tools import Tool


class Broken(Exception):
    pass


def fail() -> None:
    raise Broken


async def fail_later() -> None:
    raise Broken


TOOLS: list[Any] = [fail, fail_later, Tool(fail, name='fail_in_thread', run_in='thread')]
ROUNDS = 3  # other threads of the tests may drop something in one of them; a run that leaves a cycle does so in each
NAMES = ['fail', 'fail_later', 'fail_in_thread']


@pytest.fixture
def garbage() -> Iterator[Callable[[], int]]:
    """How many unreachable objects there are, and were left by no more than Python's own."""
    gc.collect()
    gc.disable()
    yield gc.collect
    gc.enable()


def run_sync(agent: Agent[Any, Any]) -> None:
    try:
        agent.run_sync('x')
    except Broken:
        return


async def run(agent: Agent[Any, Any]) -> None:
    try:
        await agent.run('x')
    except Broken:
        return


@pytest.mark.parametrize('called', [[], *([name] for name in NAMES), NAMES], ids=str)
def test_of_a_sync_run(called: list[str], garbage: Callable[[], int]) -> None:
    agent = Agent(TestModel(call_tools=called), tools=TOOLS)
    for _ in range(3):
        run_sync(agent)
    garbage()
    left = []
    for _ in range(ROUNDS):
        for _ in range(10):
            run_sync(agent)
        left.append(garbage())
    assert min(left) == 0


@pytest.mark.parametrize('called', [[], *([name] for name in NAMES)], ids=str)
def test_of_an_async_run(called: list[str], garbage: Callable[[], int]) -> None:
    agent = Agent(TestModel(call_tools=called), tools=TOOLS)

    async def main() -> list[int]:
        for _ in range(3):
            await run(agent)
        garbage()
        left = []
        for _ in range(ROUNDS):
            for _ in range(10):
                await run(agent)
            left.append(garbage())
        return left

    assert min(asyncio.run(main())) == 0


def test_a_run_does_not_keep_its_dependencies(garbage: Callable[[], int]) -> None:
    class Db:
        pass

    def use() -> str:
        return 'used'

    agent = Agent(TestModel(), deps_type=Db, tools=[use])
    db = Db()
    known = weakref.ref(db)
    result = agent.run_sync('x', deps=db)
    del db
    wait_until(lambda: known() is None)  # the loop thread may be at its last step
    assert result.data == '{"use":"used"}'

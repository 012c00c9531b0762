"""Wrappers of a framework around the functions of a run, and around the threads that they run in."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agent_faces import model_of

from syncai import Agent, ModelRetry, Tool
from syncai._bridge import after_functions
from syncai._engine.surroundings import Surroundings, surrounded
from syncai.testing import ModelServer, Reply, ToolCall


@pytest.fixture
def own_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, thread_name_prefix='of-the-request') as executor:
        yield executor


def where() -> str:
    return threading.current_thread().name


def test_the_sync_functions_of_a_coroutine_run_where_the_framework_says(
    model_server: ModelServer, own_thread: ThreadPoolExecutor
) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('where')]), Reply('Done.'))
    agent = Agent(model_of(model_server), tools=[where])
    seen = list[str]()

    @agent.result_validator
    def check(data: str) -> str:
        seen.append(where())
        return data

    async def main() -> str:
        def run_sync(function: Callable[[], Any]) -> Any:
            return asyncio.get_running_loop().run_in_executor(own_thread, function)

        with surrounded(Surroundings(run_sync=run_sync)):
            stream = agent.run_stream_events('Where?')
        async with stream:  # planned inside the block, read outside of it
            async for _ in stream:
                pass
        return stream.result.data

    assert asyncio.run(main()) == 'Done.'
    assert model_server.requests[1].json['messages'][-1]['content'].startswith('of-the-request')
    assert seen[0].startswith('of-the-request')


@pytest.mark.parametrize('place', ['caller', 'thread'])
def test_what_is_around_a_tool_sees_its_return_and_its_error(model_server: ModelServer, place: Any) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('double', {'number': -1})]),
        Reply(tool_calls=[ToolCall('double', {'number': 2})]),
        Reply('Done.'),
    )
    seen: list[object] = []

    def double(number: int) -> int:
        if number < 0:
            raise ModelRetry('Not below 0.')
        return 2 * number

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            try:
                seen.append(value := function(*args, **kwargs))
            except ModelRetry as error:
                seen.append(type(error))
                raise
            return value

        return inner

    agent = Agent(model_of(model_server), tools=[Tool(double, run_in=place)], retries=2)
    with surrounded(Surroundings(around_tool=around)):
        assert agent.run_sync('Double 2.').data == 'Done.'
    assert seen == [ModelRetry, 4]


def test_what_follows_the_functions_of_worker_threads(model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('where')]), Reply('Done.'))
    seen: list[str] = []

    def after() -> None:
        seen.append(where())
        raise ZeroDivisionError  # which harms nobody

    after_functions.append(after)
    try:
        Agent(model_of(model_server), tools=[Tool(where, run_in='thread')]).run_sync('Where?')
    finally:
        after_functions.remove(after)
    assert model_server.requests[1].json['messages'][-1]['content'] in seen

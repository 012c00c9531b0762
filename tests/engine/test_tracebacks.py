"""Tracebacks: they show the user's call and the user's function, and the frames between them only on request."""

from __future__ import annotations

import asyncio
import inspect
import os
import traceback
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

import syncai
from syncai import Agent, MapRow, ModelRequest, model_request_stream_sync, model_request_sync
from syncai._engine.agent_run import AgentRun
from syncai.exceptions import ModelConnectionError, ServerError, UserError
from syncai.models.function import FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply
from syncai.tools import Tool

PACKAGE = str(Path(syncai.__file__).parent) + os.sep


class NoSuchOrderError(Exception):
    pass


def look_up() -> str:
    return inner()


def inner() -> str:
    raise NoSuchOrderError


async def look_up_later() -> str:
    return inner()


def run(agent: Agent[None, str]) -> Any:
    return agent.run_sync('x')


def step(agent: Agent[None, str]) -> Any:
    return agent.step_sync([], 'x')


def run_of_conversation(agent: Agent[None, str]) -> Any:
    return agent.conversation().run_sync('x')


def future(agent: Agent[None, str]) -> Any:
    return agent.submit('x').result(20)


def whole_stream(agent: Agent[None, str]) -> Any:
    with agent.run_stream_sync('x') as opened:
        return opened.get_data()


def texts(agent: Agent[None, str]) -> Any:
    with agent.run_stream_sync('x') as opened:
        return list(opened.stream_text())


def kind_of_stream(agent: Agent[None, str]) -> Any:
    with agent.run_stream_sync('x') as opened:
        return opened.is_structured


def events(agent: Agent[None, str]) -> Any:
    with agent.run_stream_events_sync('x') as opened:
        return list(opened)


def some_events(agent: Agent[None, str]) -> Any:
    with agent.run_stream_events_sync('x') as opened:
        while opened.next_events() is not None:
            pass


def rows(agent: Agent[None, str]) -> Any:
    return list(agent.map_sync(['x']))


def data_of_a_row(agent: Agent[None, str]) -> Any:
    [row] = agent.map_sync(['x'], return_exceptions=True)
    assert isinstance(row, MapRow)
    return row.data


async def run_async(agent: Agent[None, str]) -> Any:
    return await agent.run('x')


async def step_async(agent: Agent[None, str]) -> Any:
    return await agent.step([], 'x')


async def stream_async(agent: Agent[None, str]) -> Any:
    async with agent.run_stream('x') as opened:
        return await opened.get_data()


async def events_async(agent: Agent[None, str]) -> Any:
    async with agent.run_stream_events('x') as opened:
        return [event async for event in opened]


async def rows_async(agent: Agent[None, str]) -> Any:
    return [row async for row in agent.map(['x'])]


def frames_of(call: Callable[[Any], Any], tool: Tool[Any]) -> list[str]:
    with pytest.raises(NoSuchOrderError) as raised:
        call(Agent(TestModel(), tools=[tool]))
    return [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]


TOOLS = [Tool(look_up), Tool(look_up, run_in='thread'), Tool(look_up_later)]


@pytest.mark.parametrize('tool', TOOLS, ids=['caller', 'thread', 'async'])
def test_no_frame_of_the_library_between_the_call_and_the_tool(tool: Tool[Any]) -> None:
    frames = frames_of(run, tool)
    assert not [name for name in frames if name.startswith(PACKAGE)]
    assert frames[0] == frames[-1] == __file__
    assert len([name for name in frames if name == __file__]) == 4  # frames_of, run, the tool, and what it calls


@pytest.mark.parametrize(
    'call',
    [
        step, run_of_conversation, future, whole_stream, texts, kind_of_stream, events, some_events, rows,
        data_of_a_row, run_async, step_async, stream_async, events_async, rows_async,
    ],
)  # fmt: skip
def test_none_either_where_it_is_called_in_another_way(call: Callable[[Any], Any]) -> None:
    def called(agent: Any) -> Any:
        outcome = call(agent)
        return asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome

    frames = frames_of(called, TOOLS[0])
    assert not [name for name in frames if name.startswith(PACKAGE)]
    assert len([name for name in frames if name == __file__]) >= 5  # frames_of, called, the call, the tool, inner


def test_a_direct_request_to_a_function() -> None:
    def answer(messages: Any, info: Any) -> Any:
        return inner()

    for call in (model_request_sync, lambda *args: list(_opened(model_request_stream_sync(*args)))):
        with pytest.raises(NoSuchOrderError) as raised:
            call(FunctionModel(answer), [ModelRequest.user_text_prompt('x')])
        frames = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
        assert not [name for name in frames if name.startswith(PACKAGE)]


def _opened(stream: Any) -> Any:
    with stream:
        yield from stream


def test_all_frames_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNCAI_FULL_TRACEBACK', '1')
    frames = frames_of(run, TOOLS[0])
    assert len([name for name in frames if name.startswith(PACKAGE)]) > 10


FACES = [
    run, step, run_of_conversation, future, whole_stream, texts, events, some_events, rows, data_of_a_row, run_async,
    step_async, stream_async, events_async, rows_async,
]  # fmt: skip


@pytest.mark.parametrize('call', FACES)
def test_an_error_of_the_library_ends_at_the_users_line(call: Callable[[Any], Any]) -> None:
    with ModelServer(Reply(status=500)) as server, pytest.raises(ServerError) as raised:
        _waited(call(Agent(OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(max_retries=0)))))
    frames = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert not [name for name in frames if name.startswith(PACKAGE)]
    assert frames[-1] == __file__


untyped: Any = Agent


def agent() -> Any:
    return Agent(TestModel())


@pytest.mark.parametrize(
    'mistake',
    [
        lambda: untyped('openai:m', result_tipe=str),
        lambda: Agent('foo:m'),
        lambda: OpenAIChatModel('m', base_url='x y'),
        lambda: agent().run_sync(3),
        lambda: agent().run_sync('x', tools=3),
        lambda: agent().run_stream_sync('x', tools=3),
        lambda: agent().run_stream('x', tools=3),
        lambda: agent().run_stream_events_sync('x', tools=3),
        lambda: agent().run_stream_events('x', tools=3),
        lambda: agent().submit('x', tools=3),
        lambda: asyncio.run(run_wrongly()),
        lambda: model_request_sync('foo:m', []),
        lambda: model_request_stream_sync('foo:m', []),
    ],
)
def test_so_does_a_mistake(mistake: Callable[[], Any]) -> None:
    with pytest.raises(UserError) as raised:
        mistake()
    assert traceback.extract_tb(raised.value.__traceback__)[-1].filename == __file__


async def run_wrongly() -> None:
    await agent().run('x', tools=3)


def test_an_error_within_a_tool_that_calls_again_shows_the_tool() -> None:
    def again() -> Any:
        unreachable = OpenAIChatModel('m', base_url='http://127.0.0.1:1/v1', http=HttpOptions(max_retries=0))
        return Agent(unreachable).run_sync('x')

    with pytest.raises(ModelConnectionError) as raised:
        run(Agent(TestModel(), tools=[again]))
    names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert names == ['test_an_error_within_a_tool_that_calls_again_shows_the_tool', 'run', 'again']


def test_a_fault_of_the_library_keeps_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AgentRun, 'execute', itemgetter('x'))  # which fails without a frame of its own
    with pytest.raises(TypeError) as raised:
        run(Agent(TestModel()))
    frames = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert [name for name in frames if name.startswith(PACKAGE)]


def _waited(outcome: Any) -> Any:
    return asyncio.run(outcome) if inspect.iscoroutine(outcome) else outcome

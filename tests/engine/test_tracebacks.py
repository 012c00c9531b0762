"""What a traceback shows: the user's call and the user's function, and between them nothing, or all if asked for."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import syncai
from syncai import Agent, MapRow
from syncai.exceptions import ServerError
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


def run_on_loop(agent: Agent[None, str]) -> Any:
    async def main() -> Any:
        return await agent.run('x')

    return asyncio.run(main())


def stream(agent: Agent[None, str]) -> Any:
    with agent.run_stream_sync('x') as opened:
        return opened.get_data()


def data_of_a_row(agent: Agent[None, str]) -> Any:
    [row] = agent.map_sync(['x'], return_exceptions=True)
    assert isinstance(row, MapRow)
    return row.data


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


@pytest.mark.parametrize('call', [run_on_loop, stream, data_of_a_row])
def test_few_frames_of_the_library_elsewhere(call: Callable[[Any], Any]) -> None:
    """Those through which the error leaves the library, and none of those through which it came."""
    frames = frames_of(call, TOOLS[0])
    assert len([name for name in frames if name.startswith(PACKAGE)]) <= 6
    assert not any('_engine' in name for name in frames)


def test_all_frames_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNCAI_FULL_TRACEBACK', '1')
    frames = frames_of(run, TOOLS[0])
    assert len([name for name in frames if name.startswith(PACKAGE)]) > 10


def test_an_error_of_the_library_keeps_its_frames() -> None:
    with ModelServer(Reply(status=500)) as server, pytest.raises(ServerError) as raised:
        run(Agent(OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(max_retries=0))))
    frames = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert any('_engine' in name for name in frames)

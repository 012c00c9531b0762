"""Ctrl-C in every place where code of the user runs, and in the midst of cleaning up after another one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streams import eventually, model_of

from syncai import Agent, ModelRequest, model_request_stream_sync
from syncai._bridge import loop_thread, open_sync, run_sync
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

QUESTION = [ModelRequest.user_text_prompt('long')]
LONG = Reply('word ', repeat=100_000, delay_between_events=0.002)


def answer(request: RecordedRequest) -> Reply:
    """Calls of tools first; a list where one is asked for; else a text that goes on for minutes, or a short one."""
    last, tools = request.json['messages'][-1], [t['function']['name'] for t in request.json.get('tools') or ()]
    if 'final_result' in tools:
        args = json.dumps({'response': list(range(1000))})
        return Reply(tool_calls=[ToolCall('final_result', args, pieces=1000)], delay_between_events=0.002)
    if tools and last['role'] == 'user':
        return Reply(tool_calls=[ToolCall(name, {}, id=name) for name in tools])
    return LONG if last['content'] == 'long' else Reply('short')


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server after whose test nothing goes on, and whose next call works."""
    with ModelServer(answer) as server:
        yield server
        loop = loop_thread._loop
        assert loop is not None
        assert eventually(lambda: not loop.calls), 'a call goes on'
        over = lambda: all(r.finished_at or r.disconnected_at for r in server.requests)  # noqa: E731
        assert eventually(over), 'a request goes on'
        assert Agent(model_of(server)).run_sync('Hi').data == 'short'


def ctrl_c(*_: object) -> Any:
    """The effect of a Ctrl-C now."""
    signal.raise_signal(signal.SIGINT)


def in_a_tool(agent: Agent[Any, Any]) -> None:
    agent.tool_plain(name='tool')(lambda: ctrl_c())
    agent.run_sync('Hi')


def in_a_tool_of_a_stream(agent: Agent[Any, Any]) -> None:
    agent.tool_plain(name='tool')(lambda: ctrl_c())
    with agent.run_stream_sync('Hi') as stream:
        stream.get_data()


def in_one_of_many_tools(agent: Agent[Any, Any]) -> None:
    async def waits() -> None:
        await asyncio.sleep(60)

    agent.tool_plain(name='waits')(waits)
    agent.tool_plain(name='tool')(lambda: ctrl_c())
    agent.run_sync('Hi')


def in_a_tool_of_a_map(agent: Agent[Any, Any]) -> None:
    agent.tool_plain(name='tool')(lambda: ctrl_c())
    list(agent.map_sync(['a', 'b', 'c']))


def in_the_preparation_of_a_tool(agent: Agent[Any, Any]) -> None:
    agent.tool_plain(name='tool', prepare=lambda ctx, definition: ctrl_c())(lambda: 'done')
    agent.run_sync('Hi')


def in_a_system_prompt(agent: Agent[Any, Any]) -> None:
    agent.system_prompt(ctrl_c)
    agent.run_sync('Hi')


def in_a_validator(agent: Agent[Any, Any]) -> None:
    agent.result_validator(lambda data: ctrl_c())
    agent.run_sync('Hi')


def in_a_validator_of_a_stream(agent: Agent[Any, Any]) -> None:
    agent.result_validator(lambda data: ctrl_c())
    with agent.run_stream_sync('Hi') as stream:
        stream.get_data()


def in_a_loop_over_text(agent: Agent[Any, Any]) -> None:
    with agent.run_stream_sync('long') as stream:
        for number, _ in enumerate(stream.stream_text(debounce_by=None)):
            if number == 3:
                ctrl_c()


def in_a_loop_over_events(agent: Agent[Any, Any]) -> None:
    with agent.run_stream_events_sync('long') as events:
        for number, _ in enumerate(events):
            if number == 3:
                ctrl_c()


def in_a_loop_over_a_direct_stream(agent: Agent[Any, Any]) -> None:
    with model_request_stream_sync(agent.model, QUESTION) as stream:  # type: ignore[arg-type]
        for _ in stream:
            ctrl_c()


def in_a_loop_over_items(agent: Agent[Any, Any]) -> None:
    with Agent(agent.model, result_type=list[int]).run_stream_sync('rows') as stream:
        for number in stream.stream_items():
            if number == 3:
                ctrl_c()


def before_the_first_use(agent: Agent[Any, Any]) -> None:
    with agent.run_stream_sync('long'):
        ctrl_c()


def in_the_prompts_of_a_map(agent: Agent[Any, Any]) -> None:
    def prompts() -> Iterator[str]:
        yield 'long'
        ctrl_c()

    list(agent.map_sync(prompts()))


def in_the_loop_over_a_map(agent: Agent[Any, Any]) -> None:
    for _ in agent.map_sync(['a', 'long', 'long'], max_concurrency=3):
        ctrl_c()


PLACES: list[Callable[[Agent[Any, Any]], None]] = [
    in_a_tool,
    in_a_tool_of_a_stream,
    in_one_of_many_tools,
    in_a_tool_of_a_map,
    in_the_preparation_of_a_tool,
    in_a_system_prompt,
    in_a_validator,
    in_a_validator_of_a_stream,
    in_a_loop_over_text,
    in_a_loop_over_events,
    in_a_loop_over_a_direct_stream,
    in_a_loop_over_items,
    before_the_first_use,
    in_the_prompts_of_a_map,
    in_the_loop_over_a_map,
]


@pytest.mark.parametrize('place', PLACES, ids=lambda place: place.__name__)
def test_ctrl_c(place: Callable[[Agent[Any, Any]], None], server: ModelServer) -> None:
    agent = Agent(model_of(server))
    with pytest.raises(KeyboardInterrupt):
        place(agent)


# --- in our own code --------------------------------------------------------------------------------------------------


def interrupted_before(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Ctrl-C is pressed once, when the method is called."""
    real = getattr(owner, name)
    pressed: list[int] = []

    def method(*args: Any, **options: Any) -> Any:
        if not pressed:
            pressed.append(1)
            ctrl_c()
        return real(*args, **options)

    monkeypatch.setattr(owner, name, method)


@pytest.mark.parametrize('name', ['submit', 'serves'], ids=['entering', 'leaving'])
def test_in_entering_and_leaving_a_block(name: str, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def use() -> None:
        with Agent(model_of(server)).run_stream_sync('long') as stream:
            next(stream.stream_text(debounce_by=None))
            interrupted_before(monkeypatch, loop_thread, 'serves')  # which closing asks

    if name == 'submit':
        interrupted_before(monkeypatch, loop_thread, 'submit')
    with pytest.raises(KeyboardInterrupt):
        use()


class Reluctant:
    """Work that needs a while to be cancelled."""

    def __init__(self, *, interrupting: bool = False) -> None:
        self.begun, self.stopping, self.ended = threading.Event(), threading.Event(), threading.Event()
        self._interrupting = interrupting

    async def run(self, *_: object) -> None:
        self.begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            self.stopping.set()
            if self._interrupting:
                os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.5)
            self.ended.set()


@pytest.fixture
def armed() -> Iterator[set[int]]:
    """While this is not empty, Ctrl-C raises; one that comes too late on a busy machine does not end the tests."""
    armed = {1}

    def press(*_: object) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    yield armed
    signal.signal(signal.SIGINT, before)


def press_when(event: threading.Event) -> threading.Thread:
    def press() -> None:
        assert event.wait(5)
        time.sleep(0.05)  # until the main thread waits
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.mark.parametrize('twice', [False, True], ids=['once', 'twice'])
def test_cleaning_up_is_not_waited_for_and_goes_on(twice: bool, armed: set[int], server: ModelServer) -> None:
    work = Reluctant(interrupting=twice)
    thread = press_when(work.begun)
    with pytest.raises(KeyboardInterrupt):
        run_sync(work.run)
    armed.clear()
    assert not work.ended.is_set()
    assert Agent(model_of(server)).run_sync('Hi').data == 'short', 'the loop is free meanwhile'
    assert work.ended.wait(5)
    thread.join()


def test_one_while_a_stream_is_being_closed(armed: set[int], server: ModelServer) -> None:
    work = Reluctant(interrupting=True)
    consumer = open_sync(work.run)
    assert work.begun.wait(5)
    with pytest.raises(KeyboardInterrupt):
        consumer.close()
    armed.clear()
    assert not work.ended.is_set()
    assert consumer.close(), 'closing again waits for the end'
    assert work.ended.is_set()


def test_another_one_while_the_tool_of_a_streamed_run_is_being_stopped(armed: set[int], server: ModelServer) -> None:
    work = Reluctant(interrupting=True)
    agent = Agent(model_of(server))

    @agent.tool_plain
    async def tool() -> None:
        await work.run()

    thread = press_when(work.begun)

    def use() -> None:
        with agent.run_stream_sync('Hi') as stream:
            stream.get_data()

    with pytest.raises(KeyboardInterrupt):
        use()
    armed.clear()
    assert work.stopping.wait(5)
    assert work.ended.wait(5)
    thread.join()

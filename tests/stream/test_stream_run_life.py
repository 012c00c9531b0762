"""The life of a streamed run: opened, read from anywhere, left early, failed, and described afterwards."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel
from streams import Open, Pieces, both, eventually, model_of

from syncai._bridge import run_sync
from syncai.agent import Agent
from syncai.exceptions import LoopThreadError, UserError
from syncai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, ToolReturnPart
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall

ENDLESS = Reply('x', repeat=100_000, delay_between_events=0.005)
METHODS: tuple[str, ...] = (
    'stream',
    'stream_text',
    'stream_structured',
    'stream_items',
    'get_data',
    'usage',
    'cost',
    'timestamp',
)
METHODS += ('all_messages', 'new_messages', 'all_messages_json', 'new_messages_json')


class Box(BaseModel):
    width: int


# --- opening ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', METHODS)
def test_a_stream_needs_its_with_block(name: str, model_server: ModelServer) -> None:
    stream = Agent(model_of(model_server)).run_stream_sync('Hi')
    with pytest.raises(RuntimeError, match=r'^StreamedRunResultSync must be used as a context manager\. Write `with '):
        getattr(stream, name)()
    with pytest.raises(RuntimeError, match='context manager'):
        _ = stream.is_structured
    assert not stream.is_complete
    assert repr(stream) == 'StreamedRunResultSync(not entered)'
    assert model_server.requests == []


def test_an_asynchronous_stream_needs_its_block() -> None:
    stream = Agent(TestModel()).run_stream('Hi')
    for use in (stream.stream, stream.stream_text, stream.all_messages, stream.usage):
        with pytest.raises(
            RuntimeError, match=r'^StreamedRunResult must be used as a context manager\. Write `async w'
        ):
            use()


@both
def test_a_stream_is_entered_once(stream_of: Open) -> None:
    stream = stream_of(Agent(TestModel()))
    with stream, pytest.raises(UserError, match='already opened'), stream:
        pass


@both
def test_a_wrong_call_fails_before_anything_is_sent(stream_of: Open, model_server: ModelServer) -> None:
    with pytest.raises(UserError, match='timeout must be'):
        stream_of(Agent(model_of(model_server)), timeout=-1)
    assert model_server.requests == []


def test_entering_does_not_wait_so_streams_open_side_by_side(model_server: ModelServer) -> None:
    model_server.reply(*(Reply(str(number), delay_headers=0.3) for number in range(4)))
    agent = Agent(model_of(model_server))
    streams = [agent.run_stream_sync('Hi').__enter__() for _ in range(4)]
    assert eventually(lambda: len(model_server.requests) == 4), 'all are under way before any is read'
    assert sorted(stream.get_data() for stream in streams) == list('0123')
    assert all(stream.close() for stream in streams)


def test_two_streams_read_in_turn(model_server: ModelServer) -> None:
    model_server.reply(Reply(*'ab', delay_between_events=0.01), Reply(*'ab', delay_between_events=0.01))
    agent = Agent(model_of(model_server))
    with agent.run_stream_sync('Hi') as one, agent.run_stream_sync('Hi') as other:
        pairs = zip(one.stream_text(debounce_by=None), other.stream_text(debounce_by=None), strict=True)
        assert list(pairs) == [('a', 'a'), ('ab', 'ab')]


def test_entering_an_asynchronous_block_waits_until_the_result_begins(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', 'b', delay_headers=0.1))

    async def main() -> None:
        async with Agent(model_of(model_server)).run_stream('Hi') as stream:
            (_, answer) = stream.all_messages()
            assert isinstance(answer, ModelResponse)
            assert answer.text.startswith('a')
            assert await stream.get_data() == 'ab'

    asyncio.run(main())


def test_loops_of_a_coroutine_that_are_left_with_break() -> None:
    async def main() -> None:
        async with Agent(Pieces([*'abcd']).model).run_stream('Hi') as stream:
            async for piece in stream.stream_text(delta=True, debounce_by=None):
                assert piece == 'a'
                break
            async for text in stream.stream_text(debounce_by=None):
                assert text == 'ab'
                break
            assert [piece async for piece in stream.stream_text(delta=True, debounce_by=None)] == ['c', 'd']
            with pytest.raises(UserError, match='already read'):
                stream.stream_text()

    asyncio.run(main(), debug=True)


@pytest.mark.timing
def test_two_tasks_do_not_read_at_once(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', 'b', delay_between_events=0.3))

    async def main() -> None:
        async with Agent(model_of(model_server)).run_stream('Hi') as stream:
            reading = asyncio.ensure_future(stream.get_data())
            await asyncio.sleep(0)
            with pytest.raises(UserError, match='Another task is waiting for this stream'):
                await stream.get_data()
            assert await reading == 'ab'

    asyncio.run(main())


# --- where it runs ----------------------------------------------------------------------------------------------------


def test_tools_run_in_the_callers_thread(model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('where', '{}')]), Reply('Here', '.'), Reply('Again', '.'))
    agent, threads = Agent(model_of(model_server)), []

    @agent.tool_plain
    def where() -> str:
        threads.append(threading.get_ident())
        return 'here'

    @agent.result_validator
    def checked(text: str) -> str:
        threads.append(threading.get_ident())
        return text

    with agent.run_stream_sync('Hi') as stream:
        assert threads == []
        assert list(stream.stream_text(delta=True, debounce_by=None)) == ['Here', '.']
    assert threads == [threading.get_ident()] * 2
    with ThreadPoolExecutor(1) as pool, agent.run_stream_sync('Hi') as stream:
        assert pool.submit(stream.get_data).result() == 'Again.'
        assert threads[2] == pool.submit(threading.get_ident).result(), 'where the stream is read'


def test_a_stream_is_handed_from_thread_to_thread() -> None:
    with ThreadPoolExecutor(1) as pool, Agent(Pieces([*'abcd']).model).run_stream_sync('Hi') as stream:
        assert next(stream.stream_text(delta=True, debounce_by=None)) == 'a'
        assert pool.submit(lambda: ''.join(stream.stream_text(delta=True))).result() == 'bcd'
        assert stream.get_data() == 'abcd'


def test_two_threads_do_not_read_at_once(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', delay_headers=0.5))
    with ThreadPoolExecutor(1) as pool, Agent(model_of(model_server)).run_stream_sync('Hi') as stream:
        reading = pool.submit(stream.get_data)
        assert eventually(lambda: len(model_server.requests) == 1)
        time.sleep(0.05)
        with pytest.raises(UserError, match='Another thread is waiting for this stream'):
            stream.get_data()
        assert reading.result() == 'a'


def test_inside_a_running_loop(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', 'b'))

    async def main() -> list[str]:
        with Agent(model_of(model_server)).run_stream_sync('Hi') as stream:
            return list(stream.stream_text(delta=True, debounce_by=None))

    assert asyncio.run(main()) == ['a', 'b']


def test_on_the_loop_thread_it_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(LoopThreadError), Agent(TestModel()).run_stream_sync('Hi'):
            pass
        async with Agent(TestModel()).run_stream('Hi') as stream:
            assert await stream.get_data() == 'success (no tool calls)'

    run_sync(main)


@both
@pytest.mark.parametrize(('strategy', 'calls'), [('early', 0), ('exhaustive', 1)])
def test_tools_beside_a_result(stream_of: Open, strategy: Any, calls: int, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('final_result', {'width': 1}, 'c1'), ToolCall('look', '{}', 'c2')]))
    agent = Agent(model_of(model_server), result_type=Box, end_strategy=strategy)
    called = []

    @agent.tool_plain
    def look() -> str:
        called.append(1)
        return 'looked'

    with stream_of(agent) as stream:
        assert list(stream.stream())[-1] == Box(width=1)
        assert len(called) == calls
        returned = stream.all_messages()[-1].parts
        assert [part.tool_call_id for part in returned] == ['c1', 'c2']


# --- leaving early ----------------------------------------------------------------------------------------------------


def just_enter(stream: Any) -> None:
    pass


def take_one(stream: Any) -> None:
    next(stream.stream_text(delta=True, debounce_by=None))


def take_some(stream: Any) -> None:
    for number, _ in enumerate(stream.stream(debounce_by=None)):
        if number == 5:
            break


@both
@pytest.mark.parametrize('use', [just_enter, take_one, take_some])
def test_leaving_early_disconnects(stream_of: Open, use: Callable[[Any], None], model_server: ModelServer) -> None:
    model_server.reply(ENDLESS)
    with stream_of(Agent(model_of(model_server))) as stream:
        use(stream)
        assert eventually(lambda: bool(model_server.requests))
        left = time.monotonic()
    gone = model_server.wait_for_disconnect(timeout=2.0)
    assert gone.disconnected_at is not None
    assert gone.disconnected_at >= left
    assert not stream.is_complete


@both
def test_an_exception_in_the_block_disconnects_and_comes_through(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(ENDLESS)
    with pytest.raises(ZeroDivisionError), stream_of(Agent(model_of(model_server))) as stream:
        take_one(stream)
        _ = 1 / 0
    model_server.wait_for_disconnect(timeout=2.0)
    assert stream.all_messages()[-1].incomplete


def test_a_dropped_stream_disconnects(model_server: ModelServer) -> None:
    model_server.reply(ENDLESS)
    stream = Agent(model_of(model_server)).run_stream_sync('Hi').__enter__()
    take_one(stream)
    del stream  # and nobody collects garbage
    model_server.wait_for_disconnect(timeout=2.0)


@both
def test_the_history_of_a_stream_that_was_left(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look', '{}')], usage=(5, 5)), ENDLESS)
    agent = Agent(model_of(model_server))
    agent.tool_plain(look)
    with stream_of(agent) as stream:
        take_some(stream)
    messages = stream.all_messages()
    assert [type(message) for message in messages] == [ModelRequest, ModelResponse, ModelRequest, ModelResponse]
    assert isinstance(messages[2].parts[0], ToolReturnPart)
    assert messages[3].incomplete
    assert set(messages[3].text) == {'x'}
    assert len(messages[3].text) >= 6
    assert not messages[1].incomplete
    assert stream.usage().requests == 2, 'also what was given up is paid for'
    assert stream.new_messages() == messages
    assert ModelMessagesTypeAdapter.validate_json(stream.all_messages_json()) == messages
    assert stream.all_messages_json() == stream.new_messages_json()
    assert stream.all_messages() == messages, 'nothing changes any more'
    with pytest.raises(UserError, match='This stream was closed; read it inside its block'):
        stream.get_data()
    with pytest.raises(UserError, match='This stream was closed'):
        next(stream.stream_text())


def look() -> str:
    return 'looked'


def test_what_is_told_while_the_run_goes_on(model_server: ModelServer) -> None:
    """Read from another thread at every moment, the answer to which the loop thread adds is there once, or not yet."""
    looks = [Reply(*'abc', tool_calls=[ToolCall('look', '{}')], usage=(1, 1)) for _ in range(10)]
    model_server.reply(*looks, Reply('end', usage=(1, 1)))
    agent = Agent(model_of(model_server))
    agent.tool_plain(look)
    states: list[tuple[int, list[type]]] = []
    with agent.run_stream_sync('Hi') as stream:
        _ = stream.is_structured
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                states.append((stream.usage().requests, [type(message) for message in stream.all_messages()]))

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            assert stream.get_data() == 'end'
            over.set()
            watching.result()
    assert len(states) > 30
    assert [requests for requests, _ in states] == sorted(requests for requests, _ in states), 'it only grows'
    for _, kinds in states:
        assert kinds == ([ModelRequest, ModelResponse] * 11)[: len(kinds)]
    assert stream.usage().total_tokens == 22


@both
def test_left_before_the_tools_were_called(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply('Let me look', tool_calls=[ToolCall('look', '{}')], usage=(5, 5)))
    agent = Agent(model_of(model_server))
    agent.tool_plain(look)
    with stream_of(agent) as stream:
        next(stream.stream_text(debounce_by=None))
        assert eventually(lambda: not stream.all_messages()[-1].incomplete)
    (_, answer) = stream.all_messages()
    assert (answer.text, len(answer.tool_calls)) == ('Let me look', 1)
    assert stream.usage().total_tokens == 10


def test_cancelled_while_a_tool_is_running(model_server: ModelServer) -> None:
    model_server.reply(Reply('Let me look', tool_calls=[ToolCall('wait', '{}')], usage=(5, 5)))
    agent, ended = Agent(model_of(model_server)), []

    async def main() -> None:
        began = asyncio.Event()

        @agent.tool_plain
        async def wait() -> None:
            began.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(1)

        async with agent.run_stream('Hi') as stream:
            reading = asyncio.ensure_future(stream.get_data())
            await began.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        assert ended == [1]
        assert len(stream.all_messages()) == 2

    asyncio.run(main())


@both
@pytest.mark.parametrize('read', ['stream', 'stream_text', 'delta', 'get_data'])
def test_the_history_is_complete_whichever_way_it_was_read(
    stream_of: Open, read: str, model_server: ModelServer
) -> None:
    model_server.reply(Reply(*'abc', usage=(5, 5)))
    history = [ModelRequest.user_text_prompt('Before'), ModelResponse([])]
    with stream_of(Agent(model_of(model_server)), message_history=history) as stream:
        if read == 'delta':
            list(stream.stream_text(delta=True))
        elif read == 'get_data':
            stream.get_data()
        else:
            list(getattr(stream, read)())
        assert stream.all_messages()[:2] == history
        (request, answer) = stream.new_messages()
        assert request.parts[0].content == 'Hi'
        assert (answer.text, answer.incomplete, answer.finish_reason) == ('abc', False, 'stop')
        assert stream.usage().total_tokens == 10

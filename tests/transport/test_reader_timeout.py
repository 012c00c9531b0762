"""A stream whose reader has gone away, and is not garbage collected, must not hold its connection forever."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

import pytest

from syncai import Agent, ModelRequest, UserError, model_request_stream, model_request_stream_sync
from syncai.exceptions import AgentRunError, ReaderTimeout
from syncai.models.fallback import FallbackModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall

HELLO = [ModelRequest.user_text_prompt('hello')]
ENDLESS = Reply('x', repeat=1_000_000, delay_between_events=0.01)
Open = Callable[[OpenAIChatModel], Any]


def model(server: ModelServer, reader_timeout: float | None = 0.3) -> OpenAIChatModel:
    http = HttpOptions(reader_timeout=reader_timeout, max_retries=0)
    return OpenAIChatModel('gpt-4o', base_url=server.base_url, http=http)


SYNC: dict[str, Callable[[OpenAIChatModel], AbstractContextManager[Any]]] = {
    'run': lambda model: Agent(model).run_stream_sync('hello'),
    'events': lambda model: Agent(model).run_stream_events_sync('hello'),
    'request': lambda model: model_request_stream_sync(model, HELLO),
    'fallback': lambda model: Agent(FallbackModel(model, 'test')).run_stream_sync('hello'),
}
ASYNC: dict[str, Callable[[OpenAIChatModel], AbstractAsyncContextManager[Any]]] = {
    'run': lambda model: Agent(model).run_stream('hello'),
    'events': lambda model: Agent(model).run_stream_events('hello'),
    'request': lambda model: model_request_stream(model, HELLO),
}


def events_of(stream: Any) -> Any:
    return stream.stream_text(delta=True, debounce_by=None) if hasattr(stream, 'stream_text') else stream


@pytest.mark.slow
@pytest.mark.parametrize('kind', SYNC)
def test_a_reader_that_leaves_is_given_up(kind: str) -> None:
    with ModelServer(ENDLESS) as server, SYNC[kind](model(server)) as stream:
        events = iter(events_of(stream))
        next(events)
        assert server.wait_for_disconnect(timeout=10).finished_at is None
        with pytest.raises(ReaderTimeout, match=r'reader_timeout \(0\.3 s\).*close it') as caught:
            list(events)
    error: Any = pickle.loads(pickle.dumps(caught.value))
    assert issubclass(ReaderTimeout, TimeoutError)
    assert issubclass(ReaderTimeout, AgentRunError)
    assert error.partial.text.startswith('xx')
    assert error.partial.incomplete
    assert (error.model_name, error.provider) == (
        ('fallback:gpt-4o,test', 'fallback') if kind == 'fallback' else ('gpt-4o', 'openai')
    )
    if kind != 'request':
        assert error.messages[-1] == error.partial


@pytest.mark.slow
@pytest.mark.parametrize('kind', ASYNC)
def test_a_coroutine_that_leaves_is_given_up(kind: str) -> None:
    async def main(server: ModelServer) -> None:
        async with ASYNC[kind](model(server)) as stream:
            events = aiter(events_of(stream))
            await anext(events)
            gone = await asyncio.to_thread(server.wait_for_disconnect, timeout=10)
            assert gone.finished_at is None
            with pytest.raises(ReaderTimeout):
                async for _ in events:
                    pass

    with ModelServer(ENDLESS) as server:
        asyncio.run(main(server))


def test_a_stream_that_nobody_begins_to_read_is_given_up() -> None:
    with ModelServer(ENDLESS) as server, SYNC['request'](model(server)) as stream:
        server.wait_for_disconnect(timeout=10)
        with pytest.raises(ReaderTimeout):
            list(stream)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['run', 'request'])
def test_a_slow_reader_is_not(kind: str) -> None:
    """What gathers behind it is handed over at once and takes it longer than the limit; none of the events does."""
    quick = Reply('x', repeat=100_000, delay_between_events=0.001)
    with ModelServer(quick) as server, SYNC[kind](model(server, 1.0)) as stream:
        for count, _ in enumerate(events_of(stream)):
            time.sleep(0.05)
            if count == 60:
                break
        assert server.requests[0].disconnected_at is None


@pytest.mark.timing
def test_a_reader_that_waits_for_the_model_is_not() -> None:
    sometimes = Reply('x', repeat=3, delay_between_events=0.6)
    with ModelServer(sometimes) as server, SYNC['run'](model(server, 0.2)) as stream:
        assert len(list(events_of(stream))) == 3
        assert stream.get_data() == 'xxx'


@pytest.mark.slow
def test_a_reader_that_runs_a_tool_is_not() -> None:
    calls = [ToolCall('slow', {}), ToolCall('fast', {})]
    with ModelServer([Reply(tool_calls=calls), Reply('done', repeat=4)]) as server:
        agent = Agent(model(server, 0.2))

        @agent.tool_plain
        def slow() -> str:
            time.sleep(0.8)
            return 'slow'

        @agent.tool_plain
        async def fast() -> str:
            return 'fast'

        with agent.run_stream_events_sync('hello') as events:
            assert len(list(events)) > 6


@pytest.mark.slow
def test_without_the_option_a_reader_takes_any_time() -> None:
    with ModelServer(Reply('x', repeat=400)) as server, SYNC['run'](model(server, None)) as stream:
        events = iter(events_of(stream))
        next(events)
        time.sleep(0.8)
        assert len(list(events)) == 399


@pytest.mark.parametrize('wrong', [0, -1, float('nan'), '5', True])
def test_mistakes(wrong: Any) -> None:
    with pytest.raises(UserError, match=r'HttpOptions\.reader_timeout must be None or a number above 0'):
        HttpOptions(reader_timeout=wrong)

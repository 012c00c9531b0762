"""One deadline for a whole call: the error names the interrupted phase, and the time of each phase."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agent_faces import Script, call, model_of

from syncai._transport import limiter
from syncai.agent import Agent
from syncai.direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
from syncai.exceptions import DeadlineExceeded, RateLimitError
from syncai.limits import limit, limits_in_force
from syncai.messages import ModelMessage, ModelRequest, ToolReturnPart
from syncai.models import Model
from syncai.models.fallback import FallbackModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import Tool

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
LIMIT = 0.35  # seconds
Ask = Callable[[Model], Any]


def direct_async(model: Model) -> Any:
    return asyncio.run(model_request(model, HELLO, model_settings={'timeout': LIMIT}))


def direct_stream(model: Model) -> Any:
    with model_request_stream_sync(model, HELLO, model_settings={'timeout': LIMIT}) as stream:
        return list(stream)


def direct_stream_async(model: Model) -> Any:
    async def main() -> None:
        async with model_request_stream(model, HELLO, model_settings={'timeout': LIMIT}) as stream:
            async for _ in stream:
                pass

    return asyncio.run(main())


def run_sync(model: Model) -> Any:
    return Agent(model).run_sync('hello', timeout=LIMIT)


def run_stream(model: Model) -> Any:
    with Agent(model).run_stream_sync('hello', timeout=LIMIT) as stream:
        return list(stream.stream_text())


WAYS: Sequence[Ask] = (direct_async, direct_stream, run_sync, run_stream)
STREAMS: Sequence[Ask] = (direct_stream, direct_stream_async, run_stream)
ways = pytest.mark.parametrize('ask', WAYS)
streams = pytest.mark.parametrize('ask', STREAMS)


def too_late(ask: Ask, model: Model, phase: str, *, share: float = 0.5) -> DeadlineExceeded:
    """The error of a call that took too long, `share` of its time in that phase."""
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        ask(model)
    assert time.monotonic() - begun < LIMIT + 5
    error, spent = caught.value, dict(caught.value.phases)
    assert error.phase == phase, error
    assert spent[phase] >= share * LIMIT
    assert 0.6 * LIMIT <= sum(spent.values()) <= LIMIT + 1  # no second counts twice, and few are not counted
    assert f'{phase} {spent[phase]:.2f} s' in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.phases, str(again)) == (error.phases, str(error))
    return error


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(limiter, '_MINUTE', 5.0)
    yield
    limits_in_force.clear()


@pytest.fixture(autouse=True, scope='module')
def warm() -> None:
    """The imports of the first call are no part of these times."""
    with ModelServer(Reply('warm')) as server:
        model = model_of(server)
        assert Agent(FallbackModel(model)).run_sync('x').data == 'warm'
        with Agent(model).run_stream_sync('x') as stream:
            assert stream.get_data() == 'warm'


@pytest.mark.slow
@ways
def test_queueing_for_a_connection(ask: Ask) -> None:
    with ModelServer([Reply('x', delay_headers=0.9), Reply('y')]) as server, ThreadPoolExecutor(1) as pool:
        model = model_of(server, http=HttpOptions(max_connections=1))
        other = pool.submit(model_request_sync, model, HELLO)
        server.wait_for_requests(1)
        too_late(ask, model, 'connection slot')
        assert len(server.requests) == 1
        other.result()


@pytest.mark.slow
@ways
def test_queueing_for_the_concurrency_limit(ask: Ask) -> None:
    limit('openai', max_concurrency=1)
    with ModelServer([Reply('x', delay_headers=0.9)]) as server, ThreadPoolExecutor(1) as pool:
        other = pool.submit(model_request_sync, model_of(server), HELLO)
        server.wait_for_requests(1)
        too_late(ask, model_of(server), 'concurrency limit')
        assert len(server.requests) == 1
        other.result()


@pytest.mark.slow
@ways
def test_queueing_for_the_rate_limit(ask: Ask) -> None:
    limit('openai', requests_per_minute=1)
    with ModelServer([Reply('x')]) as server:
        model_request_sync(model_of(server), HELLO)
        too_late(ask, model_of(server), 'rate limit')
        assert len(server.requests) == 1


@pytest.mark.slow
@ways
def test_an_attempt(ask: Ask) -> None:
    with ModelServer([Reply('x', delay_headers=30)]) as server:
        error = too_late(ask, model_of(server), 'first event' if ask in STREAMS else 'model request')
        assert error.partial is None
        server.wait_for_disconnect()


@pytest.mark.slow
@ways
def test_a_wait_before_the_next_attempt(ask: Ask) -> None:
    with ModelServer([Reply(status=429, headers={'retry-after': '30'})]) as server:
        error = too_late(ask, model_of(server), 'retry wait')
        assert (error.attempts, error.retry_after, error.request_id) == (1, 30, 'req-0')
        assert 'after 1 attempts, the last of which failed (RateLimitError)' in str(error)
        assert len(server.requests) == 1


@pytest.mark.slow
@ways
def test_attempts_and_waits_add_up(ask: Ask) -> None:
    again = Reply(status=500, headers={'retry-after-ms': '50'}, delay_headers=0.07)
    with ModelServer([again] * 20) as server:
        with pytest.raises(DeadlineExceeded) as caught:
            ask(model_of(server, http=HttpOptions(max_retries=20)))
        spent = dict(caught.value.phases)
        assert spent['retry wait'] >= 0.045
        assert spent['first event' if ask in STREAMS else 'model request'] >= 0.065
        assert 1 <= len(server.requests) <= 4
        assert caught.value.attempts == len(server.requests) - (caught.value.phase != 'retry wait')


@streams
def test_a_stream_carries_what_had_arrived(ask: Ask) -> None:
    with ModelServer([Reply('a ', 'b ', delay_between_events=0.05, repeat=100)]) as server:
        error = too_late(ask, model_of(server), 'next event', share=0.4)
        assert error.partial is not None
        assert error.partial.incomplete
        assert error.partial.text.startswith('a b')
        assert error.messages is None or error.messages[-1] == error.partial
        server.wait_for_disconnect()


def test_a_reader_that_is_too_slow() -> None:
    with ModelServer([Reply('x' * 1000, repeat=20_000)]) as server:

        def read(model: Model) -> None:
            with Agent(model).run_stream_sync('hello', timeout=LIMIT) as stream:
                for number, _ in enumerate(stream.stream_text(delta=True, debounce_by=None)):
                    time.sleep(0 if number else 2 * LIMIT)  # what had arrived is read, and then comes the error

        error = too_late(read, model_of(server), 'stream reader', share=0.4)
        assert error.partial is not None
        server.wait_for_disconnect()


def test_tools_side_by_side_and_one_after_another() -> None:
    async def slow() -> None:
        await asyncio.sleep(30)

    async def quick() -> str:
        await asyncio.sleep(0.05)
        return 'done'

    agent = Agent(Script(call('quick'), [call('quick', call_id='again'), call('slow')]).model, tools=[slow, quick])
    error = too_late(lambda _: agent.run_sync('x', timeout=LIMIT), Script('').model, "tool 'slow'", share=0.4)
    spent = dict(error.phases)
    assert spent["tool 'quick'"] >= 0.09
    assert error.messages is not None
    (kept,) = error.messages[-1].parts
    assert isinstance(kept, ToolReturnPart)
    assert kept.tool_call_id == 'again'


def test_a_run_tells_of_all_it_did(model_server: ModelServer) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('look')], delay_headers=0.05),
        Reply(status=503, headers={'retry-after-ms': '40'}),
        Reply('late', delay_headers=30),
    )

    async def look() -> str:
        await asyncio.sleep(0.05)
        return 'seen'

    agent = Agent(model_of(model_server), tools=[Tool(look)])
    error = too_late(lambda _: agent.run_sync('x', timeout=LIMIT), Script('').model, 'model request', share=0.3)
    spent = dict(error.phases)
    assert set(spent) == {'system prompts', "tool 'look'", 'retry wait', 'model request'}
    assert spent["tool 'look'"] >= 0.045
    assert spent['retry wait'] >= 0.035
    assert [message.kind for message in error.messages or ()] == ['request', 'response', 'request']


def test_the_reason_of_a_retry_that_worked_is_forgotten(model_server: ModelServer) -> None:
    model_server.reply(Reply(status=500, headers={'retry-after-ms': '1'}), Reply(tool_calls=[ToolCall('slow')]))

    async def slow() -> None:
        await asyncio.sleep(30)

    agent = Agent(model_of(model_server), tools=[slow])
    error = too_late(lambda _: agent.run_sync('x', timeout=LIMIT), Script('').model, "tool 'slow'", share=0.4)
    assert (error.attempts, error.retry_after) == (0, None)
    assert 'attempts' not in str(error)


def test_fallbacks_share_the_deadline() -> None:
    with ModelServer([Reply(status=503, delay_headers=0.1)]) as one, ModelServer([Reply('x', delay_headers=9)]) as two:
        http = HttpOptions(max_retries=0)
        model = FallbackModel(model_of(one, http=http), model_of(two, http=http))
        error = too_late(run_sync, model, 'model request')
        assert len(one.requests) == len(two.requests) == 1
        assert error.model_name == 'fallback:gpt-5.4-mini,gpt-5.4-mini'


def test_a_call_inside_a_tool_counts_by_itself(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=30))
    inner = model_of(model_server)

    def ask() -> str:
        with pytest.raises(DeadlineExceeded) as caught:
            model_request_sync(inner, HELLO, model_settings={'timeout': 0.1})
        assert [name for name, _ in caught.value.phases] == ['model request']
        return 'too slow'

    assert Agent(Script(call('ask'), 'so be it').model, tools=[ask]).run_sync('x', timeout=10).data == 'so be it'


def test_without_a_deadline_errors_are_those_of_the_provider(model_server: ModelServer) -> None:
    model_server.reply(Reply(status=429, headers={'retry-after': '3600'}))
    with pytest.raises(RateLimitError):
        model_request_sync(model_of(model_server), HELLO)


# --- functions that cannot be stopped ---------------------------------------------------------------------------------


def raised_late(run: Callable[[], Any]) -> tuple[DeadlineExceeded, float]:
    """The error of a deadline, and the seconds after which it came."""
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as raised:
        run()
    return raised.value, time.monotonic() - began


def sleeps() -> str:
    time.sleep(0.5)
    return 'x'


def streamed(agent: Agent[None, str]) -> str:
    with agent.run_stream_sync('x', timeout=0.1) as opened:
        return opened.get_data()


@pytest.mark.slow
@pytest.mark.parametrize(
    'run',
    [
        lambda agent: agent.run_sync('x', timeout=0.1),
        lambda agent: list(agent.map_sync(['x'], timeout=0.1)),
        streamed,
    ],
    ids=['run', 'map', 'stream'],
)
def test_a_sync_tool_that_runs_over_the_deadline_is_counted_to_its_end(run: Callable[[Any], Any]) -> None:
    error, seconds = raised_late(lambda: run(Agent(TestModel(), tools=[Tool(sleeps)])))
    spent = dict(error.phases)["tool 'sleeps'"]
    assert 0.4 <= spent <= seconds
    assert f"tool 'sleeps' {spent:.2f} s" in str(error)
    assert "run_in='thread' of the tool lets the run end on time" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_system_prompt_function_is_no_tool() -> None:
    agent = Agent(TestModel())
    agent.system_prompt(sleeps)
    error, _ = raised_late(lambda: agent.run_sync('x', timeout=0.1))
    assert dict(error.phases)['system prompts'] >= 0.4
    assert 'an async one lets it end on time' in str(error)
    assert 'run_in' not in str(error)


def test_a_tool_in_a_thread_is_not_late() -> None:
    error, _ = raised_late(lambda: Agent(TestModel(), tools=[Tool(sleeps, run_in='thread')]).run_sync('x', timeout=0.1))
    assert 'late' not in str(error)
    assert "tool 'sleeps'" in dict(error.phases)

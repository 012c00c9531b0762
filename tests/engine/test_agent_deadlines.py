"""The deadline of a run: what it interrupts, what it says, and that the next run works."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call, model_of

from syncai.agent import Agent
from syncai.exceptions import BadRequestError, DeadlineExceeded, ModelRetry
from syncai.messages import ModelRequest, ToolReturnPart
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import RunContext, Tool, ToolDefinition


def missed(ask: Ask, agent: Agent[Any, Any], phase: str, timeout: float = 0.25, **options: Any) -> DeadlineExceeded:
    """The error of a run that takes too long; and another run of the agent, which does not."""
    with pytest.raises(DeadlineExceeded, match=f'within its timeout of {timeout:g} s') as caught:
        ask(agent, 'x', timeout=timeout, **options)
    error = caught.value
    assert error.phase == phase
    assert phase in str(error)
    assert error.limit == timeout
    assert phase in dict(error.phases)
    assert f'{phase} {dict(error.phases)[phase]:.2f} s' in str(error)
    assert error.messages
    assert isinstance(error.messages[0], ModelRequest) or phase == 'system prompts'
    assert isinstance(error, TimeoutError)
    return error


@both
def test_in_the_model_request(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply('first'), Reply('late', delay_headers=30), Reply('in time'))
    agent = Agent(model_of(model_server))
    assert ask(agent, 'x').data == 'first'  # all is imported and connected
    error = missed(ask, agent, 'model request')
    assert (error.model_name, error.provider) == ('gpt-5.4-mini', 'openai')
    model_server.wait_for_disconnect()
    assert ask(agent, 'x', timeout=10).data == 'in time'


@pytest.mark.slow
@both
def test_while_waiting_for_a_connection(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply('first', delay_headers=1), Reply('later'))
    agent = Agent(model_of(model_server, http=HttpOptions(max_connections=1)))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(agent.run_sync, 'x')
        model_server.wait_for_requests(1)
        missed(ask, agent, 'connection slot')
        assert first.result().data == 'first'
    assert ask(agent, 'x').data == 'later'


@both
def test_over_several_requests(ask: Ask, model_server: ModelServer) -> None:
    """It is the total that counts, not each request."""
    again = Reply(tool_calls=[ToolCall('look')], delay_headers=0.1)
    model_server.reply(*[again] * 20)
    agent = Agent(model_of(model_server), tools=[Tool(lambda: 'seen', name='look')])
    error = missed(ask, agent, 'model request', timeout=0.35)
    assert 2 <= len(model_server.requests) <= 5
    assert len(error.messages or ()) >= 3


@both
def test_in_an_async_tool(ask: Ask) -> None:
    ended: list[str] = []

    async def patient() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append('ended')

    def quick() -> str:
        return 'done'

    calls = [call('patient'), call('quick')]
    agent = Agent(Script(calls).model, tools=[patient, quick])
    error = missed(ask, agent, "tool 'patient'")
    assert ended == ['ended']  # before the caller goes on
    assert error.messages is not None
    assert [part.tool_name for part in error.messages[-1].parts if isinstance(part, ToolReturnPart)] == ['quick']
    assert ask(agent, 'x', model=TestModel(call_tools=['quick']), timeout=10).data == '{"quick":"done"}'


def test_in_a_sync_tool_of_a_sync_caller() -> None:
    """Nothing stops a function in the caller's own thread; but none begins after it."""
    begun: list[str] = []

    def slow() -> None:
        begun.append('slow')
        time.sleep(0.3)

    def second() -> None:
        begun.append('second')

    agent = Agent(Script([call('slow'), call('second')]).model, tools=[slow, second])
    with pytest.raises(DeadlineExceeded) as caught:
        agent.run_sync('x', timeout=0.1)
    assert caught.value.phase == "tool 'slow'"
    assert begun == ['slow']
    assert agent.run_sync('x', model=TestModel(call_tools=[]), timeout=10).data


@pytest.mark.parametrize('run_in', ['caller', 'thread'])
def test_in_a_worker_thread(run_in: Any) -> None:
    """It continues in its thread, and no call waits for it."""
    release = threading.Event()
    agent = Agent(Script(call('slow')).model)

    @agent.tool_plain(run_in=run_in)
    def slow() -> None:
        release.wait(20)

    async def main() -> None:
        with pytest.raises(DeadlineExceeded) as caught:
            await agent.run('x', timeout=0.1)
        assert caught.value.phase == "tool 'slow'"
        release.set()

    asyncio.run(main())
    if run_in == 'thread':
        release.clear()
        with pytest.raises(DeadlineExceeded):
            agent.run_sync('x', model=Script(call('slow')).model, timeout=0.1)
        release.set()


@both
def test_in_other_functions(ask: Ask) -> None:
    async def hang(*args: Any) -> Any:
        await asyncio.sleep(30)

    prompted: Agent[None, str] = Agent(TestModel(call_tools=[]))

    @prompted.system_prompt
    async def prompt() -> str:
        return str(await hang())

    with pytest.raises(DeadlineExceeded) as caught:
        ask(prompted, 'x', timeout=0.05)
    assert caught.value.phase == 'system prompts'

    async def prepare(ctx: RunContext[None], definition: ToolDefinition) -> ToolDefinition:
        await hang()
        return definition

    tool = Tool(lambda: '', name='look', prepare=prepare)
    missed(ask, Agent(TestModel(), tools=[tool]), "prepare of tool 'look'")

    validated = Agent(TestModel())

    @validated.result_validator
    async def check(data: str) -> str:
        await hang()
        return data

    missed(ask, validated, 'result validation')


@both
def test_after_a_retry_the_phase_is_the_right_one(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look')]), Reply('x'), Reply('late', delay_headers=30))

    def look() -> str:
        raise ModelRetry('again')

    agent = Agent(model_of(model_server), tools=[look], retries=3)

    @agent.result_validator
    def check(data: str) -> str:
        raise ModelRetry('again')

    missed(ask, agent, 'model request', timeout=0.5)


def read_sync(agent: Agent[Any, Any], prompt: str, **options: Any) -> None:
    with agent.run_stream_sync(prompt, **options) as stream:
        for _ in stream.stream_text(delta=True):
            pass


def read_async(agent: Agent[Any, Any], prompt: str, **options: Any) -> None:
    async def main() -> None:
        async with agent.run_stream(prompt, **options) as stream:
            async for _ in stream.stream_text(delta=True):
                pass

    asyncio.run(main())


@pytest.mark.parametrize('ask', [read_sync, read_async], ids=['sync', 'async'])
def test_in_a_stream(ask: Ask, model_server: ModelServer) -> None:
    slow = Reply('a ', 'b ', delay_between_events=0.15, repeat=100)
    model_server.reply(Reply('first'), Reply(tool_calls=[ToolCall('look')]), slow)
    agent = Agent(model_of(model_server), tools=[Tool(lambda: 'seen', name='look')])
    ask(agent, 'x')  # all is imported and connected
    error = missed(ask, agent, 'next event', timeout=0.5)
    assert error.partial is not None
    assert error.partial.incomplete
    assert error.partial.text.startswith('a ')
    assert error.messages is not None
    assert error.messages[-1] == error.partial
    assert len(error.messages) == 4
    model_server.wait_for_disconnect()


@pytest.mark.parametrize('ask', [read_sync, read_async], ids=['sync', 'async'])
def test_a_later_request_of_a_stream_that_fails(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look')]), Reply(status=400))
    with pytest.raises(BadRequestError) as caught:
        ask(Agent(model_of(model_server), tools=[Tool(lambda: 'seen', name='look')]), 'x')
    assert [message.kind for message in caught.value.messages or ()] == ['request', 'response', 'request']


@both
def test_the_deadline_of_one_request_is_another(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=30))
    with pytest.raises(DeadlineExceeded, match='set a longer `timeout` in model_settings') as caught:
        ask(Agent(model_of(model_server)), 'x', model_settings={'timeout': 0.05}, timeout=20)
    assert caught.value.phase == 'model request'
    assert caught.value.messages is not None


@both
def test_a_nested_run_has_a_deadline_of_its_own(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=30))
    inner = Agent(model_of(model_server), name='inner')
    outer = Agent(Script(call('delegate'), 'it took too long').model)

    @outer.tool_plain
    async def delegate() -> str:
        try:
            return (await inner.run('x', timeout=0.05)).data
        except DeadlineExceeded as error:
            raise ModelRetry(f'{error.phase}: too slow') from None

    assert ask(outer, 'x', timeout=20).data == 'it took too long'


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """None of the waits of 30 seconds above was waited out."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 15

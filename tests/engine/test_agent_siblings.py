"""Several calls in one answer, one of which fails: what the others returned is kept."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call

from syncai.agent import Agent, capture_run_messages
from syncai.exceptions import DeadlineExceeded, ModelRetry, UnexpectedModelBehavior
from syncai.messages import ModelMessage, ModelRequest, ModelResponse, RetryPromptPart, ToolReturnPart, UserPromptPart
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import Tool, ToolReturn


class Broken(Exception):
    pass


def returns(messages: list[ModelMessage]) -> list[tuple[str, Any]]:
    """The returns in the last message, which is a request, after the answer that asked for them."""
    *_, response, request = messages
    assert isinstance(response, ModelResponse)
    assert isinstance(request, ModelRequest)
    return [(part.tool_call_id, part.content) for part in request.parts if isinstance(part, ToolReturnPart)]


CALLS = [call('pay', {'euros': 5}, 'first'), call('fail', {}, 'second'), call('pay', {'euros': 7}, 'third')]


def pay(euros: int) -> str:
    """Pays."""
    return f'paid {euros}'


def fail() -> str:
    """Fails."""
    raise Broken


def test_what_returned_before_a_sibling_raised() -> None:
    with capture_run_messages() as messages, pytest.raises(Broken):
        Agent(tools=[pay, fail]).run_sync('x', model=Script(CALLS).model)
    assert returns(messages) == [('first', 'paid 5')]


@both
def test_what_returned_beside_a_sibling_that_raised(ask: Ask) -> None:
    """Also of the one that was called after the one that failed."""
    agent: Agent[None, str] = Agent()
    paid: list[int] = []

    @agent.tool_plain(name='pay')
    async def pay_later(euros: int) -> str:
        paid.append(euros)
        return f'paid {euros}'

    @agent.tool_plain(name='fail')
    async def fail_later() -> str:
        while len(paid) < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        raise Broken

    with capture_run_messages() as messages, pytest.raises(Broken):
        ask(agent, 'x', model=Script(CALLS).model)
    assert returns(messages) == [('first', 'paid 5'), ('third', 'paid 7')]


@both
def test_what_returned_in_threads(ask: Ask) -> None:
    emitted = threading.Semaphore(0)

    def pay_in_thread(euros: int) -> str:
        emitted.release()
        return f'paid {euros}'

    async def fail_later() -> str:
        for _ in range(2):
            await asyncio.to_thread(emitted.acquire)
        await asyncio.sleep(0.1)
        raise Broken

    tools = [Tool(pay_in_thread, name='pay', run_in='thread'), Tool(fail_later, name='fail')]
    with capture_run_messages() as messages, pytest.raises(Broken):
        ask(Agent(tools=tools), 'x', model=Script(CALLS).model)
    assert returns(messages) == [('first', 'paid 5'), ('third', 'paid 7')]


@both
def test_the_error_of_a_run_has_what_returned(ask: Ask) -> None:
    def refuse() -> str:
        raise ModelRetry('no')

    agent = Agent(tools=[pay, Tool(refuse, name='fail', retries=0)])
    with capture_run_messages() as messages, pytest.raises(UnexpectedModelBehavior) as caught:
        ask(agent, 'x', model=Script(CALLS).model)
    for kept in (messages, caught.value.messages):
        assert kept is not None
        assert returns(list(kept)) == [('first', 'paid 5'), ('third', 'paid 7')]
        assert [part.content for part in kept[-1].parts if isinstance(part, RetryPromptPart)] == ['no']


@both
def test_a_deadline_has_what_returned(ask: Ask) -> None:
    async def wait() -> str:
        await asyncio.sleep(60)
        return 'never'

    agent = Agent(tools=[pay, Tool(wait, name='fail')])
    with pytest.raises(DeadlineExceeded) as caught:
        ask(agent, 'x', model=Script(CALLS[:2]).model, timeout=0.3)
    assert caught.value.messages is not None
    assert returns(list(caught.value.messages)) == [('first', 'paid 5')]


def test_what_a_tool_says_beside_its_return_is_kept_too() -> None:
    def pay_and_say(euros: int) -> ToolReturn:
        return ToolReturn(f'paid {euros}', content='Receipt follows.', metadata={'euros': euros})

    agent = Agent(tools=[Tool(pay_and_say, name='pay'), fail])
    with capture_run_messages() as messages, pytest.raises(Broken):
        agent.run_sync('x', model=Script(CALLS).model)
    part, said = messages[-1].parts
    assert isinstance(part, ToolReturnPart)
    assert (part.content, part.metadata) == ('paid 5', {'euros': 5})
    assert isinstance(said, UserPromptPart)


@both
def test_what_returned_is_there_when_the_next_request_cannot_be_written(ask: Ask) -> None:
    agent = Agent(tools=[pay])
    written: list[str] = []

    @agent.instructions
    def instructions() -> str:
        if written:
            raise Broken
        written.append('Be brief.')
        return written[0]

    with capture_run_messages() as messages, pytest.raises(Broken):
        ask(agent, 'x', model=Script(CALLS[:1]).model)
    assert returns(messages) == [('first', 'paid 5')]


def test_nothing_is_added_where_nothing_returned() -> None:
    with capture_run_messages() as messages, pytest.raises(Broken):
        Agent(tools=[fail]).run_sync('x', model=Script(CALLS[1:2]).model)
    assert isinstance(messages[-1], ModelResponse)


def test_a_stream_keeps_them_and_a_later_run_goes_on(model_server: ModelServer) -> None:
    """The request that follows answers every call: the one that failed is answered with what is known of it."""
    model_server.reply(Reply(tool_calls=[ToolCall('pay', {'euros': 5}), ToolCall('fail')]), Reply('Sorry.'))
    agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=model_server.base_url), tools=[pay, fail])
    with pytest.raises(Broken), agent.run_stream_sync('x') as stream:
        stream.get_data()
    kept = stream.all_messages()
    assert returns(kept) == [('call_0', 'paid 5')]
    assert agent.run_sync('And now?', message_history=kept).data == 'Sorry.'
    sent = model_server.requests[-1].json['messages']
    answers = {message['tool_call_id']: message['content'] for message in sent if message['role'] == 'tool'}
    assert answers.keys() == {'call_0', 'call_1'}
    assert answers['call_0'] == 'paid 5'

"""Instructions: written again for each request, sent first in each wire format, and no part of the conversation."""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call, model_of
from six_formats import MODELS, system_texts

from syncai import Agent, RunContext, UserError, model_request_stream_sync, model_request_sync
from syncai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserPromptPart,
)
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall


def sent(script: Script) -> list[str | None]:
    """The instructions of each request."""
    return [messages[-1].instructions for messages in script.asked]  # type: ignore[union-attr]


# --- the wire ---------------------------------------------------------------------------------------------------------


each_format = pytest.mark.parametrize('model', MODELS.values(), ids=MODELS)


@each_format
def test_each_wire_format_sends_them_first(model: Any, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look')]), Reply('Seen.'), Reply('Again.'))
    agent = Agent(model(model_server), system_prompt='Be brief.', instructions='Be kind.')
    steps = iter(range(10))

    @agent.instructions
    def step() -> str:
        return f'Step {next(steps)}.'

    @agent.tool_plain
    def look() -> str:
        return 'seen'

    first = agent.run_sync('Look.', instructions='Once.')
    with agent.run_stream_sync('And now?', message_history=first.all_messages()) as stream:
        assert stream.get_data() == 'Again.'
    written = ['\n\n'.join(system_texts(request.json)) for request in model_server.requests]
    assert written == [
        'Be kind.\n\nStep 0.\n\nOnce.\n\nBe brief.',
        'Be kind.\n\nStep 1.\n\nOnce.\n\nBe brief.',
        'Be kind.\n\nStep 2.\n\nBe brief.',
    ]


@each_format
def test_a_direct_call_sends_those_of_its_last_request(model: Any, model_server: ModelServer) -> None:
    model_server.reply(Reply('ok'), Reply('ok'))
    messages: list[ModelMessage] = [
        ModelRequest([UserPromptPart('q')], instructions='old'),
        ModelResponse([TextPart('a')]),
        ModelRequest([SystemPromptPart('s'), UserPromptPart('q')], instructions='new'),
    ]
    model_request_sync(model(model_server), messages)
    with model_request_stream_sync(model(model_server), messages) as stream:
        list(stream)
    for request in model_server.requests:
        assert '\n\n'.join(system_texts(request.json)) == 'new\n\ns'


def test_a_sync_function_runs_in_the_callers_thread() -> None:
    threads: list[int] = []
    agent = Agent(TestModel(), instructions=lambda: threads.append(threading.get_ident()))
    agent.run_sync('x')
    assert threads == [threading.get_ident()]


# --- the run ----------------------------------------------------------------------------------------------------------


@both
def test_they_are_no_part_of_the_conversation(ask: Ask) -> None:
    script = Script('one', 'two')
    agent = Agent(script.model, instructions=['Be kind.', 'Be brief.'])
    first = ask(agent, 'x')
    assert [part.part_kind for message in first.all_messages() for part in message.parts] == ['user-prompt', 'text']
    assert first.all_messages()[0].instructions == 'Be kind.\n\nBe brief.'
    stored = ModelMessagesTypeAdapter.validate_json(first.all_messages_json())
    assert stored == first.all_messages()
    second = ask(Agent(script.model, instructions='Be rude.'), 'y', message_history=stored)
    assert sent(script) == ['Be kind.\n\nBe brief.', 'Be rude.']
    assert second.all_messages()[0].instructions == 'Be kind.\n\nBe brief.'
    assert second.all_messages()[2].instructions == 'Be rude.'


@both
def test_functions_write_them_anew_for_each_request(ask: Ask) -> None:
    script = Script(call('look'), call('look'), 'done')

    async def later(ctx: RunContext[str]) -> str:
        return f'{ctx.deps} {ctx.run_step}'

    agent = Agent(script.model, deps_type=str, instructions=later)

    @agent.instructions
    def nothing() -> None:
        pass

    @agent.instructions()
    def seen(ctx: RunContext[str]) -> str | None:
        return f'{len(ctx.messages)} messages' if ctx.messages else None

    @agent.tool_plain
    def look() -> str:
        return 'seen'

    ask(agent, 'x', deps='step')
    assert sent(script) == ['step 0', 'step 1\n\n2 messages', 'step 2\n\n4 messages']


@both
def test_those_of_one_run_follow_those_of_the_agent(ask: Ask) -> None:
    script = Script('1', '2', '3', '4')
    agent = Agent(script.model, instructions='A')
    ask(agent, 'x', instructions='B')
    ask(agent, 'x', instructions=[lambda: 'C', 'D', lambda ctx: ctx.prompt])
    ask(agent, 'x', instructions=None)
    ask(Agent(script.model), 'x', instructions='B')
    assert sent(script) == ['A\n\nB', 'A\n\nC\n\nD\n\nx', 'A', 'B']


def test_every_way_to_run_takes_them(model_server: ModelServer) -> None:
    model_server.reply(*[Reply('ok')] * 8)
    agent = Agent(model_of(model_server))
    options: Any = {'instructions': 'Be kind.'}
    agent.run_sync('x', **options)
    agent.submit('x', **options).result(10)
    list(agent.map_sync(['x'], **options))
    with agent.run_stream_sync('x', **options) as stream:
        stream.get_data()
    with agent.run_stream_events_sync('x', **options) as events:
        list(events)

    async def main() -> None:
        await agent.run('x', **options)
        async with agent.run_stream('x', **options) as stream:
            await stream.get_data()
        async with agent.run_stream_events('x', **options) as events:
            async for _ in events:
                pass

    asyncio.run(main())
    assert [system_texts(request.json) for request in model_server.requests] == [['Be kind.']] * 8


@both
def test_a_history_that_ends_in_a_request_is_given_them(ask: Ask) -> None:
    script = Script('ok', 'ok')
    history: list[ModelMessage] = [ModelRequest([UserPromptPart('q')], instructions='old')]
    result = ask(Agent(script.model, instructions='new'), message_history=history)
    assert sent(script) == ['new']
    assert result.all_messages()[0].instructions == 'new'
    assert history[0].instructions == 'old'  # type: ignore[union-attr]
    ask(Agent(script.model), message_history=history)
    assert sent(script)[1] == 'old'  # a request made by hand, and an agent that has none


@both
def test_with_a_prompted_result_the_schema_follows_them(ask: Ask) -> None:
    script = Script('{"response": 3}')
    agent = Agent(script.model, result_type=int, result_mode='prompted', instructions='Count.')
    assert ask(agent, 'x').data == 3
    [instructions] = sent(script)
    assert instructions is not None
    assert instructions.startswith('Count.\n\n')
    assert '"response"' in instructions


@both
def test_what_is_wrong_with_them(ask: Ask) -> None:
    agent = Agent(TestModel())
    for wrong in (3, [3], b'x', ['a', None]):
        with pytest.raises(UserError, match='instructions must be a str, a function that returns one, or a list'):
            ask(agent, 'x', instructions=wrong)
        with pytest.raises(UserError, match='instructions must be a str'):
            Agent(TestModel(), instructions=wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match='must take'):
        ask(agent, 'x', instructions=lambda one, two: '')
    with pytest.raises(UserError, match=r"instructions function 'number' must return a str or None, not int"):

        def number() -> int:
            return 3

        ask(agent, 'x', instructions=number)


def test_a_copy_of_an_agent_takes_instructions_of_its_own() -> None:
    script = Script('1', '2')
    agent = Agent(script.model)
    other = copy.copy(agent)
    other.instructions(lambda: 'Be kind.')
    agent.run_sync('x')
    other.run_sync('x')
    assert sent(script) == [None, 'Be kind.']

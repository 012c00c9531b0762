"""Conversations: carried on, written as JSON, left in the middle, and captured."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call, in_sync, model_of

from syncai.agent import Agent, capture_run_messages
from syncai.exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError
from syncai.messages import (
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import RunContext


def kinds(messages: Any) -> list[list[str]]:
    return [[part.part_kind for part in message.parts] for message in messages]


# --- one run after another --------------------------------------------------------------------------------------------


@both
def test_a_conversation_goes_on(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply('A joke.'), Reply(tool_calls=[ToolCall('explain')]), Reply('Because.'))
    agent = Agent(model_of(model_server), system_prompt=['Be funny.', 'Be brief.'])

    @agent.tool_plain
    def explain() -> str:
        return 'it is absurd'

    first = ask(agent, 'Write a joke.')
    second = ask(agent, 'Explain?', message_history=first.new_messages())
    assert kinds(second.all_messages()) == [
        ['system-prompt', 'system-prompt', 'user-prompt'],
        ['text'],
        ['user-prompt'],
        ['tool-call'],
        ['tool-return'],
        ['text'],
    ]
    assert second.new_messages() == second.all_messages()[2:]
    assert first.all_messages() == second.all_messages()[:2]
    sent = model_server.requests[2].json['messages']
    roles = [message['role'] for message in sent]
    assert roles == ['developer', 'developer', 'user', 'assistant', 'user', 'assistant', 'tool']


@both
def test_json_both_ways(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look', {'at': 'é'})]), Reply('Seen.'), Reply('Again.'))
    agent = Agent(model_of(model_server), system_prompt='Look.')

    @agent.tool_plain
    def look(at: str) -> dict[str, list[str]]:
        return {'seen': [at]}

    result = ask(agent, ['What is it?', ImageUrl('https://example.com/a.png')])
    stored = result.all_messages_json()
    assert isinstance(stored, bytes)
    again = ModelMessagesTypeAdapter.validate_json(stored)
    assert again == result.all_messages()
    assert ModelMessagesTypeAdapter.dump_json(again) == stored
    assert json.loads(result.new_messages_json()) == json.loads(stored)
    assert ask(agent, 'And now?', message_history=again).data == 'Again.'
    assert model_server.requests[2].json['messages'][:5] == model_server.requests[1].json['messages'] + [
        {'role': 'assistant', 'content': 'Seen.'}
    ]


@both
def test_another_model_goes_on(ask: Ask, model_server: ModelServer) -> None:
    agent = Agent(TestModel())

    @agent.tool_plain
    def number() -> int:
        return 7

    first = ask(agent, 'x')
    model_server.reply(Reply('Seven.'))
    second = ask(agent, 'Which?', model=model_of(model_server), message_history=first.all_messages())
    assert second.data == 'Seven.'
    sent = model_server.requests[0].json['messages']
    assert [m['role'] for m in sent] == ['user', 'assistant', 'tool', 'assistant', 'user']
    assert sent[1]['tool_calls'][0]['id'] == sent[2]['tool_call_id']


@both
def test_a_history_may_end_in_a_request(ask: Ask) -> None:
    script = Script('here')
    result = ask(Agent(script.model), message_history=[ModelRequest.user_text_prompt('Where?')])
    assert result.data == 'here'
    assert kinds(result.new_messages()) == [['text']]


@both
def test_the_callers_list_is_not_changed(ask: Ask) -> None:
    history: list[ModelMessage] = [ModelRequest.user_text_prompt('Hi'), ModelResponse([TextPart('Hello')])]
    kept = list(history)
    result = ask(Agent(TestModel()), 'x', message_history=history)
    result.all_messages().clear()
    assert history == kept
    assert len(result.all_messages()) == 4


# --- system prompts ---------------------------------------------------------------------------------------------------


@both
def test_dynamic_system_prompts(ask: Ask) -> None:
    agent = Agent(TestModel(), deps_type=str, system_prompt='static')
    for number in range(2):  # of the same name

        @agent.system_prompt(dynamic=True)
        def fresh(ctx: RunContext[str], number: int = number) -> str:
            return f'{ctx.deps} {number}'

    @agent.system_prompt
    async def once(ctx: RunContext[str]) -> str:
        return f'once {ctx.deps}'

    @agent.system_prompt(dynamic=True)
    async def later() -> str:
        return ''

    first = ask(agent, 'x', deps='a')
    assert [part.content for part in first.all_messages()[0].parts] == ['static', 'a 0', 'a 1', 'once a', 'x']
    stored = ModelMessagesTypeAdapter.validate_json(first.all_messages_json())
    second = ask(agent, 'y', deps='b', message_history=stored)
    assert [part.content for part in second.all_messages()[0].parts] == ['static', 'b 0', 'b 1', 'once a', 'x']
    assert [part.content for part in first.all_messages()[0].parts] == ['static', 'a 0', 'a 1', 'once a', 'x']


# --- histories that were left in the middle ---------------------------------------------------------------------------


def asked_for(*calls: ToolCallPart) -> list[ModelMessage]:
    return [ModelRequest.user_text_prompt('Go'), ModelResponse(list(calls))]


@both
def test_unanswered_calls_with_a_prompt(ask: Ask) -> None:
    """They are answered for the model; `repair_history=False` makes them an error that names the remedy."""
    script = Script('ok')
    history = asked_for(call('look'))
    result = ask(Agent(script.model), 'x', message_history=history)
    assert kinds(script.asked[0]) == [['user-prompt'], ['tool-call'], ['tool-return'], ['user-prompt']]
    assert kinds(result.all_messages()) == [['user-prompt'], ['tool-call'], ['user-prompt'], ['text']]
    with pytest.raises(UserError, match=r"message_history\[1\]: the call of 'look'.*run without a prompt"):
        ask(Agent(TestModel()), 'x', message_history=history, repair_history=False)


@both
def test_unanswered_calls_without_a_prompt(ask: Ask) -> None:
    agent = Agent(Script('done').model)

    @agent.tool_plain
    def look() -> str:
        return 'seen'

    history = asked_for(call('look'), call('gone'))
    result = ask(agent, message_history=history)
    assert result.data == 'done'
    seen, gone = result.new_messages()[0].parts
    assert (seen.content, seen.tool_call_id) == ('seen', 'id_look')
    assert isinstance(gone, RetryPromptPart)


@both
def test_an_unanswered_call_of_the_result_tool(ask: Ask) -> None:
    result = ask(
        Agent(Script().model, result_type=int), message_history=asked_for(call('final_result', {'response': 3}))
    )
    assert result.data == 3
    assert result.usage().requests == 0


@both
def test_a_history_that_ends_in_an_answer_needs_a_prompt(ask: Ask) -> None:
    with pytest.raises(UserError, match='ends in an answer of the model, and there is no prompt'):
        ask(Agent(TestModel()), message_history=[ModelRequest.user_text_prompt('x'), ModelResponse([TextPart('y')])])


@both
def test_an_incomplete_answer(ask: Ask, model_server: ModelServer) -> None:
    partial = ModelResponse([TextPart('Half'), ToolCallPart('look', '{"a', 'id')], incomplete=True)
    history = [ModelRequest.user_text_prompt('Go'), partial]
    model_server.reply(Reply('Whole.'))
    result = ask(Agent(model_of(model_server)), 'Go on.', message_history=history)
    assert result.data == 'Whole.'
    sent = model_server.requests[0].json['messages']
    assert sent == [
        {'role': 'user', 'content': 'Go'},
        {'role': 'assistant', 'content': 'Half'},
        {'role': 'user', 'content': 'Go on.'},
    ]
    assert len(result.new_messages()) == 2


@both
def test_an_incomplete_answer_of_which_nothing_can_be_used(ask: Ask) -> None:
    partial = ModelResponse([ToolCallPart('look', '{"a', 'id')], incomplete=True)
    script = Script('Whole.')
    result = ask(Agent(script.model), 'Go on.', message_history=[ModelRequest.user_text_prompt('Go'), partial])
    assert kinds(script.asked[0]) == [['user-prompt'], ['user-prompt']]
    assert kinds(result.new_messages()) == [['user-prompt'], ['text']]


def test_the_thoughts_of_an_incomplete_answer_are_kept() -> None:
    script = Script('ok')
    partial = ModelResponse([ThinkingPart('hm'), TextPart('Half')], incomplete=True)
    history: list[ModelMessage] = [ModelRequest.user_text_prompt('Go'), partial]
    Agent(script.model).run_sync('x', message_history=history)
    assert script.asked[0][1] == partial


# --- the return of the result tool ------------------------------------------------------------------------------------


@both
def test_what_the_result_tool_returned(ask: Ask) -> None:
    result = ask(Agent(Script(call('final_result', {'response': 3})).model, result_type=int), 'x')
    assert result.all_messages()[-1].parts[0].content == 'Final result processed.'
    for messages in (
        result.all_messages(result_tool_return_content='Saved.'),
        result.new_messages(result_tool_return_content='Saved.'),
        ModelMessagesTypeAdapter.validate_json(result.all_messages_json(result_tool_return_content='Saved.')),
        ModelMessagesTypeAdapter.validate_json(result.new_messages_json(result_tool_return_content='Saved.')),
    ):
        part = messages[-1].parts[0]
        assert isinstance(part, ToolReturnPart)
        assert part.content == 'Saved.'
    with pytest.raises(UserError, match='was not given by a tool'):
        ask(Agent(TestModel()), 'x').all_messages(result_tool_return_content='Saved.')


# --- capturing --------------------------------------------------------------------------------------------------------


@both
def test_capture_of_a_run_that_fails(ask: Ask) -> None:
    agent = Agent(Script(*[call('volume', {'size': 6})] * 2).model)

    @agent.tool_plain
    def volume(size: int) -> int:
        if size == 6:
            from syncai.exceptions import ModelRetry

            raise ModelRetry('Please try again.')
        return size**3

    with capture_run_messages() as messages, pytest.raises(UnexpectedModelBehavior) as caught:
        ask(agent, 'Volume?')
    assert kinds(messages) == [['user-prompt'], ['tool-call'], ['retry-prompt'], ['tool-call']]
    assert caught.value.messages == messages


@both
def test_capture_of_a_request_that_fails(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look')]), Reply(status=400))

    def look() -> str:
        return 'seen'

    with capture_run_messages() as messages, pytest.raises(ModelHTTPError) as caught:
        ask(Agent(model_of(model_server), tools=[look]), 'x')
    assert kinds(messages) == [['user-prompt'], ['tool-call'], ['tool-return']]
    assert caught.value.messages == messages


@both
def test_capture_of_the_first_run_and_of_no_other(ask: Ask) -> None:
    inner = Agent(TestModel(custom_result_text='inner'))
    outer = Agent(TestModel())

    @outer.tool_plain
    def delegate() -> str:
        return inner.run_sync('to the inner').data

    with capture_run_messages() as messages:
        ask(outer, 'to the outer')
        ask(inner, 'another')
    assert messages[0].parts[0].content == 'to the outer'  # type: ignore[union-attr]
    assert len(messages) == 4


def test_captures_of_threads() -> None:
    agent = Agent(TestModel())
    found: dict[int, Any] = {}
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        with capture_run_messages() as messages:
            barrier.wait(5)
            for _ in range(10):
                agent.run_sync(f'prompt {number}')
        found[number] = messages

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: (m[0].parts[0].content, len(m)) for n, m in found.items()} == {n: (f'prompt {n}', 2) for n in range(4)}


def prompts_of(messages: list[ModelMessage]) -> list[Any]:
    return [part.content for m in messages for part in m.parts if isinstance(part, UserPromptPart)]


def test_captures_within_captures() -> None:
    agent = Agent(TestModel())
    with capture_run_messages() as outer:
        with capture_run_messages() as unused:
            pass
        with capture_run_messages() as inner:
            in_sync(agent, 'first')
        with capture_run_messages() as second:
            in_sync(agent, 'second')
        in_sync(agent, 'third')
    assert prompts_of(inner) == prompts_of(outer) == prompts_of(unused) == ['first']
    assert prompts_of(second) == ['second'], 'the outer block has its run already'


def test_a_capture_in_a_tool_leaves_the_run_around_it_alone() -> None:
    inner, outer = Agent(TestModel()), Agent(TestModel())
    captured: list[ModelMessage] = []

    @outer.tool_plain
    def delegate() -> str:
        with capture_run_messages() as messages:
            inner.run_sync('to the inner')
        captured.extend(messages)
        return 'done'

    with capture_run_messages() as messages:
        in_sync(outer, 'to the outer')
    assert prompts_of(captured) == ['to the inner']
    assert prompts_of(messages) == ['to the outer']


def test_a_capture_without_a_run_is_empty() -> None:
    with capture_run_messages() as messages, pytest.raises(UserError):
        Agent(TestModel()).run_sync('')
    assert messages == []


def test_what_a_failed_run_leaves_can_be_carried_on() -> None:
    """The limit of requests passed: what the tools returned is in the messages, and they are not called again."""
    called: list[int] = []

    def once() -> str:
        called.append(1)
        return 'seen'

    from syncai.usage import UsageLimits

    agent = Agent(TestModel(), tools=[once], usage_limits=UsageLimits(request_limit=1))
    with capture_run_messages() as messages, pytest.raises(Exception, match='request_limit'):
        agent.run_sync('x')
    assert isinstance(messages[-1].parts[0], ToolReturnPart)
    result = agent.run_sync(message_history=messages)
    assert result.data == '{"once":"seen"}'
    assert called == [1]


def test_parts_of_a_first_request() -> None:
    result = Agent(TestModel(), system_prompt='s').run_sync(['text', ImageUrl('https://example.com/a.png')])
    first = result.all_messages()[0].parts
    assert isinstance(first[0], SystemPromptPart)
    assert isinstance(first[1], UserPromptPart)
    assert first[1].content == ['text', ImageUrl('https://example.com/a.png')]

"""System prompts and histories: the agent's own are always said, each once; those of another agent stay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call

from syncai import Agent, RunContext
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

TURNS: list[ModelMessage] = [ModelRequest([UserPromptPart('hi')]), ModelResponse([TextPart('hello')])]


def of_system(messages: Any) -> list[str]:
    return [p.content for m in messages for p in m.parts if isinstance(p, SystemPromptPart)]


def said_by(*texts: str) -> list[ModelMessage]:
    return [ModelRequest([*map(SystemPromptPart, texts), UserPromptPart('hi')]), TURNS[1]]


@pytest.mark.parametrize(
    ('own', 'history', 'expected'),
    [
        ('A', TURNS, ['A']),
        ('A', TURNS[1:], ['A']),
        ('A', said_by('A'), ['A']),
        (['A', 'B'], said_by('B'), ['A', 'B']),
        (['A', 'B'], said_by('A'), ['B', 'A']),
        (['A', 'B'], said_by('A', 'B'), ['A', 'B']),
        ('B', said_by('A'), ['B', 'A']),
        (['A', ''], TURNS, ['A']),
        ('A\n', said_by('A'), ['A']),
        ([], said_by('A'), ['A']),
        ('A', [*TURNS, *said_by('A')], ['A']),
    ],
)
@both
def test_what_a_history_lacks_is_said_at_its_front(ask: Ask, own: Any, history: Any, expected: list[str]) -> None:
    script = Script('ok')
    before = list(history)
    result = ask(Agent(script.model, system_prompt=own), 'next', message_history=history)
    assert of_system(script.asked[0]) == expected
    assert script.asked[0][0].kind == 'request'
    assert history == before
    assert result.all_messages()[: len(history)] == history
    assert [m.kind for m in result.new_messages()] == ['request', 'response']


@both
def test_it_is_said_with_each_request_and_in_each_run(ask: Ask) -> None:
    script = Script(call('look'), 'ok', 'ok')
    agent = Agent(script.model, system_prompt='A')

    @agent.tool_plain
    def look() -> str:
        return 'seen'

    first = ask(agent, 'x', message_history=TURNS)
    ask(agent, 'y', message_history=first.all_messages())
    assert [of_system(messages) for messages in script.asked] == [['A']] * 3


def agent_with(script: Script, write: Callable[..., str], dynamic: bool) -> Agent[str, str]:
    agent = Agent(script.model, deps_type=str, system_prompt='static')
    agent.system_prompt(dynamic=dynamic)(write)
    return agent


def weather(ctx: RunContext[str]) -> str:
    return f'It is {ctx.deps}.'


@pytest.mark.parametrize(
    ('dynamic', 'history', 'expected'),
    [
        (False, TURNS, ['static', 'It is cold.']),
        (True, TURNS, ['static', 'It is cold.']),
        (False, said_by('It is cold.'), ['static', 'It is cold.']),  # known by its text
        (True, said_by('static', 'It is cold.'), ['static', 'It is cold.']),
    ],
)
@both
def test_functions(ask: Ask, dynamic: bool, history: list[ModelMessage], expected: list[str]) -> None:
    script = Script('ok')
    ask(agent_with(script, weather, dynamic), 'x', deps='cold', message_history=history)
    assert of_system(script.asked[0]) == expected


@pytest.mark.parametrize(('dynamic', 'expected'), [(False, 'It is warm.'), (True, 'It is cold.')])
@both
def test_what_a_function_wrote_is_known_by_the_function(ask: Ask, dynamic: bool, expected: str) -> None:
    """Its text has changed since, and the history has been JSON: nothing is said twice."""
    script = Script('one', 'two')
    first = ask(agent_with(script, weather, dynamic), 'x', deps='warm')
    stored = ModelMessagesTypeAdapter.validate_json(first.all_messages_json())
    second = ask(agent_with(script, weather, dynamic), 'y', deps='cold', message_history=stored)
    assert of_system(script.asked[1]) == ['static', expected]
    assert of_system(second.all_messages()) == ['static', expected]
    assert of_system(stored) == ['static', 'It is warm.']


@both
def test_a_function_of_another_module_is_another(ask: Ask) -> None:
    def elsewhere(ctx: RunContext[str]) -> str:
        return f'You are B in the {ctx.deps}.'

    elsewhere.__qualname__, elsewhere.__module__ = weather.__qualname__, 'another.module'
    for dynamic in (False, True):
        script = Script('one', 'two')
        first = ask(agent_with(script, weather, dynamic), 'x', deps='warm')
        ask(agent_with(script, elsewhere, dynamic), 'y', deps='cold', message_history=first.all_messages())
        assert of_system(script.asked[1]) == ['You are B in the cold.', 'static', 'It is warm.']


@both
def test_a_dynamic_prompt_stored_without_the_name_of_its_function(ask: Ask) -> None:
    """As histories of earlier versions are."""
    script = Script('ok')
    old = SystemPromptPart('It is warm.', dynamic_ref='weather')
    history: list[ModelMessage] = [ModelRequest([old, UserPromptPart('x')]), TURNS[1]]
    ask(agent_with(script, weather, True), 'y', deps='cold', message_history=history)
    assert of_system(script.asked[0]) == ['static', 'It is cold.']


@both
def test_a_dynamic_prompt_that_has_nothing_to_say_now(ask: Ask) -> None:
    script = Script('one', 'two')
    agent = agent_with(script, lambda ctx: ctx.deps, True)
    first = ask(agent, 'x', deps='warm')
    ask(agent, 'y', deps='', message_history=first.all_messages())
    assert [of_system(messages) for messages in script.asked] == [['static', 'warm'], ['static']]


@both
def test_each_function_is_called_once(ask: Ask) -> None:
    called: list[str] = []
    script = Script('ok')
    agent = Agent(script.model, system_prompt='static')

    @agent.system_prompt(dynamic=True)
    def now() -> str:
        called.append('x')
        return 'now'

    part = SystemPromptPart('then', dynamic_ref=agent._registry.prompt_functions[0].dynamic_ref)
    history: list[ModelMessage] = [ModelRequest([part, UserPromptPart('a')]), TURNS[1], ModelRequest([part])]
    ask(agent, 'y', message_history=history)
    assert of_system(script.asked[0]) == ['static', 'now', 'now']
    assert called == ['x']


def foreign(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if 'not of the agent' in record.getMessage()]


@both
def test_prompts_of_another_agent_are_logged_once(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(TestModel(), system_prompt='You are B.', name='b')
    for _ in range(3):
        ask(agent, 'x', message_history=said_by('You are A.', 'You are B.'))
    [record] = foreign(caplog)
    assert record.levelno == logging.WARNING
    assert "system prompts (1) that are not of the agent 'b'" in record.getMessage()
    assert 'You are A' not in record.getMessage()  # a prompt may be confidential
    ask(agent, 'x', message_history=said_by('You are C.'))
    assert len(foreign(caplog)) == 2
    ask(Agent(TestModel(), instructions='You are D.'), 'x', message_history=said_by('You are A.'))
    assert len(foreign(caplog)) == 3


@both
def test_an_agent_that_says_nothing_finds_nothing_foreign(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """System prompts in a history are also the way to say them by hand."""
    ask(Agent(TestModel()), 'x', message_history=said_by('You are A.'))
    assert foreign(caplog) == []

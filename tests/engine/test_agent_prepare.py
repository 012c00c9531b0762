"""Tools as `prepare` wants the model to see them, again for each request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call

from syncai.agent import Agent
from syncai.exceptions import UserError
from syncai.models.test import TestModel
from syncai.tools import RunContext, Tool, ToolDefinition


def one() -> str:
    return '1'


@both
def test_prepare(ask: Ask) -> None:
    script = Script(call('one'), call('one'), 'done')
    steps: list[Any] = []

    def once(ctx: RunContext[str], definition: ToolDefinition) -> ToolDefinition | None:
        steps.append((ctx.run_step, ctx.deps))
        return replace(definition, description=f'for {ctx.deps}') if ctx.run_step == 1 else None

    async def never(ctx: RunContext[str], definition: ToolDefinition) -> ToolDefinition | None:
        return None

    def two() -> str:
        return '2'

    agent = Agent(script.model, deps_type=str, tools=[Tool(one, prepare=once), Tool(two, prepare=never)])
    assert ask(agent, 'x', deps='me').data == 'done'
    assert [[tool.description for tool in info.function_tools] for info in script.infos] == [['for me'], [], []]
    assert steps == [(1, 'me'), (2, 'me'), (3, 'me')]
    assert script.last_parts()[0].content == "There is no tool 'one'. The tools are: none."


@pytest.mark.parametrize('wrong', ['text', ToolDefinition(name='other'), True])
@both
def test_prepare_returns_something_else(ask: Ask, wrong: Any) -> None:
    agent = Agent(TestModel(), tools=[Tool(one, prepare=lambda ctx, definition: wrong)])
    with pytest.raises(UserError, match="prepare of tool 'one' must return a ToolDefinition of that name"):
        ask(agent, 'x')


@both
def test_what_prepare_changes_is_of_one_request(ask: Ask) -> None:
    def for_guests(ctx: RunContext[str], definition: ToolDefinition) -> ToolDefinition:
        if ctx.deps == 'guest':
            definition.parameters_json_schema['properties']['name']['description'] = 'for guests'
        return definition

    def greet(name: str) -> str:
        return name

    script = Script('done', 'done')
    agent = Agent(script.model, deps_type=str, tools=[Tool(greet, prepare=for_guests)])
    ask(agent, 'x', deps='guest')
    ask(agent, 'x', deps='staff')
    schemas = [info.function_tools[0].parameters_json_schema['properties']['name'] for info in script.infos]
    assert schemas == [{'type': 'string', 'description': 'for guests'}, {'type': 'string'}]

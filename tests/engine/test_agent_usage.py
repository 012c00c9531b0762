"""Runs within runs: what the inner ones use is counted for the outer one too."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, replace
from typing import Any

import pytest
from agent_faces import Ask, both
from pydantic import TypeAdapter

from syncai.agent import Agent
from syncai.exceptions import UsageLimitExceeded
from syncai.models.test import TestModel
from syncai.tools import RunContext, Tool
from syncai.usage import Usage, UsageLimits

inner = Agent(TestModel(call_tools=[]))
seen: list[Any] = []


def delegate(ctx: RunContext[Any]) -> str:
    return inner.run_sync('x', usage=ctx.usage).data


async def delegate_async(ctx: RunContext[Any]) -> str:
    return (await inner.run('x', usage=ctx.usage)).data


def delegate_stream(ctx: RunContext[Any]) -> str:
    with inner.run_stream_sync('x', usage=ctx.usage) as stream:
        return stream.get_data()


def delegate_deep(ctx: RunContext[Any]) -> str:
    return Agent(TestModel(), tools=[delegate]).run_sync('x', usage=ctx.usage).data


def delegate_many(ctx: RunContext[Any]) -> int:
    return len(list(inner.map_sync(['x', 'y', 'z'], usage=ctx.usage)))


@pytest.mark.parametrize(
    ('tool', 'requests'),
    [(delegate, 3), (delegate_async, 3), (delegate_stream, 3), (delegate_deep, 5), (delegate_many, 5)],
)
@both
def test_what_an_inner_run_uses_is_counted_for_the_outer_one(ask: Ask, tool: Any, requests: int) -> None:
    agent = Agent(TestModel(), tools=[tool])
    alone = ask(Agent(TestModel(), tools=[Tool(str.upper, name='nothing')]), 'x').usage()
    usage = ask(agent, 'x').usage()
    assert usage.requests == requests
    assert usage.total_tokens > alone.total_tokens
    with pytest.raises(UsageLimitExceeded):
        ask(agent, 'x', usage_limits=UsageLimits(request_limit=requests - 1))


def test_tools_side_by_side_lose_nothing() -> None:
    agent = Agent(TestModel(), tools=[Tool(delegate, name=f'tool_{n}', run_in='thread') for n in range(8)])
    assert agent.run_sync('x').usage().requests == 2 + 8


def test_it_is_a_usage_like_any_other() -> None:
    def look(ctx: RunContext[Any]) -> Usage:
        seen[:] = [ctx.usage, replace(ctx.usage, requests=7), asdict(ctx.usage)]
        inner.run_sync('x', usage=seen[1])
        return ctx.usage

    result = Agent(TestModel(), tools=[look]).run_sync('x')
    assert result.data == TypeAdapter(dict[str, Usage]).dump_json({'look': seen[0]}).decode()
    assert seen[1] == Usage(7, seen[0].request_tokens, seen[0].response_tokens, seen[0].total_tokens)
    assert Usage(**seen[2]) == seen[0]
    assert result.usage().requests == 2


@both
def test_runs_that_are_given_a_figure_are_counted_alone(ask: Ask) -> None:
    def remember(ctx: RunContext[Any]) -> str:
        seen[:] = [ctx.usage, pickle.loads(pickle.dumps(ctx.usage)), copy.deepcopy(ctx.usage), ctx.usage + Usage()]
        return inner.run_sync('x', usage=seen[1]).data

    result = ask(Agent(TestModel(), tools=[remember]), 'x')
    assert result.usage().requests == 2
    assert [type(usage) for usage in seen[1:]] == [Usage] * 3
    assert seen == [seen[1]] * 4
    assert len({repr(usage) for usage in seen}) == 1
    assert ask(inner, 'x', usage=seen[0]).usage().requests == 2
    assert result.usage().requests == 2  # the run is over: what it has used stays
    assert type(ask(inner, 'x', usage=seen[0]).usage()) is Usage

"""Options of one run: another type of result, and further tools, by every way to run."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated, Any

import pytest
from agent_faces import Ask, Script, both, call, model_of
from pydantic import BaseModel

from syncai import Agent, ModelRetry, RunContext, Tool, UserError
from syncai._engine import specs_of_runs
from syncai._schema import result_spec
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall


class City(BaseModel):
    name: str


def paris() -> Any:
    return call('final_result', {'name': 'Paris'})


def look(name: str) -> str:
    """Looks at something."""
    return f'seen {name}'


def names(script: Script) -> list[list[str]]:
    """The tools that each request offered."""
    return [[tool.name for tool in (*info.function_tools, *info.result_tools)] for info in script.infos]


# --- the type of the result -------------------------------------------------------------------------------------------


@both
def test_the_type_is_that_of_one_run(ask: Ask) -> None:
    script = Script('text', paris(), call('final_result', {'response': 3}), 'text again')
    agent = Agent(script.model)
    assert ask(agent, 'x').data == 'text'
    assert ask(agent, 'x', result_type=City).data == City(name='Paris')
    assert ask(agent, 'x', result_type=int).data == 3
    assert ask(agent, 'x', result_type=None).data == 'text again'
    assert names(script) == [[], ['final_result'], ['final_result'], []]


@both
def test_an_agent_of_data_may_give_text(ask: Ask) -> None:
    script = Script('text', paris(), 'text', call('final_result_City', {'name': 'Rome'}))
    agent = Agent(script.model, result_type=City)
    assert ask(agent, 'x', result_type=str).data == 'text'
    assert ask(agent, 'x').data == City(name='Paris')
    either = ask(agent, 'x', result_type=str | City)
    assert either.data == 'text'
    assert ask(agent, 'x', result_type=City | list[City]).data == City(name='Rome')
    assert names(script)[3] == ['final_result_City', 'final_result_list_City']


@both
@pytest.mark.parametrize('mode', ['native', 'prompted'])
def test_the_mode_of_the_agent_holds(ask: Ask, mode: Any) -> None:
    script = Script('{"name": "Paris"}', 'text')
    agent = Agent(script.model, result_mode=mode)
    assert ask(agent, 'x', result_type=City).data == City(name='Paris')
    assert ask(agent, 'x').data == 'text'
    assert names(script) == [[], []]


@both
def test_the_name_of_the_result_tool_is_the_agents(ask: Ask) -> None:
    script = Script(call('answer', {'name': 'Paris'}))
    agent = Agent(script.model, result_tool_name='answer', result_tool_description='For numbers.', result_type=int)
    assert ask(agent, 'x', result_type=City).data == City(name='Paris')
    assert script.infos[0].result_tools[0].description != 'For numbers.'


def test_every_way_to_run_takes_the_options(model_server: ModelServer) -> None:
    ways = 8
    model_server.reply(
        *[
            reply
            for _ in range(ways)
            for reply in (
                Reply(tool_calls=[ToolCall('look', {'name': 'x'})]),
                Reply(tool_calls=[ToolCall('final_result', {'name': 'Paris'})]),
            )
        ]
    )
    agent = Agent(model_of(model_server))
    options: Any = {'result_type': City, 'tools': [look]}
    given = [agent.run_sync('x', **options).data, agent.submit('x', **options).result(10).data]
    given += [row.data for row in agent.map_sync(['x'], **options)]
    with agent.run_stream_sync('x', **options) as stream:
        given.append(stream.get_data())
    with agent.run_stream_events_sync('x', **options) as events:
        list(events)
        given.append(events.result.data)

    async def main() -> None:
        given.append((await agent.run('x', **options)).data)
        async with agent.run_stream('x', **options) as stream:
            given.append(await stream.get_data())
        async with agent.run_stream_events('x', **options) as events:
            async for _ in events:
                pass
            given.append(events.result.data)

    asyncio.run(main())
    assert given == [City(name='Paris')] * ways


@pytest.mark.timing
def test_a_type_is_described_once(monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[Any] = []
    real = result_spec

    def counted(result_type: Any, **options: Any) -> Any:
        described.append(result_type)
        return real(result_type, **options)

    monkeypatch.setattr(specs_of_runs, 'result_spec', counted)
    agent = Agent(TestModel(), result_type=int)
    for _ in range(3):
        agent.run_sync('x', result_type=City)
        agent.run_sync('x', result_type=list[City])
        agent.run_sync('x', result_type=int)
    assert described == [City, list[City]]
    unhashable = Annotated[int, ['a list']]
    assert isinstance(agent.run_sync('x', result_type=unhashable).data, int)
    for number in range(100):
        agent.run_sync('x', result_type=type(f'City{number}', (City,), {}))
    assert len(agent._specs._specs) == 64


def test_threads_with_types_of_their_own() -> None:
    agent = Agent(TestModel())
    given: list[Any] = []

    def work(result_type: Any) -> None:
        given.extend((result_type, type(agent.run_sync('x', result_type=result_type).data)) for _ in range(20))

    threads = [threading.Thread(target=work, args=(kind,)) for kind in (int, str, bool, City)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == 80
    assert all(kind is made for kind, made in given)


@both
def test_result_validators_and_another_type(ask: Ask) -> None:
    agent = Agent(
        Script(call('final_result', {'response': 4}), call('final_result', {'response': 3})).model, result_type=int
    )

    @agent.result_validator
    def odd(number: int) -> int:
        if number % 2 == 0:
            raise ModelRetry('An odd one.')
        return number

    with pytest.raises(UserError, match='result_type of a run is not that of the agent, whose result validators'):
        ask(agent, 'x', result_type=City)
    assert ask(agent, 'x', result_type=int).data == 3


@both
def test_what_is_no_type(ask: Ask) -> None:
    agent = Agent(TestModel())
    for wrong in ('City', City(name='x'), [City], look):
        with pytest.raises(UserError, match='result_type is'):
            ask(agent, 'x', result_type=wrong)


# --- tools ------------------------------------------------------------------------------------------------------------


@both
def test_tools_of_one_run(ask: Ask) -> None:
    script = Script(call('look', {'name': 'x'}), call('deps'), 'done', 'done')
    agent = Agent(script.model, deps_type=int)

    @agent.tool_plain
    def own() -> str:
        return 'own'

    def deps(ctx: RunContext[int]) -> int:
        return ctx.deps

    result = ask(agent, 'x', deps=7, tools=[look, Tool(deps)])
    returned = [part.content for m in result.all_messages() for part in m.parts if part.part_kind == 'tool-return']
    assert returned == ['seen x', 7]
    ask(agent, 'x', deps=7)
    assert names(script) == [['own', 'look', 'deps']] * 3 + [['own']]


@both
def test_a_name_is_taken(ask: Ask) -> None:
    agent = Agent(TestModel(), tools=[look])
    with pytest.raises(UserError, match="has a tool 'look' already"):
        ask(agent, 'x', tools=[look])
    with pytest.raises(UserError, match="'final_result' is the name of the tool by which the model gives its result"):
        ask(agent, 'x', tools=[Tool(look, name='final_result')], result_type=City)
    clash = Agent(TestModel(), tools=[Tool(look, name='final_result')])
    with pytest.raises(UserError, match="'final_result' is the name of the tool"):
        ask(clash, 'x', result_type=City)
    assert ask(clash, 'x').data


@both
def test_what_is_no_tool(ask: Ask) -> None:
    agent = Agent(TestModel())
    for wrong in (3, 'look', look):
        with pytest.raises(UserError, match='tools must be a list of functions and Tools'):
            ask(agent, 'x', tools=wrong)
    assert ask(agent, 'x', tools=None).data
    assert ask(agent, 'x', tools=[]).data


def test_a_map_makes_its_tools_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Callable[..., Any]] = []
    real = Tool.__init__

    def counted(self: Any, function: Any, **options: Any) -> None:
        made.append(function)
        real(self, function, **options)

    monkeypatch.setattr(Tool, '__init__', counted)
    rows = list(Agent(TestModel()).map_sync(['a', 'b', 'c'], tools=[look]))
    assert [row.data for row in rows] == ['{"look":"seen a"}'] * 3
    assert made == [look]
    with pytest.raises(UserError, match='tools must be a list'):
        Agent(TestModel()).map_sync(['a'], tools=3)  # type: ignore[call-overload]


# --- elsewhere --------------------------------------------------------------------------------------------------------

TRAVELLER = Agent(TestModel(), instructions='Be kind.')


@pytest.mark.slow
def test_options_travel_to_other_processes() -> None:
    TRAVELLER.run_sync('x', result_type=City)
    assert pickle.loads(pickle.dumps(TRAVELLER)).run_sync('x', result_type=City, tools=[look]).data == City(name='a')
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        rows = TRAVELLER.map_sync(['x', 'y'], executor=pool, result_type=City, tools=[look])
        assert [row.data for row in rows] == [City(name='a')] * 2

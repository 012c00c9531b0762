"""An agent without a name takes that of its variable."""

from __future__ import annotations

import asyncio
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agent_faces import in_async, in_sync

from syncai._engine import naming
from syncai.agent import Agent
from syncai.models.test import TestModel

module_agent = Agent(TestModel())


def test_a_local_variable() -> None:
    support = Agent(TestModel())
    assert support.name is None
    support.run_sync('x')
    assert support.name == 'support'
    assert repr(support) == "Agent(model='test', name='support', result_type=<class 'str'>)"
    renamed = support
    renamed.run_sync('x')
    assert renamed.name == 'support'  # the first run decides


def test_a_variable_of_the_module() -> None:
    assert module_agent.name in (None, 'module_agent')
    module_agent.run_sync('x')
    assert module_agent.name == 'module_agent'


@pytest.mark.parametrize('run', [in_sync, in_async])
def test_a_name_that_is_not_to_be_sought(run: Any) -> None:
    nameless = Agent(TestModel())
    run(nameless, 'x', infer_name=False)
    assert nameless.name is None
    nameless.run_sync('x', infer_name=True)
    assert nameless.name == 'nameless'


def test_a_name_that_was_given() -> None:
    variable = Agent(TestModel(), name='given')
    variable.run_sync('x')
    assert variable.name == 'given'


def stream(agent: Agent[Any, Any]) -> None:
    with agent.run_stream_sync('x') as stream:
        stream.get_data()


def events(agent: Agent[Any, Any]) -> None:
    with agent.run_stream_events_sync('x') as stream:
        list(stream)


async def stream_later(agent: Agent[Any, Any]) -> None:
    async with agent.run_stream('x') as stream:
        await stream.get_data()


@pytest.mark.parametrize(
    'run',
    [
        in_sync,
        in_async,
        stream,
        events,
        lambda agent: asyncio.run(stream_later(agent)),
        lambda agent: agent.submit('x').result(),
        lambda agent: list(agent.map_sync(['x', 'y'])),
    ],
    ids=['sync', 'async', 'stream', 'events', 'async stream', 'submit', 'map'],
)
def test_every_face(run: Any) -> None:
    found = Agent(TestModel())
    if run in (in_sync, in_async):
        run(found, 'x')
    else:
        run(found)
    assert found.name == 'agent'  # what the function that runs it calls it


def test_a_task_of_its_own() -> None:
    """The frames of a task lead to the loop, and from there to who started it."""
    outer_agent = Agent(TestModel())

    async def main() -> None:
        await asyncio.create_task(outer_agent.run('x'))

    asyncio.run(main())
    assert outer_agent.name == 'outer_agent'


def test_a_module_knows_best() -> None:
    known_to_all = module_agent

    def ask(agent: Agent[Any, Any]) -> None:
        agent.name = None
        agent._name_sought = False
        agent.run_sync('x')

    ask(known_to_all)
    assert module_agent.name == 'module_agent'


def test_the_locals_of_the_caller_are_left_alone() -> None:
    class Thing:
        pass

    named = Agent(TestModel())
    thing = Thing()
    known = weakref.ref(thing)
    named.run_sync('x')
    del thing
    assert known() is None  # no snapshot of the frame holds it


def test_the_locals_that_the_caller_asked_for_stay() -> None:
    named = Agent(TestModel())
    kept = locals()
    named.run_sync('x')
    assert named.name == 'named'
    assert kept['named'] is named


class Holder:
    def __init__(self) -> None:
        self.agent = Agent(TestModel())


def test_no_variable_at_all() -> None:
    holder = Holder()
    holder.agent.run_sync('x')
    assert holder.agent.name is None


def test_the_search_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[object] = []

    def search(value: object) -> None:
        searched.append(value)

    monkeypatch.setattr('syncai.agent.variable_name', search)
    holder = Holder()
    for _ in range(3):
        holder.agent.run_sync('x')
    assert searched == [holder.agent]
    assert naming.variable_name(holder) == 'holder'


def test_threads_may_race_for_it() -> None:
    shared = Agent(TestModel())
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(lambda: shared.run_sync('x')) for _ in range(40)]
    assert {future.result().data for future in futures} == {'success (no tool calls)'}
    assert shared.name == 'shared'

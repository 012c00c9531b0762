"""Where the user's functions run, and what they see there: threads, thread-locals and context variables."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from typing import Annotated, Any

import pytest
from agent_faces import Ask, Script, both, call, model_of
from pydantic import AfterValidator, BaseModel, field_validator

from syncai.agent import Agent
from syncai.exceptions import LoopThreadError
from syncai.messages import ModelResponse, TextPart
from syncai.models.function import FunctionModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import RunContext, Tool, ToolDefinition

var: ContextVar[str] = ContextVar('var', default='unset')
local = threading.local()


places: dict[str, set[int]] = {}


def here(name: str) -> None:
    places.setdefault(name, set()).add(threading.get_ident())


@pytest.fixture(autouse=True)
def nowhere() -> None:
    places.clear()


def argument(value: int) -> int:
    here('validator of an argument')
    return value


class Answer(BaseModel):
    number: int

    @field_validator('number')
    @classmethod
    def check(cls, number: int) -> int:
        here('validator of the result type')
        return number


def recording_agent(model: Any) -> Agent[None, Any]:
    def prepare(ctx: RunContext[None], definition: ToolDefinition) -> ToolDefinition:
        here('prepare')
        return definition

    def sync_tool(n: Annotated[int, AfterValidator(argument)]) -> int:
        here('sync tool')
        return n

    async def async_tool(n: Annotated[int, AfterValidator(argument)]) -> int:
        here('async tool')
        return n

    def thread_tool() -> None:
        here('thread tool')

    tools: list[Any] = [Tool(sync_tool, prepare=prepare), async_tool, Tool(thread_tool, run_in='thread')]
    agent: Agent[None, Any] = Agent(model, result_type=Answer, tools=tools)

    @agent.system_prompt
    def prompt() -> str:
        here('system prompt')
        return 'Be brief.'

    @agent.system_prompt
    async def async_prompt() -> str:
        here('async system prompt')
        return 'Be kind.'

    @agent.result_validator
    def validator(data: Answer) -> Answer:
        here('result validator')
        return data

    @agent.result_validator
    async def async_validator(data: Answer) -> Answer:
        here('async result validator')
        return data

    return agent


ASYNC = {'async tool', 'async system prompt', 'async result validator'}


def the_answers() -> tuple[Reply, Reply]:
    calls = [ToolCall('sync_tool', {'n': 1}), ToolCall('async_tool', {'n': 2}), ToolCall('thread_tool')]
    return Reply(tool_calls=calls), Reply(tool_calls=[ToolCall('final_result', {'number': 3})])


def test_the_functions_of_a_sync_caller(model_server: ModelServer) -> None:
    model_server.reply(*the_answers())
    agent = recording_agent(model_of(model_server))
    agent.run_sync('x')
    agent.run_sync('x', model=Script(call('final_result', {'number': 1})).model)
    me = threading.get_ident()
    loop_thread = [t.ident or 0 for t in threading.enumerate() if t.name == 'syncai-loop']
    (worker,) = places.pop('thread tool')
    assert worker not in (me, *loop_thread)
    assert len(places) == 9
    for name, idents in places.items():
        assert idents == (set(loop_thread) if name in ASYNC else {me}), name


def test_the_functions_of_an_async_caller(model_server: ModelServer) -> None:
    model_server.reply(*the_answers())
    agent = recording_agent(model_of(model_server))
    asyncio.run(agent.run('x'))
    me = threading.get_ident()
    loop_thread = [t.ident for t in threading.enumerate() if t.name == 'syncai-loop']
    for name, idents in places.items():
        if name in ASYNC:
            assert idents == {me}, name  # the caller's own loop
        else:
            assert me not in idents, name  # a worker: the loop goes on
            assert not idents & set(loop_thread), name


def test_a_thread_local() -> None:
    local.value = 'of the caller'
    seen = []

    def tool() -> None:
        seen.append(local.value)
        local.value = 'of the tool'

    Agent(Script(call('tool'), 'done').model, tools=[tool]).run_sync('x')
    assert (seen, local.value) == (['of the caller'], 'of the tool')


# --- context variables ------------------------------------------------------------------------------------------------


def appends(mark: str) -> Tool:
    def tool() -> str:
        var.set(f'{var.get()}{mark}')
        return var.get()

    return Tool(tool, name=mark)


def appends_later(mark: str) -> Tool:
    async def tool() -> str:
        await asyncio.sleep(0)
        var.set(f'{var.get()}{mark}')
        return var.get()

    return Tool(tool, name=mark)


def appends_in_thread(mark: str) -> Tool:
    return Tool(appends(mark).function, name=mark, run_in='thread')


def test_context_variables_of_a_sync_run() -> None:
    token = var.set('.')
    try:
        tools = [appends('a'), appends_later('b'), appends_in_thread('c'), appends('d')]
        script = Script(*(call(mark) for mark in 'abcda'), 'done')
        Agent(script.model, tools=tools).run_sync('x')
        seen = [script.last_parts(i)[0].content for i in range(1, 6)]
        assert seen == ['.a', '.ab', '.abc', '.abcd', '.abcda']
        assert var.get() == '.abcda'
    finally:
        var.reset(token)


def test_context_variables_of_an_async_run() -> None:
    tools = [appends('a'), appends_later('b'), appends_in_thread('c'), appends('d')]
    script = Script(*(call(mark) for mark in 'abcda'), 'done')

    async def main() -> str:
        var.set('.')
        await Agent(script.model, tools=tools).run('x')
        return var.get()

    assert asyncio.run(main()) == '.abcda'
    assert [script.last_parts(i)[0].content for i in range(1, 6)] == ['.a', '.ab', '.abc', '.abcd', '.abcda']


def test_sync_tools_of_one_answer_see_what_those_before_them_set() -> None:
    token = var.set('.')
    try:
        tools = [appends('a'), appends('b'), appends('c')]
        script = Script(call('a'), [call('a'), call('b'), call('c')], 'done')
        Agent(script.model, tools=tools).run_sync('x')
        assert [part.content for part in script.last_parts()] == ['.aa', '.aab', '.aabc']
        assert var.get() == '.aabc'
    finally:
        var.reset(token)


@both
def test_what_parallel_calls_set_is_seen_by_the_next(ask: Ask) -> None:
    other: ContextVar[str] = ContextVar('other', default='unset')
    agent: Agent[None, str] = Agent()

    @agent.tool_plain
    async def left() -> None:
        var.set('left')

    @agent.tool_plain(run_in='thread')
    def right() -> None:
        other.set('right')

    @agent.tool_plain
    def look() -> list[str]:
        return [var.get(), other.get()]

    @agent.tool_plain
    async def look_later() -> list[str]:
        return [var.get(), other.get()]

    script = Script([call('left'), call('right')], [call('look'), call('look_later')], 'done')
    ask(agent, 'x', model=script.model)
    assert [part.content for part in script.last_parts()] == [['left', 'right']] * 2


@both
def test_the_callers_variable_is_seen_everywhere(ask: Ask) -> None:
    record: list[str] = []

    def note() -> str:
        record.append(var.get())
        return 'ok'

    async def note_later() -> str:
        return note()

    agent = Agent(
        TestModel(), tools=[note, note_later, Tool(note, name='in_thread', run_in='thread')], system_prompt='x'
    )
    agent.system_prompt(note)
    agent.result_validator(lambda data: note() and data)
    token = var.set('of the caller')
    try:
        ask(agent, 'x')
    finally:
        var.reset(token)
    assert record == ['of the caller'] * 5


# --- runs within runs -------------------------------------------------------------------------------------------------


def test_a_sync_tool_runs_another_agent(model_server: ModelServer) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('delegate')]), Reply(tool_calls=[ToolCall('where')]), Reply('inner'), Reply('outer')
    )
    idents: list[int] = []

    def where() -> str:
        idents.append(threading.get_ident())
        return 'here'

    inner = Agent(model_of(model_server), tools=[where])
    outer: Agent[None, str] = Agent(model_of(model_server))

    @outer.tool_plain
    def delegate() -> str:
        return inner.run_sync('inner?').data

    assert outer.run_sync('outer?').data == 'outer'
    assert idents == [threading.get_ident()]
    assert model_server.requests[3].json['messages'][-1]['content'] == 'inner'


@both
def test_five_agents_deep(ask: Ask) -> None:
    agent: Agent[None, str] = Agent(TestModel(custom_result_text='bottom'))
    for level in range(5):

        def deeper(below: Agent[None, str] = agent) -> str:
            return below.run_sync('x').data

        agent = Agent(Script(call('deeper'), f'level {level}').model, tools=[Tool(lambda f=deeper: f(), name='deeper')])
    assert ask(agent, 'x').data == 'level 4'


@both
def test_an_async_tool_runs_another_agent(ask: Ask) -> None:
    """Sync tools of the inner agent run where those of the outer do."""
    idents: list[int] = []

    def where() -> str:
        idents.append(threading.get_ident())
        return 'here'

    inner = Agent(TestModel(), tools=[where])
    outer = Agent(TestModel(), tools=[where])

    @outer.tool_plain
    async def delegate() -> str:
        return (await inner.run('x')).data

    assert 'here' in ask(outer, 'x').data
    assert len(idents) == 2
    assert (threading.get_ident() in idents) == (ask.__name__ == 'in_sync')


def test_an_async_tool_that_calls_run_sync_is_told_what_to_do() -> None:
    inner = Agent(TestModel())
    outer = Agent(TestModel())

    @outer.tool_plain
    async def wrong() -> str:
        return inner.run_sync('x').data

    with pytest.raises(LoopThreadError, match=r'use the async form.*await agent\.run'):
        outer.run_sync('x')
    assert outer.run_sync('x', model=TestModel(call_tools=[])).data


def test_run_sync_inside_a_running_loop() -> None:
    async def main() -> str:
        return Agent(TestModel(), tools=[appends('a')]).run_sync('x').data

    assert 'a' in asyncio.run(main())


def test_a_function_model_runs_in_the_callers_thread() -> None:
    idents: list[int] = []

    def answer(messages: Any, info: Any) -> ModelResponse:
        idents.append(threading.get_ident())
        return ModelResponse([TextPart('x')])

    Agent(FunctionModel(answer)).run_sync('x')
    assert idents == [threading.get_ident()]

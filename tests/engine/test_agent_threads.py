"""One agent in many threads, and agents that travel between processes."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agent_faces import Script, call, model_of
from pydantic import BaseModel

from syncai._schema import result_spec
from syncai.agent import Agent, capture_run_messages
from syncai.exceptions import (
    AgentRunError,
    DeadlineExceeded,
    ModelRetry,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from syncai.messages import ModelRequest, ModelResponse, TextPart
from syncai.models.function import AgentInfo, FunctionModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall
from syncai.tools import RunContext, Tool, ToolDefinition
from syncai.usage import UsageLimits


class Echo(BaseModel):
    text: str
    deps: int


def twice(ctx: RunContext[int], text: str) -> str:
    """Say it twice."""
    if ctx.retry == 0 and text.endswith('7'):
        raise ModelRetry('again')  # counted for this run alone
    return f'{ctx.deps}:{text}{text}'


async def thrice(ctx: RunContext[int], text: str) -> str:
    await asyncio.sleep(0)
    return f'{ctx.deps}:{text * 3}'


def only_ints(ctx: RunContext[int], definition: ToolDefinition) -> ToolDefinition | None:
    return definition if isinstance(ctx.deps, int) else None


agent = Agent(
    'test', deps_type=int, result_type=Echo, name='echo', retries=1, tools=[Tool(twice, prepare=only_ints), thrice]
)


@agent.system_prompt(dynamic=True)
def the_prompt(ctx: RunContext[int]) -> str:
    return f'deps {ctx.deps}'


@agent.result_validator
def the_check(ctx: RunContext[int], data: Echo) -> Echo:
    if data.deps != ctx.deps:
        raise AssertionError(f'{data.deps} is the result of another run than {ctx.deps}')
    return data


def scripted(request: RecordedRequest) -> Reply:
    """Answers by what the conversation holds, so that the answer of another run would be noticed."""
    messages = request.json['messages']
    text = next(m['content'] for m in messages if m['role'] == 'user')
    returned = [m['content'] for m in messages if m['role'] == 'tool']
    if not returned:
        calls = [ToolCall(name, {'text': text}, f'{name}-{text}') for name in ('twice', 'thrice')]
        return Reply(tool_calls=calls)
    if any('again' in content for content in returned) and len(returned) == 2:
        return Reply(tool_calls=[ToolCall('twice', {'text': text}, f'again-{text}')])
    deps = int(messages[0]['content'].removeprefix('deps '))
    return Reply(tool_calls=[ToolCall('final_result', {'text': returned[-1], 'deps': deps})])


def in_a_row(number: int, runs: int, options: dict[str, Any], barrier: threading.Barrier) -> list[str]:
    """The problems of a thread's runs."""
    barrier.wait(10)
    wrong = []
    for run in range(runs):
        deps, text = number * 1000 + run, f't{number}r{run}'
        try:
            with capture_run_messages() as messages:
                if number % 2:
                    with agent.override(deps=deps, model=options['model']):
                        result = agent.run_sync(text, deps=-1)
                else:
                    result = agent.run_sync(text, deps=deps, **options)
            last = f'{deps}:{text * (2 if text.endswith("7") else 3)}'
            if result.data != Echo(text=last, deps=deps) or messages != result.all_messages():
                wrong.append(f'{text}: {result.data}')
        except Exception as error:
            wrong.append(f'{text}: {error!r}')
    return wrong


@pytest.mark.slow
def test_eight_threads_share_an_agent() -> None:
    """800 runs of two or three requests each."""
    threads, runs = 8, 100
    with ModelServer(scripted, process=True) as server, ThreadPoolExecutor(threads) as pool:
        barrier = threading.Barrier(threads)
        options = {'model': model_of(server)}
        futures = [pool.submit(in_a_row, n, runs, options, barrier) for n in range(threads)]
        assert [wrong for future in futures for wrong in future.result()] == []
        retried = sum(text.endswith('7') for n in range(threads) for text in (f't{n}r{r}' for r in range(runs)))
        assert len(server.requests) == threads * runs * 2 + retried


@pytest.mark.slow
def test_one_agent_on_several_loops_and_threads_at_once(model_server: ModelServer) -> None:
    with ModelServer(scripted) as server:
        model = model_of(server)

        async def many(first: int) -> list[int]:
            results = await asyncio.gather(*(agent.run(f'x{n}', deps=n, model=model) for n in range(first, first + 20)))
            return [result.data.deps for result in results]

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda first: asyncio.run(many(first)), range(0, 80, 20)))
    assert sorted(n for numbers in found for n in numbers) == list(range(80))


def test_override_is_of_its_context() -> None:
    shared = Agent(TestModel(custom_result_text='own'))
    inside, checked = threading.Event(), threading.Event()
    found: list[str] = []

    def other() -> None:
        assert inside.wait(5)
        found.append(shared.run_sync('x').data)
        checked.set()

    thread = threading.Thread(target=other)
    thread.start()
    with shared.override(model=TestModel(custom_result_text='overridden')):
        inside.set()
        assert checked.wait(5)
        assert shared.run_sync('x').data == 'overridden'
        assert shared.run_sync('x', model='test').data == 'overridden'  # it goes over what a run asks for
        with shared.override(model=TestModel(custom_result_text='innermost')):
            assert shared.run_sync('x').data == 'innermost'
    thread.join()
    assert found == ['own']
    assert shared.run_sync('x').data == 'own'


def test_override_reaches_the_tools_of_other_agents() -> None:
    inner = Agent('openai:gpt-5.4-mini')
    outer = Agent(TestModel())

    @outer.tool_plain
    async def delegate() -> str:
        return (await inner.run('x')).data

    with inner.override(model=TestModel(custom_result_text='replaced')):
        assert outer.run_sync('x').data == '{"delegate":"replaced"}'


# --- travelling -------------------------------------------------------------------------------------------------------


def answer(messages: Any, info: AgentInfo) -> ModelResponse:
    if info.function_tools and len(messages) == 1:
        return ModelResponse([call('twice', {'text': 'a'})])
    returned = messages[-1].parts[0].content
    return ModelResponse([call('final_result', {'text': returned, 'deps': 5})])


def more() -> str:
    return ''


@pytest.mark.parametrize('way', [lambda a: pickle.loads(pickle.dumps(a)), copy.copy, copy.deepcopy])
def test_an_agent_travels(way: Any, model_server: ModelServer) -> None:
    there = way(agent)
    assert there is not agent
    result = there.run_sync('x', deps=5, model=FunctionModel(answer))
    assert result.data == Echo(text='5:aa', deps=5)
    assert result.all_messages()[0].parts[0].content == 'deps 5'
    assert (there.name, there.deps_type, repr(there)) == ('echo', int, repr(agent))

    there.tool_plain(more)
    assert set(agent._registry.tools) == {'twice', 'thrice'}
    assert set(there._registry.tools) == {'twice', 'thrice', 'more'}


@pytest.mark.parametrize(
    'made',
    [
        Agent('test', result_type=Echo | None, result_mode='prompted', usage_limits=UsageLimits(request_limit=3)),
        Agent('test', system_prompt=['a', 'b'], end_strategy='exhaustive', model_settings={'temperature': 0.5}),
        Agent(FunctionModel(answer), result_type=list[Echo], result_tool_name='give', result_tool_description='Give.'),
        Agent('openai:gpt-5.4-mini'),
    ],
)
def test_every_argument_travels(made: Agent[Any, Any]) -> None:
    there = pickle.loads(pickle.dumps(made))
    for name, value in vars(made).items():
        if name not in ('_registry', '_model_or_name', '_spec', '_specs'):
            assert getattr(there, name) == value, name
    assert there._registry.system_prompts == made._registry.system_prompts
    assert there._spec.tools.keys() == made._spec.tools.keys()
    assert there._spec.native_schema() == made._spec.native_schema() if made._spec.tools else True


def test_a_model_over_http_travels(model_server: ModelServer) -> None:
    model_server.reply(Reply('here'))
    there = pickle.loads(pickle.dumps(Agent(model_of(model_server))))
    assert there.run_sync('x').data == 'here'
    assert 'secret-key' not in repr(there)


def test_what_surrounds_an_agent_stays() -> None:
    with agent.override(model=FunctionModel(answer), deps=5), capture_run_messages() as messages:
        there = pickle.loads(pickle.dumps(agent))
        assert there.model.model_name == 'test'
        with pytest.raises(UserError, match='deps must be of the type int'):
            there.run_sync('x')
    assert messages == []


def test_results_and_tools_travel() -> None:
    result = agent.run_sync('x', deps=5, model=FunctionModel(answer))
    there = pickle.loads(pickle.dumps(result))
    assert there == result
    assert there.all_messages(result_tool_return_content='ok')[-1].parts[0].content == 'ok'
    assert copy.deepcopy(result) == result
    tool = pickle.loads(pickle.dumps(Tool(twice, name='two', retries=4, prepare=only_ints, strict=True)))
    assert (tool.name, tool.retries, tool.prepare, tool.definition.strict) == ('two', 4, only_ints, True)
    spec = pickle.loads(pickle.dumps(result_spec(Echo | str, tool_name='give')))
    assert spec.tools['give'].validate('{"text": "a", "deps": 1}') == Echo(text='a', deps=1)


def failures(server: ModelServer) -> list[AgentRunError]:
    """One error of each kind that a run ends with."""
    bad = call('final_result', {'text': 1})
    server.reply(Reply(status=401), Reply(status=500, ending='done'), Reply(finish_reason='content_filter'))
    http = model_of(server, http=HttpOptions(max_retries=0))
    runs: list[tuple[Any, dict[str, Any]]] = [
        (Script(bad, bad).model, {}),
        (Script(bad).model, {'usage_limits': UsageLimits(request_limit=0)}),
        (http, {}),
        (http, {}),
        (http, {}),
        (Script(call('thrice', {'text': 'x'})).model, {'usage_limits': UsageLimits(tool_calls_limit=0)}),
    ]
    errors = []
    for model, options in runs:
        with pytest.raises(AgentRunError) as caught:
            agent.run_sync('x', deps=5, model=model, **options)
        errors.append(caught.value)
    return errors


def test_errors_travel(model_server: ModelServer) -> None:
    errors = failures(model_server)
    assert [type(error).__name__ for error in errors] == [
        'UnexpectedModelBehavior',
        'UsageLimitExceeded',
        'AuthenticationError',
        'ServerError',
        'ContentFilterError',
        'UsageLimitExceeded',
    ]
    for error in errors:
        for there in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(there) is type(error)
            assert str(there) == str(error)
            assert there.messages == error.messages
            assert there.messages
            assert isinstance(there.messages[0], ModelRequest)
            assert vars(there).keys() == vars(error).keys()
    assert isinstance(errors[0], UnexpectedModelBehavior)
    assert isinstance(errors[1], UsageLimitExceeded)


def test_a_missed_deadline_travels(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=5))
    with pytest.raises(DeadlineExceeded) as caught:
        Agent(model_of(model_server)).run_sync('x', timeout=0.05)
    there = pickle.loads(pickle.dumps(caught.value))
    assert (there.phase, there.limit, str(there)) == ('model request', 0.05, str(caught.value))
    assert there.messages == caught.value.messages


def test_answers_of_a_thread_that_ended_stay_usable() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(Agent(TestModel()).run_sync('x')))
    thread.start()
    thread.join()
    (result,) = found
    assert Agent(TestModel()).run_sync('y', message_history=result.all_messages()).data
    assert result.response.parts == [TextPart(result.data)]

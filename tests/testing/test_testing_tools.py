"""The tools for a program's own tests: a server in place of the providers, overrides in all threads, functions as
models.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncai import Agent, ModelRequest, RunContext, model_request_sync, models
from syncai.exceptions import UserError
from syncai.messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart, ThinkingPart, ToolCallPart
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.fallback import FallbackModel
from syncai.models.function import AgentInfo, FunctionModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('Hi')]

# As a program has it: at module level, made before any test, with a key in the environment.
SECRET = 'sk-of-the-environment'
shop = Agent(OpenAIChatModel('gpt-5.4-mini', api_key=SECRET))


def answer_of_the_program() -> str:
    return shop.run_sync('Hi').data


@pytest.mark.parametrize('number', [1, 2])
def test_each_test_has_a_server_of_its_own_behind_the_same_agent(model_server: ModelServer, number: int) -> None:
    model_server.reply(Reply(f'answer {number}'))
    assert answer_of_the_program() == f'answer {number}'
    [request] = model_server.requests
    assert (request.path, request.json['model']) == ('/v1/chat/completions', 'gpt-5.4-mini')
    assert SECRET not in str(request.headers)


def test_the_server_stands_in_in_all_threads(model_server: ModelServer) -> None:
    model_server.reply(*(Reply('from a thread') for _ in range(4)))
    with ThreadPoolExecutor(4) as pool:
        assert [f.result() for f in [pool.submit(answer_of_the_program) for _ in range(4)]] == ['from a thread'] * 4


@pytest.mark.parametrize(
    ('make', 'path'),
    [
        (lambda: 'openai:gpt-5.4-mini', '/v1/chat/completions'),
        (lambda: 'anthropic:claude-haiku-4-5', '/v1/messages'),
        (lambda: 'google:gemini-flash-latest', '/v1/models/gemini-flash-latest:generateContent'),
        (lambda: 'google-vertex:gemini-flash-latest', '/v1/models/gemini-flash-latest:generateContent'),
        (lambda: 'bedrock:amazon.nova-pro-v1:0', '/v1/model/amazon.nova-pro-v1%3A0/converse'),
        (lambda: AnthropicModel('claude-haiku-4-5', api_key=SECRET), '/v1/messages'),
        (lambda: GoogleModel('gemini-flash-latest', api_key=SECRET), '/v1/models/gemini-flash-latest:generateContent'),
        (lambda: OpenAIResponsesModel('gpt-5.4-mini', api_key=lambda: SECRET), '/v1/responses'),
        (lambda: BedrockModel('m', region='us-east-1', api_key=SECRET), '/v1/model/m/converse'),
        (lambda: FallbackModel(OpenAIChatModel('m', api_key=SECRET), TestModel()), '/v1/chat/completions'),
    ],
)
def test_each_provider_is_asked_in_its_own_format_and_without_a_key(
    model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any], path: str
) -> None:
    for name in ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY', 'AWS_REGION'):
        monkeypatch.delenv(name, raising=False)
    model_server.reply(Reply('one'), Reply('two'))
    assert Agent().run_sync('Hi', model=make()).data == 'one'
    assert model_request_sync(make(), HELLO).text == 'two'
    assert {request.path.partition('?')[0] for request in model_server.requests} == {path}
    assert SECRET not in str([(request.headers, request.path) for request in model_server.requests])


def test_models_that_a_test_put_there_stay(model_server: ModelServer) -> None:
    assert Agent(TestModel(custom_result_text='made up')).run_sync('Hi').data == 'made up'
    assert Agent('test').run_sync('Hi').data == 'success (no tool calls)'
    with ModelServer(Reply('another')) as other:
        assert Agent(OpenAIChatModel('m', base_url=other.base_url)).run_sync('Hi').data == 'another'
    with shop.override(model=FunctionModel(lambda messages, info: 'by a function')):
        assert answer_of_the_program() == 'by a function'
    assert not model_server.requests
    with pytest.raises(UserError, match='Unknown provider'):
        model_request_sync('opnai:x', HELLO)


def test_a_server_on_loopback_may_be_asked_where_no_provider_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, 'ALLOW_MODEL_REQUESTS', False)
    with ModelServer(Reply('local')) as server:
        assert model_request_sync(OpenAIChatModel('m', base_url=server.base_url), HELLO).text == 'local'
    with pytest.raises(UserError, match='ALLOW_MODEL_REQUESTS'):
        answer_of_the_program()


# --- override ---------------------------------------------------------------------------------------------------------


def in_a_thread(call: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:  # which has a context of its own
        return pool.submit(call).result(10)


def says(text: str) -> TestModel:
    return TestModel(custom_result_text=text)


def test_an_override_for_all_threads_ends_with_its_block() -> None:
    agent = Agent(says('itself'))

    def data() -> str:
        return agent.run_sync('x').data

    with agent.override(model=says('replaced')):
        assert (data(), in_a_thread(data)) == ('replaced', 'itself')
        with agent.override(model=says('everywhere'), all_threads=True):
            assert (data(), in_a_thread(data)) == ('everywhere', 'everywhere')
            with agent.override(model=says('here')):
                assert (data(), in_a_thread(data)) == ('here', 'everywhere')
        assert (data(), in_a_thread(data)) == ('replaced', 'itself')
    with pytest.raises(UserError, match='all_threads must be True or False'), agent.override(all_threads=1):  # type: ignore[arg-type]
        pass


def test_overrides_of_several_threads_do_not_undo_each_other() -> None:
    agent, first_in, second_in, first_out = Agent(says('itself')), *(threading.Event() for _ in range(3))

    def first() -> None:
        with agent.override(model=says('first'), all_threads=True):
            first_in.set()
            assert second_in.wait(10)
        first_out.set()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(first)
        assert first_in.wait(10)
        with agent.override(model=says('second'), all_threads=True):
            second_in.set()
            assert first_out.wait(10)
            assert in_a_thread(lambda: agent.run_sync('x').data) == 'second'
        done.result(10)
    assert agent.run_sync('x').data == 'itself'


def test_dependencies_are_overridden_in_all_threads() -> None:
    agent = Agent(TestModel(), deps_type=int)
    seen: list[int] = []

    @agent.tool
    def look(ctx: RunContext[int]) -> str:
        seen.append(ctx.deps)
        return 'x'

    with agent.override(deps=7, all_threads=True):
        in_a_thread(lambda: agent.run_sync('x', deps=1))
    assert seen == [7]


# --- functions as models ----------------------------------------------------------------------------------------------


def test_one_function_serves_both_ways_of_asking() -> None:
    agent = Agent(FunctionModel(lambda messages, info: 'a text of five words'))
    assert agent.run_sync('x').data == 'a text of five words'
    with agent.run_stream_sync('x') as stream:
        assert list(stream.stream_text(delta=True, debounce_by=None)) == ['a ', 'text ', 'of ', 'five ', 'words']


def test_a_whole_answer_is_streamed_with_all_that_it_holds() -> None:
    parts: list[ModelResponsePart] = [
        ThinkingPart('I think so', id='r1', signature='signed', provider_name='p'),
        TextPart('Let me look.'),
        ToolCallPart('look', {'n': 1}, 'c1'),
    ]

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts) if len(messages) == 1 else ModelResponse([TextPart('Done')])

    agent = Agent(FunctionModel(answer))

    @agent.tool_plain
    def look(n: int) -> str:
        return f'seen {n}'

    with agent.run_stream_sync('x') as stream:
        assert stream.get_data() == 'Done'
        streamed = stream.all_messages()
    whole = agent.run_sync('x').all_messages()
    assert [message.parts for message in streamed if isinstance(message, ModelResponse)] == [
        message.parts for message in whole if isinstance(message, ModelResponse)
    ]
    assert streamed[1].parts == parts


def test_a_generator_in_the_wrong_place_names_the_right_one() -> None:
    def pieces(messages: list[ModelMessage], info: AgentInfo) -> Any:
        yield 'a'

    with pytest.raises(UserError, match=r'is a generator: pass it as FunctionModel\(stream_function=\.\.\.\)'):
        Agent(FunctionModel(pieces)).run_sync('x')


def test_a_context_is_made_of_what_a_function_looks_at() -> None:
    def look(ctx: RunContext[dict[str, str]]) -> str:
        return ctx.deps['city']

    assert look(RunContext(deps={'city': 'Paris'})) == 'Paris'
    bare: RunContext[None] = RunContext()
    assert (bare.deps, bare.usage.requests, list(bare.messages), bare.retry) == (None, 0, [], 0)

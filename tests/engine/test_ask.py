"""One line from a prompt to a value, and which model is asked where none is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import syncai
from syncai import Agent, ModelRetry, UserError, ask
from syncai.exceptions import MissingKeyError
from syncai.models._catalog.known_names import KNOWN_MODEL_NAMES
from syncai.models._route.choice import MODEL_OF_KEY
from syncai.models.fallback import FallbackModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall


class City(BaseModel):
    city: str
    country: str


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('SYNCAI_MODEL', *MODEL_OF_KEY):
        monkeypatch.delenv(name, raising=False)


def test_a_text(server: ModelServer) -> None:
    server.reply(Reply('Paris.'))
    model = OpenAIChatModel('m', base_url=server.base_url)
    assert syncai.ask('Capital of France?', model=model) == 'Paris.'
    [request] = server.requests
    assert request.json['messages'] == [{'role': 'user', 'content': 'Capital of France?'}]


def test_a_type_and_options(server: ModelServer) -> None:
    server.reply(Reply(tool_calls=[ToolCall('final_result', {'city': 'London', 'country': 'UK'})]))
    model = OpenAIChatModel('m', base_url=server.base_url)
    city = ask('Olympics 2012?', City, model=model, model_settings={'temperature': 0}, instructions='Be brief.')
    assert city == City(city='London', country='UK')
    body = server.requests[0].json
    assert body['temperature'] == 0
    assert body['messages'][0] == {'role': 'system', 'content': 'Be brief.'}


def test_tools_run_in_the_thread_of_the_caller() -> None:
    def look(city: str) -> str:
        if city:
            return 'sunny'
        raise ModelRetry('Which city?')

    assert ask('Weather?', model=TestModel(), tools=[look]) == '{"look":"sunny"}'


@pytest.mark.parametrize('way', ['ask', 'agent'])
def test_the_variable_names_the_model(way: str, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNCAI_MODEL', ' openai:gpt-99 ')
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-1')
    monkeypatch.setenv('OPENAI_BASE_URL', server.base_url)
    server.reply(Reply('fine'))
    assert (ask('x') if way == 'ask' else Agent().run_sync('x').data) == 'fine'
    assert server.requests[0].json['model'] == 'gpt-99'


@pytest.mark.parametrize('way', ['ask', 'agent'])
def test_else_the_first_provider_whose_key_is_set(
    way: str, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', '  ')  # set to nothing, as in files of variables
    monkeypatch.setenv('MISTRAL_API_KEY', 'key-of-mistral')
    monkeypatch.setenv('GROQ_API_KEY', 'key-of-groq')
    monkeypatch.setenv('GROQ_BASE_URL', server.base_url)
    server.reply(Reply('fine'))
    assert (ask('x') if way == 'ask' else Agent().run_sync('x').data) == 'fine'
    assert server.requests[0].headers['authorization'] == 'Bearer key-of-groq'


def test_else_an_error_that_says_both() -> None:
    for call in (lambda: ask('x'), lambda: Agent().run_sync('x'), lambda: next(Agent().map_sync(['x']))):
        with pytest.raises(UserError, match=r'model=.*SYNCAI_MODEL.*OPENAI_API_KEY') as caught:
            call()
        assert '\n' not in str(caught.value)


def test_the_model_in_the_place_of_the_prompt() -> None:
    with pytest.raises(UserError, match='The prompt comes first'):
        ask('openai:gpt-5.4-mini', 'Capital of France?')  # type: ignore[call-overload]


def test_a_wrong_name_in_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNCAI_MODEL', 'opnai:gpt-5.4-mini')
    with pytest.raises(UserError, match="'openai'"):
        ask('x')


def test_the_models_of_the_keys_are_known() -> None:
    assert set(MODEL_OF_KEY.values()) <= set(KNOWN_MODEL_NAMES)


def test_a_model_is_chosen_anew_for_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNCAI_MODEL', 'test')
    assert ask('x') == 'success (no tool calls)'
    monkeypatch.delenv('SYNCAI_MODEL')
    with pytest.raises(UserError, match='SYNCAI_MODEL'):
        ask('x')


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'remedy'),
    [
        ('openai:gpt-5.4-mini', "OPENAI_API_KEY, or write OpenAIChatModel('gpt-5.4-mini', api_key=...)"),
        ('openai-responses:gpt-5.5', "OpenAIResponsesModel('gpt-5.5', api_key=...)"),
        ('claude-sonnet-5-5', "ANTHROPIC_API_KEY, or write AnthropicModel('claude-sonnet-5-5', api_key=...)"),
        ('google:gemini-flash-latest', "GoogleModel('gemini-flash-latest', api_key=...)"),
        ('groq:openai/gpt-oss-20b', "OpenAIChatModel('openai/gpt-oss-20b', provider='groq', api_key=...)"),
    ],
)
def test_the_key_is_looked_for_at_the_first_run(name: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(name)
    with pytest.raises(MissingKeyError, match=re.escape(remedy)):
        agent.run_sync('x')
    with pytest.raises(MissingKeyError, match=re.escape(remedy)):
        Agent(FallbackModel(name, 'test')).run_sync('x')


def test_a_key_that_is_set_later_and_an_address(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent('openai:gpt-5.4-mini')
    both = Agent(FallbackModel('openai:gpt-5.4-mini', 'test'))
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-later')
    monkeypatch.setenv('OPENAI_BASE_URL', server.base_url)
    for _ in range(2):
        server.reply(Reply('fine'))
    assert (agent.run_sync('x').data, both.run_sync('x').data) == ('fine', 'fine')
    assert {r.headers['authorization'] for r in server.requests} == {'Bearer sk-later'}


def test_what_else_the_environment_must_say_is_looked_for_at_the_first_run() -> None:
    for name in ('azure:my-deployment', 'google-vertex:gemini-3.7-flash'):
        agent = Agent(name)
        with pytest.raises(UserError, match='needs'):
            agent.run_sync('x')


def test_a_wrong_name_is_an_error_where_it_is_written() -> None:
    for name in ('opnai:gpt-5.4-mini', 'openai:', 'gpt', ''):
        with pytest.raises(UserError):
            Agent(name)
        with pytest.raises(UserError):
            FallbackModel('test', name)
        with pytest.raises(UserError):
            Agent().model = name


def test_the_model_of_an_agent() -> None:
    assert Agent().model is None
    assert isinstance(Agent('test').model, TestModel)
    agent = Agent('openai:gpt-5.4-mini')
    assert repr(agent) == "Agent(model='openai:gpt-5.4-mini', name=None, result_type=<class 'str'>)"
    with pytest.raises(MissingKeyError):
        agent.model  # noqa: B018
    agent.model = model = TestModel()
    assert agent.model is model


def test_a_run_without_a_key_names_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=re.escape("Agent(OpenAIChatModel('gpt-5.4-mini', api_key=...)")) as caught:
        Agent('openai:gpt-5.4-mini', api_key='sk-secret')  # type: ignore[call-arg]
    assert 'sk-secret' not in str(caught.value)
    with pytest.raises(UserError, match=re.escape("AnthropicModel('claude-sonnet-5-5', base_url=...)")):
        Agent(model='claude-sonnet-5-5', base_url='http://localhost:1')  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ('name', 'value', 'remedy'),
    [
        ('OPENAI_KEY', 'sk-1', 'OPENAI_KEY is set: it must be called OPENAI_API_KEY'),
        ('CLAUDE_API_KEY', 'sk-1', 'CLAUDE_API_KEY is set: it must be called ANTHROPIC_API_KEY'),
        ('openai_api_key', 'sk-1', 'openai_api_key is set: it must be called OPENAI_API_KEY'),
        ('OPENAI_API_KEY', ' ', 'OPENAI_API_KEY is set, and empty'),
        (
            'SYNCAI_MODEL',
            'claude',
            "variable SYNCAI_MODEL: Model 'claude' names a provider and no model",
        ),
        ('SYNCAI_MODEL', '"openai:gpt-4o"', "write 'openai:gpt-4o' without them"),
        ('SYNCAI_MODEL', 'openai::gpt-4o', "write 'openai:gpt-4o'"),
        ('SYNCAI_MODEL', 'opnai:gpt-4o', "Did you mean 'openai'"),
    ],
)
def test_what_was_almost_set(name: str, value: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=re.escape(remedy)) as caught:
        ask('x')
    assert '\n' not in str(caught.value)
    assert 'sk-1' not in str(caught.value)


def test_a_file_of_variables_that_nothing_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / '.env').write_text('OPENAI_API_KEY=sk-1\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match='load_dotenv'):
        ask('x')


@pytest.mark.parametrize('key', ['$OPENAI_API_KEY', '<your key>'])
def test_a_placeholder_is_no_key(key: str) -> None:
    with pytest.raises(UserError, match='is a placeholder'):
        ask('x', model=OpenAIChatModel('m', api_key=key))

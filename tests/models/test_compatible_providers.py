"""The providers that speak Chat Completions: each row of the table, and that one more of them is data alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from compatible_bodies import HELLO, body_of, dropped

from syncai._providers.changes import ChatChanges
from syncai._providers.dialect import ChatDialect
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import MissingKeyError, UserError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, infer_model
from syncai.models._catalog.providers import PROVIDERS, Provider, for_model
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import ToolDefinition

CHAT = [row for row in PROVIDERS.values() if row.wire == 'openai-chat']
TOOL = ToolDefinition(name='f', parameters_json_schema={'type': 'object', 'properties': {}})
OTHER = replace(TOOL, name='g')
KEY = 'sk-not-a-real-key'


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        for variable in (*provider.key_variables, *provider.base_url_variables, 'OPENAI_API_VERSION'):
            monkeypatch.delenv(variable, raising=False)


# --- every row --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('row', CHAT, ids=lambda row: row.name)
def test_every_provider_answers(row: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, streamed or not, thoughts, tools, and a conversation that began elsewhere, by name alone."""
    begun: list[ModelMessage] = [
        ModelRequest.user_text_prompt('weather?'),
        ModelResponse(
            [ThinkingPart('hm', signature='s', provider_name='other'), ToolCallPart('f', {'a': 1}, 'toolu_01')],
            provider_name='other',
        ),
        ModelRequest([ToolReturnPart('f', '4 degrees', 'toolu_01'), UserPromptPart('and now?')]),
    ]
    parameters = ModelRequestParameters(function_tools=[TOOL])
    replies = [Reply('Hi', usage=(3, 1)), Reply('Hi', thinking='hm'), Reply(tool_calls=[ToolCall('f', {'a': 1})])]
    with ModelServer(replies) as server:
        monkeypatch.setenv(row.base_url_variables[0], server.base_url)
        monkeypatch.setenv(row.key_variables[0], KEY)
        model = infer_model(f'{row.name}:some-model')
        assert model_request_sync(model, HELLO).usage.total_tokens == 4
        with model_request_stream_sync(model, HELLO) as stream:
            list(stream)
            assert (stream.get().text, stream.get().thinking) == ('Hi', 'hm')
        answer = model_request_sync(model, begun, model_request_parameters=parameters)
    assert [(call.tool_name, call.args_as_dict()) for call in answer.tool_calls] == [('f', {'a': 1})]
    assert (model.system, model.model_name) == (row.name, 'some-model')
    sent = server.requests[2]
    bearer = row.key_header == 'authorization'
    assert sent.headers[row.key_header] == (f'Bearer {KEY}' if bearer else KEY)
    call, returned = sent.json['messages'][1]['tool_calls'][0], sent.json['messages'][2]
    assert call['id'] == returned['tool_call_id']
    assert 'hm' not in json.dumps(sent.json['messages'])  # nobody gets the thoughts of another


TENTH = Provider(
    name='tenth',
    title='The Tenth',
    key_variables=('TENTH_KEY',),
    key_header='x-tenth-key',
    base_url_variables=('TENTH_URL',),
    variants={'old-*': {'system_role': 'user', 'unsupported_settings': frozenset({'seed'})}},
    headers={'x-from': 'syncai'},
    chat=ChatDialect(
        max_tokens_field='limit',
        supports_forced_tool_choice=False,
        effort_path=('thoughts', 'amount'),
        setting_names={'seed': 'dice'},
    ),
)


def test_a_further_provider_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDERS, 'tenth', TENTH)
    settings: Any = {'max_tokens': 5, 'seed': 7, 'thinking': 'low', 'extra_body': {'x': 1}}
    with pytest.raises(UserError, match=r'The Tenth needs an address: .* set TENTH_URL'):
        infer_model('tenth:a')
    with ModelServer([Reply('one', usage=(1, 2)), Reply('two')]) as server:
        monkeypatch.setenv('TENTH_URL', server.base_url)
        monkeypatch.setenv('TENTH_KEY', KEY)
        assert model_request_sync('tenth:new-1', HELLO, model_settings=settings).text == 'one'
        asked = [ModelRequest.user_text_prompt('q', instructions='be brief')]
        with model_request_stream_sync('tenth:old-1', asked, model_settings=settings) as stream:
            assert list(stream) != []
        assert stream.get().provider_name == 'tenth'
    new, old = server.requests
    assert new.json == {
        'model': 'new-1',
        'messages': [{'role': 'user', 'content': 'hello'}],
        'thoughts': {'amount': 'low'},
        'limit': 5,
        'dice': 7,
        'stream': False,
        'x': 1,
    }
    assert (new.headers['x-tenth-key'], new.headers['x-from']) == (KEY, 'syncai')
    assert 'dice' not in old.json
    assert old.json['messages'][0] == {'role': 'user', 'content': 'be brief'}
    with pytest.raises(UserError, match="Did you mean 'tenth'"):
        infer_model('tehth:x')


def test_every_row_can_be_reached_and_paid() -> None:
    for row in CHAT:
        assert row.deployments or row.default_base_url
        assert row.key_variables
        assert row.base_url_variables
        if row.needs_key and not row.deployments:
            with pytest.raises(MissingKeyError, match=row.key_variables[0]):
                OpenAIChatModel('m', provider=row.name)
            assert str(row.default_base_url).startswith('https://')
        for pattern in row.variants:
            for_model(row, pattern.replace('*', 'x'))  # the names of the changes are fields


def test_the_documentation_has_every_row() -> None:
    document = (Path(__file__).parent.parent.parent / 'docs' / 'models.md').read_text()
    for row in CHAT:
        line = next((line for line in document.splitlines() if line.startswith(f'| `{row.name}` |')), None)
        assert line is not None, f'the table of docs/models.md has no line for {row.name}'
        texts = (row.key_variables[0], row.base_url_variables[0], row.default_base_url or '')
        assert [text for text in texts if text not in line] == []


def test_a_provider_that_is_gone_says_so() -> None:
    gone = r'GitHub Models ended on 2026-07-30.*openai:gpt'
    with pytest.raises(UserError, match=gone):
        infer_model('github:openai/gpt-4o')
    with pytest.raises(UserError, match=gone):
        OpenAIChatModel('openai/gpt-4o', provider='github', api_key=KEY)


# --- Azure ------------------------------------------------------------------------------------------------------------


def azure(base_url: str | None, name: str = 'my-gpt', **more: Any) -> str:
    model = OpenAIChatModel(name, provider='azure', base_url=base_url, api_key=KEY, **more)
    return f'{model.base_url}{model._path(stream=False)}'


RESOURCE = 'https://res.openai.azure.com'
V1 = f'{RESOURCE}/openai/v1/chat/completions'
CLASSIC = f'{RESOURCE}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21'


@pytest.mark.parametrize('path', ['', '/', '/openai', '/openai/v1', '/openai/v1/', '/openai/v1/chat/completions'])
def test_azure_in_the_v1_form(path: str) -> None:
    assert azure(f'{RESOURCE}{path}') == V1


@pytest.mark.parametrize('path', ['', '/', '/openai', '/openai/deployments/my-gpt', '/openai/deployments/my-gpt/'])
def test_azure_in_the_form_with_a_version(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert azure(f'{RESOURCE}{path}', api_version='2024-10-21') == CLASSIC
    monkeypatch.setenv('OPENAI_API_VERSION', '2024-10-21')
    assert azure(f'{RESOURCE}{path}') == CLASSIC
    assert azure(f'{RESOURCE}/openai/v1') == V1


def test_azure_as_the_portal_shows_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert azure(CLASSIC) == CLASSIC
    monkeypatch.setenv('AZURE_OPENAI_ENDPOINT', RESOURCE)
    assert azure(None) == V1
    assert azure(RESOURCE, 'a b/c', api_version='v') == (
        f'{RESOURCE}/openai/deployments/a%20b%2Fc/chat/completions?api-version=v'
    )


def test_azure_says_what_is_missing() -> None:
    with pytest.raises(UserError, match='AZURE_OPENAI_ENDPOINT'):
        azure(None)
    with pytest.raises(UserError, match='name of a deployment'):
        azure(RESOURCE, '')
    with pytest.raises(UserError, match='name of a deployment'):
        infer_model('azure:')
    with pytest.raises(MissingKeyError, match='AZURE_OPENAI_API_KEY'):
        OpenAIChatModel('d', provider='azure', base_url=RESOURCE)
    with pytest.raises(UserError, match="deployment 'other', and the model is named 'my-gpt'"):
        azure(f'{RESOURCE}/openai/deployments/other', api_version='v')
    with pytest.raises(UserError, match='api_version='):
        azure(f'{RESOURCE}/openai/deployments/my-gpt')
    with pytest.raises(UserError, match='takes no api_version'):
        azure(f'{RESOURCE}/openai/v1', api_version='v')
    with pytest.raises(UserError, match="provider='azure'"):
        OpenAIChatModel('m', api_key=KEY, api_version='v')


def test_azure_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {'choices': [], 'prompt_filter_results': [{'prompt_index': 0}], 'id': '', 'model': '', 'created': 0}
    chunk = {
        'id': 'c',
        'model': 'gpt-4o',
        'choices': [{'index': 0, 'delta': {'content': 'Hi'}, 'finish_reason': 'stop'}],
    }
    events = ''.join(f'data: {json.dumps(payload)}\n\n' for payload in (first, chunk)) + 'data: [DONE]\n\n'
    with ModelServer(Reply(body=events, content_type='text/event-stream')) as server:
        root = server.base_url.removesuffix('/v1')
        entra = OpenAIChatModel(
            'd', provider='azure', base_url=root, api_version='v', headers={'Authorization': 'Bearer entra'}
        )
        monkeypatch.setenv('AZURE_OPENAI_API_KEY', KEY)
        for model in (entra, OpenAIChatModel('d', provider='azure', base_url=root)):
            with model_request_stream_sync(model, HELLO) as stream:
                list(stream)
            assert (stream.get().text, stream.get().model_name) == ('Hi', 'gpt-4o')
    classic, v1 = server.requests
    assert classic.path == '/openai/deployments/d/chat/completions?api-version=v'
    assert (classic.headers['authorization'], 'api-key' in classic.headers) == ('Bearer entra', False)
    assert (v1.path, v1.headers['api-key'], v1.json['model']) == ('/openai/v1/chat/completions', KEY, 'd')


# --- headers and options ----------------------------------------------------------------------------------------------


def test_headers_of_every_request() -> None:
    with ModelServer(Reply('x')) as server:
        http = HttpOptions(max_retries=0)
        model = OpenAIChatModel(
            'm', provider='openrouter', base_url=server.base_url, headers={'X-Title': 'App'}, api_key=KEY, http=http
        )
        model_request_sync(model, HELLO, model_settings={'extra_headers': {'x-title': 'Call', 'x-more': '1'}})
        model_request_sync(model, HELLO)
    first, second = server.requests
    assert (first.headers['x-title'], first.headers['x-more']) == ('Call', '1')
    assert (second.headers['x-title'], second.headers['authorization']) == ('App', f'Bearer {KEY}')
    wrong: list[Any] = [{'x': 'a\nb'}, {'a b': 'c'}, [1]]
    for headers in wrong:
        with pytest.raises(UserError, match='headers must be a dict'):
            OpenAIChatModel('m', api_key=KEY, headers=headers)


# --- thinking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'thinking', 'fields'),
    [
        ('deepseek:deepseek-v4-pro', 'high', {'thinking': {'type': 'enabled'}, 'reasoning_effort': 'high'}),
        ('deepseek:deepseek-v4-pro', True, {'thinking': {'type': 'enabled'}}),
        ('deepseek:deepseek-v4-pro', False, {'thinking': {'type': 'disabled'}}),
        ('deepseek:deepseek-v4-pro', None, {}),
        ('groq:openai/gpt-oss-120b', 'max', {'reasoning_effort': 'high'}),
        ('groq:qwen/qwen3-32b', False, {'reasoning_effort': 'none'}),
        ('mistral:mistral-small-latest', 'low', {'reasoning_effort': 'high'}),
        ('mistral:mistral-small-latest', False, {'reasoning_effort': 'none'}),
        ('mistral:magistral-medium-latest', 'high', {}),
        ('moonshot:kimi-k2.6', False, {'thinking': {'type': 'disabled'}}),
        ('moonshot:kimi-k3', 'medium', {'reasoning_effort': 'high'}),
        ('moonshot:kimi-k3', False, {'reasoning_effort': 'low'}),
        ('moonshot:moonshot-v1-8k', False, {}),
        ('openrouter:x/y', 'medium', {'reasoning': {'effort': 'medium'}}),
        ('openrouter:x/y', True, {'reasoning': {'enabled': True}}),
        ('openrouter:x/y', 'none', {'reasoning': {'enabled': False}}),
        ('vllm:x', False, {'chat_template_kwargs': {'enable_thinking': False}}),
        ('xai:grok-3-mini', 'medium', {'reasoning_effort': 'low'}),
        ('xai:grok-4.3', 'medium', {'reasoning_effort': 'medium'}),
        ('xai:grok-4.3', False, {'reasoning_effort': 'none'}),
        ('xai:grok-4.5', False, {'reasoning_effort': 'low'}),
        ('xai:grok-4', 'high', {}),
        ('azure:gpt-5.5', 'low', {'reasoning_effort': 'low'}),
        ('azure:production', 'low', {'reasoning_effort': 'low'}),
        ('zai:glm-5.2', 'low', {'thinking': {'type': 'enabled'}, 'reasoning_effort': 'low'}),
        ('zai:glm-4.7', True, {'thinking': {'type': 'enabled'}}),
        ('zai:glm-4.7', False, {'thinking': {'type': 'disabled'}}),
    ],
)
def test_how_much_to_think(name: str, thinking: object, fields: dict[str, Any]) -> None:
    provider, _, model = name.partition(':')
    body = body_of(provider, model, thinking=thinking)
    left = {k: v for k, v in body.items() if k not in ('model', 'messages', 'stream')}
    assert left == fields


ALL: Mapping[str, Any] = {
    'temperature': 0.5,
    'top_p': 0.5,
    'top_k': 5,
    'seed': 1,
    'presence_penalty': 0.1,
    'frequency_penalty': 0.1,
    'logit_bias': {'1': 1},
    'stop_sequences': ['x'],
    'max_tokens': 5,
    'parallel_tool_calls': False,
    'tool_choice': 'required',
    'thinking': 'low',
}


@pytest.mark.parametrize('row', CHAT, ids=lambda row: row.name)
def test_every_setting_is_sent_or_told_to_be_dropped(row: Provider, caplog: pytest.LogCaptureFixture) -> None:
    """The one rule: nothing that was asked for is lost in silence."""
    parameters = ModelRequestParameters(function_tools=[TOOL])
    body, warned = dropped(caplog, row.name, 'some-model', parameters=parameters, **ALL)
    names = {'stop_sequences': 'stop', 'max_tokens': row.chat.max_tokens_field, **row.chat.setting_names}
    for name, value in ALL.items():
        if name == 'thinking':
            sent = 'reasoning_effort' in body or 'reasoning' in body
        else:
            sent = body.get(names.get(name, name)) == value
        assert sent != (name in warned), name


def test_what_deepseek_takes_when_it_does_not_think(caplog: pytest.LogCaptureFixture) -> None:
    parameters = ModelRequestParameters(function_tools=[TOOL, OTHER])
    asked: dict[str, Any] = {'parameters': parameters, 'temperature': 0.5, 'tool_choice': ['g']}
    body, warned = dropped(caplog, 'deepseek', 'deepseek-v4-pro', **asked)
    assert warned == {'temperature', 'tool_choice'}
    assert [tool['function']['name'] for tool in body['tools']] == ['g']  # as much of the choice as can be kept
    assert (body['tool_choice'], 'temperature' in body) == ('auto', False)
    for model, more in (('deepseek-v4-pro', {'thinking': False}), ('deepseek-chat', {})):
        body, warned = dropped(caplog, 'deepseek', model, **asked, **more)
        assert (warned, body['temperature'], body['tool_choice']['type']) == (set(), 0.5, 'function')
    forced = ModelRequestParameters(result_tools=[TOOL], allow_text_result=False)
    assert body_of('deepseek', 'deepseek-v4-pro', parameters=forced)['tool_choice'] == 'auto'
    assert body_of('deepseek', 'deepseek-chat', parameters=forced)['tool_choice'] == 'required'


def test_what_models_of_xai_take_when_they_do_not_reason(caplog: pytest.LogCaptureFixture) -> None:
    asked = {'stop_sequences': ['x'], 'presence_penalty': 0.1}
    assert dropped(caplog, 'xai', 'grok-4-fast-reasoning', **asked)[1] == {'stop_sequences', 'presence_penalty'}
    for model in ('grok-4-fast-non-reasoning', 'grok-3'):
        assert dropped(caplog, 'xai', model, **asked)[1] == set()


def test_settings_of_a_provider_are_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    settings = {'groq_reasoning_format': 'parsed', 'mistral_safe_prompt': True, 'openai_user': 'u'}
    body, warned = dropped(caplog, 'groq', 'm', **settings, openai_reasoning_summary='auto')
    assert (body['reasoning_format'], body['user']) == ('parsed', 'u')
    assert not {'safe_prompt', 'reasoning_summary'} & body.keys()
    assert warned == {'openai_reasoning_summary'}  # those of a third provider are for another model of a fallback


def test_what_variants_may_change_is_what_a_dialect_has() -> None:
    """With the same types: mypy then refuses a variant with a field that does not exist."""
    assert ChatChanges.__annotations__.keys() == {field.name for field in fields(ChatDialect)}
    types = get_type_hints(ChatChanges)
    assert {name: types[name] for name in types} == get_type_hints(ChatDialect)
    for provider in PROVIDERS.values():
        assert {name for changes in provider.variants.values() for name in changes} <= types.keys()
        assert provider.wire.startswith('openai') or provider.chat == ChatDialect(), 'a dialect that nobody speaks'

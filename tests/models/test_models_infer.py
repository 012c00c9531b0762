from __future__ import annotations

import logging

import pytest

from syncai import models
from syncai.exceptions import MissingKeyError, UserError
from syncai.models import (
    KnownModelName,
    check_allow_model_requests,
    context_window,
    infer_model,
    known_model_names,
    override_allow_model_requests,
)
from syncai.models._catalog import context as _context
from syncai.models._catalog.address import is_loopback
from syncai.models._catalog.known_names import KNOWN_MODEL_NAMES, nearest_model_names
from syncai.models._catalog.providers import PROVIDERS, for_model, is_openai_reasoning_model
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel

KEY = 'sk-not-a-real-key'


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        for variable in (*provider.key_variables, *provider.base_url_variables):
            monkeypatch.delenv(variable, raising=False)


def test_a_model_is_returned_as_it_is() -> None:
    model = TestModel()
    assert infer_model(model) is model
    assert isinstance(infer_model('test'), TestModel)


def test_every_known_name_becomes_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in {row.key_variables[0] for row in PROVIDERS.values() if row.key_variables}:
        monkeypatch.setenv(variable, KEY)
    monkeypatch.setenv('AWS_REGION', 'us-east-1')
    monkeypatch.setenv('GOOGLE_CLOUD_PROJECT', 'p')
    monkeypatch.setenv('GOOGLE_CLOUD_LOCATION', 'global')
    for name in KNOWN_MODEL_NAMES:
        model = infer_model(name)
        assert name in (model.system, f'{model.system}:{model.model_name}')
    assert KnownModelName is not None
    assert list(KNOWN_MODEL_NAMES) == sorted(KNOWN_MODEL_NAMES)


@pytest.mark.parametrize(
    ('name', 'provider'),
    [
        ('gpt-4o', 'openai'),
        ('o1', 'openai'),
        ('o3-mini', 'openai'),
        ('claude-3-5-haiku-latest', 'anthropic'),
        ('gemini-1.5-flash', 'google'),
    ],
)
def test_a_name_that_one_provider_gives_needs_no_provider(
    name: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GOOGLE_API_KEY'):
        monkeypatch.setenv(variable, KEY)
    model = infer_model(name)
    assert (model.system, model.model_name) == (provider, name)


@pytest.mark.parametrize(('old', 'new'), [('google-gla', 'google'), ('vertexai', 'google-vertex')])
def test_providers_by_their_first_names(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GOOGLE_API_KEY', KEY)
    monkeypatch.setenv('GOOGLE_CLOUD_PROJECT', 'p')
    monkeypatch.setenv('GOOGLE_CLOUD_LOCATION', 'global')
    model = infer_model(f'{old}:gemini-2.5-pro')
    assert (model.system, model.model_name) == (new, 'gemini-2.5-pro')
    assert context_window(f'{old}:gemini-2.5-pro') == context_window('google:gemini-2.5-pro') is not None


def test_an_unknown_name_of_a_known_provider_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', KEY)
    assert infer_model('openai:gpt-99:fine-tuned').model_name == 'gpt-99:fine-tuned'


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('opnai:gpt-5.5', "'openai'"),
        ('nothing-like-it:x', "Known are .*'openai'"),
        ('llama-3.1-8b-instant', "Did you mean 'groq:llama-3.1-8b-instant'"),
        ('gpt-oss-120b', "Did you mean 'cerebras:gpt-oss-120b'"),  # OpenAI's, and served by others
        ('o5x', 'Known providers are'),
        ('tset', "'test'"),
        ('openai:', 'no model'),
        ('', 'empty'),
    ],
)
def test_a_wrong_name_gets_the_nearest_ones(name: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        infer_model(name)


def test_a_name_that_resembles_none_gets_the_providers() -> None:
    with pytest.raises(UserError, match=r"Known providers are .*'openai'") as caught:
        infer_model('zzz')
    assert ':' not in str(caught.value).rpartition('Known')[2]  # the providers, not a page of models


def test_a_model_of_another_type() -> None:
    with pytest.raises(UserError, match='must be a Model or a name'):
        infer_model(7)  # type: ignore[arg-type]


def test_a_missing_key_names_variable_and_parameter() -> None:
    with pytest.raises(MissingKeyError, match=r'OPENAI_API_KEY.*api_key='):
        infer_model('openai:gpt-5.5')
    with pytest.raises(MissingKeyError):
        OpenAIChatModel('gpt-5.5', base_url='https://example.com/v1')


@pytest.mark.parametrize('host', ['localhost', '127.0.0.1', '127.9.9.9', '[::1]', 'a.localhost'])
def test_loopback_needs_no_key(host: str) -> None:
    model = OpenAIChatModel('m', base_url=f'http://{host}:8080/v1/')
    assert model.base_url == f'http://{host}:8080/v1'
    assert 'authorization' not in model._headers


def test_addresses_that_only_look_like_loopback() -> None:
    assert not is_loopback('http://localhost.example.com/v1')
    assert not is_loopback('http://127.0.0.1.example.com/v1')


def test_environment_and_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', f' {KEY}\n')
    monkeypatch.setenv('OPENAI_BASE_URL', 'https://proxy.example.com/v1')
    model = OpenAIChatModel('m', organization='org', project='proj')
    assert model.base_url == 'https://proxy.example.com/v1'
    assert model._headers['authorization'] == f'Bearer {KEY}'
    assert (model._headers['openai-organization'], model._headers['openai-project']) == ('org', 'proj')
    assert OpenAIChatModel('m', api_key='other', base_url='https://x.example/').base_url == 'https://x.example'


def test_no_key_is_ever_shown() -> None:
    assert KEY not in repr(OpenAIChatModel('m', api_key=KEY))
    with pytest.raises(UserError, match='holds a character') as caught:
        OpenAIChatModel('m', api_key=f'{KEY}\nx')
    assert KEY not in str(caught.value)


def test_wrong_arguments() -> None:
    with pytest.raises(UserError, match='base_url'):
        OpenAIChatModel('m', base_url='example.com/v1', api_key=KEY)
    with pytest.raises(UserError, match="'openai'"):
        OpenAIChatModel('m', provider='openia', api_key=KEY)
    with pytest.raises(UserError, match='model_name'):
        OpenAIChatModel('', api_key=KEY)
    with pytest.raises(UserError, match='temperature'):
        OpenAIChatModel('m', api_key=KEY, settings={'temperature': 'x'})  # type: ignore[arg-type]


def test_what_is_particular_to_a_model() -> None:
    assert is_openai_reasoning_model('gpt-6-astra')
    assert is_openai_reasoning_model('o3-mini')
    assert not is_openai_reasoning_model('gpt-4o')
    assert not is_openai_reasoning_model('gpt-5-chat-latest')
    assert for_model(PROVIDERS['openai'], 'o1-mini').chat.system_role == 'user'
    assert for_model(PROVIDERS['openai'], 'gpt-5.5').chat.system_role == 'developer'
    assert for_model(PROVIDERS['openai'], 'gpt-4o').chat.system_role == 'system'


def test_names_that_are_known() -> None:
    assert known_model_names() == list(KNOWN_MODEL_NAMES)
    assert {name.partition(':')[0] for name in known_model_names()} - {'test'} <= set(PROVIDERS)
    assert 'groq:openai/gpt-oss-120b' in known_model_names('groq')
    assert all(name.startswith('groq:') for name in known_model_names('groq'))


@pytest.mark.parametrize(
    ('name', 'size'),
    [
        ('openai:gpt-5.5', 1_050_000),
        ('openai-responses:gpt-5.5', 1_050_000),
        ('azure:gpt-5.5', 1_050_000),
        ('moonshot:moonshot-v1-8k-vision-preview', 8_192),
        ('azure:my-deployment', None),
        ('ollama:qwen3', None),
        ('gpt-5.5', 1_050_000),
        ('my-own', None),
        ('', None),
    ],
)
def test_the_tokens_that_a_model_holds(name: str, size: int | None) -> None:
    assert context_window(name) == size


def test_every_size_is_of_a_provider_that_there_is() -> None:
    assert {pattern.partition(':')[0] for pattern in _context._WINDOWS} <= set(PROVIDERS)
    assert all(size > 1000 for size in _context._WINDOWS.values())


def test_nearest_names() -> None:
    assert 'gpt-5.2' in nearest_model_names('openai', 'gpt-5.2-proo')
    assert nearest_model_names('openai', 'zzz') == []


def test_model_requests_can_be_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    check_allow_model_requests()
    with override_allow_model_requests(False):
        with pytest.raises(RuntimeError, match='not allowed'):
            check_allow_model_requests()
        with override_allow_model_requests(True):
            check_allow_model_requests()
    monkeypatch.setattr(models, 'ALLOW_MODEL_REQUESTS', False)
    with pytest.raises(RuntimeError, match='ALLOW_MODEL_REQUESTS'):
        check_allow_model_requests()
    with override_allow_model_requests(True):
        check_allow_model_requests()
    assert logging.getLogger('syncai').handlers == []

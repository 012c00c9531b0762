"""The usual mistakes of a first day: each is one error that says what to do, and shows no key."""

from __future__ import annotations

from typing import Any

import pytest

from syncai.direct import model_request_sync
from syncai.exceptions import AuthenticationError, NotFoundError, SyncAIError, UserError
from syncai.messages import ModelRequest
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

KEY = 'sk-secret-0123456789'
HELLO = [ModelRequest.user_text_prompt('hello')]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('OPENAI_API_KEY', 'OPENAI_BASE_URL'):
        monkeypatch.delenv(name, raising=False)


def refused(**arguments: Any) -> str:
    """The errors for arguments of a model that cannot work."""
    with pytest.raises(UserError) as caught:
        OpenAIChatModel('m', **{'api_key': KEY, **arguments})
    assert 'secret' not in f'{caught.value!r}'
    return str(caught.value)


@pytest.mark.parametrize('end', ['', '/', '/chat/completions', '/chat/completions/', ' ', '\n'])
def test_the_end_of_an_address_does_not_matter(end: str) -> None:
    with ModelServer(lambda request: Reply(request.path)) as server:
        model = OpenAIChatModel('m', base_url=f'{server.base_url}{end}', api_key=KEY)
        assert model.base_url == server.base_url
        assert model_request_sync(model, HELLO).text == '/v1/chat/completions'


@pytest.mark.parametrize(
    ('url', 'words'),
    [
        ('api.example.com/v1', "did you mean 'https://api.example.com/v1'?"),
        ('localhost:11434/v1', "did you mean 'http://localhost:11434/v1'?"),
        ('127.0.0.1:80', "did you mean 'http://127.0.0.1:80'?"),
        ('ftp://host/v1', 'https://host/v1'),
        ('https://', 'https://host/v1'),
        ('https://two words/v1', 'https://host/v1'),
        ('https://host:port/v1', 'base_url cannot be read'),
        ('https://host:70000/v1', 'base_url cannot be read'),
        ('https://[::1/v1', 'base_url cannot be read'),
        (f'https://name:{KEY}@host/v1', 'api_key='),
        (f'name:{KEY}@host/v1', 'https://host/v1'),
        (7, 'not int'),
        ('', "base_url is empty: leave it out for OpenAI's own address"),
    ],
)
def test_an_address_that_is_none(url: object, words: str) -> None:
    assert words in refused(base_url=url)


def test_an_address_of_the_environment_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_BASE_URL', 'api.example.com/v1')
    assert refused().startswith('OPENAI_BASE_URL must be an address')
    assert OpenAIChatModel('m', api_key=KEY, base_url='https://host/v1').base_url == 'https://host/v1'


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ({'api_key': 'sk-secret\n0123'}, 'was it copied whole'),
        ({'api_key': 'sk-secret…'}, 'was it copied whole'),
        ({'api_key': '"sk-secret"'}, 'OpenAI (api_key) is written with its quotes: leave them out'),
        ({'api_key': "'sk-secret'\n"}, 'is written with its quotes'),
        ({'api_key': '“sk-secret”'}, 'is written with its quotes'),
        ({'api_key': 'Bearer sk-secret'}, "begins with 'Bearer': give the key alone"),
        ({'api_key': b'sk-secret'}, 'api_key must be a str, or a function that gives one, not bytes'),
        ({'organization': 'secret\r\nx: y'}, 'organization must be'),
        ({'project': 'secreté'}, 'project must be'),
        ({'http': {'max_retries': 1}}, 'HttpOptions'),
        ({'settings': {'temprature': 1}}, "'temperature'"),
        ({'settings': {'extra_headers': {'x': 'secret\n'}}}, "'extra_headers'"),
    ],
)
def test_other_arguments(arguments: dict[str, Any], words: str) -> None:
    assert words in refused(**arguments)


def test_a_key_of_the_environment_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', '"sk-secret"')
    with pytest.raises(UserError, match=r'OpenAI \(OPENAI_API_KEY\) is written with its quotes') as caught:
        OpenAIChatModel('m')
    assert 'secret' not in str(caught.value)


def test_the_line_break_at_the_end_of_a_key_is_dropped() -> None:
    with ModelServer(lambda request: Reply(request.headers['authorization'])) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=f'{KEY}\n')
        assert model_request_sync(model, HELLO).text == 'Bearer ***'  # a key that comes back is left out
        assert server.requests[0].headers['authorization'] == f'Bearer {KEY}'


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('timeout', float('nan')),
        ('timeout', 0),
        ('temperature', float('inf')),
        ('temperature', 'hot'),
        ('logit_bias', {'1': float('nan')}),
        ('extra_body', {'min_p': float('nan')}),
        ('extra_body', {'a': [{'b': float('inf')}]}),
        ('extra_headers', {'a b': 'secret'}),
        ('extra_headers', {'a': 'secreté'}),
        ('extra_headers', {'a': 'secret\r\nb: c'}),
    ],
)
def test_a_setting_that_cannot_be_sent_is_named(name: str, value: object) -> None:
    settings: Any = {name: value}
    with pytest.raises(UserError, match=f"'{name}'") as caught:
        model_request_sync(OpenAIChatModel('m', api_key=KEY), HELLO, model_settings=settings)
    assert 'secret' not in str(caught.value)


@pytest.mark.parametrize(
    'option',
    [
        {'connect_timeout': float('nan')},
        {'connect_timeout': '3'},
        {'max_retries': 1.5},
        {'max_retries': True},
        {'max_connections': 2.5},
        {'max_body_bytes': 0},
        {'proxy': 8080},
        {'verify': None},
    ],
)
def test_an_option_of_the_wrong_type_is_named(option: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f'HttpOptions.{next(iter(option))} must be'):
        HttpOptions(**option)


def answer_to(status: int, name: str, path: str = '/v1') -> SyncAIError:
    with ModelServer(lambda request: Reply(status=status, body={'error': {'message': f'no {KEY}'}})) as server:
        url = server.base_url.removesuffix('/v1') + path
        model = OpenAIChatModel(name, base_url=url, api_key=KEY, http=HttpOptions(max_retries=0))
        with pytest.raises(SyncAIError) as caught:
            model_request_sync(model, HELLO)
    assert KEY not in f'{caught.value!r}{caught.value}'
    return caught.value


def test_a_model_or_an_address_that_the_provider_does_not_know() -> None:
    error = answer_to(404, 'gpt-5.4-mni')
    assert isinstance(error, NotFoundError)
    assert "'openai:gpt-5.4-mini'" in str(error)
    assert "'openai:gpt-5.4-mini'" in str(answer_to(404, 'openai:gpt-5.4-mni'))
    known = str(answer_to(404, 'gpt-5.4-mini'))
    assert 'openai:gpt-5.4-mini is a known model: is base_url right, and may this key use it?' in known
    assert 'Did you mean' not in known
    assert "Is 'zzz' a model of this server?" in str(answer_to(404, 'zzz'))
    assert '/v1 ?' in str(answer_to(404, 'zzz', path=''))
    assert '/v1 ?' not in str(answer_to(404, 'zzz'))


def test_a_key_that_is_not_accepted() -> None:
    error = answer_to(401, 'm')
    assert isinstance(error, AuthenticationError)
    assert 'OPENAI_API_KEY' in str(error)
    assert 'api_key=' in str(error)


def test_an_address_that_redirects_is_told_and_not_followed() -> None:
    with ModelServer(lambda request: Reply(status=308, headers={'location': 'https://other/v1?key=1'})) as server:
        with pytest.raises(SyncAIError, match=r'leads to https://other/v1: correct base_url'):
            model_request_sync(OpenAIChatModel('m', base_url=server.base_url, api_key=KEY), HELLO)
        assert len(server.requests) == 1

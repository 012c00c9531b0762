"""Where requests go: forms of `base_url`, queries, and names of models that must not change the path.

The cases are of public reports: litellm#8350, open-webui#16749, aiavatarkit#318 (a query in the address),
https://learn.microsoft.com/azure/ai-services/openai/reference (`api-version`),
and `default_query` of the client openai.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from syncai import ModelRequest, UserError, model_request_stream_sync, model_request_sync
from syncai.models import Model, infer_model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('Hi')]
CHAT = '/v1/chat/completions'


def path_of(make: Callable[[str], Model], *, stream: bool = False) -> str:
    """The path and query of the request that a model sends; it is made with the server's address without a path."""
    with ModelServer(lambda request: Reply('fine')) as server:
        model = make(server.base_url.removesuffix('/v1'))
        if stream:
            with model_request_stream_sync(model, HELLO) as events:
                list(events)
        else:
            model_request_sync(model, HELLO)
        return server.requests[0].path


@pytest.mark.parametrize(
    ('suffix', 'path'),
    [
        ('/v1', CHAT),
        ('/v1//', CHAT),
        ('/v1/chat/completions/', CHAT),
        ('/v1?api-version=2024-10-21', f'{CHAT}?api-version=2024-10-21'),
        ('/v1/?api-version=2024-10-21', f'{CHAT}?api-version=2024-10-21'),
        ('/v1/chat/completions?api-version=1&x=a%20b', f'{CHAT}?api-version=1&x=a%20b'),
    ],
)
def test_a_query_of_base_url_is_sent_with_each_request(suffix: str, path: str) -> None:
    assert path_of(lambda url: OpenAIChatModel('m', base_url=url + suffix)) == path


@pytest.mark.parametrize(
    'suffix', ['/v1beta/models', '/v1beta/models/', '/v1beta/models/gemini-2.5-pro:generateContent']
)
def test_an_address_of_gemini_that_was_copied_whole(suffix: str) -> None:
    assert path_of(lambda url: GoogleModel('m', base_url=url + suffix)) == '/v1beta/models/m:generateContent'


def test_a_query_in_every_format() -> None:
    assert path_of(lambda url: OpenAIResponsesModel('m', base_url=f'{url}/v1/responses?x=1')) == '/v1/responses?x=1'
    assert path_of(lambda url: AnthropicModel('m', base_url=f'{url}?beta=true')) == '/v1/messages?beta=true'
    google = path_of(lambda url: GoogleModel('m', base_url=f'{url}/v1?x=1'), stream=True)
    assert google == '/v1/models/m:streamGenerateContent?alt=sse&x=1'
    bedrock = path_of(
        lambda url: BedrockModel('m', region='us-east-1', base_url=f'{url}?x=1', api_key='k'), stream=True
    )
    assert bedrock == '/model/m/converse-stream?x=1'


@pytest.mark.parametrize('kind', [OpenAIChatModel, OpenAIResponsesModel, AnthropicModel, GoogleModel])
def test_default_query_joins_the_query_of_base_url_and_wins(kind: Callable[..., Model]) -> None:
    path = path_of(lambda url: kind('m', base_url=f'{url}/v1?a=1&b=2', default_query={'b': 3, 'c': True, 'd': 'ä b'}))
    assert path.partition('?')[2] == 'a=1&b=3&c=true&d=%C3%A4%20b'


def test_a_query_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-x')

    def make(url: str) -> Model:
        monkeypatch.setenv('OPENAI_BASE_URL', f'{url}/v1?tenant=7')
        return infer_model('openai:m')

    assert path_of(make) == f'{CHAT}?tenant=7'


def test_a_key_in_the_query_is_not_in_base_url_nor_in_errors() -> None:
    with ModelServer(lambda request: Reply(status=404, body={'detail': 'Not Found'})) as server:
        model = OpenAIChatModel('m', base_url=f'{server.base_url}?subscription-key=hidden-value')
        with pytest.raises(Exception, match='404') as caught:
            model_request_sync(model, HELLO)
    assert 'hidden-value' not in f'{model.base_url}{model!r}{caught.value}{caught.value!r}'


def test_azure_finds_its_version_in_the_query_or_in_default_query() -> None:
    dated = '/openai/deployments/d/chat/completions?api-version=2024-10-21'
    azure: dict[str, Any] = {'provider': 'azure', 'api_key': 'k'}
    assert path_of(lambda url: OpenAIChatModel('d', base_url=f'{url}?api-version=2024-10-21', **azure)) == dated
    by_query: Any = {'api-version': '2024-10-21', 'x': '1'}
    assert path_of(lambda url: OpenAIChatModel('d', base_url=url, default_query=by_query, **azure)) == f'{dated}&x=1'
    preview = path_of(lambda url: OpenAIChatModel('d', base_url=f'{url}/openai/v1?api-version=preview', **azure))
    assert preview == '/openai/v1/chat/completions?api-version=preview'


@pytest.mark.parametrize('query', ['a=1', {'a': None}, {'a': ['b']}, {1: 'a'}, {'a': 'b\n'}, {'a': '\ud800'}])
def test_a_default_query_that_is_none(query: Any) -> None:
    with pytest.raises(UserError, match='default_query must be a dict'):
        OpenAIChatModel('m', base_url='http://127.0.0.1:1/v1', default_query=query)


@pytest.mark.parametrize(
    ('url', 'words'),
    [
        ('https://host/v1#top', 'without #'),
        ('https://host/v1?a=b c', 'must be an address'),
        ('https://host/v1?a=\ud800', 'must be an address'),
        ('https://ho\ud800st/v1', 'must be an address'),
        ('https://host/v1\u202e', 'must be an address'),
        ('host/v1?key=hidden-value', "did you mean 'https://host/v1'"),
        ('', 'base_url is empty'),
    ],
)
def test_an_address_that_is_none(url: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        OpenAIChatModel('m', base_url=url, api_key='k')
    assert 'hidden-value' not in str(caught.value)
    str(caught.value).encode()  # what cannot be printed is written as an escape


@pytest.mark.many(5)
@pytest.mark.parametrize('name', ['a/b', '../../other', 'a?x=1', 'a#b', 'a%2e%2e', '..%2f..', 'a:b', 'ä'])
@pytest.mark.parametrize(
    ('kind', 'before', 'after'),
    [
        (GoogleModel, '/v1/models/', ':generateContent'),
        (
            lambda name, base_url: GoogleModel(f'tunedModels/{name}', base_url=base_url),
            '/v1/tunedModels/',
            ':generateContent',
        ),
        (
            lambda name, base_url: BedrockModel(name, region='us-east-1', base_url=base_url, api_key='k'),
            '/v1/model/',
            '/converse',
        ),
        (
            lambda name, base_url: OpenAIChatModel(
                name, base_url=base_url.removesuffix('/v1'), provider='azure', api_version='1', api_key='k'
            ),
            '/openai/deployments/',
            '/chat/completions',
        ),
    ],
)
def test_the_name_of_a_model_is_one_piece_of_the_path(
    kind: Callable[..., Model], before: str, after: str, name: str
) -> None:
    parts = urlsplit(path_of(lambda url: kind(name, base_url=f'{url}/v1')))
    piece = parts.path.removeprefix(before).removesuffix(after)
    assert parts.path == f'{before}{piece}{after}'
    assert ('/' not in piece, unquote(piece)) == (True, name)
    assert parts.query == ('api-version=1' if after == '/chat/completions' else '')


@pytest.mark.parametrize('name', ['.', '..', ' ', 'a\ud800', 'a\nb', 'a\u202eb', '\x00'])
@pytest.mark.parametrize('kind', [OpenAIChatModel, GoogleModel, AnthropicModel])
def test_the_name_of_a_model_that_is_none(kind: Callable[..., Model], name: str) -> None:
    with pytest.raises(UserError, match='model_name must be a name'):
        kind(name, base_url='http://127.0.0.1:1/v1')

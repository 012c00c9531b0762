"""Keys that change while the program runs, and the accounts that pay.

As of the clients of the providers: `api_key=` as a function and `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` of openai-python,
`azure_ad_token_provider=` and `azure.core.credentials.AccessToken` of Azure.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from syncai import ModelRequest, UserError, model_request, model_request_stream_sync, model_request_sync
from syncai._transport.keys import KEY_HEADERS
from syncai.exceptions import AuthenticationError
from syncai.models import Model
from syncai.models._catalog.providers import PROVIDERS
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.keys import AccessToken
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('Hi')]
QUICK = HttpOptions(max_retries=1)
ENTRA = 'eyJhbGciOiJub25lIn0.e30.c2ln'  # a token of Entra is a JWT


class AzureToken(NamedTuple):
    """As `azure.core.credentials.AccessToken` is declared."""

    token: str
    expires_on: int


class Keys:
    """A function that gives key-1, key-2, ..., and remembers the thread it ran in."""

    def __init__(self, make: Callable[[str], Any] = str) -> None:
        self.threads: list[int] = []
        self._make = make

    def __call__(self) -> Any:
        self.threads.append(threading.get_ident())
        return self._make(f'key-{len(self.threads)}')


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda request: Reply('fine')) as server:
        yield server


def sent(server: ModelServer, header: str = 'authorization') -> list[str | None]:
    return [request.headers.get(header) for request in server.requests]


@pytest.mark.parametrize('stream', [False, True])
def test_a_function_is_asked_for_each_attempt_in_the_thread_of_the_caller(stream: bool) -> None:
    keys = Keys()
    replies = [Reply(status=503, headers={'retry-after-ms': '1'}), Reply('fine')]
    with ModelServer(replies) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=keys, http=QUICK)
        if stream:
            with model_request_stream_sync(model, HELLO) as events:
                list(events)
        else:
            model_request_sync(model, HELLO)
        assert sent(server) == ['Bearer key-1', 'Bearer key-2']
    assert set(keys.threads) == {threading.get_ident()}


async def _async_key() -> str:
    await asyncio.sleep(0)
    return 'async-key'


def test_an_async_function(server: ModelServer) -> None:
    model_request_sync(OpenAIChatModel('m', base_url=server.base_url, api_key=_async_key), HELLO)
    asyncio.run(model_request(OpenAIChatModel('m', base_url=server.base_url, api_key=_async_key), HELLO))
    assert sent(server) == ['Bearer async-key'] * 2


@pytest.mark.parametrize(
    ('make', 'header', 'value'),
    [
        (OpenAIResponsesModel, 'authorization', 'Bearer key-1'),
        (AnthropicModel, 'x-api-key', 'key-1'),
        (GoogleModel, 'x-goog-api-key', 'key-1'),
        (lambda *args, **named: BedrockModel(*args, region='us-east-1', **named), 'authorization', 'Bearer key-1'),
        (lambda *args, **named: OpenAIChatModel(*args, provider='azure', **named), 'api-key', 'key-1'),
    ],
)
def test_every_format(make: Callable[..., Model], header: str, value: str, server: ModelServer) -> None:
    model_request_sync(make('m', base_url=server.base_url, api_key=Keys()), HELLO)
    assert sent(server, header) == [value]


@pytest.mark.parametrize('kind', [AccessToken, AzureToken])
def test_a_token_is_kept_as_long_as_it_says(kind: Callable[[str, int], Any], server: ModelServer) -> None:
    keys = Keys(lambda text: kind(text, int(time.time()) + 3600))
    model = OpenAIChatModel('m', base_url=server.base_url, api_key=keys)
    for _ in range(3):
        model_request_sync(model, HELLO)
    assert sent(server) == ['Bearer key-1'] * 3


def test_a_token_is_replaced_before_it_expires(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(lambda text: AccessToken(text, time.time() + 3600))
    model = OpenAIChatModel('m', base_url=server.base_url, api_key=keys)
    model_request_sync(model, HELLO)
    now = time.time
    monkeypatch.setattr(time, 'time', lambda: now() + 3600 - 30)  # it has half a minute left
    model_request_sync(model, HELLO)
    assert sent(server) == ['Bearer key-1', 'Bearer key-2']


def test_a_token_that_has_expired_is_used_once(server: ModelServer) -> None:
    model = OpenAIChatModel('m', base_url=server.base_url, api_key=Keys(lambda text: AccessToken(text, 1)))
    for _ in range(2):
        model_request_sync(model, HELLO)
    assert sent(server) == ['Bearer key-1', 'Bearer key-2']


def test_a_token_that_is_refused_is_not_kept() -> None:
    replies = [Reply(status=401, body={'error': {'message': 'revoked'}}), Reply('fine')]
    with ModelServer(replies) as server:
        keys = Keys(lambda text: AccessToken(text, time.time() + 3600))
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=keys)
        with pytest.raises(AuthenticationError, match='revoked'):
            model_request_sync(model, HELLO)
        model_request_sync(model, HELLO)
        assert sent(server) == ['Bearer key-1', 'Bearer key-2']


def test_what_the_function_raises_is_raised_and_nothing_is_sent(server: ModelServer) -> None:
    def key() -> str:
        raise LookupError('no vault')

    with pytest.raises(LookupError, match='no vault'):
        model_request_sync(OpenAIChatModel('m', base_url=server.base_url, api_key=key), HELLO)
    assert not server.requests


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        (None, 'must return a key or an AccessToken, not NoneType'),
        (b'sk-hidden', 'must return a key or an AccessToken, not bytes'),
        ('', 'is empty'),
        ('Bearer sk-hidden', "begins with 'Bearer'"),
        (AccessToken('sk-hidden', '2030-01-01'), 'expires_on of an AccessToken is a time'),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_key_is_named_and_not_shown(value: object, words: str, server: ModelServer) -> None:
    model = OpenAIChatModel('m', base_url=server.base_url, api_key=lambda: value)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=words) as caught:
        model_request_sync(model, HELLO)
    assert 'hidden' not in str(caught.value)
    assert not server.requests


def test_a_key_of_a_function_that_an_answer_repeats_is_not_shown() -> None:
    with ModelServer(lambda request: Reply(status=401, body=dict(request.headers))) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=lambda: 'sk-hidden-value')
        with pytest.raises(Exception, match='401') as caught:
            model_request_sync(model, HELLO)
    assert 'sk-hidden-value' not in f'{caught.value}{caught.value.__dict__}'


def test_headers_of_a_call_win_and_the_function_is_not_asked(server: ModelServer) -> None:
    keys = Keys()
    model = OpenAIChatModel('m', base_url=server.base_url, api_key=keys)
    model_request_sync(model, HELLO, model_settings={'extra_headers': {'Authorization': 'Bearer mine'}})
    assert (sent(server), keys.threads) == (['Bearer mine'], [])


def test_a_secret_of_pydantic(server: ModelServer) -> None:
    for key in (SecretStr('sk-secret'), lambda: SecretStr('sk-secret')):
        model_request_sync(OpenAIChatModel('m', base_url=server.base_url, api_key=key), HELLO)
    assert sent(server) == ['Bearer sk-secret'] * 2
    assert 'sk-secret' not in repr(AccessToken('sk-secret', 1))


def test_a_token_of_entra_is_no_key_of_azure(server: ModelServer) -> None:
    """https://learn.microsoft.com/azure/ai-services/openai/reference: the two have headers of their own."""
    azure: dict[str, Any] = {'provider': 'azure', 'base_url': server.base_url}
    model_request_sync(OpenAIChatModel('m', azure_ad_token_provider=lambda: 'opaque', **azure), HELLO)
    model_request_sync(OpenAIChatModel('m', api_key=lambda: ENTRA, **azure), HELLO)
    assert sent(server) == ['Bearer opaque', f'Bearer {ENTRA}']
    assert sent(server, 'api-key') == [None, None]
    with pytest.raises(UserError, match='takes no azure_ad_token_provider'):
        OpenAIChatModel('m', azure_ad_token_provider=lambda: 'x', base_url=server.base_url)
    with pytest.raises(UserError, match='pass one of them'):
        OpenAIChatModel('m', azure_ad_token_provider=lambda: 'x', api_key='k', **azure)


@pytest.mark.parametrize('kind', [OpenAIChatModel, OpenAIResponsesModel])
def test_the_account_of_the_environment(
    kind: Callable[..., Model], server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('OPENAI_ORG_ID', 'org-1')
    monkeypatch.setenv('OPENAI_PROJECT_ID', ' proj-1\n')
    model_request_sync(kind('m', base_url=server.base_url), HELLO)
    model_request_sync(kind('m', base_url=server.base_url, organization='org-2', project='proj-2'), HELLO)
    model_request_sync(OpenAIChatModel('m', provider='groq', base_url=server.base_url), HELLO)
    assert sent(server, 'openai-organization') == ['org-1', 'org-2', None]
    assert sent(server, 'openai-project') == ['proj-1', 'proj-2', None]


def test_the_key_of_every_provider_is_known_as_a_key() -> None:
    """So that an answer that repeats it is kept without it, and so that its limits count for its account."""
    assert {provider.key_header for provider in PROVIDERS.values()} <= set(KEY_HEADERS)

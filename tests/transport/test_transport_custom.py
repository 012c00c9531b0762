"""Transports of the user in place of our connections: those of httpx, and one that is made like them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from syncai import Agent, HttpOptions, ModelRequest, UserError, model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    IncompleteStreamError,
    ModelConnectionError,
    ModelTimeoutError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('Hi')]
ANSWER = {
    'id': 'c1',
    'model': 'm',
    'choices': [{'index': 0, 'message': {'role': 'assistant', 'content': 'fine'}, 'finish_reason': 'stop'}],
}
EVENTS = [
    {'choices': [{'index': 0, 'delta': {'content': 'one '}}]},
    {'choices': [{'index': 0, 'delta': {'content': 'two'}, 'finish_reason': 'stop'}]},
]
STREAM = ''.join(f'data: {json.dumps(event)}\n\n' for event in EVENTS) + 'data: [DONE]\n\n'


def model(transport: Any, **options: Any) -> OpenAIChatModel:
    http = HttpOptions(transport=transport, **{'max_retries': 0, **options})
    return OpenAIChatModel('m', base_url='https://provider.example/v1', api_key='k', http=http)


def answering(handler: Callable[[httpx.Request], Any], **options: Any) -> OpenAIChatModel:
    return model(httpx.MockTransport(handler), **options)


def streamed(of: Model) -> str:
    with model_request_stream_sync(of, HELLO) as stream:
        list(stream)
        return stream.get().text


def test_a_mock_transport_sees_the_whole_request() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ANSWER)

    assert Agent(answering(handler)).run_sync('Hello').data == 'fine'
    request = seen[0]
    assert (request.method, str(request.url)) == ('POST', 'https://provider.example/v1/chat/completions')
    assert request.headers['authorization'] == 'Bearer k'
    assert int(request.headers['content-length']) == len(request.content)
    assert json.loads(request.content)['messages'] == [{'role': 'user', 'content': 'Hello'}]


def test_an_async_handler_and_a_stream() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return httpx.Response(200, headers={'content-type': 'text/event-stream'}, text=STREAM)

    assert streamed(answering(handler)) == 'one two'


@pytest.mark.parametrize('asynchronous', [False, True])
def test_a_stream_in_pieces(asynchronous: bool) -> None:
    def pieces() -> Iterator[bytes]:
        yield from (STREAM[at : at + 10].encode() for at in range(0, len(STREAM), 10))

    async def async_pieces() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    def handler(request: httpx.Request) -> httpx.Response:
        content: Any = async_pieces() if asynchronous else pieces()
        return httpx.Response(200, headers={'content-type': 'text/event-stream'}, content=content)

    assert streamed(answering(handler)) == 'one two'


def test_errors_and_retries_are_those_of_every_request() -> None:
    answers = [httpx.Response(503, headers={'retry-after-ms': '1'}), httpx.Response(200, json=ANSWER)]
    assert model_request_sync(answering(lambda request: answers.pop(0), max_retries=1), HELLO).text == 'fine'
    with pytest.raises(RateLimitError):
        model_request_sync(answering(lambda request: httpx.Response(429, json={'error': {'message': 'later'}})), HELLO)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError('no route')

    with pytest.raises(ModelConnectionError, match=r'cannot reach provider\.example: no route'):
        model_request_sync(answering(refuse), HELLO)


@pytest.mark.parametrize(
    ('error', 'kind', 'words'),
    [
        (
            httpx.ConnectTimeout('slow'),
            ModelTimeoutError,
            r'\(connect\); .*connect_timeout sets it \(slow\)',
        ),
        (httpx.WriteTimeout('slow'), ModelTimeoutError, r'\(send\)'),
        (httpx.PoolTimeout('slow'), ModelTimeoutError, r'\(first event\)'),
        (httpx.ProxyError('no way'), ModelConnectionError, 'cannot reach .*: no way'),
        (httpx.WriteError(''), ModelConnectionError, 'cannot reach .*: WriteError'),
        (httpx.CloseError(''), ModelConnectionError, 'cannot reach .*: CloseError'),
        (httpx.LocalProtocolError('odd'), ModelConnectionError, 'cannot reach .*: odd'),
        (httpx.TooManyRedirects('round'), ModelConnectionError, 'cannot reach .*: round'),
        (httpx.DecodingError('not gzip'), UnexpectedModelBehavior, 'not gzip'),
        (httpx.UnsupportedProtocol('foo'), UserError, 'cannot send .*: foo'),
        (httpx.InvalidURL('bar'), UserError, 'cannot send .*: bar'),
    ],
)
def test_each_error_of_httpx_is_one_of_ours(error: Exception, kind: type[Exception], words: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(kind, match=words) as caught:
        model_request_sync(answering(fail), HELLO)
    assert type(caught.value).__module__.startswith('syncai.')


def test_a_name_that_does_not_exist_is_not_tried_again_behind_httpx_either() -> None:
    attempts: list[httpx.Request] = []

    def fail(request: httpx.Request) -> httpx.Response:
        attempts.append(request)
        raise httpx.ConnectError('not known') from socket.gaierror(socket.EAI_NONAME, 'not known')

    with pytest.raises(ModelConnectionError, match='not known'):
        model_request_sync(answering(fail, max_retries=2), HELLO)
    assert len(attempts) == 1


def test_a_mistake_in_the_handler_is_raised_as_it_is() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise LookupError('no answer for it')

    with pytest.raises(LookupError, match='no answer for it'):
        model_request_sync(answering(handler), HELLO)


def test_limits_of_time_hold() -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        raise AssertionError

    with pytest.raises(ModelTimeoutError, match=r'0\.05 s \(first event\); HttpOptions\.first_event_timeout'):
        model_request_sync(answering(silent, first_event_timeout=0.05), HELLO)

    async def stalling() -> AsyncIterator[bytes]:
        yield STREAM[:60].encode()
        await asyncio.sleep(30)

    def stalls(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={'content-type': 'text/event-stream'}, content=stalling())

    with pytest.raises(ModelTimeoutError, match='next event'):
        streamed(answering(stalls, idle_timeout=0.05))


def test_a_stream_that_is_left_is_closed() -> None:
    closed: list[bool] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield f'data: {json.dumps(EVENTS[0])}\n\n'.encode()
                await asyncio.sleep(0.001)
        finally:
            closed.append(True)

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={'content-type': 'text/event-stream'}, content=endless())

    with model_request_stream_sync(answering(handler), HELLO) as stream:
        next(iter(stream))
    assert closed == [True]


def test_a_stream_that_breaks_is_incomplete() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield f'data: {json.dumps(EVENTS[0])}\n\n'.encode()
        raise httpx.ReadError('gone')

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={'content-type': 'text/event-stream'}, content=breaking())

    with pytest.raises(IncompleteStreamError, match='gone'):
        streamed(answering(handler))


@pytest.mark.parametrize(
    'make',
    [
        OpenAIChatModel,
        OpenAIResponsesModel,
        AnthropicModel,
        GoogleModel,
        lambda name, **options: BedrockModel(name, region='us-east-1', api_key='k', **options),
    ],
)
def test_the_transport_of_httpx_speaks_to_a_real_server_in_every_format(make: Callable[..., Model]) -> None:
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
    with ModelServer(lambda request: Reply('over ', 'httpx')) as server:
        of = make('m', base_url=server.base_url, http=HttpOptions(transport=transport))
        assert model_request_sync(of, HELLO).text == 'over httpx'
        assert streamed(of) == 'over httpx'
        assert [request.headers['accept-encoding'] for request in server.requests] == ['identity'] * 2


def test_an_application_in_this_process() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = json.dumps(ANSWER).encode()
        await receive()
        await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-type', b'application/json')]})
        await send({'type': 'http.response.body', 'body': body})

    assert model_request_sync(model(httpx.ASGITransport(application)), HELLO).text == 'fine'


def test_a_transport_that_is_only_made_like_one() -> None:
    class Minimal:
        async def handle_async_request(self, request: Any) -> Any:
            return httpx.Response(200, json=ANSWER)

    assert model_request_sync(model(Minimal()), HELLO).text == 'fine'


def test_files_are_fetched_by_it_too_and_private_ones_are_not() -> None:
    from syncai.messages import DocumentUrl, UserPromptPart

    paths: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        paths.append(str(request.url))
        if request.method == 'GET':
            return httpx.Response(200, headers={'content-type': 'text/plain'}, text='the plan')
        assert 'the plan' in request.content.decode()
        return httpx.Response(200, json=ANSWER)

    def asking(url: str) -> list[Any]:
        return [ModelRequest(parts=[UserPromptPart(['Sum it up.', DocumentUrl(url)])])]

    of = answering(handler)
    assert model_request_sync(of, asking('http://93.184.216.34/plan.txt')).text == 'fine'
    with pytest.raises(UserError, match='leads to 127'):
        model_request_sync(of, asking('http://127.0.0.1/plan.txt'))
    assert len(paths) == 2


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'transport': httpx.HTTPTransport()}, 'transport must be None or an asynchronous transport'),
        ({'transport': 'https'}, 'transport must be'),
        ({'transport': httpx.MockTransport(nobody), 'proxy': 'http://p:1'}, 'give them to the transport'),
        ({'transport': httpx.MockTransport(nobody), 'verify': False}, 'give them to the transport'),
        ({'transport': httpx.MockTransport(nobody), 'cert': 'me.pem'}, 'give them to the transport'),
    ],
)
def test_what_does_not_go_together(options: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        HttpOptions(**options)

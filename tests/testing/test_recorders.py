"""Other tools that keep tests off the network: respx, pytest-httpx, vcrpy, pytest-socket, and the lock.

Each is the library itself, used as its documentation shows it. `docs/testing.md` has the table of what works.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
import vcr
from pytest_httpx import HTTPXMock, IteratorStream

from syncai import Agent, HttpOptions, ModelRequest, UserError, model_request_stream_sync, model_request_sync
from syncai.exceptions import ModelTimeoutError
from syncai.models import override_allow_model_requests
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('Hi')]
URL = 'https://api.openai.com/v1/chat/completions'
ANSWER = {
    'id': 'c1',
    'model': 'm',
    'choices': [{'index': 0, 'message': {'role': 'assistant', 'content': 'fine'}, 'finish_reason': 'stop'}],
}
EVENTS = [
    b'data: {"choices": [{"index": 0, "delta": {"content": "fi"}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"content": "ne"}, "finish_reason": "stop"}]}\n\n',
    b'data: [DONE]\n\n',
]
SSE = {'content-type': 'text/event-stream'}


def model(base_url: str | None = None) -> OpenAIChatModel:
    """A model whose requests go through httpx, where these libraries look for them."""
    http = HttpOptions(
        transport=httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0)), max_retries=0
    )
    return OpenAIChatModel('m', base_url=base_url, api_key='sk-secret-0123456789', http=http)


def streamed(of: OpenAIChatModel) -> str:
    with model_request_stream_sync(of, HELLO) as stream:
        list(stream)
        return stream.get().text


def test_respx() -> None:
    with respx.mock as router:
        route = router.post(URL).mock(return_value=httpx.Response(200, json=ANSWER))
        assert Agent(model()).run_sync('Hello').data == 'fine'
        assert json.loads(route.calls.last.request.content)['messages'][0]['content'] == 'Hello'
        route.mock(return_value=httpx.Response(200, headers=SSE, content=b''.join(EVENTS)))
        assert streamed(model()) == 'fine'
        with pytest.raises(Exception, match='not mocked'):
            model_request_sync(model('https://other.example/v1'), HELLO)


def test_the_router_of_respx_as_the_transport() -> None:
    router = respx.Router()
    router.post(URL).mock(return_value=httpx.Response(200, json=ANSWER))
    http = HttpOptions(transport=httpx.MockTransport(router.async_handler))
    assert model_request_sync(OpenAIChatModel('m', api_key='k', http=http), HELLO).text == 'fine'


def test_pytest_httpx(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=URL, json=ANSWER)
    assert model_request_sync(model(), HELLO).text == 'fine'
    request = httpx_mock.get_request()
    assert request is not None
    assert json.loads(request.content)['model'] == 'm'
    httpx_mock.add_response(url=URL, headers=SSE, stream=IteratorStream(EVENTS))
    assert streamed(model()) == 'fine'


@pytest.mark.httpx_mock(assert_all_requests_were_expected=False)
def test_pytest_httpx_says_what_it_was_not_prepared_for(httpx_mock: HTTPXMock) -> None:
    with pytest.raises(ModelTimeoutError, match='No response can be found for POST request on'):
        model_request_sync(model(), HELLO)


@pytest.mark.parametrize('stream', [False, True])
def test_vcrpy_records_and_replays(stream: bool, tmp_path: Path) -> None:
    cassette, ask = tmp_path / 'cassette.yaml', streamed if stream else (lambda of: model_request_sync(of, HELLO).text)
    recorder = vcr.VCR(filter_headers=['authorization'], match_on=['method', 'path', 'body'])
    with ModelServer(Reply('over ', 'the wire')) as server:  # one answer: a second request would be an error
        with recorder.use_cassette(cassette):
            assert ask(model(server.base_url)) == 'over the wire'
        assert len(server.requests) == 1
        with recorder.use_cassette(cassette, record_mode='none') as tape:
            assert ask(model(server.base_url)) == 'over the wire'
            assert tape.all_played
        assert len(server.requests) == 1
    assert 'sk-secret' not in cassette.read_text()


def test_without_the_transport_none_of_them_sees_a_request() -> None:
    """Which is why the lock is what to rely on: the requests of syncai's own connections pass httpx by."""
    with ModelServer(Reply('real')) as server, respx.mock(assert_all_called=False) as router:
        router.route().mock(return_value=httpx.Response(200, json=ANSWER))
        assert model_request_sync(OpenAIChatModel('m', base_url=server.base_url), HELLO).text == 'real'
        assert not router.calls


def test_the_lock_holds_whatever_sends_the_request(httpx_mock: HTTPXMock) -> None:
    for of in (model(), OpenAIChatModel('m', api_key='k')):
        with override_allow_model_requests(False), pytest.raises(UserError, match='ALLOW_MODEL_REQUESTS'):
            model_request_sync(of, HELLO)
    assert not httpx_mock.get_requests()


BLOCKED = """
import gc, sys, pytest_socket
pytest_socket.disable_socket()
from syncai import HttpOptions, ModelRequest, model_request_sync
from syncai.models.openai import OpenAIChatModel
for _ in range(2):
    try:
        model = OpenAIChatModel('m', base_url=sys.argv[1], api_key='k')
        model_request_sync(model, [ModelRequest.user_text_prompt('Hi')])
    except pytest_socket.SocketBlockedError as error:
        print('blocked:', error)
gc.collect()
"""


@pytest.mark.slow
@pytest.mark.parametrize('url', ['http://127.0.0.1:9/v1', 'https://api.openai.com/v1'])
def test_pytest_socket_on_a_cold_loop_gives_its_error_and_nothing_else(url: str) -> None:
    command = [sys.executable, '-W', 'default', '-W', 'ignore:A test tried to use', '-c', BLOCKED, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.count('blocked: A test tried to use socket.') == 2, done.stderr
    assert done.stderr == ''


@pytest.mark.slow
def test_a_suite_with_disable_socket_and_a_mock(tmp_path: Path) -> None:
    """As a project would have it: the network is forbidden, and one test has its answers from pytest-httpx."""
    (tmp_path / 'test_it.py').write_text(
        'import httpx, pytest, pytest_socket\n'
        'from syncai import Agent, HttpOptions\n'
        'from syncai.models.openai import OpenAIChatModel\n'
        f'ANSWER = {ANSWER!r}\n'
        'def test_mocked(httpx_mock):\n'
        '    httpx_mock.add_response(json=ANSWER)\n'
        '    http = HttpOptions(transport=httpx.AsyncHTTPTransport())\n'
        "    assert Agent(OpenAIChatModel('m', api_key='k', http=http)).run_sync('Hi').data == 'fine'\n"
        'def test_forbidden():\n'
        "    with pytest.raises(pytest_socket.SocketBlockedError), pytest.warns(UserWarning, match='A test tried'):\n"
        "        Agent(OpenAIChatModel('m', api_key='k')).run_sync('Hi')\n"
    )
    command: list[Any] = [sys.executable, '-m', 'pytest', '-q', '--disable-socket', '-W', 'error', str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert '2 passed' in done.stdout, done.stdout + done.stderr

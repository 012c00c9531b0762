"""`ModelServer`, looked at with plain sockets and `http.client`."""

from __future__ import annotations

import contextlib
import json
import pickle
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import trustme
from plain_http import client, connected, payloads, post, read_all, text_of, wait_until, wire

from syncai.exceptions import UserError
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

USAGE: dict[str, Any] = {'stream_options': {'include_usage': True}}


@pytest.fixture(params=['thread', 'process'])
def start(request: pytest.FixtureRequest) -> Callable[..., ModelServer]:
    def make(*args: Any, **options: Any) -> ModelServer:
        return ModelServer(*args, process=request.param == 'process', **options)

    return make


def double(request: RecordedRequest) -> Reply:
    return Reply(request.json['model'] * 2)


@pytest.mark.slow
def test_streams_a_scripted_reply(start: Callable[..., ModelServer]) -> None:
    with start([Reply('Hello ', 'world', usage=(3, 2))]) as server:
        response, body = post(server, **USAGE)
        assert response.status == 200
        assert response.headers['content-type'] == 'text/event-stream; charset=utf-8'
        assert response.headers['transfer-encoding'] == 'chunked'
        assert text_of(body) == 'Hello world'
        chunks = payloads(body)
        assert chunks[-1] == '[DONE]'
        assert chunks[-2]['usage'] == {'prompt_tokens': 3, 'completion_tokens': 2, 'total_tokens': 5}
        assert chunks[-3]['choices'][0]['finish_reason'] == 'stop'
    assert server.requests[0].events_sent == len(chunks)
    assert server.requests[0].finished_at is not None
    assert server.requests[0].disconnected_at is None


def test_usage_is_streamed_only_on_request(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', usage=(1, 1)))
    assert b'usage' not in post(model_server)[1]


@pytest.mark.slow
def test_answers_with_one_body(start: Callable[..., ModelServer]) -> None:
    with start() as server:
        server.reply(Reply('a', 'b', thinking='hm', tool_calls=[ToolCall('f', {'x': 1})], usage=(1, 2), repeat=2))
        response, body = post(server, stream=False)
    assert response.headers['content-type'] == 'application/json'
    answer = json.loads(body)
    message = answer['choices'][0]['message']
    assert message['content'] == 'abab'
    assert message['reasoning_content'] == 'hm'
    assert message['tool_calls'] == [
        {'id': 'call_0', 'type': 'function', 'function': {'name': 'f', 'arguments': '{"x":1}'}}
    ]
    assert answer['choices'][0]['finish_reason'] == 'tool_calls'
    assert answer['usage']['total_tokens'] == 3


def test_streams_tool_calls_and_thinking_in_fragments(model_server: ModelServer) -> None:
    calls = [ToolCall('f', {'city': 'Oslo'}, pieces=3), ToolCall('g', '{broken', 'own')]
    model_server.reply(Reply(thinking=('a', 'b'), tool_calls=calls))
    deltas = [p['choices'][0]['delta'] for p in payloads(post(model_server)[1])[:-1]]
    assert [d['reasoning_content'] for d in deltas if 'reasoning_content' in d] == ['a', 'b']
    fragments = [call for d in deltas for call in d.get('tool_calls', ())]
    arguments = ['', '']
    for fragment in fragments:
        arguments[fragment['index']] += fragment['function']['arguments']
    assert arguments == ['{"city":"Oslo"}', '{broken']
    assert [f['id'] for f in fragments if 'id' in f] == ['call_0', 'own']
    assert len(fragments) == 1 + 3 + 1 + 2


def test_keeps_connections_alive_and_numbers_them(model_server: ModelServer) -> None:
    model_server.reply(*[Reply('x')] * 3)
    with client(model_server) as connection:
        for stream in (True, False):
            connection.request('POST', '/v1/chat/completions', json.dumps({'stream': stream}))
            connection.getresponse().read()
        assert model_server.connections == 1
    post(model_server)
    assert [r.connection for r in model_server.requests] == [0, 0, 1]
    assert [r.number for r in model_server.requests] == [0, 1, 2]
    assert model_server.connections_accepted == 2
    model_server.wait_for_connections(0)


def test_pipelined_requests_are_answered_in_order(model_server: ModelServer) -> None:
    model_server.reply(
        Reply('one', headers={'connection': 'keep-alive'}), Reply('two', headers={'Connection': 'close'})
    )
    with connected(model_server, wire() + wire()) as sock:
        received = read_all(sock)
    assert received.index(b'one') < received.index(b'two')


@pytest.mark.slow
def test_function_of_the_request(start: Callable[..., ModelServer]) -> None:
    with start(double) as server:
        assert text_of(post(server, model='ab')[1]) == 'abab'
        with pytest.raises(UserError, match='function'):
            server.reply(Reply())


def test_async_function_and_one_reply_for_all() -> None:
    async def answer(request: RecordedRequest) -> Reply:
        return double(request)

    with ModelServer(answer) as server:
        assert text_of(post(server)[1]) == 'mm'
    with ModelServer(Reply('same')) as server:
        assert [text_of(post(server)[1]) for _ in range(3)] == ['same'] * 3


def test_a_function_that_fails_is_an_error_500_that_says_so() -> None:
    def fail(request: RecordedRequest) -> Reply:
        raise KeyError('oops')

    with ModelServer(fail) as server:
        response, body = post(server)
    assert response.status == 500
    assert 'oops' in json.loads(body)['error']['message']


@pytest.mark.slow
def test_exhausted_script_says_so(start: Callable[..., ModelServer]) -> None:
    with start([Reply('x')]) as server:
        assert server.replies_left == 1
        post(server)
        assert server.replies_left == 0
        response, body = post(server)
        assert response.status == 500
        assert 'exhausted' in json.loads(body)['error']['message']
        assert response.headers['x-should-retry'] == 'false'


def test_models_and_unknown_paths(model_server: ModelServer) -> None:
    with client(model_server) as connection:
        connection.request('GET', '/v1/models')
        assert json.loads(connection.getresponse().read())['data'][0]['object'] == 'model'
        connection.request('GET', '/v1/nothing')
        response = connection.getresponse()
        assert response.status == 404
        assert 'nothing' in json.loads(response.read())['error']['message']
        connection.request('POST', '/v1/chat/completions', 'no json')
        assert connection.getresponse().status == 400


def test_what_is_not_http_is_refused(model_server: ModelServer) -> None:
    with connected(model_server, b'hello there\r\n\r\n') as sock:
        assert read_all(sock).startswith(b'HTTP/1.1 400')


@pytest.mark.slow
def test_records_the_request(start: Callable[..., ModelServer]) -> None:
    before = time.monotonic()
    with start([Reply('x')]) as server:
        post(server, temperature=0.5)
        [request] = server.wait_for_requests(1)
    assert (request.method, request.path) == ('POST', '/v1/chat/completions')
    assert request.headers['content-type'] == 'application/json'
    assert request.json['temperature'] == 0.5
    assert json.loads(request.body) == request.json
    assert request.headers_sent_at is not None
    assert request.finished_at is not None
    assert before <= request.received_at <= request.headers_sent_at <= request.finished_at <= time.monotonic()
    assert server.requests[0].json == request.json
    assert pickle.loads(pickle.dumps(request)).path == request.path


@pytest.mark.slow
def test_many_connections_at_once(start: Callable[..., ModelServer]) -> None:
    with start(Reply('a', 'b', delay_between_events=0.005)) as server:
        texts: list[str] = []
        threads = [threading.Thread(target=lambda: texts.append(text_of(post(server)[1]))) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert texts == ['ab'] * 50
        assert len(server.requests) == 50


def test_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert('127.0.0.1').configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with ModelServer([Reply('safe'), Reply('x', delay_headers=60)], tls=context) as server:
        assert server.base_url.startswith('https://127.0.0.1:')
        with socket.create_connection(('127.0.0.1', server.port), 5) as raw:
            sock = trusting.wrap_socket(raw, server_hostname='127.0.0.1')
            with sock:
                sock.sendall(wire())
                received = b''
                while not received.endswith(b'0\r\n\r\n'):
                    received += sock.recv(65_536)
                assert b'safe' in received
                sock.sendall(wire())
                server.wait_for_requests(2)
        assert server.wait_for_disconnect().number == 1


@pytest.mark.slow
def test_stopping_closes_everything(start: Callable[..., ModelServer]) -> None:
    threads = set(threading.enumerate())
    server = start(Reply('x', delay_first_event=60))
    server.start()
    with connected(server, wire()) as streaming, connected(server) as idle:
        server.wait_for_connections(2)
        wait_until(lambda: server.requests != [] and server.requests[0].headers_sent_at is not None)
        server.stop()
        server.stop()
        for sock in (streaming, idle):
            with pytest.raises((ConnectionError, EOFError)):
                read_all(sock)
                raise EOFError
    assert set(threading.enumerate()) <= threads  # an idle worker of an earlier test may end meanwhile
    assert server.requests[0].disconnected_at is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', server.port))


def test_misuse_is_explained(model_server: ModelServer) -> None:
    with pytest.raises(UserError, match='started'):
        _ = ModelServer().base_url
    with pytest.raises(UserError, match='once'):
        model_server.start()
    with pytest.raises(UserError, match='Reply'):
        model_server.reply('text')  # type: ignore[arg-type]
    with pytest.raises(UserError, match='script'):
        ModelServer(3)  # type: ignore[arg-type]
    with pytest.raises(UserError, match='picklable'):
        ModelServer(lambda request: Reply(), process=True)
    with pytest.raises(UserError, match='tls'):
        ModelServer(process=True, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


@pytest.mark.slow
def test_the_process_ends_with_its_parent() -> None:
    script = (
        'import os\n'
        'from syncai.testing import ModelServer, Reply\n'
        'server = ModelServer(Reply("x"), process=True)\n'
        'server.start()\n'
        'print(server.port, flush=True)\n'
        'os._exit(0)\n'
    )
    ended = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, timeout=20, check=True)
    port = int(ended.stdout)

    def refused() -> bool:
        try:
            socket.create_connection(('127.0.0.1', port)).close()
        except ConnectionError:
            return True
        return False

    wait_until(refused)


@pytest.mark.slow
def test_loading_the_plugin_is_light() -> None:
    script = 'import sys, pytest; before = set(sys.modules); import syncai.testing.pytest_plugin; ' + (
        'heavy = {"asyncio", "h11", "pydantic", "pydantic_core", "httpx", "httptools", "ssl"}; '
        'print(sorted((set(sys.modules) - before) & heavy))'
    )
    ended = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, timeout=20, check=True)
    assert ended.stdout.strip() == '[]'


def test_small_writes_are_sent_at_once() -> None:
    """asyncio turns Nagle's algorithm off only for sockets that name their protocol: with it an answer takes 40 ms."""
    from syncai.testing._service import _listening_socket

    with _listening_socket(None) as sock:
        assert sock.proto == socket.IPPROTO_TCP


def test_stopping_while_somebody_connects_leaves_no_socket() -> None:
    for _ in range(100):
        with ModelServer([]) as server, contextlib.ExitStack() as clients:
            for _ in range(5):
                clients.enter_context(socket.create_connection(('127.0.0.1', server.port)))
            server.stop()

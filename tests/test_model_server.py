"""`ModelServer`, looked at with plain sockets and `http.client`."""

from __future__ import annotations

import http.client
import json
import pickle
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme

from syncai.exceptions import UserError
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

USAGE: dict[str, Any] = {'stream_options': {'include_usage': True}}


@pytest.fixture(params=['thread', 'process'])
def start(request: pytest.FixtureRequest) -> Callable[..., ModelServer]:
    def make(*args: Any, **options: Any) -> ModelServer:
        return ModelServer(*args, process=request.param == 'process', **options)

    return make


def wire(*, stream: bool = True, **more: Any) -> bytes:
    body = json.dumps({'model': 'm', 'stream': stream, 'messages': [], **more}).encode()
    head = f'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n'
    return head.encode() + body


@contextmanager
def connected(server: ModelServer, request: bytes = b'', receive_buffer: int | None = None) -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.settimeout(5)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(('127.0.0.1', server.port))
        sock.sendall(request)
        yield sock


@contextmanager
def client(server: ModelServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=5)
    try:
        yield connection
    finally:
        connection.close()


def post(server: ModelServer, *, stream: bool = True, **more: Any) -> tuple[http.client.HTTPResponse, bytes]:
    with client(server) as connection:
        body = json.dumps({'model': 'm', 'stream': stream, 'messages': [], **more})
        connection.request('POST', '/v1/chat/completions', body, {'Content-Type': 'application/json'})
        response = connection.getresponse()
        return response, response.read()


def payloads(body: bytes) -> list[Any]:
    data = [event.removeprefix(b'data: ') for event in body.split(b'\n\n') if event]
    return [item.decode() if item == b'[DONE]' else json.loads(item) for item in data]


def text_of(body: bytes) -> str:
    chunks = [p for p in payloads(body) if p != '[DONE]' and p['choices']]
    return ''.join(chunk['choices'][0]['delta'].get('content') or '' for chunk in chunks)


def read_all(sock: socket.socket) -> bytes:
    received = b''
    while data := sock.recv(65_536):
        received += data
    return received


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def double(request: RecordedRequest) -> Reply:
    return Reply(request.json['model'] * 2)


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


@pytest.mark.parametrize('status', [400, 401, 404, 429, 500, 503, 529])
def test_statuses_and_headers(model_server: ModelServer, status: int) -> None:
    model_server.reply(Reply(status=status, headers={'Retry-After': '7'}))
    response, body = post(model_server)
    assert response.status == status
    assert response.headers['retry-after'] == '7'
    assert str(status) in json.loads(body)['error']['message']


def test_bodies_of_ones_own(model_server: ModelServer) -> None:
    model_server.reply(
        Reply(status=502, body='<p>Bad gateway', content_type='text/html'),
        Reply(body={'a': 1}),
        Reply(body=b'data: raw\n\n'),
        Reply('x', content_type='text/html'),
    )
    response, body = post(model_server)
    assert (response.status, response.headers['content-type'], body) == (502, 'text/html', b'<p>Bad gateway')
    assert json.loads(post(model_server)[1]) == {'a': 1}
    response, body = post(model_server)
    assert (response.headers['content-type'], body) == ('text/event-stream; charset=utf-8', b'data: raw\n\n')
    response, body = post(model_server)
    assert (response.headers['content-type'], text_of(body)) == ('text/html', 'x')


def test_a_body_is_read_up_to_a_clean_early_end(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', 'b', ending='eof'), Reply('a', 'b', ending='eof', cut_after_events=2))
    body = post(model_server)[1]
    assert text_of(body) == 'ab'
    assert b'DONE' not in body
    assert b'"stop"' not in body
    assert text_of(post(model_server)[1]) == 'a'
    model_server.reply(Reply('whole', ending='eof'))
    with pytest.raises(ValueError):
        json.loads(post(model_server, stream=False)[1])


@pytest.mark.parametrize('stream', [True, False])
def test_a_body_cut_inside(model_server: ModelServer, stream: bool) -> None:
    model_server.reply(Reply('a', 'b', ending='cut'))
    with pytest.raises(http.client.IncompleteRead):
        post(model_server, stream=stream)
    [request] = model_server.requests
    assert request.disconnected_at is None


@pytest.mark.parametrize('stream', [True, False])
def test_connection_reset_after_the_headers(model_server: ModelServer, stream: bool) -> None:
    model_server.reply(Reply('a', ending='reset', delay_first_event=0.02, cut_after_events=1))
    with connected(model_server, wire(stream=stream)) as sock:
        assert sock.recv(20).startswith(b'HTTP/1.1 200')
        with pytest.raises(ConnectionResetError):
            read_all(sock)


def test_connection_reset_instead_of_an_answer(model_server: ModelServer) -> None:
    model_server.reply(Reply(ending='reset_before_headers'))
    with connected(model_server, wire()) as sock, pytest.raises(ConnectionResetError):
        sock.recv(1)
    assert model_server.requests[0].bytes_sent == 0


def test_malformed_event(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', 'b', malformed_event_at=1), Reply('a', malformed_event_at=0))
    events = post(model_server)[1].split(b'\n\n')
    json.loads(events[0].removeprefix(b'data: '))
    with pytest.raises(ValueError):
        json.loads(events[1].removeprefix(b'data: '))
    assert b'"b"' in events[2]
    with pytest.raises(ValueError):
        json.loads(post(model_server, stream=False)[1])


def test_an_event_of_20_mb(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', big_event_bytes=20_000_000))
    assert len(text_of(post(model_server)[1])) == 20_000_001


def test_bytes_cut_anywhere(model_server: ModelServer) -> None:
    model_server.reply(Reply('grüße', cut_bytes=1))
    assert text_of(post(model_server)[1]) == 'grüße'


def test_events_joined_to_one_chunk(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', repeat=20, events_per_write=100))
    with connected(model_server, wire()) as sock:
        received = b''
        while not received.endswith(b'0\r\n\r\n'):
            received += sock.recv(65_536)
    assert received.count(b'\r\n') == 2 + received.partition(b'\r\n\r\n')[0].count(b'\r\n') + 4
    assert model_server.requests[0].events_sent == 23


def test_delays_hold_back_what_they_name(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', delay_headers=0.02, delay_first_event=0.03, delay_between_events=0.01))
    post(model_server)
    [request] = model_server.requests
    assert request.headers_sent_at is not None
    assert request.finished_at is not None
    assert request.headers_sent_at - request.received_at >= 0.02
    assert request.finished_at - request.headers_sent_at >= 0.03 + 3 * 0.01 - 0.001


@pytest.mark.parametrize(
    'reply',
    [
        Reply('x', delay_headers=60),
        Reply('x', delay_first_event=60),
        Reply('x', 'y', delay_between_events=60),
        Reply('x' * 1000, repeat=1_000_000),
    ],
    ids=['headers', 'first', 'between', 'burst'],
)
@pytest.mark.parametrize('abrupt', [False, True])
def test_a_client_that_leaves_is_seen(start: Callable[..., ModelServer], reply: Reply, abrupt: bool) -> None:
    with start([reply, Reply('next')]) as server:
        with connected(server, wire()) as sock:
            server.wait_for_requests(1)
            assert server.requests[0].disconnected_at is None
            if abrupt:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            left_at = time.monotonic()
        request = server.wait_for_disconnect()
        assert request.disconnected_at is not None
        assert request.disconnected_at >= left_at
        assert request.finished_at is None
        server.wait_for_connections(0)
        assert text_of(post(server)[1]) == 'next'
        with pytest.raises(TimeoutError, match='no client disconnected'):
            server.wait_for_disconnect(0.01)


def test_a_client_that_leaves_at_once_is_recorded(model_server: ModelServer) -> None:
    model_server.reply(Reply('x', delay_headers=60))
    with connected(model_server, wire()):
        pass
    assert model_server.wait_for_disconnect().number == 0


def test_a_client_that_leaves_after_the_answer_is_no_disconnect(model_server: ModelServer) -> None:
    model_server.reply(Reply('x'))
    post(model_server)
    model_server.wait_for_connections(0)
    assert model_server.requests[0].disconnected_at is None


def test_a_client_that_stalls_stalls_the_server() -> None:
    reply = Reply('x' * 1000, repeat=20_000)
    with ModelServer(reply, send_buffer_bytes=8192) as server, connected(server, wire(), 8192) as sock:
        [request] = server.wait_for_requests(1)
        counts = [-1]

        def stalled() -> bool:
            counts.append(request.bytes_sent)
            return len(counts) > 20 and counts[-20] == counts[-1]

        wait_until(stalled)
        assert 0 < request.bytes_sent < 1_000_000
        assert request.finished_at is None
        received = 0
        while request.finished_at is None:
            received += len(sock.recv(1_000_000))
        assert request.events_sent == 20_003
        assert request.bytes_sent >= 20_000_000


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
    assert set(threading.enumerate()) == threads
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


@pytest.mark.parametrize(
    'wrong',
    [{'ending': 'explode'}, {'cut_after_events': 1}, {'status': 99}, {'repeat': 0}, {'cut_bytes': 0}],
)
def test_wrong_replies_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Reply('x', **wrong)


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


def test_loading_the_plugin_is_light() -> None:
    script = 'import sys, pytest; before = set(sys.modules); import syncai.testing.pytest_plugin; ' + (
        'heavy = {"asyncio", "h11", "pydantic", "pydantic_core", "httpx", "aiohttp", "ssl"}; '
        'print(sorted((set(sys.modules) - before) & heavy))'
    )
    ended = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True, timeout=20, check=True)
    assert ended.stdout.strip() == '[]'

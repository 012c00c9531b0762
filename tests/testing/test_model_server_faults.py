"""The faults that `ModelServer` injects, and how it sees its client leave or stall."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from plain_http import connected, post, read_all, text_of, wait_until, wire

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import ServerError, UserError
from syncai.messages import ModelRequest
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.testing.script import Ending


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


@pytest.mark.slow
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
@pytest.mark.parametrize('process', [False, True])
def test_a_client_that_leaves_is_seen(process: bool, reply: Reply, abrupt: bool) -> None:
    with ModelServer([reply, Reply('next')], process=process) as server:
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    'wrong',
    [
        {'ending': 'explode'},
        {'cut_after_events': 1},
        {'cut_after_events': '1'},
        {'status': 99},
        {'status': '500'},
        {'repeat': 0},
        {'repeat': None},
        {'cut_bytes': 0},
        {'delay_headers': -1},
        {'delay_between_events': '1'},
        {'tool_calls': 'look'},
        {'tool_calls': [{'name': 'look'}]},
        {'thinking': [1]},
        {'usage': 3},
        {'usage': (1, 2, 3)},
    ],
)
def test_wrong_replies_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Reply('x', **wrong)


@pytest.mark.parametrize('text', [42, ['a', 'b'], None, {'role': 'assistant'}])
def test_texts_of_another_type_are_refused(text: Any) -> None:
    with pytest.raises(UserError, match='text of a Reply must be of str'):
        Reply(text)


def test_one_call_needs_no_list() -> None:
    assert Reply(tool_calls=ToolCall('look')).tool_calls == (ToolCall('look'),)


def test_the_documentation_names_everything_that_a_reply_can_do() -> None:
    document = (Path(__file__).parent.parent.parent / 'docs' / 'testing.md').read_text()
    names = {field.name for field in fields(Reply)} - {'text'}
    assert [name for name in sorted(names) if f'{name}=' not in document] == []
    endings = set(get_args(Ending)) - {'done'}
    assert [ending for ending in sorted(endings) if f"ending='{ending}'" not in document] == []


def test_an_error_object_in_the_stream_and_as_the_whole_body(model_server: ModelServer) -> None:
    model_server.reply(Reply('a', 'b', ending='error', cut_after_events=2), Reply('a', ending='error'))
    model = OpenAIChatModel('m', base_url=model_server.base_url)
    question = [ModelRequest.user_text_prompt('?')]
    with model_request_stream_sync(model, question) as stream, pytest.raises(ServerError) as caught:
        list(stream)
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'a'
    with pytest.raises(ServerError):
        model_request_sync(model, question)

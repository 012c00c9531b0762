"""The application of a chat page: its answers, and the requests that it refuses."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from pages import chunks, kinds
from streams import model_of

from syncai import Agent
from syncai.conversations import MemoryStore
from syncai.exceptions import UserError
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.web import chat_app

BODY = json.dumps({'messages': [{'role': 'user', 'parts': [{'type': 'text', 'text': 'Hi'}]}]}).encode()


def asked(app: Any, method: str = 'POST', path: str = '/api/chat', body: bytes = BODY, **environ: str) -> Any:
    """The status, the headers and the body of an answer."""
    request = {
        'REQUEST_METHOD': method,
        'PATH_INFO': path,
        'HTTP_HOST': '127.0.0.1:8000',
        'CONTENT_TYPE': 'application/json',
        'CONTENT_LENGTH': str(len(body)),
        'wsgi.input': io.BytesIO(body),
        **environ,
    }
    started: list[Any] = []
    pieces = app(request, lambda status, fields: started.append((status, dict(fields))))
    text = b''.join(pieces)
    if hasattr(pieces, 'close'):
        pieces.close()
    ((status, fields),) = started
    return int(status[:3]), fields, text


@pytest.fixture
def app(model_server: ModelServer) -> Any:
    return chat_app(Agent(model_of(model_server, http=HttpOptions(max_retries=0))))


def test_the_page_asks_for_nothing_from_elsewhere(app: Any) -> None:
    status, fields, page = asked(app, 'GET', '/')
    assert (status, fields['Content-Type']) == (200, 'text/html; charset=utf-8')
    assert "default-src 'none'" in fields['Content-Security-Policy']
    assert page.startswith(b'<!doctype html>')


def test_a_chat_is_a_stream(app: Any, model_server: ModelServer) -> None:
    model_server.reply(Reply('Hello'))
    status, fields, body = asked(app, HTTP_ORIGIN='http://127.0.0.1:8000')
    assert (status, fields['x-vercel-ai-ui-message-stream']) == (200, 'v1')
    assert kinds(chunks(body))[-2:] == ['finish', 'data: [DONE]']


@pytest.mark.parametrize(
    ('environ', 'status'),
    [
        ({'HTTP_ORIGIN': 'https://evil.example'}, 403),
        ({'HTTP_ORIGIN': 'null'}, 403),
        ({'HTTP_ORIGIN': 'http://['}, 403),
        ({'HTTP_HOST': '127.0.0.1:8000@evil.example'}, 403),
        ({'HTTP_HOST': '[::1'}, 403),
        ({'HTTP_HOST': 'localhost.evil.example'}, 403),
        ({'CONTENT_TYPE': 'application/jsonp'}, 415),
        ({'CONTENT_TYPE': ''}, 415),
        ({'CONTENT_LENGTH': '-1'}, 400),
        ({'HTTP_ORIGIN': 'http://127.0.0.1:9000'}, 403),
        ({'HTTP_HOST': 'evil.example:8000'}, 403),
        ({'HTTP_HOST': ''}, 403),
        ({'HTTP_SEC_FETCH_SITE': 'cross-site'}, 403),
        ({'CONTENT_TYPE': 'text/plain'}, 415),
        ({'CONTENT_TYPE': 'application/x-www-form-urlencoded'}, 415),
        ({'CONTENT_LENGTH': '99999999999'}, 413),
        ({'CONTENT_LENGTH': 'x'}, 400),
        ({'CONTENT_LENGTH': ''}, 400),
        ({'method': 'PUT'}, 405),
        ({'path': '/etc'}, 404),
        ({'method': 'GET', 'path': '/api/chat/c1/stream'}, 204),
    ],
)
def test_other_requests_are_refused(environ: Any, status: int, app: Any, model_server: ModelServer) -> None:
    got, fields, body = asked(app, **environ)
    assert got == status
    assert 'Traceback' not in body.decode()
    assert 'Access-Control-Allow-Origin' not in fields
    assert model_server.requests == []


def test_an_error_at_once_is_a_status(app: Any, monkeypatch: pytest.MonkeyPatch, model_server: ModelServer) -> None:
    monkeypatch.setattr('syncai.web._body.EncodedStream.begin.__defaults__', (10.0,))  # also where all is slow
    model_server.reply(Reply(status=429, headers={'retry-after': '7'}), Reply(status=503), Reply(status=401))
    status, fields, body = asked(app)
    assert (status, fields['Retry-After']) == (429, '7')
    assert body == b'There are too many requests at the moment. Please try again later.'
    assert [asked(app)[0] for _ in range(2)] == [503, 500]


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match='chat_app takes an Agent'):
        chat_app('openai:gpt-5.4-mini')  # type: ignore[arg-type]
    with pytest.raises(UserError, match='hosts must be a list'):
        chat_app(Agent(), hosts='localhost')


# --- with a store -----------------------------------------------------------------------------------------------------


def said(words: str, **more: Any) -> bytes:
    message = {'role': 'user', 'parts': [{'type': 'text', 'text': words}]}
    return json.dumps({'id': 'c1', 'messages': [message], **more}).encode()


@pytest.fixture
def kept(model_server: ModelServer) -> Any:
    agent: Agent[None, str] = Agent(model_of(model_server))

    @agent.tool_plain(approve=True)
    def refund(order: int) -> str:
        return f'refunded {order}'

    return chat_app(agent, store=MemoryStore())


def test_with_a_store_the_server_keeps_what_was_said(kept: Any, model_server: ModelServer) -> None:
    model_server.reply(*[Reply(str(number)) for number in range(4)])
    for words in ('One', 'Two'):
        assert asked(kept, body=said(words))[0] == 200
    assert len(model_server.requests[1].json['messages']) == 3
    asked(kept, body=said('Two', trigger='regenerate-message'))
    assert len(model_server.requests[2].json['messages']) == 3
    assert asked(kept, body=BODY)[0] == 400, 'the page must say which conversation it is'
    # A conversation that the process does not have any more begins with what the page knows of it.
    history = json.loads(said('Three', id='c2'))
    history['messages'][:0] = [
        {'role': 'user', 'parts': [{'type': 'text', 'text': 'One'}]},
        {'role': 'assistant', 'parts': [{'type': 'text', 'text': '0'}]},
    ]
    asked(kept, body=json.dumps(history).encode())
    assert [message['content'] for message in model_server.requests[3].json['messages']] == ['One', '0', 'Three']


def test_calls_wait_for_the_page(kept: Any, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('refund', {'order': 7}, 'c')]), Reply('Done'))
    assert b'tool-approval-request' in asked(kept, body=said('Refund'))[2]
    status, _, body = asked(kept, body=said('And?'))
    assert (status, body) == (409, b'This conversation waits for a decision about: refund.')
    part: dict[str, Any] = {
        'type': 'tool-refund',
        'toolCallId': 'c',
        'state': 'approval-responded',
        'input': {'order': 8},
    }
    decided = json.loads(said('Refund'))
    part['approval'] = {'id': 'c', 'approved': True}
    decided['messages'].append({'role': 'assistant', 'parts': [part]})
    assert b'"output":"refunded 7"' in asked(kept, body=json.dumps(decided).encode())[2]
    assert asked(kept, body=json.dumps(decided).encode())[0] == 409


def test_without_a_store_nothing_can_be_decided(app: Any) -> None:
    part: dict[str, Any] = {'type': 'tool-x', 'toolCallId': 'c', 'state': 'approval-responded'}
    part |= {'approval': {'id': 'c', 'approved': True}}
    body = json.loads(said('Refund'))
    body['messages'].append({'role': 'assistant', 'parts': [part]})
    assert asked(app, body=json.dumps(body).encode())[0] == 409


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        ({'hosts': ['localhost:8000']}, 'hosts are names without https:// and without a port'),
        ({'hosts': ['https://x.org']}, 'hosts are names without https:// and without a port'),
        ({'store': 'chats.db'}, "store must be a store, not the text 'chats.db'"),
        ({'keepalive': 0}, 'keepalive must be a number of seconds above 0'),
        ({'max_files': 'many'}, 'max_files must be an integer'),
        ({'metadata': 'x'}, 'metadata must be a function'),
    ],
)
def test_mistakes_are_named_where_the_application_is_made(options: Any, line: str) -> None:
    with pytest.raises(UserError, match=line):
        chat_app(Agent(), **options)

"""Conversations of Flask's views: kept after each step, with decisions of the page, and bounded requests."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from agent_faces import model_of

from syncai import Agent, UserError
from syncai.conversations import MemoryStore
from syncai.messages import ModelResponse
from syncai.models._route import defaults
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.web import read_chat

flask: Any = pytest.importorskip('flask')

import syncai.contrib.flask as contrib  # noqa: E402
from syncai.contrib.flask import chat_blueprint, init_app, stream_response  # noqa: E402

CHAT = '/api/chat'
SLOW = Reply('x', repeat=100_000, delay_between_events=0.01)
REFUND = Reply(tool_calls=[ToolCall('refund', {'order': 7}, 'call-7')])
Make = Callable[..., Any]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def make_client(monkeypatch: pytest.MonkeyPatch, model_server: ModelServer, store: MemoryStore) -> Make:
    monkeypatch.setattr(defaults, '_source', None)
    monkeypatch.setattr(contrib, '_last', None)  # or the application of a test would live on

    def make(**options: Any) -> Any:
        agent: Agent[None, str] = Agent(model_of(model_server))

        @agent.tool_plain(approve=True)
        def refund(order: int) -> str:
            return f'refunded {order}'

        app = flask.Flask('shop')
        app.config['SYNCAI_MAX_BODY'] = 2000
        init_app(app)
        app.register_blueprint(chat_blueprint(agent, store=store, conversation=lambda chat: chat, **options))

        @app.post('/own')  # type: ignore[untyped-decorator]
        def own() -> Any:
            asked = read_chat(flask.request.get_data(), history='server')
            return stream_response(agent.conversation('own', store=store), asked.prompt, asked=asked)

        return app.test_client()

    return make


def body_of(text: str) -> dict[str, Any]:
    message = {'id': 'u1', 'role': 'user', 'parts': [{'type': 'text', 'text': text}]}
    return {'id': 'c1', 'messages': [message], 'trigger': 'submit-message'}


def decided(approved: bool) -> dict[str, Any]:
    part: dict[str, Any] = {
        'type': 'tool-refund',
        'toolCallId': 'call-7',
        'state': 'approval-responded',
        'input': {'order': 8},
    }
    part['approval'] = {'id': 'call-7', 'approved': approved}
    body = body_of('Refund')
    body['messages'].append({'id': 'm1', 'role': 'assistant', 'parts': [part]})
    return body


def test_a_browser_that_leaves_loses_nothing(make_client: Make, model_server: ModelServer, store: MemoryStore) -> None:
    for path, name in ((CHAT, 'c1'), ('/own', 'own')):
        model_server.reply(SLOW)
        response = make_client().post(path, json=body_of('Hello'), buffered=False)
        pieces = response.iter_encoded()
        while b'text-delta' not in next(pieces):
            pass
        response.close()
        request, answer = store.load(name)[0]
        assert isinstance(answer, ModelResponse)
        assert (request.kind, answer.incomplete, answer.text[:1]) == ('request', True, 'x')


@pytest.mark.parametrize('path', [CHAT, '/own'])
def test_the_page_decides_about_what_was_stored(make_client: Make, model_server: ModelServer, path: str) -> None:
    client = make_client()
    model_server.reply(REFUND, Reply('Done'))
    assert 'tool-approval-request' in client.post(path, json=body_of('Refund')).text
    refused = client.post(path, json=body_of('And?'))
    assert (refused.status_code, refused.text) == (409, 'This conversation waits for a decision about: refund.')
    assert '"output":"refunded 7"' in client.post(path, json=decided(True)).text
    assert client.post(path, json=decided(True)).status_code == 409
    assert len(model_server.requests) == 2


def test_a_large_body_is_refused_before_it_is_read(make_client: Make, model_server: ModelServer) -> None:
    client = make_client()
    assert client.post(CHAT, json=body_of('x' * 3000)).status_code == 413
    chunked = {'wsgi.input_terminated': True, 'HTTP_TRANSFER_ENCODING': 'chunked'}  # as gunicorn passes it on
    stream = io.BytesIO(json.dumps(body_of('x' * 3000)).encode())
    sent = client.post(CHAT, input_stream=stream, content_type='application/json', environ_overrides=chunked)
    assert sent.status_code == 413
    assert stream.tell() == 2001
    model_server.reply(Reply('Hello'))
    stream = io.BytesIO(json.dumps(body_of('x')).encode())
    sent = client.post(CHAT, input_stream=stream, content_type='application/json', environ_overrides=chunked)
    assert '"delta":"Hello"' in sent.text


@pytest.mark.parametrize(
    ('headers', 'status'),
    [
        ({'Origin': 'https://localhost'}, 200),  # behind a proxy that ends TLS
        ({'Origin': 'https://localhost:8443', 'Sec-Fetch-Site': 'same-origin'}, 200),  # that passes on no port
        ({'Origin': 'http://localhost:9000'}, 403),
        ({'Origin': 'null'}, 403),
        ({'Origin': 'http://localhost', 'Sec-Fetch-Site': 'same-site'}, 403),
        ({'Origin': 'http://['}, 403),
    ],
)
def test_where_a_request_may_come_from(
    make_client: Make, model_server: ModelServer, headers: dict[str, str], status: int
) -> None:
    model_server.reply(Reply('Hello'))
    response = make_client().post(CHAT, json=body_of('Hi'), headers=headers)
    assert response.status_code == status
    response.close()


def test_mistakes_are_named_where_the_blueprint_is_made(make_client: Make) -> None:
    for options, line in (
        ({'keepalve': 3}, "chat_blueprint: There is no option 'keepalve'. Did you mean 'keepalive'?"),
        ({'keep': 20}, r'keep must be Last\(count\), Fit\(share\) or None, not 20'),
        ({'save': 'always'}, "save must be one of 'step', 'end'"),
    ):
        with pytest.raises(UserError, match=line):
            make_client(**options)

"""Flask: keys, contexts during a stream, teardown, the blueprint with its page, and the command."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from agent_faces import model_of

from syncai import Agent, HttpOptions, UserError
from syncai.models._route import defaults
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.web import EncodedStream

flask: Any = pytest.importorskip('flask')

import syncai.contrib.flask as contrib  # noqa: E402
from syncai.contrib.flask import chat_blueprint, init_app, stream_response  # noqa: E402

MakeApp = Callable[..., Any]
CHAT = '/api/chat'


@pytest.fixture
def make_app(monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    monkeypatch.setattr(defaults, '_source', None)
    monkeypatch.setattr(contrib, '_last', None)  # or the application of a test would live on

    def make(**config: Any) -> Any:
        app = flask.Flask('shop')
        app.config.update({'SECRET_KEY': 'of a test', **config})
        init_app(app)
        return app

    return make


def body_of(text: str) -> dict[str, Any]:
    message = {'id': 'u1', 'role': 'user', 'parts': [{'type': 'text', 'text': text}]}
    return {'id': 'c1', 'messages': [message], 'trigger': 'submit-message'}


def text_of(response: Any) -> str:
    lines = [line.removeprefix('data: ') for line in response.text.split('\n') if line.startswith('data: ')]
    assert lines.pop() == '[DONE]'
    events = [json.loads(line) for line in lines]
    return ''.join(event['delta'] for event in events if event['type'] == 'text-delta')


def test_contexts_stay_during_the_stream_and_teardown_runs_once(make_app: MakeApp, model_server: ModelServer) -> None:
    """A connection that the view has opened serves the tools of the stream, and is closed behind its last piece."""
    model_server.reply(Reply(tool_calls=[ToolCall('lookup')]), Reply('Done.'))
    app = make_app()
    seen: list[str] = []

    def lookup() -> str:
        (value,) = flask.g.connection.execute('select 7').fetchone()
        return f'{value} {flask.request.path} {flask.current_app.name} {flask.session["user"]}'

    agent = Agent(model_of(model_server), tools=[lookup])

    @app.get('/ask')
    def ask() -> Any:
        flask.session['user'] = 'ada'
        flask.g.connection = sqlite3.connect(':memory:')
        return stream_response(agent, 'Ask', form='text')

    @app.teardown_request
    def of_request(error: BaseException | None) -> None:
        seen.append(f'request {error}')

    @app.teardown_appcontext
    def of_app(error: BaseException | None) -> None:
        flask.g.connection.close()
        seen.append(f'app {error}')

    response = app.test_client().get('/ask', buffered=False)
    assert seen == []
    assert response.get_data() == b'Done.'
    response.close()
    assert seen == ['request None', 'app None']
    assert model_server.requests[1].json['messages'][-1]['content'] == '7 /ask shop ada'
    assert not flask.has_app_context()


def test_a_response_that_is_never_read_is_torn_down_and_its_run_stopped(
    make_app: MakeApp, model_server: ModelServer
) -> None:
    model_server.reply(Reply('x', repeat=100_000, delay_between_events=0.01))
    app, seen = make_app(), list[object]()
    app.teardown_appcontext(seen.append)
    app.add_url_rule('/ask', view_func=lambda: stream_response(Agent(model_of(model_server)), 'Ask'), endpoint='ask')
    app.test_client().get('/ask', buffered=False).close()
    assert seen == [None]
    assert model_server.wait_for_disconnect(timeout=5).finished_at is None
    assert not flask.has_request_context()


def test_an_error_of_a_view_behind_the_stream_leaves_no_context(make_app: MakeApp, model_server: ModelServer) -> None:
    model_server.reply(Reply('x'))
    app, seen = make_app(PROPAGATE_EXCEPTIONS=False), list[object]()
    app.teardown_appcontext(seen.append)

    @app.get('/ask')
    def ask() -> Any:
        stream_response(Agent(model_of(model_server)), 'Ask')
        raise ZeroDivisionError

    assert app.test_client().get('/ask').status_code == 500
    assert len(seen) == 1
    assert not flask.has_request_context()


def test_headers_and_errors(make_app: MakeApp, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EncodedStream, 'begin', partialmethod(EncodedStream.begin, within=10))  # on a slow machine too
    model_server.reply(Reply('Good day'), *[Reply(status=503)] * 5)
    app = make_app(SYNCAI_FORM='text')
    agent = Agent(model_of(model_server, http=HttpOptions(max_retries=0)))
    app.add_url_rule('/ask', view_func=lambda: stream_response(agent, 'Ask'), endpoint='ask')
    response = app.test_client().get('/ask')
    assert (response.text, response.headers['X-Accel-Buffering']) == ('Good day', 'no')
    assert response.headers['Content-Type'] == 'text/plain; charset=utf-8'
    response = app.test_client().get('/ask')
    assert (response.status_code, response.text.startswith('The model is overloaded')) == (503, True)


@pytest.mark.parametrize(
    ('key', 'value', 'line'),
    [
        ('SYNCAI_MODLE', 'x', "SYNCAI_MODLE is unknown. Did you mean 'MODEL'?"),
        ('SYNCAI_KEEPALIVE', -1, 'SYNCAI_KEEPALIVE must be a number of seconds above 0, not -1'),
        ('SYNCAI_STORE', 'mysql://x', "SYNCAI_STORE must be a store, 'sqlite:chats.db'"),
        ('SYNCAI_HTTP', {'idle_timout': 1}, "SYNCAI_HTTP['idle_timout'] is unknown. Did you mean 'idle_timeout'?"),
    ],
)
def test_a_wrong_key_is_one_line(make_app: MakeApp, key: str, value: Any, line: str) -> None:
    with pytest.raises(UserError) as caught:
        make_app(**{key: value})
    assert str(caught.value).startswith(line)
    assert '\n' not in str(caught.value)


def test_an_application_that_was_not_set_up(model_server: ModelServer) -> None:
    app = flask.Flask('shop')
    app.register_blueprint(chat_blueprint(Agent(model_of(model_server))))
    with app.test_request_context():
        answer = app.test_client().post(CHAT, json=body_of('Hello'))
    assert answer.status_code == 500


def test_each_application_has_its_own_model(make_app: MakeApp) -> None:
    one, other = make_app(SYNCAI_MODEL='test'), make_app(SYNCAI_MODEL='opnai:x')
    agent: Agent[None, str] = Agent()
    with one.app_context():
        assert agent.run_sync('x').data
    with other.app_context(), pytest.raises(UserError, match='opnai'):
        agent.run_sync('x')


def test_the_blueprint(make_app: MakeApp, model_server: ModelServer) -> None:
    model_server.reply(Reply('Good ', 'day'))
    app = make_app()
    app.register_blueprint(chat_blueprint(Agent(model_of(model_server)), url_prefix='/talk', title='<Shop>'))
    client = app.test_client()
    page = client.get('/talk/')
    assert '"endpoint": "/talk/api/chat"' in page.text
    assert '&lt;Shop&gt;' in page.text
    assert text_of(client.post(f'/talk{CHAT}', json=body_of('Hello'))) == 'Good day'
    assert client.get(f'/talk{CHAT}').status_code == 405


@pytest.mark.parametrize(
    ('options', 'status'),
    [
        ({'json': body_of('x'), 'headers': {'Origin': 'http://evil.example'}}, 403),
        ({'json': body_of('x'), 'headers': {'Sec-Fetch-Site': 'cross-site'}}, 403),
        ({'data': json.dumps(body_of('x')), 'content_type': 'text/plain'}, 415),
        ({'data': 'no JSON', 'content_type': 'application/json'}, 400),
    ],
)
def test_what_other_pages_send_is_refused(
    make_app: MakeApp, model_server: ModelServer, options: dict[str, Any], status: int
) -> None:
    app = make_app()
    app.register_blueprint(chat_blueprint(Agent(model_of(model_server))))
    assert app.test_client().post(CHAT, **options).status_code == status
    assert model_server.requests == []


def test_the_doctor_of_flask(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-very-secret')
    result = make_app(SYNCAI_MODEL='test').test_cli_runner().invoke(args=['syncai', 'doctor'])
    assert result.exit_code == 0, result.output
    assert 'model test' in result.output
    assert 'sk-very-secret' not in result.output


def test_a_conversation_in_a_file(make_app: MakeApp, model_server: ModelServer, tmp_path: Path) -> None:
    pytest.importorskip('syncai.conversations')
    model_server.reply(Reply('I am Ada'), Reply('Ada'), Reply('Hello'))
    app = make_app(SYNCAI_STORE=f'sqlite:{tmp_path / "chats.db"}')
    app.register_blueprint(chat_blueprint(Agent(model_of(model_server))))
    client = app.test_client()
    for text in ('Who are you?', 'Your name?'):
        text_of(client.post(CHAT, json=body_of(text)))
    text_of(app.test_client().post(CHAT, json=body_of('Hello')))  # somebody else
    assert [len(request.json['messages']) for request in model_server.requests] == [1, 3, 1]

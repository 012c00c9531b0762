"""Tools in Django's transactions and in Flask's contexts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from agent_faces import model_of

from syncai.agent import Agent
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import Tool

SITE = Path(__file__).parent.parent / 'support' / 'django_site.py'


@pytest.mark.slow
def test_django_orm_in_the_transaction_of_a_test_case() -> None:
    """In a process of its own, since Django is set up once in each."""
    pytest.importorskip('django')
    done = subprocess.run([sys.executable, str(SITE)], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_flask_contexts(model_server: ModelServer) -> None:
    flask = pytest.importorskip('flask')
    calls = [ToolCall('whose', id='1'), ToolCall('whose', id='2'), ToolCall('elsewhere', id='3')]
    model_server.reply(Reply(tool_calls=calls), Reply('Done.'))
    app = flask.Flask('shop')
    app.config['CURRENCY'] = 'EUR'

    def whose() -> dict[str, object]:
        flask.g.calls += 1
        return {'user': flask.g.user, 'currency': flask.current_app.config['CURRENCY'], 'path': flask.request.path}

    def validated(data: str) -> str:
        return f'{data} {flask.g.calls}'

    # Flask's contexts are context variables, which follow a tool also into a worker thread.
    agent = Agent(model_of(model_server), tools=[whose, Tool(whose, name='elsewhere', run_in='thread')])
    agent.system_prompt(lambda: f'You talk to {flask.g.user}.')
    agent.result_validator(validated)

    def ask() -> str:
        flask.g.user, flask.g.calls = 'Ada', 0
        return agent.run_sync('Who am I?').data

    app.add_url_rule('/ask', view_func=ask)
    answer = app.test_client().get('/ask')
    assert (answer.status_code, answer.text) == (200, 'Done. 3')
    messages = model_server.requests[1].json['messages']
    assert messages[0]['content'] == 'You talk to Ada.'
    assert [m['content'] for m in messages[-3:]] == ['{"user":"Ada","currency":"EUR","path":"/ask"}'] * 3


def test_an_async_view_of_flask(model_server: ModelServer) -> None:
    flask = pytest.importorskip('flask')
    pytest.importorskip('asgiref')
    model_server.reply(Reply(tool_calls=[ToolCall('user')]), Reply('Done.'))
    app = flask.Flask('shop')

    def user() -> str:
        return str(flask.g.user)

    agent = Agent(model_of(model_server), tools=[user])

    async def ask() -> str:
        flask.g.user = 'Ada'
        return (await agent.run('Who am I?')).data

    app.add_url_rule('/ask', view_func=ask)
    assert app.test_client().get('/ask').text == 'Done.'
    assert model_server.requests[1].json['messages'][-1]['content'] == 'Ada'

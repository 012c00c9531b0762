"""The guides of Django and Flask: their code is that of the examples, and that of other frameworks runs as shown."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from agent_faces import model_of
from guide import code_under, manage

from syncai import Agent
from syncai.testing import ModelServer, Reply
from syncai.web import encode_async, headers, read_chat

EXAMPLES = Path(__file__).parents[2] / 'docs' / 'examples'
BODY = {'id': 'a', 'messages': [{'id': '1', 'role': 'user', 'parts': [{'type': 'text', 'text': 'Hello'}]}]}


def own_lines(code: str) -> list[str]:
    """The lines of a program that its writer has to think of: all but blank ones and docstrings of modules."""
    return [line for line in re.sub(r'^""".*?"""\n', '', code).splitlines() if line.strip()]


def test_the_examples_are_those_of_the_guides() -> None:
    urls = (EXAMPLES / 'django_chat' / 'mysite' / 'urls.py').read_text()
    assert own_lines(urls) == own_lines(code_under('django.md', '`mysite/urls.py`:'))
    settings = (EXAMPLES / 'django_chat' / 'mysite' / 'settings.py').read_text()
    assert settings.endswith(code_under('django.md', 'At the end of `mysite/settings.py`:'))
    app = (EXAMPLES / 'flask_chat' / 'app.py').read_text()
    assert own_lines(app) == own_lines(code_under('flask.md', '`app.py`:'))


def test_a_chat_takes_twelve_lines_at_most() -> None:
    """Without the tool that waits, and without the lines that `startproject` writes."""
    urls = own_lines(code_under('django.md', '`mysite/urls.py`:'))
    start = {'from django.contrib import admin', 'from django.urls import path', 'urlpatterns = [', ']'}
    start |= {"    path('admin/', admin.site.urls),"}
    settings = own_lines(code_under('django.md', 'At the end of `mysite/settings.py`:'))
    assert len([line for line in urls if line not in start]) + len(settings) <= 12
    assert len(own_lines(code_under('flask.md', '`app.py`:'))) <= 12


def test_the_test_of_flask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip('flask')
    import syncai.contrib.flask as contrib
    from syncai import models
    from syncai.models._route import defaults

    for place, name in ((defaults, '_source'), (contrib, '_last')):
        monkeypatch.setattr(place, name, None)  # or the application of the guide would live on
    monkeypatch.setattr(models, 'ALLOW_MODEL_REQUESTS', True)
    monkeypatch.chdir(tmp_path)
    module: Any = ModuleType('app')
    exec(code_under('flask.md', '`app.py`:'), module.__dict__)
    monkeypatch.setitem(sys.modules, 'app', module)
    namespace: dict[str, Any] = {}
    exec(code_under('flask.md', '## Tests'), namespace)
    namespace['test_it_answers']()
    module.app.extensions['syncai'].store.close()


@pytest.mark.slow
def test_the_test_of_django(tmp_path: Path) -> None:
    pytest.importorskip('django')
    project = shutil.copytree(EXAMPLES / 'django_chat', tmp_path / 'project')
    (project / 'mysite' / 'tests.py').write_text(code_under('django.md', 'another model in its place.'))
    manage(project, 'test', '-v0', OPENAI_API_KEY='sk-of-a-test')


@pytest.fixture
def namespace(model_server: ModelServer) -> dict[str, Any]:
    """The results of the functions of the guide."""
    model_server.reply(Reply('Good ', 'day'))
    return {'agent': Agent(model_of(model_server))}


async def asked(app: Any) -> tuple[int, dict[str, str], bytes]:
    """The answer of an ASGI application to a page: status, headers, body."""
    sent: list[dict[str, Any]] = []
    body = json.dumps(BODY).encode()
    left = asyncio.Event()
    incoming = [{'type': 'http.request', 'body': body, 'more_body': False}]

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await left.wait()
        return {'type': 'http.disconnect'}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message['type'] == 'http.response.body' and not message.get('more_body'):
            left.set()  # as of a client that closes its connection when it has read all

    fields = [(b'host', b'localhost'), (b'content-type', b'application/json'), (b'content-length', b'%d' % len(body))]
    scope: dict[str, Any] = {
        'type': 'http',
        'asgi': {'version': '3.0'},
        'http_version': '1.1',
        'method': 'POST',
        'scheme': 'http',
    }
    scope |= {'path': '/api/chat', 'raw_path': b'/api/chat', 'query_string': b'', 'root_path': '', 'headers': fields}
    scope |= {'client': ('127.0.0.1', 1), 'server': ('127.0.0.1', 80)}
    await app(scope, receive, send)
    start = next(message for message in sent if message['type'] == 'http.response.start')
    names = {name.decode().lower(): value.decode() for name, value in start['headers']}
    return start['status'], names, b''.join(message.get('body', b'') for message in sent)


@pytest.mark.parametrize('name', ['starlette', 'fastapi', 'quart'])
def test_asgi_frameworks_stream_what_encode_async_gives(namespace: dict[str, Any], name: str) -> None:
    framework: Any = pytest.importorskip(name)
    shared = {'read_chat': read_chat, 'encode_async': encode_async, 'headers': headers}
    code = code_under('flask.md', 'ASGI frameworks take `encode_async`:').split('\n\n\n')
    if name == 'quart':
        app = framework.Quart('chat')
        more = {'request': framework.request, 'Response': framework.Response}
    else:
        from starlette.requests import Request
        from starlette.responses import StreamingResponse

        app = framework.FastAPI() if name == 'fastapi' else Posts()
        more = {'Request': Request, 'StreamingResponse': StreamingResponse}
    exec(code[name == 'quart'], {**namespace, **shared, **more, 'app': app})
    status, names, body = asyncio.run(asked(app))
    assert status == 200
    assert names['x-vercel-ai-ui-message-stream'] == 'v1'
    assert b'"delta":"Good' in body
    assert body.endswith(b'data: [DONE]\n\n')


class Posts:
    """Starlette, with the decorator of FastAPI in the guide."""

    def post(self, path: str) -> Any:
        def register(function: Any) -> Any:
            from starlette.applications import Starlette
            from starlette.routing import Route

            self.app = Starlette(routes=[Route(path, function, methods=['POST'])])
            return function

        return register

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

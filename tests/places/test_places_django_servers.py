"""The example project of Django under gunicorn and uvicorn: pieces arrive as they are made, leaving stops a run."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from guide import ROOT, environment, manage
from serving import Program, only_in_make_places

from syncai.testing import ModelServer, RecordedRequest, Reply

only_in_make_places()
pytestmark = pytest.mark.leaky('the servers keep their connections to the model')
SERVERS = {
    'gthread': (
        ['gunicorn', '-k', 'gthread', '--threads', '8', '-b', '127.0.0.1:0', 'mysite.wsgi'],
        r'127\.0\.0\.1:(\d+)',
    ),
    'sync': (['gunicorn', '-k', 'sync', '-b', '127.0.0.1:0', 'mysite.wsgi'], r'127\.0\.0\.1:(\d+)'),
    'uvicorn': (['uvicorn', '--port', '0', '--lifespan', 'off', 'mysite.asgi:application'], r'127\.0\.0\.1:([1-9]\d*)'),
}


def answer(request: RecordedRequest) -> Reply:
    """Two words, the second after a silence of three or of half a second, or words without end."""
    if 'on and on' in str(request.json['messages'][-1]['content']):
        return Reply('One ', repeat=100_000, delay_between_events=0.002)
    pause = 3 if 'silent' in str(request.json['messages'][-1]['content']) else 0.5
    return Reply('One ', 'two', delay_between_events=pause)


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        yield server


@pytest.fixture(params=SERVERS)
def site(request: pytest.FixtureRequest, tmp_path: Path, model: ModelServer) -> Iterator[Program]:
    directory = shutil.copytree(ROOT / 'docs' / 'examples' / 'django_chat', tmp_path / 'project')
    variables = {'OPENAI_BASE_URL': model.base_url, 'OPENAI_API_KEY': 'sk-of-a-test'}
    manage(directory, 'migrate', '-v0', **variables)
    command, listening = SERVERS[request.param]
    chdir = ['--app-dir', str(directory)] if command[0] == 'uvicorn' else ['--chdir', str(directory)]
    with Program(command[0], *chdir, *command[1:], log=tmp_path / 'log', **environment(**variables)) as program:
        yield program.serves(listening)


def ask(site: Program, text: str) -> http.client.HTTPResponse:
    """The response to what the page of the site would send."""
    with site.open('/') as page:
        token = page.headers['Set-Cookie'].partition('csrftoken=')[2].partition(';')[0]
        assert re.search(r'"endpoint": "/chat/"', page.read().decode())
    message = {'id': '1', 'role': 'user', 'parts': [{'type': 'text', 'text': text}]}
    headers = {
        'Content-Type': 'application/json',
        'Cookie': f'csrftoken={token}',
        'X-CSRFToken': token,
        'Connection': 'close',
    }
    connection = http.client.HTTPConnection('127.0.0.1', site.port, timeout=20)
    connection.request('POST', '/chat/', json.dumps({'id': 'a', 'messages': [message]}), headers)
    response = connection.getresponse()
    assert response.status == 200, response.read().decode() + site.output
    return response


def read_until(response: http.client.HTTPResponse, text: bytes) -> bytes:
    seen = b''
    while text not in seen:
        piece = response.read1(4096)
        assert piece, seen
        seen += piece
    return seen


def test_pieces_arrive_as_they_are_made(site: Program) -> None:
    response = ask(site, 'Hello')
    read_until(response, b'"delta":"One')
    began = time.monotonic()
    assert b'[DONE]' in read_until(response, b'[DONE]')
    assert time.monotonic() - began > 0.2  # it was not held back until the end
    response.close()
    assert 'Traceback' not in site.output, site.output


@pytest.mark.parametrize('prompt', ['Be silent', 'Go on and on'])
def test_a_client_that_leaves_stops_the_run_and_is_kept(
    site: Program, model: ModelServer, tmp_path: Path, prompt: str
) -> None:
    """Also one that leaves while much is written, when an ASGI server drops the body and does not close it."""
    response = ask(site, prompt)
    read_until(response, b'"delta":"One')
    response.close()
    assert model.wait_for_disconnect(timeout=2).finished_at is None
    bodies: list[str] = []
    until = time.monotonic() + 10
    with closing(sqlite3.connect(tmp_path / 'project' / 'db.sqlite3')) as database:
        while len(bodies) < 2 and time.monotonic() < until:
            bodies = [row[0] for row in database.execute('SELECT body FROM syncai_message ORDER BY position')]
    assert len(bodies) == 2, site.output
    assert prompt in bodies[0]
    assert '"incomplete":true' in bodies[1]
    assert read_until(ask(site, 'Hello'), b'[DONE]')  # the server goes on
    assert 'Traceback' not in site.output, site.output

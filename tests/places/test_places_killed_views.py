"""A worker of gunicorn that is killed while it streams: what was done is kept, and the next request goes on with it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from serving import Program, only_in_make_places

from syncai.conversations import SQLiteStore
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

only_in_make_places()
pytestmark = pytest.mark.leaky('the server keeps its connections to the model')


def answer(request: RecordedRequest) -> Reply:
    """A call of the tool, then silence; once somebody asks again, an answer."""
    messages = request.json['messages']
    if messages[-1]['role'] == 'tool':
        return Reply('late', delay_headers=60)
    return Reply('Done') if len(messages) > 1 else Reply(tool_calls=[ToolCall('pay', {'order': 7}, 'c')])


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        yield server


def ask(site: Program, text: str) -> http.client.HTTPResponse:
    body = {'id': 'c1', 'messages': [{'id': '1', 'role': 'user', 'parts': [{'type': 'text', 'text': text}]}]}
    headers = {'Content-Type': 'application/json', 'Connection': 'close'}
    connection = http.client.HTTPConnection('127.0.0.1', site.port, timeout=20)
    connection.request('POST', '/api/chat', json.dumps(body), headers)
    return connection.getresponse()


def kill_workers(site: Program) -> None:
    workers = subprocess.run(['pgrep', '-P', str(site.process.pid)], capture_output=True, text=True, check=True)
    for worker in workers.stdout.split():
        os.kill(int(worker), signal.SIGKILL)


def test_a_killed_worker_loses_nothing_that_was_done(model: ModelServer, tmp_path: Path) -> None:
    command = ['gunicorn', '-k', 'gthread', '--threads', '4', '-b', '127.0.0.1:0', 'kept_app:app']
    variables = {'MODEL_URL': model.base_url, 'KEPT_FOLDER': str(tmp_path)}
    with Program(*command, log=tmp_path / 'log', **variables) as site:
        site.serves(r'Listening at: http://127\.0\.0\.1:(\d+)')
        with ask(site, 'Pay order 7') as response:
            seen = b''
            while b'tool-output-available' not in seen:
                piece = response.read1(4096)
                assert piece, seen + site.output.encode()
                seen += piece
            while len(model.requests) < 2:  # it is asked once what the tool returned is stored
                time.sleep(0.01)
            kill_workers(site)
        with closing(SQLiteStore(tmp_path / 'chats.db')) as store:
            parts = [part.part_kind for message in store.load('c1')[0] for part in message.parts]
        assert parts == ['user-prompt', 'tool-call', 'tool-return']
        with ask(site, 'And?') as response:
            assert b'Done' in response.read()
        assert (tmp_path / 'paid').read_text() == '7\n'

"""The demo: which model it takes, what it shows, and that trouble is one line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from syncai import demo
from syncai.models._catalog.known_names import KNOWN_MODEL_NAMES
from syncai.models._route.choice import MODEL_OF_KEY
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

VARIABLES = ('SYNCAI_MODEL', 'OPENAI_BASE_URL', *MODEL_OF_KEY)


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return int(sock.getsockname()[1])


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('OLLAMA_HOST', f'127.0.0.1:{unused_port()}')


def one_line_of_error(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err.strip()
    assert '\n' not in error
    return error


@pytest.mark.slow
def test_embedded_server(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, 'ANSWER', 'A short answer.')
    assert demo.main() == 0
    out = capsys.readouterr().out
    assert 'built into this demo' in out
    assert 'A short answer.' in out
    assert 'olympics(2016) called in MainThread' in out
    assert "Games(year=2012, city='London', country='United Kingdom')" in out
    assert out.index('olympics(2024)') < out.index('Games(year=2012') < out.index('Games(year=2024')
    assert '3 requests, 284 tokens sent, 127 received' in out


def test_the_first_key_that_is_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(fast_answer) as server:
        monkeypatch.setenv('OPENAI_API_KEY', 'sk-secret')
        monkeypatch.setenv('OPENAI_BASE_URL', server.base_url)
        assert demo.main() == 0
        assert server.requests[0].headers['authorization'] == 'Bearer sk-secret'
    out = capsys.readouterr().out
    assert 'OPENAI_API_KEY is set' in out
    assert 'sk-secret' not in out


def test_the_named_model(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(fast_answer) as server:
        monkeypatch.setenv('SYNCAI_MODEL', 'openai:some-name')
        monkeypatch.setenv('OPENAI_BASE_URL', server.base_url)
        assert demo.main() == 0
        assert server.requests[0].json['model'] == 'some-name'
    assert 'openai:some-name (from SYNCAI_MODEL)' in capsys.readouterr().out


def fast_answer(request: RecordedRequest) -> Reply:
    if 'tools' in request.json:
        games = {'city': 'London', 'country': 'UK', 'year': 2012}
        return Reply(tool_calls=[ToolCall('final_result', {'response': [games]})], usage=(1, 1))
    return Reply('Fast.', usage=(1, 1))


@pytest.mark.parametrize('name', MODEL_OF_KEY.values())
def test_the_models_of_the_keys_are_known(name: str) -> None:
    assert name in KNOWN_MODEL_NAMES


class Tags(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({'models': [{'name': 'nomic-embed-text'}, {'name': 'gemma3:4b'}]}).encode()
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def ollama() -> Iterator[int]:
    with HTTPServer(('127.0.0.1', 0), Tags) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_local_ollama(ollama: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OLLAMA_HOST', f'127.0.0.1:{ollama}')
    assert demo.find_ollama() == ('gemma3:4b', f'http://127.0.0.1:{ollama}/v1')
    with demo.choose_model() as (model, source):
        assert source == 'gemma3:4b (a local Ollama)'
        assert not isinstance(model, str)
        assert model.model_name == 'gemma3:4b'


@pytest.mark.parametrize('address', [None, 'host:port', 'http://[::1', '127.0.0.1:99999', 'two words'])
def test_no_ollama(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if address is not None:
        monkeypatch.setenv('OLLAMA_HOST', address)
    assert demo.find_ollama() is None


def test_unknown_provider_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNCAI_MODEL', 'opnai:gpt-5.4-mini')
    assert demo.main() == 1
    assert "'openai'" in one_line_of_error(capsys)


def test_no_key_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNCAI_MODEL', 'openai:gpt-5.4-mini')
    assert demo.main() == 1
    assert 'OPENAI_API_KEY' in one_line_of_error(capsys)


@pytest.mark.slow
def test_a_proxy_of_the_environment_is_not_asked_for_the_embedded_server(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, 'ANSWER', 'A short answer.')
    for name in ('HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY'):
        monkeypatch.setenv(name, f'http://127.0.0.1:{unused_port()}')
    assert demo.main() == 0
    assert 'A short answer.' in capsys.readouterr().out


@pytest.mark.parametrize('url', ['api.example.com/v1', 'https://host:port/v1', 'https://'])
def test_a_wrong_address_is_one_line(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-secret')
    monkeypatch.setenv('OPENAI_BASE_URL', url)
    assert demo.main() == 1
    error = one_line_of_error(capsys)
    assert error.startswith('UserError: OPENAI_BASE_URL')
    assert 'sk-secret' not in error


@pytest.mark.parametrize('key', ['sk-secret\nmore', 'sk-secret…'])
def test_a_broken_key_is_one_line(
    key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', key)
    assert demo.main() == 1
    error = one_line_of_error(capsys)
    assert 'API key' in error
    assert 'secret' not in error


@pytest.mark.timing
def test_no_network_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    port = unused_port()
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-secret')
    monkeypatch.setenv('OPENAI_BASE_URL', f'http://127.0.0.1:{port}/v1')
    assert demo.main() == 1
    error = one_line_of_error(capsys)
    assert error.startswith('ModelConnectionError')
    assert f'127.0.0.1:{port}' in error
    assert 'sk-secret' not in error


def test_an_answer_that_breaks_the_schema_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ToolCall('final_result', {'response': [{'city': 1}]})
    with ModelServer(lambda r: Reply(tool_calls=[wrong]) if 'tools' in r.json else Reply('Hi')) as server:
        monkeypatch.setenv('SYNCAI_MODEL', 'openai:some-name')
        monkeypatch.setenv('OPENAI_BASE_URL', server.base_url)
        assert demo.main() == 1
    assert one_line_of_error(capsys).startswith('UnexpectedModelBehavior: The model gave no valid result')


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, '-u', '-m', 'syncai.demo'], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b''


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == 'win32', reason='signals of another process')
def test_ctrl_c_is_one_line() -> None:
    with subprocess.Popen(
        [sys.executable, '-u', '-m', 'syncai.demo'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        shown = b''
        while b'A synchronous' not in shown:  # the answer is on its way
            shown += process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert error.decode().strip() == 'Interrupted: the request was cancelled.'
    assert process.returncode == 130

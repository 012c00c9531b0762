"""Cassettes that vcrpy wrote of packed, streamed and binary bodies, of a client that knows nothing of syncai."""

from __future__ import annotations

import gzip
import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr

from syncai import Agent, ModelRequest, model_request_stream_sync, model_request_sync
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

MESSAGES = [ModelRequest.user_text_prompt('hi')]
ONE = HttpOptions(max_retries=0)
ANSWER = {'choices': [{'index': 0, 'message': {'role': 'assistant', 'content': 'né 😀'}, 'finish_reason': 'stop'}]}


class Packing(BaseHTTPRequestHandler):
    """A provider that packs its answers with gzip, as those behind content delivery networks do."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers['content-length']))
        body = gzip.compress(json.dumps(ANSWER, ensure_ascii=False).encode())
        self.send_response(200)
        for name, value in (('content-type', 'application/json'), ('content-encoding', 'gzip')):
            self.send_header(name, value)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def packing() -> Iterator[str]:
    with ThreadingHTTPServer(('127.0.0.1', 0), Packing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()
        thread.join()


def post(url: str, body: dict[str, Any], **headers: str) -> bytes:
    """The answer that a client of the standard library gets."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {'Content-Type': 'application/json', **headers})
    with urllib.request.urlopen(request, timeout=20) as response:
        return bytes(response.read())


@pytest.mark.parametrize('unpacked', [True, False])
@pytest.mark.parametrize('client', ['urllib', 'httpx'])
def test_a_packed_body(packing: str, unpacked: bool, client: str, tmp_path: Path) -> None:
    cassette, url = tmp_path / 'x.yaml', f'{packing}/v1/chat/completions'
    with vcr.VCR(decode_compressed_response=unpacked).use_cassette(cassette):
        if client == 'urllib':
            post(url, {'messages': []}, **{'Accept-Encoding': 'gzip'})
        else:
            assert httpx.post(url, json={'messages': []}).json() == ANSWER
    with ModelServer.from_vcr(cassette) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, http=ONE)
        assert model_request_sync(model, MESSAGES).text == 'né 😀'


def test_a_streamed_body_is_played_as_a_stream(tmp_path: Path) -> None:
    cassette = tmp_path / 'x.yaml'
    with ModelServer(Reply('one ', 'two ', 'three', usage=(3, 2))) as provider, vcr.use_cassette(cassette):
        post(f'{provider.base_url}/messages', {'messages': [], 'stream': True, 'model': 'm', 'max_tokens': 5})
    with ModelServer.from_vcr(cassette) as server:
        model = AnthropicModel('m', base_url=server.base_url, api_key='k', http=ONE)
        with model_request_stream_sync(model, MESSAGES) as stream:
            assert len(list(stream)) >= 3
            assert (stream.get().text, stream.usage().response_tokens) == ('one two three', 2)


@pytest.mark.parametrize('streams', [True, False])
def test_a_binary_body(streams: bool, tmp_path: Path) -> None:
    """Bedrock streams frames of bytes: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html."""
    cassette = tmp_path / 'x.yaml'
    action = 'converse-stream' if streams else 'converse'
    with ModelServer(Reply('one ', 'two ', 'three', usage=(3, 2))) as provider, vcr.use_cassette(cassette):
        address = provider.base_url.removesuffix('/v1')
        body = post(f'{address}/model/some-model/{action}', {'messages': []})
    assert (b'\x00\x00' in body) == streams
    with ModelServer.from_vcr(cassette) as server:
        model = BedrockModel(
            'some-model', region='us-east-1', base_url=server.base_url.removesuffix('/v1'), api_key='k', http=ONE
        )
        agent = Agent(model)
        if not streams:
            assert agent.run_sync('hi').data == 'one two three'
            return
        with agent.run_stream_sync('hi') as stream:
            assert ''.join(stream.stream_text(delta=True)) == 'one two three'

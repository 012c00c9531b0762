"""Cassettes that vcrpy itself wrote, of its own and of other clients, played by a `ModelServer`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr

from syncai import ModelRequest, model_request_stream_sync, model_request_sync
from syncai.exceptions import RateLimitError, ServerError, UserError
from syncai.models.anthropic import AnthropicModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, RecordedRequest, Reply

ONE = HttpOptions(max_retries=0)


def ask(model: Any, prompt: str = 'hi') -> str:
    return model_request_sync(model, [ModelRequest.user_text_prompt(prompt)]).text


def stream(model: Any, prompt: str = 'hi') -> str:
    with model_request_stream_sync(model, [ModelRequest.user_text_prompt(prompt)]) as response:
        list(response)
        return response.get().text


def echo(request: RecordedRequest) -> Reply:
    return Reply('You said: ', request.json['messages'][-1]['content'])


def record(cassette: Path, *clients: Any, **options: Any) -> None:
    """Write a cassette with vcrpy, from what clients of httpx ask a server."""
    with ModelServer(echo) as server, vcr.VCR(**options).use_cassette(cassette):
        for client in clients:
            client(server.base_url)


def through_httpx(*calls: tuple[Any, str]) -> Any:
    def client(base_url: str) -> None:
        http = HttpOptions(transport=httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0)))
        model = OpenAIChatModel('m', base_url=base_url, http=http)
        for call, prompt in calls:
            call(model, prompt)

    return client


@pytest.mark.parametrize('serializer', ['yaml', 'json'])
def test_what_syncai_asked_is_answered_by_its_content(serializer: str, tmp_path: Path) -> None:
    cassette = tmp_path / 'x'
    record(cassette, through_httpx((ask, 'a'), (ask, 'b'), (stream, 'c')), serializer=serializer)
    with ModelServer.from_vcr(cassette) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, http=ONE)
        assert [stream(model, 'c'), ask(model, 'b'), ask(model, 'a')] == [f'You said: {c}' for c in 'cba']
        with pytest.raises(ServerError, match='has no whole answer left for /v1/chat/completions'):
            ask(model, 'a')


def test_what_another_client_asked_is_answered_in_its_order(tmp_path: Path) -> None:
    def client(base_url: str) -> None:
        for prompt in ('first', 'second'):
            body = {'messages': [{'role': 'user', 'content': prompt}], 'model': 'gpt-4o', 'n': 1, 'logprobs': False}
            httpx.post(f'{base_url}/chat/completions', json=body).raise_for_status()
        httpx.get(f'{base_url}/models')

    record(tmp_path / 'x.yaml', client)
    with ModelServer.from_vcr(tmp_path / 'x.yaml') as server:
        model = OpenAIChatModel('gpt-4o', base_url=server.base_url, http=ONE)
        assert [ask(model, 'x'), ask(model, 'y')] == ['You said: first', 'You said: second']


def write(path: Path, uri: str, response: dict[str, Any]) -> None:
    request = {'method': 'POST', 'uri': uri, 'body': '{"messages": []}', 'headers': {}}
    path.write_text(json.dumps({'version': 1, 'interactions': [{'request': request, 'response': response}]}))


ANSWER = {'content': [{'type': 'text', 'text': 'fine'}], 'stop_reason': 'end_turn', 'role': 'assistant', 'model': 'c'}


@pytest.mark.parametrize('packed', [False, True])
def test_other_formats_and_packed_bodies(packed: bool, tmp_path: Path) -> None:
    yaml = pytest.importorskip('yaml', reason='vcrpy brings it')
    body = json.dumps(ANSWER).encode()
    # vcrpy keeps the header where it has unpacked the body (decode_compressed_response).
    response = {'status': {'code': 200, 'message': 'OK'}, 'headers': {'Content-Encoding': ['gzip']}}
    response['body'] = {'string': gzip.compress(body) if packed else body.decode()}
    request = {'method': 'POST', 'uri': 'https://api.anthropic.com/v1/messages', 'body': '{}', 'headers': {}}
    (tmp_path / 'x.yaml').write_text(yaml.dump({'interactions': [{'request': request, 'response': response}]}))
    with ModelServer.from_vcr(tmp_path / 'x.yaml') as server:
        assert ask(AnthropicModel('claude-haiku-4-5', base_url=server.base_url, http=ONE)) == 'fine'


def test_errors_are_errors(tmp_path: Path) -> None:
    headers = {'Retry-After': ['7'], 'Set-Cookie': ['secret']}
    response = {'status': {'code': 429, 'message': 'Too Many'}, 'headers': headers, 'body': {'string': '{}'}}
    write(tmp_path / 'x.json', 'https://gateway.example/openai/v1/chat/completions', response)
    with ModelServer.from_vcr(tmp_path / 'x.json') as server, pytest.raises(RateLimitError) as raised:
        ask(OpenAIChatModel('m', base_url=server.base_url, http=ONE))
    assert raised.value.retry_after == 7.0


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('', 'is no cassette'),
        ('[', 'is not YAML'),
        ('{', 'is not JSON'),
        ('interactions: 5', 'no list of interactions'),
        ('interactions: [{}]', 'not in the format of vcrpy'),
        ('interactions: []', 'holds no request to a model'),
        ('!!python/object:os.system {}', 'is not YAML'),
    ],
)
def test_what_is_no_cassette_is_refused(text: str, error: str, tmp_path: Path) -> None:
    (tmp_path / 'x.yaml').write_text(text)
    with pytest.raises(UserError, match=error):
        ModelServer.from_vcr(tmp_path / 'x.yaml')
    with pytest.raises(UserError, match='cannot be read'):
        ModelServer.from_vcr(tmp_path / 'absent.yaml')

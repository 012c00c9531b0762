"""The endpoint of a chat page in FastAPI, Starlette and Quart under uvicorn, by `encode_async`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pages import chunks, kinds
from serving import LONG, Program, asked_model, only_in_make_places

from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()


@pytest.fixture(params=['on_fastapi', 'on_starlette', 'on_quart'])
def site(request: pytest.FixtureRequest, asked_model: ModelServer, tmp_path: Path) -> Iterator[Program]:
    command = ['uvicorn', f'page_apps:{request.param}', '--port', '0', '--timeout-graceful-shutdown', '2']
    with Program(*command, log=tmp_path / 'log', MODEL_URL=asked_model.base_url) as program:
        yield program.serves(r'running on http://127\.0\.0\.1:(\d+)')


def asked(prompt: str) -> bytes:
    message = {'role': 'user', 'parts': [{'type': 'text', 'text': prompt}]}
    return json.dumps({'id': 'chat', 'trigger': 'submit-message', 'messages': [message]}).encode()


def test_a_page_gets_its_stream_and_the_run_stops_when_it_leaves(site: Program, asked_model: ModelServer) -> None:
    url = f'http://127.0.0.1:{site.port}/chat'
    answer = httpx.post(url, content=asked('long'), timeout=20)
    assert answer.headers['content-type'] == 'text/event-stream; charset=utf-8'
    events = chunks(answer.content)
    assert ''.join(event['delta'] for event in events[:-1] if event['type'] == 'text-delta') == 'x' * LONG
    assert kinds(events)[-2:] == ['finish', 'data: [DONE]']
    with httpx.stream('POST', url, content=asked('endless'), timeout=20) as stream:
        next(stream.iter_bytes())
    assert asked_model.wait_for_disconnect(timeout=5).finished_at is None
    assert httpx.post(url, content=b'[]').status_code == 400
    assert 'Traceback' not in site.output, site.output

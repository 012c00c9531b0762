"""A model on loopback that repeats the prompt, and calls of it; for the tests of tapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncai import ModelRequest, model_request_stream_sync, model_request_sync
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, RecordedRequest, Reply

KEY = 'sk-secret-0123456789'


def echo(request: RecordedRequest) -> Reply:
    content = request.json['messages'][-1]['content']
    return Reply('You said: ', f'{content if isinstance(content, str) else "a file"}', usage=(3, 2))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(echo) as server:
        yield server


@pytest.fixture
def model(server: ModelServer) -> OpenAIChatModel:
    return OpenAIChatModel('m', base_url=server.base_url, api_key=KEY, http=HttpOptions(max_retries=0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'tapes' / 'x.json'


def ask(model: Any, prompt: str = 'hi') -> str:
    return model_request_sync(model, [ModelRequest.user_text_prompt(prompt)]).text


def stream(model: Any, prompt: str = 'hi') -> list[Any]:
    with model_request_stream_sync(model, [ModelRequest.user_text_prompt(prompt)]) as response:
        return [list(response), response.get()]

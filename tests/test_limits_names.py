"""The names of limits: every name that a model may have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncai import ModelRequest, model_request_sync
from syncai.exceptions import DeadlineExceeded
from syncai.limits import limit, remove_limit
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('hello')]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server that always answers."""
    with ModelServer(Reply('hi')) as server:
        yield server


@pytest.mark.parametrize('name', ['openai', 'openai:gpt-4o', 'gpt-4o', None])
def test_a_limit_holds_by_every_name(name: str | None, server: ModelServer) -> None:
    limit(name, requests_per_minute=1)
    try:
        model = OpenAIChatModel('gpt-4o', base_url=server.base_url)
        assert model_request_sync(model, HELLO).text == 'hi'
        with pytest.raises(DeadlineExceeded) as caught:
            model_request_sync(model, HELLO, model_settings={'timeout': 0.1})
    finally:
        remove_limit(name)
    assert caught.value.phase == 'rate limit'
    assert len(server.requests) == 1


def test_a_limit_of_another_model_changes_nothing(server: ModelServer) -> None:
    limit('gpt-4o', requests_per_minute=1)
    try:
        model = OpenAIChatModel('gpt-4o-mini', base_url=server.base_url)
        assert [model_request_sync(model, HELLO).text for _ in range(3)] == ['hi'] * 3
    finally:
        remove_limit('gpt-4o')

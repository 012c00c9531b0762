"""Limits that all processes of a store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncai import ModelRequest, model_request_sync
from syncai._transport import limiter
from syncai.budgets import Redis, SQLite
from syncai.exceptions import DeadlineExceeded, StoreError, UserError
from syncai.limits import limit, limits_in_force
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('hello')]


@pytest.fixture(autouse=True)
def no_limits() -> Iterator[None]:
    yield
    limits_in_force.clear()


def test_what_another_process_has_used_counts(model_server: ModelServer, tmp_path: Path) -> None:
    model_server.reply(*[Reply('yes', usage=(10, 5))] * 4)
    model = OpenAIChatModel('gpt-4o', base_url=model_server.base_url, api_key='k')
    first, second = SQLite(tmp_path / 'limits.db'), SQLite(tmp_path / 'limits.db')
    limit('openai', requests_per_minute=2, max_concurrency=1, store=first)
    model_request_sync(model, HELLO)
    model_request_sync(model, HELLO)
    limiter._gates.clear()  # as another process, which has used nothing itself
    limit('openai', requests_per_minute=2, store=second)
    with pytest.raises(DeadlineExceeded) as caught:
        model_request_sync(model, HELLO, model_settings={'timeout': 0.3})
    assert caught.value.phase == 'rate limit'
    assert len(model_server.requests) == 2
    first.close()
    second.close()


def test_a_store_that_is_away(model_server: ModelServer) -> None:
    model_server.reply(Reply('yes'))
    model = OpenAIChatModel('gpt-4o', base_url=model_server.base_url, api_key='k')
    away = Redis('redis://127.0.0.1:1/0')
    limit('openai', requests_per_minute=5, store=away, on_store_error='closed')
    with pytest.raises(StoreError, match='could not be reached'):
        model_request_sync(model, HELLO)
    limit('openai', requests_per_minute=5, store=away)
    assert model_request_sync(model, HELLO).text == 'yes'


def test_what_is_no_store() -> None:
    with pytest.raises(UserError, match=r'store must be SQLite\(path\)'):
        limit('openai', requests_per_minute=5, store='redis://localhost')  # type: ignore[arg-type]
    with pytest.raises(UserError, match="on_store_error must be 'open' or 'closed'"):
        limit('openai', on_store_error='ignore')  # type: ignore[arg-type]

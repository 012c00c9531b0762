"""Budgets and limits of a fleet: many processes, a real Redis, and what happens when it goes away in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from redis_place import PROGRAM, free_port, redis_server
from serving import only_in_make_places

from syncai import Agent
from syncai.budgets import BudgetExceeded, Redis, budget, remove_budget
from syncai.exceptions import StoreError
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

only_in_make_places()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason='redis-server is not installed (Debian: redis-server)')
SCRIPTS = Path(__file__).parent.parent / 'reliability'
PRICE = Decimal('0.0035')  # of 1,000 tokens of prompt and 100 of answer, see tests/budgets/test_budgets.py


@pytest.fixture(autouse=True)
def no_budgets() -> Iterator[None]:
    yield
    remove_budget('all')


def gpt(server: ModelServer) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-4o', base_url=server.base_url, api_key='key', settings={'max_tokens': 100})


@pytest.mark.timeout(120)
def test_processes_never_pass_a_line_in_redis(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        command = [sys.executable, str(SCRIPTS / 'budgets.py'), url, '800', '8']
        done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        figure: dict[str, Any] = json.loads(done.stdout)
    assert figure['above the line'] is False
    assert Decimal(figure['held']) == 0
    assert 559 <= figure['answered'] == figure['asked at the server'] <= 560  # the last may cost more than is left
    assert Decimal(figure['spent']) == Decimal(figure['spent by the answers']) <= Decimal(figure['line'])


@pytest.mark.parametrize('choice', ['open', 'closed'])
def test_a_redis_that_goes_away_and_comes_back(choice: Literal['open', 'closed'], tmp_path: Path) -> None:
    port = free_port()
    with ModelServer(lambda _: Reply('yes', usage=(1000, 100), model='gpt-4o')) as server:
        store = Redis(f'redis://127.0.0.1:{port}/0')
        one, agent = budget('all', dollars=1, store=store, on_store_error=choice), Agent(gpt(server))
        saving = ('--save', '3600 1', '--dbfilename', 'kept.rdb')
        with redis_server(tmp_path, *saving, port=port):
            agent.run_sync('hello')
            assert one.spent() == PRICE
            store._server._client.save()
        if choice == 'closed':
            with pytest.raises(StoreError, match='closed while its store is away'):
                agent.run_sync('hello')
        else:
            assert agent.run_sync('hello').data == 'yes'
        with redis_server(tmp_path, *saving, port=port):
            last = answered(agent)
            assert last == 'yes'
            expected = PRICE * len(server.requests)  # also of what was sent while it was away
            deadline = time.monotonic() + 20
            while one.spent() != expected and time.monotonic() < deadline:
                time.sleep(0.05)
            assert one.spent() == expected
            assert one.state().held == 0
        store.close()


def answered(agent: Agent[None, str]) -> str:
    """The answer to a request, which the first moments after the store is back may still refuse."""
    for _ in range(100):
        try:
            return agent.run_sync('hello').data
        except StoreError:
            time.sleep(0.1)
    raise AssertionError('the store is back, and requests are still refused')


def test_64_threads_never_pass_a_line_in_redis(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path) as url,
        ModelServer(lambda _: Reply('yes', usage=(1000, 100), model='gpt-4o')) as server,
    ):
        store = Redis(url)
        one = budget('all', dollars=PRICE * 100, per='day', store=store, on_store_error='closed')
        agent = Agent(gpt(server))

        def ask(_: int) -> int:
            try:
                agent.run_sync('hello')
            except BudgetExceeded:
                return 0
            return 1

        with ThreadPoolExecutor(64) as pool:
            answers = sum(pool.map(ask, range(300)))
        state = one.state()
        assert state.spent == answers * PRICE <= state.limit
        assert answers == len(server.requests) >= 95
        store.close()


ONE_OF_A_FLEET = """
import sys
from concurrent.futures import ThreadPoolExecutor
from syncai import ModelRequest, model_request_sync
from syncai.budgets import Redis, SQLite
from syncai.exceptions import DeadlineExceeded
from syncai.limits import limit
from syncai.models.openai import OpenAIChatModel

where, base_url = sys.argv[1:]
store = Redis(where) if where.startswith('redis') else SQLite(where)
limit('openai', requests_per_minute=12, max_concurrency=3, store=store, on_store_error='closed')
model = OpenAIChatModel('gpt-4o', base_url=base_url, api_key='key')

def once(_):
    try:
        model_request_sync(model, [ModelRequest.user_text_prompt('hello')], model_settings={'timeout': 4.0})
    except DeadlineExceeded as error:
        assert error.phase in ('rate limit', 'concurrency limit'), error.phase
        return 0
    return 1

with ThreadPoolExecutor(6) as pool:
    print(sum(pool.map(once, range(6))))
"""


@pytest.mark.parametrize('kind', ['redis', 'sqlite'])
def test_one_quota_for_a_fleet(kind: str, tmp_path: Path) -> None:
    delay = 0.1
    with redis_server(tmp_path) as url, ModelServer(lambda _: Reply('yes', delay_headers=delay)) as server:
        where = url if kind == 'redis' else str(tmp_path / 'limits.db')
        command = [sys.executable, '-c', ONE_OF_A_FLEET, where, server.base_url]

        def run(_: int) -> int:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
            return int(done.stdout)

        with ThreadPoolExecutor(3) as pool:
            answered = sum(pool.map(run, range(3)))
        assert answered == len(server.requests) == 12  # of the 18 that they wanted
        arrived = sorted(request.received_at for request in server.requests)
        # A fourth request is sent when one of the three before it has been answered, and not earlier.
        assert all(later - earlier >= delay for earlier, later in zip(arrived, arrived[3:], strict=False))

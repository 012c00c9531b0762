"""Money: held before a request, and counted after it, whatever becomes of the request.

gpt-4o costs 2.50 dollars for a million tokens of prompts and 10 for those of answers (https://openai.com/api/pricing,
as genai-prices 0.2.3 quotes it): 1,000 and 100 of them are 0.0035 dollars.
"""

from __future__ import annotations

import pickle
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncai import Agent, ModelRequest, RunContext, UsageLimits, model_request_stream_sync, model_request_sync
from syncai._prices.payments import payments
from syncai.budgets import Budget, BudgetExceeded, Memory, Redis, SQLite, budget, remove_budget, spending
from syncai.budgets import _budget as registry
from syncai.budgets._payment import _hidden as hidden_tokens
from syncai.exceptions import (
    ModelTimeoutError,
    StoreError,
    UsageLimitExceeded,
    UserError,
)
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall

PRICE = Decimal('0.0035')
HELLO = [ModelRequest.user_text_prompt('hello')]


@pytest.fixture(autouse=True)
def no_budgets() -> Iterator[None]:
    yield
    registry._in_force.clear()
    payments.of = None
    hidden_tokens.clear()


def answers(*, usage: tuple[int, int] = (1000, 100), times: int = 9, **options: Any) -> list[Reply]:
    return [Reply('yes', usage=usage, model='gpt-4o', **options)] * times


def gpt(server: ModelServer, **options: Any) -> OpenAIChatModel:
    options.setdefault('settings', {'max_tokens': 100})
    return OpenAIChatModel('gpt-4o', base_url=server.base_url, api_key='key', **options)


@pytest.fixture
def all_calls() -> Budget:
    return budget('all', dollars=1)


def test_each_way_of_asking_is_counted(model_server: ModelServer, all_calls: Budget) -> None:
    model_server.reply(*answers())
    model = gpt(model_server)
    model_request_sync(model, HELLO)
    with model_request_stream_sync(model, HELLO) as direct:
        list(direct)
    Agent(model).run_sync('hello')
    with Agent(model).run_stream_sync('hello') as stream:
        stream.get_data()
    rows = list(Agent(model).map_sync(['a', 'b']))
    assert [row.price for row in rows] == [PRICE] * 2
    assert all_calls.spent() == 6 * PRICE
    assert all_calls.state().held == 0
    assert all_calls.state().remaining == 1 - 6 * PRICE


def test_what_does_not_fit_is_not_sent(model_server: ModelServer) -> None:
    model_server.reply(*answers())
    budget('all', dollars=Decimal('0.004'), per='day')
    agent = Agent(gpt(model_server))
    agent.run_sync('hello')
    with pytest.raises(BudgetExceeded, match=r"the budget 'all' has 0\.0005 left of 0\.004 \(0\.0035 spent") as caught:
        agent.run_sync('hello')
    assert len(model_server.requests) == 1
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.name, error.spent, error.limit) == ('all', PRICE, Decimal('0.004'))
    assert error.resets_at > datetime.now(UTC)
    assert error.messages == [ModelRequest.user_text_prompt('hello')] or error.messages
    assert error.model_name == 'gpt-4o'


def test_a_budget_for_each_user(model_server: ModelServer) -> None:
    model_server.reply(*answers())
    of_user = budget('user:{user}', dollars=5, per='day')
    agent, name = Agent(gpt(model_server)), uuid.uuid4()
    with spending(user=42):
        agent.run_sync('hello')
        with spending(user=name):
            agent.run_sync('hello')
        agent.run_sync('hello')
    agent.run_sync('hello')
    assert of_user.spent(user=42) == 2 * PRICE
    assert of_user.spent(user=name) == PRICE
    assert of_user.spent(user='4:2') == 0
    with pytest.raises(UserError, match=r'give user=\.\.\.'):
        of_user.spent()


@pytest.mark.parametrize('value', [None, True, '', 1.5, object()])
def test_values_that_do_not_say_the_same_everywhere(value: Any) -> None:
    with (
        pytest.raises(UserError, match=r'spending\(user=\.\.\.\) must be a str, an int or a UUID'),
        spending(user=value),
    ):
        pass


def test_a_misspelt_placeholder_names_the_right_one() -> None:
    budget('user:{user}', dollars=5)
    with pytest.raises(UserError, match=r'did you mean spending\(user=\.\.\.\)'), spending(usr=42):
        pass
    with spending(department='sales'):
        pass


def test_values_cannot_be_taken_for_others() -> None:
    two = budget('{a}:{b}', dollars=5)
    assert two.account({'a': 'x%3Ay', 'b': 'z'}) != two.account({'a': 'x', 'b': 'y:z'})
    with spending(a='x:y', b='z'):
        accounts = [name for name, _ in registry.in_force()]
    assert accounts == ['x%3Ay:z']


def test_all_budgets_or_none(model_server: ModelServer) -> None:
    model_server.reply(*answers())
    whole, small = budget('a whole', dollars=5), budget('b small', dollars=Decimal('0.0001'))
    with pytest.raises(BudgetExceeded, match='b small'):
        Agent(gpt(model_server)).run_sync('hello')
    assert whole.state() == whole._spent(Memory().state('', whole.period))
    assert small.spent() == 0
    small.remove()
    remove_budget('nothing of that name')
    Agent(gpt(model_server)).run_sync('hello')
    assert whole.spent() == PRICE


def test_days_and_months_of_one_name_are_counted_apart(model_server: ModelServer) -> None:
    model_server.reply(*answers())
    day, month = budget('all', dollars=1, per='day'), budget('all', dollars=9, per='month')
    Agent(gpt(model_server)).run_sync('hello')
    again = budget('all', dollars=2, per='day')
    assert (day.spent(), month.spent(), again.spent()) == (PRICE, PRICE, PRICE)
    remove_budget('all')
    assert registry._in_force == {}


# --- the limit of a run -----------------------------------------------------------------------------------------------


def test_the_price_limit_of_a_run(model_server: ModelServer) -> None:
    model_server.reply(*[Reply(tool_calls=[ToolCall('look')], usage=(1000, 100), model='gpt-4o')] * 3)
    agent = Agent(gpt(model_server))
    agent.tool_plain(lambda: 'more', name='look')
    with pytest.raises(UsageLimitExceeded, match=r"'price_limit' has 0\.0005 left of 0\.0075") as caught:
        agent.run_sync('hello', usage_limits=UsageLimits(price_limit=Decimal('0.0075')))
    assert len(model_server.requests) == 2
    assert isinstance(caught.value, BudgetExceeded)
    assert caught.value.spent == 2 * PRICE
    assert caught.value.resets_at is None


@pytest.mark.parametrize('shared', [True, False])
def test_nested_runs_count_for_the_limit_of_the_run_around_them(model_server: ModelServer, shared: bool) -> None:
    call = Reply(tool_calls=[ToolCall('ask')], usage=(1000, 100), model='gpt-4o')
    yes = Reply('yes', usage=(1000, 100), model='gpt-4o')
    model_server.reply(call, yes, call, yes, yes, yes)
    inner, outer = Agent(gpt(model_server)), Agent(gpt(model_server))

    @outer.tool
    def ask(ctx: RunContext[None]) -> str:
        given: dict[str, Any] = {'usage': ctx.usage} if shared else {}
        return f'{inner.run_sync("one").data}{inner.run_sync("two", **given).data}'

    with pytest.raises(BudgetExceeded, match='price_limit'):
        outer.run_sync('hello', usage_limits=UsageLimits(price_limit=Decimal('0.0075')))
    assert len(model_server.requests) == 2
    outer.run_sync('hello', usage_limits=UsageLimits(price_limit=Decimal('0.05')))


def test_what_was_used_before_counts_for_the_limit(model_server: ModelServer) -> None:
    model_server.reply(*answers())
    agent = Agent(gpt(model_server))
    first = agent.run_sync('hello')
    with pytest.raises(BudgetExceeded):
        agent.run_sync('more', usage=first.usage(), usage_limits=UsageLimits(price_limit=Decimal('0.004')))
    agent.run_sync('more', usage_limits=UsageLimits(price_limit=Decimal('0.004')))


@pytest.mark.parametrize('wrong', ['1', -1, True, float('nan'), Decimal('inf')])
def test_amounts_that_are_none(wrong: Any) -> None:
    with pytest.raises(UserError, match='price_limit must be None or US dollars'):
        UsageLimits(price_limit=wrong)


# --- together ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('store', ['memory', 'sqlite'])
@pytest.mark.timeout(60)
def test_threads_never_pass_the_line_together(model_server: ModelServer, tmp_path: Path, store: str) -> None:
    model_server.reply(*answers(usage=(100, 100), times=100))
    limit = Decimal('0.05')
    kept = {'store': SQLite(tmp_path / 'budgets.db'), 'on_store_error': 'closed'} if store == 'sqlite' else {}
    one = budget('all', dollars=limit, per='day', **kept)  # type: ignore[arg-type]
    agent = Agent(gpt(model_server))

    def ask(_: int) -> Decimal | None:
        try:
            return agent.run_sync('hello').price
        except BudgetExceeded:
            return None

    with ThreadPoolExecutor(64) as pool:
        prices = [price for price in pool.map(ask, range(100)) if price is not None]
    assert one.spent() == sum(prices)
    assert limit - 2 * Decimal('0.00165') < one.spent() <= limit  # who is refused had waited for what others held
    assert len(model_server.requests) == len(prices)


@pytest.mark.timing
def test_a_request_waits_for_what_others_give_back(model_server: ModelServer) -> None:
    model_server.reply(*answers(usage=(10, 1), delay_headers=0.3))
    budget('all', dollars=Decimal('0.003'))
    agent = Agent(gpt(model_server))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: agent.run_sync('hello').data, range(4))) == ['yes'] * 4
    remove_budget('all')
    budget('all', dollars=Decimal('0.003'), wait=0)
    gate = threading.Barrier(2)

    def ask() -> str:
        gate.wait()
        return agent.run_sync('hello').data

    with ThreadPoolExecutor(2) as pool:
        outcomes = [pool.submit(ask) for _ in range(2)]
        errors = [one.exception() for one in outcomes]
    assert [type(error) for error in errors if error is not None] == [BudgetExceeded]


# --- stores -----------------------------------------------------------------------------------------------------------


def test_what_happens_without_the_store_must_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"on_store_error must be chosen: 'closed' refuses.*'open' sends"):
        budget('all', dollars=1, store=SQLite(tmp_path / 'x.db'))


@pytest.mark.parametrize('choice', ['open', 'closed'])
def test_a_store_that_is_away(model_server: ModelServer, choice: Any, caplog: pytest.LogCaptureFixture) -> None:
    model_server.reply(*answers())
    budget('all', dollars=1, store=Redis('redis://127.0.0.1:1/0'), on_store_error=choice)
    agent = Agent(gpt(model_server))
    if choice == 'closed':
        with pytest.raises(StoreError, match=r"not sent, since the budget 'all' is closed while its store is away"):
            agent.run_sync('hello')
        assert model_server.requests == []
    else:
        assert agent.run_sync('hello').data == agent.run_sync('hello').data == 'yes'
    deadline = time.monotonic() + 5
    while 'could not be reached' not in caplog.text:  # a thread logs it
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_file_of_another_program_is_an_error_whatever_was_chosen(model_server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'notes.txt').write_text('not a database ' * 100)
    budget('all', dollars=1, store=SQLite(tmp_path / 'notes.txt'), on_store_error='open')
    with pytest.raises(UserError, match='no SQLite database'):
        Agent(gpt(model_server)).run_sync('hello')
    assert model_server.requests == []


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'name': 'x', 'dollars': -1}, 'dollars must be US dollars'),
        ({'name': 'x', 'dollars': 'five'}, 'dollars must be US dollars'),
        ({'name': '', 'dollars': 1}, 'name of a budget'),
        ({'name': 'user:{}', 'dollars': 1}, 'Placeholders are names in braces'),
        ({'name': 'user:{user', 'dollars': 1}, 'Placeholders are names in braces'),
        ({'name': 'x', 'dollars': 1, 'per': 'fortnight'}, 'per must be'),
        ({'name': 'x', 'dollars': 1, 'store': 'redis://localhost'}, r'store must be SQLite\(path\)'),
        ({'name': 'x', 'dollars': 1, 'on_store_error': 'ignore'}, "it cannot be 'ignore'"),
        ({'name': 'x', 'dollars': 1, 'unknown': 'ask'}, 'unknown must be US dollars'),
        ({'name': 'x', 'dollars': 1, 'wait': -1}, 'wait must be a number'),
    ],
)
def test_mistakes(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        budget(options.pop('name'), **options)
    assert registry._in_force == {}


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__('sys').modules, 'genai_prices', None)
    for make in (lambda: budget('all', dollars=1), lambda: Agent(TestModel()).run_sync('x', usage_limits=LIMITS)):
        with pytest.raises(UserError, match=r"pip install 'syncai-client\[prices]'"):
            make()


LIMITS = UsageLimits(price_limit=1)


@pytest.mark.slow
def test_a_timeout_counts_while_a_request_waits_for_a_budget(model_server: ModelServer) -> None:
    model_server.reply(*answers(usage=(10, 1), delay_headers=1))
    budget('all', dollars=Decimal('0.002'), wait=60)
    agent = Agent(gpt(model_server))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(agent.run_sync, 'hello')
        model_server.wait_for_requests(1)
        with pytest.raises(ModelTimeoutError) as caught:
            agent.run_sync('hello', timeout=0.2)
        assert caught.value.phase == 'budget'
        first.result()

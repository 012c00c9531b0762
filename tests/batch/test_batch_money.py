"""Budgets over batches: a whole job is held at half the price before it is sent, and counted when it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from batch_servers import created, echo
from batch_wires import anthropic, chat
from counting_settings import CountingSettings

from syncai import Agent, ModelRetry, UsageLimits
from syncai.budgets import SQLite, budget, remove_budget
from syncai.exceptions import BudgetExceeded
from syncai.testing import BatchPlan, ModelServer, Reply

pytest.importorskip('genai_prices')


@pytest.fixture(autouse=True)
def no_budgets() -> Iterator[None]:
    yield
    remove_budget('all')


def test_a_job_that_does_not_fit_is_not_sent(journal: str) -> None:
    with ModelServer(echo) as server:
        limit = budget('all', dollars=Decimal('0.01'))
        agent = Agent(chat(server), model_settings={'max_tokens': 2_000})
        with pytest.raises(BudgetExceeded):
            agent.batch([f'row {n}' for n in range(20)], journal=journal)
        assert created(server) == []
        assert limit.spent() == 0
        budget('all', dollars=1)
        job = agent.batch([f'row {n}' for n in range(20)], journal=journal)
        assert len(list(job.results(interval=0.01))) == 20


def test_the_price_of_batches_is_counted_by_the_process_that_collects(journal: str, tmp_path: Path) -> None:
    """https://claude.com/pricing: Haiku 4.5 1 and 5 dollars a million tokens, a half of it in batches."""
    with ModelServer(echo, batches=BatchPlan(polls=2)) as server:
        limit = budget('all', dollars=1, store=SQLite(tmp_path / 'budgets.db'), on_store_error='closed')
        agent = Agent(anthropic(server), model_settings={'max_tokens': 100})
        job = agent.batch(['a', 'bad', 'b'], journal=journal)
        held = limit.state().held
        assert 3 * 100 * Decimal('2.5') / 10**6 < held < Decimal('0.01')
        assert limit.spent() == 0
        list(Agent(anthropic(server), model_settings={'max_tokens': 100}).batch(journal=journal).results(interval=0.01))
        assert job.ended
        expected = 2 * (30 * Decimal('0.5') + 20 * Decimal('2.5')) / 10**6
        assert (limit.spent(), limit.state().held) == (expected, Decimal(0))


def test_a_job_that_was_refused_costs_nothing(journal: str) -> None:
    with ModelServer(echo, batches=BatchPlan(creation='refused')) as server:
        limit = budget('all', dollars=1)
        list(Agent(chat(server)).batch(['a'], journal=journal).results(interval=0.01))
        assert limit.state().held == 0


def test_a_price_limit_of_each_run_is_that_of_its_row(journal: str) -> None:
    with ModelServer(echo) as server:
        agent = Agent(chat(server), model_settings={'max_tokens': 1_000})
        limits = UsageLimits(price_limit=Decimal('0.01'))
        rows = list(agent.batch(['a', 'x ' * 60_000], journal=journal, usage_limits=limits).results(ordered=True))
        assert rows[0].error is None
        assert isinstance(rows[1].error, BudgetExceeded)


def test_the_dollars_of_a_map_hold_for_its_batches(journal: str) -> None:
    """500 tokens of an answer cost 0.00125 dollars in a batch of Haiku 4.5: https://claude.com/pricing."""
    with ModelServer(echo) as server:
        agent = Agent(anthropic(server), model_settings={'max_tokens': 500})
        rows = list(agent.map_sync(['a', 'b', 'c', 'd'], journal=journal, batch=True, dollars=Decimal('0.003')))
        assert [row.error is None for row in rows] == [True, True, False, False]
        assert {type(row.error) for row in rows[2:]} == {BudgetExceeded}
        again = list(agent.map_sync(['a', 'b', 'c', 'd'], journal=journal, batch=True, dollars=Decimal('0.003')))
        assert [row.stored for row in again] == [True, True, False, False]
        assert all(row.error is None for row in again)


@pytest.mark.parametrize('repair', ['batch', 'live'])
def test_what_a_row_has_cost_counts_for_its_limit(journal: str, repair: Literal['batch', 'live']) -> None:
    """1,000 tokens of an answer cost 0.0025 dollars in a batch of Haiku 4.5: https://claude.com/pricing."""
    with ModelServer(lambda _: Reply('x', usage=(1000, 900))) as server:
        agent = Agent(anthropic(server), model_settings={'max_tokens': 1000})

        @agent.result_validator
        def check(value: str) -> str:
            raise ModelRetry('again')

        # The first answer costs 0.00275, and the second would cost as much, or twice of that live.
        job = agent.batch(['a'], journal=journal, repair=repair, usage_limits=UsageLimits(price_limit=Decimal('0.005')))
        (row,) = job.results(interval=0.01)
        assert isinstance(row.error, BudgetExceeded)
        assert row.error.spent >= Decimal('0.00275')
        assert row.usage().requests == 1


def test_rows_of_the_journal_have_their_prices(journal: str) -> None:
    """https://claude.com/pricing: Haiku 4.5 1 and 5 dollars a million tokens, a half of it in batches."""
    with ModelServer(echo) as server:
        agent, half = Agent(anthropic(server)), (30 * Decimal('0.5') + 20 * Decimal('2.5')) / 10**6
        for stored in (False, True):
            row, failed = agent.map_sync(['a', 'bad'], journal=journal, batch=True, retry_failed=False)
            assert (row.price, row.usage().price, row.stored) == (half, half, stored)
            assert failed.usage().price == 0


def test_the_settings_of_a_row_are_merged_once(tmp_path: Path) -> None:
    """Beside that, once for the batch."""

    def merges(rows: int) -> int:
        model, counting = chat(server), CountingSettings()
        settings: Any = counting
        model.settings = settings
        Agent(model).batch([f'row {n}' for n in range(rows)], journal=str(tmp_path / f'{rows}.sqlite'))
        return counting.merges

    with ModelServer(echo) as server:
        budget('all', dollars=1)
        assert merges(5) - merges(2) == 3

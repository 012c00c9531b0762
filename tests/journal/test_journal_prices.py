"""Rows of a journal have the price that they had when they were paid, with that of the runs within them.

gpt-4o costs 2.50 dollars for a million tokens of prompts and 10 for those of answers (https://openai.com/api/pricing).
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest

from syncai import Agent, RunContext, UsageLimits
from syncai.exceptions import BudgetExceeded
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply, ToolCall

pytest.importorskip('genai_prices')
PRICE = Decimal('0.0035')


def gpt(server: ModelServer) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-4o', base_url=server.base_url, api_key='key', settings={'max_tokens': 100})


def yes(*calls: ToolCall) -> Reply:
    return Reply('yes', tool_calls=calls, usage=(1000, 100), model='gpt-4o')


def test_rows_of_a_map(model_server: ModelServer, tmp_path: Path) -> None:
    model_server.reply(yes(), yes())
    for stored in (False, True):
        rows = list(Agent(gpt(model_server)).map_sync(['a', 'b'], journal=tmp_path / 'run.sqlite'))
        assert [(row.price, row.usage().price, row.stored) for row in rows] == [(PRICE, PRICE, stored)] * 2


@pytest.mark.parametrize('known', [True, False])
def test_runs_within_the_run_of_a_row(
    model_server: ModelServer, tmp_path: Path, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not known:
        monkeypatch.setitem(sys.modules, 'genai_prices', None)
    model_server.reply(yes(ToolCall('ask')), yes(), yes())
    inner, outer = Agent(gpt(model_server)), Agent(gpt(model_server))

    @outer.tool
    def ask(ctx: RunContext[None]) -> str:
        return inner.run_sync('one', usage=ctx.usage).data

    for _ in range(2):
        (row,) = outer.map_sync(['a'], journal=tmp_path / 'run.sqlite')
        assert row.usage().requests == 3
        if known:
            assert (row.price, row.usage().price) == (3 * PRICE, 3 * PRICE)
    monkeypatch.undo()
    assert row.stored
    assert row.usage().price == (3 * PRICE if known else None)


def test_what_a_budget_said_is_kept(model_server: ModelServer, tmp_path: Path) -> None:
    limits = UsageLimits(price_limit=Decimal('0.0001'))
    for stored in (False, True):
        rows = Agent(gpt(model_server)).map_sync(
            ['a'], journal=tmp_path / 'run.sqlite', retry_failed=False, usage_limits=limits
        )
        (row,) = rows
        assert row.stored is stored
        assert isinstance(row.error, BudgetExceeded)
        assert (row.error.name, row.error.spent, row.error.limit) == ('price_limit', Decimal(0), Decimal('0.0001'))
        assert row.error.resets_at is None

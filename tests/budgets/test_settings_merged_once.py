"""The settings of a model and of a call are merged once for a request, under budgets too."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from counting_settings import CountingSettings

from syncai import Agent
from syncai._prices.payments import payments
from syncai.budgets import budget, remove_budget
from syncai.models import Model
from syncai.models.function import FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply


@pytest.fixture
def under_budget() -> Iterator[None]:
    """A budget that concerns each request."""
    budget('all', dollars=10, unknown=Decimal('0.01'))
    yield
    remove_budget('all')
    payments.of = None


def asked(model: Model) -> int:
    """The merges of one request to a model."""
    counting: Any = CountingSettings()
    model.settings = counting
    assert Agent(model, model_settings={'temperature': 0}).run_sync('Hi').data == 'Hello'
    return int(counting.merges)


@pytest.mark.usefixtures('under_budget')
def test_a_model_without_a_provider() -> None:
    assert asked(FunctionModel(lambda messages, info: 'Hello')) == 1


@pytest.mark.usefixtures('under_budget')
def test_a_model_of_a_provider() -> None:
    with ModelServer(Reply('Hello')) as server:
        assert asked(OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url)) == 1

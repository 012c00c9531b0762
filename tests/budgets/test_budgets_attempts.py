"""Attempts that fail, are repeated, cut or left are paid as providers count them; unknown prices are refused.

gpt-4o costs 2.50 dollars for a million tokens of prompts and 10 for those of answers (https://openai.com/api/pricing,
as genai-prices 0.2.3 quotes it): 1,000 and 100 of them are 0.0035 dollars.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from syncai import Agent, ModelRequest, UsageLimits, model_request_stream_sync, model_request_sync
from syncai._prices.payments import payments
from syncai.budgets import Budget, BudgetExceeded, budget
from syncai.budgets import _budget as registry
from syncai.budgets._payment import _hidden as hidden_tokens
from syncai.exceptions import (
    AgentRunError,
    ModelHTTPError,
    UserError,
)
from syncai.messages import ModelMessage, ModelResponse, TextPart
from syncai.models import Model, StreamedResponse
from syncai.models.anthropic import AnthropicModel
from syncai.models.fallback import FallbackModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply
from syncai.usage import Usage

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


def test_attempts_that_the_provider_refuses_cost_nothing(model_server: ModelServer, all_calls: Budget) -> None:
    model_server.reply(Reply(status=500), *answers(times=1), Reply(status=400))
    model = gpt(model_server, http=HttpOptions(max_retries=1))
    model_request_sync(model, HELLO)
    with pytest.raises(ModelHTTPError):
        model_request_sync(model, HELLO)
    assert all_calls.spent() == PRICE
    assert all_calls.state().held == 0


def test_an_attempt_that_was_sent_and_never_answered_is_paid(model_server: ModelServer, all_calls: Budget) -> None:
    model_server.reply(Reply(ending='reset_before_headers'), *answers())
    model_request_sync(gpt(model_server, http=HttpOptions(max_retries=1)), HELLO)
    held = all_calls.spent() - PRICE
    assert Decimal('0.001') < held < Decimal('0.003')  # 100 tokens of answer, and those of the prompt
    assert all_calls.state().held == 0


def test_a_connection_that_never_was_costs_nothing(all_calls: Budget) -> None:
    model = OpenAIChatModel('gpt-4o', base_url='http://127.0.0.1:1', api_key='k', http=HttpOptions(max_retries=0))
    with pytest.raises(Exception, match=r'127\.0\.0\.1:1'):
        model_request_sync(model, HELLO)
    assert all_calls.spent() == all_calls.state().held == 0


def test_a_stream_that_is_left_is_paid(model_server: ModelServer, all_calls: Budget) -> None:
    model_server.reply(Reply('yes ', 'and ', 'more', usage=(1000, 100), model='gpt-4o', delay_between_events=0.3))
    with Agent(gpt(model_server)).run_stream_sync('hello') as stream:
        next(iter(stream.stream_text()))
        assert all_calls.state().held > 0
    assert Decimal('0.001') < all_calls.spent() < Decimal('0.003')  # what was held: no usage had come
    assert all_calls.state().held == 0


def test_of_a_cut_stream_what_the_provider_has_counted_is_paid(model_server: ModelServer, all_calls: Budget) -> None:
    model_server.reply(
        Reply('some ', 'words', usage=(100_000, 10), model='claude-sonnet-4-5', ending='cut', cut_after_events=4)
    )
    model = AnthropicModel(
        'claude-sonnet-4-5', base_url=model_server.base_url, api_key='k', settings={'max_tokens': 100}
    )
    with pytest.raises(AgentRunError), model_request_stream_sync(model, HELLO) as stream:
        list(stream)
    # Its message_start says 100,000 tokens of prompt, which cost 0.30; a few of the answer have arrived.
    assert Decimal('0.3') < all_calls.spent() < Decimal('0.301')


def test_each_model_of_a_fallback_pays_for_itself(model_server: ModelServer, all_calls: Budget) -> None:
    model_server.reply(Reply(status=503), *answers())
    first, second = gpt(model_server, http=HttpOptions(max_retries=0)), gpt(model_server)
    Agent(FallbackModel(first, second)).run_sync('hello')
    assert all_calls.spent() == PRICE
    assert all_calls.state().held == 0


def test_a_cheaper_model_where_the_budget_ends(model_server: ModelServer) -> None:
    model_server.reply(Reply('yes', usage=(1000, 100), model='gpt-4o-mini'))
    budget('all', dollars=Decimal('0.001'))
    cheap = OpenAIChatModel('gpt-4o-mini', base_url=model_server.base_url, api_key='k', settings={'max_tokens': 100})
    agent = Agent(FallbackModel(gpt(model_server), cheap, fallback_on=BudgetExceeded))
    assert agent.run_sync('hello').response.model_name == 'gpt-4o-mini'


# --- unknown prices ---------------------------------------------------------------------------------------------------


def unknown(server: ModelServer) -> OpenAIChatModel:
    return OpenAIChatModel('nobody-knows', base_url=server.base_url, api_key='k')


def test_a_model_of_unknown_price_is_refused_before_it_is_asked(model_server: ModelServer, all_calls: Budget) -> None:
    with pytest.raises(
        UserError, match=r"price of openai:nobody-knows is not known.*'all' cannot hold: set unknown='allow'"
    ):
        Agent(unknown(model_server)).run_sync('hello')
    assert model_server.requests == []
    assert all_calls.state().held == 0


@pytest.mark.parametrize(('counts_as', 'spent'), [('allow', Decimal(0)), (Decimal('0.01'), Decimal('0.01'))])
def test_what_a_model_of_unknown_price_counts_as(model_server: ModelServer, counts_as: Any, spent: Decimal) -> None:
    model_server.reply(Reply('yes', usage=(1000, 100), model='nobody-knows'))
    one = budget('all', dollars=1, unknown=counts_as)
    Agent(unknown(model_server)).run_sync('hello')
    assert one.spent() == spent


def test_models_that_ask_no_provider_are_free(all_calls: Budget) -> None:
    Agent(TestModel()).run_sync('hello', usage_limits=UsageLimits(price_limit=0))
    assert all_calls.spent() == 0


class OwnModel(Model):
    """A model of a program, with or without another behind it."""

    def __init__(self, inner: Model | None = None) -> None:
        self._inner = inner

    model_name = 'gpt-4o'
    system = 'openai'

    async def request(self, messages: Sequence[ModelMessage], settings: Any, parameters: Any) -> ModelResponse:
        if self._inner is not None:
            return await self._inner.request(messages, settings, parameters)
        usage = Usage(1, 1000, 100, 1100)
        return ModelResponse([TextPart('x')], usage=usage, model_name='gpt-4o', provider_name='openai')

    @asynccontextmanager
    async def request_stream(
        self, messages: Sequence[ModelMessage], settings: Any, parameters: Any
    ) -> AsyncIterator[StreamedResponse]:
        assert self._inner is not None
        async with self._inner.request_stream(messages, settings, parameters) as stream:
            yield stream


def test_models_of_a_program_are_paid_once(model_server: ModelServer, all_calls: Budget) -> None:
    model_server.reply(*answers())
    model_request_sync(OwnModel(), HELLO)
    assert all_calls.spent() == PRICE
    model_request_sync(OwnModel(gpt(model_server)), HELLO)
    with model_request_stream_sync(OwnModel(gpt(model_server)), HELLO) as stream:
        list(stream)
    model_request_sync(FallbackModel(OwnModel(), gpt(model_server)), HELLO)
    assert all_calls.spent() == 4 * PRICE
    assert all_calls.state().held == 0

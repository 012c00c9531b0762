"""The price of a run in money, where it is known."""

from __future__ import annotations

import sys
from decimal import Decimal

import pytest

from syncai._prices import price_of
from syncai.agent import Agent
from syncai.exceptions import UserError
from syncai.messages import ModelRequest, ModelResponse, TextPart
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.usage import Usage


def answer(model: str | None = 'gpt-4o', provider: str = 'openai', **counts: object) -> ModelResponse:
    usage = Usage(requests=1, request_tokens=1_000_000, response_tokens=100_000, **counts)  # type: ignore[arg-type]
    return ModelResponse([TextPart('x')], usage=usage, model_name=model, provider_name=provider)


def test_a_known_model_has_a_price() -> None:
    alone = price_of([ModelRequest.user_text_prompt('x'), answer()])
    assert alone is not None
    assert alone > 0
    assert price_of([answer(), answer()]) == 2 * alone
    assert price_of([answer(provider='openai-responses')]) == alone


def test_cached_tokens_cost_less() -> None:
    whole, cached = price_of([answer()]), price_of([answer(details={'cached_tokens': 900_000})])
    assert whole is not None
    assert cached is not None
    assert 0 < cached < whole


@pytest.mark.parametrize(
    'response',
    [
        answer('gpt-nobody-knows'),
        answer('gpt-4o', 'nobody'),
        answer(None),
        answer('qwen-3-coder-480b', 'cerebras'),  # listed, without a rate
        answer('amazon.titan-embed-text-v1', 'aws'),  # listed with a rate for prompts alone
        ModelResponse([TextPart('x')], model_name='gpt-4o', provider_name='openai', usage=Usage(requests=1)),
        answer(details={'cached_tokens': 5_000_000}),
    ],
)
def test_an_unknown_price_is_none_and_never_zero(response: ModelResponse) -> None:
    assert price_of([response]) is None
    assert price_of([answer(), response]) is None


def test_no_answer_has_no_price() -> None:
    assert price_of([]) is None


def test_the_price_of_a_run_is_that_of_its_own_requests(model_server: ModelServer) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('look')], usage=(1000, 100), model='gpt-4o'),
        Reply('done', usage=(2000, 100), model='gpt-4o'),
        Reply('more', usage=(1000, 100), model='gpt-4o'),
    )
    agent = Agent(OpenAIChatModel('gpt-4o', base_url=model_server.base_url))
    agent.tool_plain(look)
    first = agent.run_sync('x')
    second = agent.run_sync('y', message_history=first.all_messages())
    prices = first.price(), second.price()
    assert all(isinstance(price, Decimal) for price in prices)
    assert prices[0] > 2 * prices[1]  # type: ignore[operator]
    assert Agent(TestModel()).run_sync('x').price() is None


def look() -> str:
    return 'found'


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'genai_prices', None)
    with pytest.raises(UserError, match=r"pip install 'syncai-client\[prices]'"):
        price_of([answer()])

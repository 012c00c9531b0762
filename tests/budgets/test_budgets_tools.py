"""Fees of the tools that a provider runs, and sounds: they are held with the request, and counted after it.

Rates as genai-prices 0.2.3 quotes them: a thousand searches cost 10 dollars with Anthropic and OpenAI, 14 with Gemini
3; a million tokens of prompts 3 dollars with Claude Sonnet 4.5 and 5 with gpt-5.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from syncai import ModelRequest, model_request_sync
from syncai._prices.payments import payments
from syncai.budgets import BudgetExceeded, budget
from syncai.budgets import _budget as registry
from syncai.budgets._estimate import estimated_price
from syncai.budgets._server_tools import TOKENS_OF_USE, USES
from syncai.exceptions import UserError
from syncai.messages import BinaryContent, UserPromptPart
from syncai.models.anthropic import AnthropicModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, Reply

pytest.importorskip('genai_prices')
HELLO = [ModelRequest.user_text_prompt('hello')]


@pytest.fixture(autouse=True)
def no_budgets() -> Iterator[None]:
    yield
    registry._in_force.clear()
    payments.of = None


def more(system: str, model: str, settings: dict[str, Any]) -> Decimal | None:
    """The addition of the settings to the estimate of a short request."""
    plain, whole = (estimated_price(system, model, 1000, 100, one) for one in ({}, settings))
    assert plain is not None
    return None if whole is None else whole - plain


def in_body(*tools: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {'extra_body': {'tools': list(tools), **fields}}


@pytest.mark.parametrize(
    ('system', 'model', 'settings', 'uses', 'fee', 'of_tokens'),
    [
        ('anthropic', 'claude-sonnet-4-5', in_body({'type': 'web_search_20250305', 'max_uses': 2}), 2, '0.01', '3'),
        ('anthropic', 'claude-sonnet-4-5', in_body({'type': 'web_search_20260318'}), USES, '0.01', '3'),
        ('anthropic', 'claude-sonnet-4-5', in_body({'type': 'web_fetch_20250910', 'max_uses': 3}), 3, '0', '3'),
        ('openai-responses', 'gpt-5.5', {'openai_builtin_tools': [{'type': 'web_search'}]}, USES, '0.01', '5'),
        ('openai-responses', 'gpt-5.5', in_body({'type': 'web_search'}, max_tool_calls=1), 1, '0.01', '5'),
        ('openai-responses', 'gpt-5.5', in_body({'type': 'file_search'}), USES, '0.0025', '5'),
        ('google', 'gemini-3.7-flash', in_body({'googleSearch': {}}), USES, '0.014', None),
    ],
)
def test_what_tools_add_to_the_estimate(
    system: str, model: str, settings: dict[str, Any], uses: int, fee: str, of_tokens: str | None
) -> None:
    added = more(system, model, settings)
    assert added is not None
    pages = added - uses * Decimal(fee)
    if of_tokens is None:
        assert pages > 0
    else:
        assert pages == uses * TOKENS_OF_USE * Decimal(of_tokens) / 10**6


@pytest.mark.parametrize(
    'settings',
    [
        {'openai_builtin_tools': [{'type': 'code_interpreter', 'container': {'type': 'auto'}}]},
        {'openai_builtin_tools': [{'type': 'image_generation'}]},
    ],
)
def test_a_tool_whose_use_has_no_listed_price_is_refused(model_server: ModelServer, settings: dict[str, Any]) -> None:
    model_server.reply(Reply('yes', usage=(10, 5), model='gpt-5.5'))
    one = budget('all', dollars=1)
    model = OpenAIResponsesModel('gpt-5.5', base_url=model_server.base_url, api_key='k', settings=settings)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r'price of openai-responses:gpt-5\.5 with the tools that the provider runs'):
        model_request_sync(model, HELLO)
    assert model_server.requests == []
    budget('all', dollars=1, unknown=Decimal('0.05'))
    model_request_sync(model, HELLO)
    assert one.state().held == 0


def test_searches_are_held_and_those_that_were_made_are_counted(model_server: ModelServer) -> None:
    usage = {'input_tokens': 1000, 'output_tokens': 100, 'server_tool_use': {'web_search_requests': 1}}
    model_server.reply(Reply('yes', usage=usage, model='claude-sonnet-4-5'))
    settings: Any = {'max_tokens': 100, **in_body({'type': 'web_search_20250305', 'name': 'web_search', 'max_uses': 3})}
    model = AnthropicModel('claude-sonnet-4-5', base_url=model_server.base_url, api_key='k', settings=settings)
    one = budget('all', dollars=Decimal('0.1'))  # three searches and their pages may cost 0.12
    with pytest.raises(BudgetExceeded):
        model_request_sync(model, HELLO)
    budget('all', dollars=Decimal('0.2'))
    model_request_sync(model, HELLO)
    assert one.spent() == Decimal('0.003') + Decimal('0.0015') + Decimal('0.01')


def test_sounds_are_held_at_their_own_rate(model_server: ModelServer) -> None:
    """gpt-audio takes 32 dollars for a million tokens of sounds, and 2.50 for those of text."""
    sound = BinaryContent(b'RIFF' + bytes(4_000_000), 'audio/wav')  # some 20,000 tokens
    request = [ModelRequest([UserPromptPart(['What is this?', sound])])]
    budget('all', dollars=Decimal('0.5'))
    model = OpenAIChatModel('gpt-audio', base_url=model_server.base_url, api_key='k', settings={'max_tokens': 10})
    with pytest.raises(BudgetExceeded, match=r'may cost 0\.6'):
        model_request_sync(model, request)
    listed_as_text = OpenAIChatModel('gpt-4o-audio-preview', base_url=model_server.base_url, api_key='k')
    with pytest.raises(UserError, match=r'price of openai:gpt-4o-audio-preview is not known'):
        model_request_sync(listed_as_text, request)
    assert model_server.requests == []

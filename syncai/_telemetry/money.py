"""Prices for spans and metrics: left out if they are not known, and never an error."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from .._prices import price_of_answers, stated_price
from .._prices.table import price_of_tokens
from ..exceptions import UserError
from ..messages import ModelResponse
from ..usage import Usage
from . import names

__all__ = ['cost_of', 'price_of_usage', 'ready']


def ready() -> None:
    """Load the price lists now, which takes some 0.1 s, and not on the loop thread; without the extra do nothing."""
    with suppress(UserError):
        price_of_tokens('openai', 'gpt-4o', 1, 1)


def cost_of(response: ModelResponse) -> dict[str, Any]:
    """The attributes for the price of an answer; empty if it is not known, as for an answer that was left early."""
    if response.incomplete:
        return {}
    of_provider = stated_price(response)
    try:
        price = price_of_answers([response]) if of_provider is None else of_provider
    except UserError:  # the extra is not installed
        return {}
    if price is None:
        return {}
    source = names.ESTIMATED if of_provider is None else names.STATED
    return {names.COST_AMOUNT: float(price), names.COST_CURRENCY: names.DOLLARS, names.COST_SOURCE: source}


def price_of_usage(usage: Usage) -> dict[str, Any]:
    """The attribute for the price of a run; empty if it is not known, or if no request was made."""
    try:
        price = usage.price if usage.has_values() else None
    except UserError:
        return {}
    return {} if price is None else {names.RUN_PRICE: float(price)}

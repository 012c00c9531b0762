"""The budgets of a run: its own price limit, and those of the runs and maps around it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .._prices import price_of_answers
from .shared_usage import SharedUsage

if TYPE_CHECKING:
    from ..budgets import Budget
    from ..messages import ModelResponse
    from .plan import RunPlan

__all__ = ['pay_from', 'purses_of']


def purses_of(plan: RunPlan[Any], answers: Sequence[ModelResponse] = ()) -> tuple[Budget, ...]:
    """The budgets of a run. Its price limit counts what was used before the run.

    Args:
        plan: The run.
        answers: The answers of the run so far, for a run that continues, such as in another process.

    Raises:
        UserError: The extra `prices` is not installed.
    """
    caller = plan.usage.run if isinstance(plan.usage, SharedUsage) else None
    outer = (*plan.purses, *(caller.purses if caller is not None else ()))
    if plan.limits.price_limit is None:
        return outer
    from ..budgets._registration import purse

    prices = plan.usage.price, price_of_answers(answers)
    spent = sum((price for price in prices if price is not None), Decimal(0))
    return (*outer, purse('price_limit', plan.limits.price_limit, spent=spent))


def pay_from(purses: tuple[Budget, ...]) -> None:
    """Charge the requests of the running task, and of everything it calls, to these budgets too."""
    from ..budgets._context import of_runs

    of_runs.set((*of_runs.get(), *purses))

"""Budgets of batches: the possible cost of a whole job is held before it is sent, and its true cost is counted
afterwards.

A hold lasts longer than a job and is stored with it; the process that collects the results ends it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .._base.system import warn_in_log
from .._bridge import call_user_function
from .._engine.model_call import ModelCall
from .._prices import price_of
from .._prices.payments import payments
from .._stores.ledger import Claim, Hold
from .._stores.teller import teller_of
from ..budgets._budget import Budget, _in_force, micro_dollars
from ..budgets._context import of_runs
from ..budgets._payment import Payment
from ..budgets._server_tools import server_tools
from ..exceptions import StoreError
from ..messages import ModelResponse
from ..settings import ModelSettings
from ._ledger import BatchPart
from ._runs import BatchedRun

__all__ = ['Costs', 'cost_of', 'hold', 'settle']

_LEASE = 3 * 86400.0  # seconds: Gemini's jobs expire after two days


@dataclass(frozen=True, slots=True)
class _Share:
    """The possible cost of a request for one of its budgets, at half the price."""

    payment: Payment
    account: Any
    amount: int


@dataclass(slots=True)
class Costs:
    """The possible costs of an unsent job's rows, by account."""

    shares: dict[str, _Share]

    async def add(self, run: BatchedRun[Any], call: ModelCall, settings: ModelSettings) -> None:
        """Add the costs of one row, whose merged settings these are; the budgets of its own run are checked at once.

        Raises:
            BudgetExceeded: It does not fit in the price limit of the run.
            UserError: The price of the model is not known, and a budget refuses that.
        """
        if payments.of is None:
            return
        model = call.model
        name = getattr(model, '_known_as', model.model_name)  # that of its price list
        token = of_runs.set((*of_runs.get(), *run.purses))
        try:
            payment = payments.of(model.system, name, call.messages, lambda: settings, call.parameters)
        finally:
            of_runs.reset(token)
        if not isinstance(payment, Payment):
            return
        parts = 1 if server_tools(model.system, settings).fees else 2  # fees of tools are not halved
        halves = [replace(account, amount=-(-account.amount // parts)) for account in payment._accounts]
        if own := [account for account in halves if account.budget.by_itself]:
            attempt = await Payment(model.system, model.model_name, 0, own).reserve()
            attempt.sent()
            attempt.release()
        for account in halves:
            if not account.budget.by_itself:
                key = account.budget.key(account.name)
                before = self.shares[key].amount if key in self.shares else 0
                self.shares[key] = _Share(payment, account, before + account.amount)


async def hold(costs: Costs) -> tuple[dict[str, Any], ...]:
    """Hold the possible cost of a job in all budgets, or in none; returns the holds in their stored form.

    Raises:
        BudgetExceeded: It does not fit in one of them; nothing is held.
        StoreError: The store of a budget with `on_store_error='closed'` is unavailable.
    """
    holds = list[tuple[_Share, Hold]]()
    try:
        for key, share in costs.shares.items():
            if (outcome := await _hold(key, share)) is not None:
                holds.append((share, outcome))
    except BaseException:
        give_back([(share.account.budget, one) for share, one in holds])
        raise
    return tuple({'budget': share.account.budget.name, **asdict(one)} for share, one in holds)


async def _hold(key: str, share: _Share) -> Hold | None:
    budget: Budget = share.account.budget
    teller = teller_of(budget.store)
    claim = Claim(key, micro_dollars(budget.dollars), share.amount, uuid.uuid4().hex, _LEASE, budget.period)
    try:
        outcome = await teller.reserve(claim)
    except StoreError:
        if budget.on_store_error == 'closed':
            raise
        return None
    if not isinstance(outcome, Hold):
        raise share.payment._exceeded(replace(share.account, amount=share.amount), outcome)
    teller.let_end(outcome)  # its lease keeps it: this process may end long before
    return outcome


def give_back(holds: Sequence[tuple[Budget, Hold]]) -> None:
    """End holds without spending."""
    for budget, one in holds:
        teller_of(budget.store).cancel(one)


def cost_of(part: BatchPart, response: ModelResponse) -> int:
    """The cost of an answer in millionths of a dollar; its part of the held amount if the price is not known."""
    if not part.held:
        return 0
    price = price_of([response])
    if price is None:
        return int(max(one['amount'] for one in part.held)) // max(part.rows, 1)
    return micro_dollars(price)


async def settle(part: BatchPart, spent: int | None) -> None:
    """End the holds of a job, and count its cost; None if the job was never made."""
    for noted in part.held:
        values: Mapping[str, Any] = {name: value for name, value in noted.items() if name != 'budget'}
        one = Hold(**values)
        budget = next((candidate for candidate in _in_force.values() if _is_of(candidate, noted['budget'], one)), None)
        if budget is None:
            text = (
                'The budget %r is not in force here: what the batch has cost (%d millionths of a dollar) is not counted'
            )
            await call_user_function(warn_in_log, text, noted['budget'], spent or 0)
        elif spent is None:
            give_back([(budget, one)])
        else:
            await teller_of(budget.store).settle(one, spent)


def _is_of(budget: Budget, name: str, one: Hold) -> bool:
    return budget.name == name and one.name.endswith(f'|{budget.period.key}')

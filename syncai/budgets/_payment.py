"""The payment of one request: the amount that each attempt holds, and the final cost.

All of it runs on the loop thread. Worker threads, not the caller's, use the stores: attempts are repeated, and answers
are left or cut off, while the caller is elsewhere, and the spending must still be recorded.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from .._base.phases import names_wait, phase
from .._prices import price_of
from .._stores.ledger import Claim, Hold, Refusal
from .._stores.teller import LEASE, teller_of
from ..exceptions import BudgetExceeded, StoreError, UserError
from ..messages import ModelMessage, ModelResponse
from ..parameters import ModelRequestParameters
from ..usage import Usage
from ._budget import Budget, dollars_of, in_force, micro_dollars
from ._estimate import estimated_output, estimated_price, tokens_of_answer, tokens_of_request, tokens_of_sounds
from ._server_tools import server_tools

__all__ = ['payment_of']

_FREE = ('test', 'function')  # models without a provider
_MOST_HIDDEN = 5_000
_PAUSES = (0.05, 0.5)  # seconds between checks whether others have released what they held


# By provider and model: the tokens of a prompt beyond its estimate, such as instructions that a server adds. Used only
# by the loop thread.
_hidden: dict[tuple[str, str], int] = {}


@dataclass(frozen=True)
class _Account:
    """A budget of a request, and the amount held."""

    budget: Budget
    name: str
    amount: int


def payment_of(
    system: str,
    model_name: str,
    messages: Sequence[ModelMessage],
    settings: Callable[[], Mapping[str, Any]],
    parameters: ModelRequestParameters,
) -> Payment | None:
    """The payment of a request, or None if no budget concerns it.

    Raises:
        UserError: The price of the model is not known, and a budget refuses that.
    """
    outer = _around.get()
    if outer is not None:
        outer.refused()  # a model that wraps another one, which pays for itself
    budgets = in_force()
    if not budgets or system in _FREE:
        return None
    merged = settings()
    prompt_tokens = tokens_of_request(messages, parameters)
    tokens, sounds = prompt_tokens + _hidden.get((system, model_name), 0), tokens_of_sounds(messages)
    prices = {
        output: estimated_price(system, model_name, tokens, estimated_output(merged, output), merged, sounds)
        for output in {one.output_tokens for _, one in budgets}
    }
    what = f'{system}:{model_name}{_with_tools(system, merged)}'
    accounts = [_Account(one, name, _amount(one, prices[one.output_tokens], what)) for name, one in budgets]
    return Payment(system, model_name, prompt_tokens, accounts)


def _with_tools(system: str, settings: Mapping[str, Any]) -> str:
    fees = server_tools(system, settings).fees
    return f' with the tools that the provider runs ({", ".join(fees)})' if fees else ''


def _amount(budget: Budget, price: Decimal | None, what: str) -> int:
    if price is not None:
        return micro_dollars(price)
    if budget.unknown is None:
        remedy = 'limit it with another model' if budget.by_itself else "set unknown='allow' or unknown=Decimal('0.01')"
        raise UserError(
            f'The price of {what} is not known, and the budget {budget.name!r} cannot hold: {remedy}, '
            'or give the model the name that its price list has with alias_of'
        )
    return 0 if budget.unknown == 'allow' else micro_dollars(budget.unknown)


class Payment:
    """The payment of a request.

    Args:
        system: The provider.
        model_name: The model, by the name that price lists have.
        size: The approximate tokens of the prompt.
        accounts: Its budgets, in order.
    """

    def __init__(self, system: str, model_name: str, size: int, accounts: Sequence[_Account]) -> None:
        self.system = system
        self.model_name = model_name
        self._size = size
        self._accounts = accounts

    async def reserve(self) -> Attempt:
        """Hold the possible cost of one attempt in all budgets, or in none.

        Raises:
            BudgetExceeded: It does not fit in one of them.
            StoreError: The store of a `closed` budget is unavailable.
        """
        attempt = Attempt(self)
        try:
            with phase('budget'):
                for account in self._accounts:
                    attempt.holds.append((account, await self._hold(account)))
        except BaseException:
            attempt.refused()
            raise
        return attempt

    @asynccontextmanager
    async def paying(self) -> AsyncIterator[Attempt]:
        """A block around a model that is no HTTP API; if that calls an HTTP API, the inner request pays instead."""
        attempt = await self.reserve()
        attempt.sent()
        token = _around.set(attempt)
        try:
            yield attempt
        finally:
            _around.reset(token)
            attempt.release()

    @names_wait('its turn under a budget of `syncai.budgets`')
    async def _hold(self, account: _Account) -> Hold:
        teller, began, pause = teller_of(account.budget.store), time.monotonic(), _PAUSES[0]
        limit = micro_dollars(account.budget.dollars)
        while True:
            claim = Claim(
                account.budget.key(account.name), limit, account.amount, uuid.uuid4().hex, LEASE, account.budget.period
            )
            try:
                outcome = await teller.reserve(claim)
            except StoreError as error:
                return self._without_store(account, claim, error)
            if isinstance(outcome, Hold):
                return outcome
            if not outcome.held or outcome.spent + account.amount > limit:
                raise self._exceeded(account, outcome)
            seconds_left = began + account.budget.wait - time.monotonic()
            if seconds_left <= 0:
                raise self._exceeded(account, outcome)
            await teller.freed(min(pause, seconds_left))
            pause = min(pause * 1.5, _PAUSES[1])

    def _without_store(self, account: _Account, claim: Claim, error: StoreError) -> Hold:
        """A hold outside of the store, for an `open` budget: the spending is written when the store is back."""
        try:
            if account.budget.on_store_error == 'closed':
                raise StoreError(
                    f'The request was not sent, since the budget {account.name!r} is closed while its store is away '
                    f"(on_store_error='closed'): {error}",
                    model_name=self.model_name,
                    provider=self.system,
                )
        finally:
            del error  # its traceback holds this frame
        starts, ends = claim.period.window(time.time())
        return Hold(claim.name, starts, ends, claim.id, claim.amount)

    def _exceeded(self, account: _Account, refusal: Refusal) -> BudgetExceeded:
        budget, ends = account.budget, refusal.resets_at
        spent, held, needed = (dollars_of(one) for one in (refusal.spent, refusal.held, account.amount))
        resets_at = None if ends is None else datetime.fromtimestamp(ends, UTC)
        remedy = '' if resets_at is None else f'it begins again at {resets_at:%Y-%m-%d %H:%M} UTC; '
        return BudgetExceeded(
            f'The request may cost {needed:f} dollars, and the budget {account.name!r} has '
            f'{max(Decimal(0), budget.dollars - spent - held):f} left of {budget.dollars:f} '
            f'({spent:f} spent, {held:f} held for other requests): {remedy}raise it, or set max_tokens lower',
            name=account.name,
            spent=spent,
            limit=budget.dollars,
            resets_at=resets_at,
            model_name=self.model_name,
            provider=self.system,
        )

    def price_of_answer(self, response: ModelResponse) -> Decimal | None:
        """The cost of an answer, or None if it is not known."""
        key, more = (self.system, self.model_name), (response.usage.request_tokens or 0) - self._size
        if more > _hidden.get(key, 0):
            _hidden[key] = min(more, _MOST_HIDDEN)
        price = price_of([response])
        return price_of([replace(response, model_name=self.model_name)]) if price is None else price

    def price_of_part(self, response: ModelResponse | None) -> Decimal | None:
        """The cost of an answer that broke off: what the provider has counted, or an estimate of the arrived part."""
        if response is None or response.usage.request_tokens is None:
            return None
        usage = response.usage
        generated = max(usage.response_tokens or 0, tokens_of_answer(response))
        counts = Usage(usage.requests, usage.request_tokens, generated, None, usage.details)
        return self.price_of_answer(replace(response, usage=counts))


class Attempt:
    """The amount held by one attempt. Only its first ending counts."""

    def __init__(self, payment: Payment) -> None:
        self._payment = payment
        self.holds: list[tuple[_Account, Hold]] = []
        self._sent = self._ended = False

    def sent(self) -> None:
        """Record that the request is written now."""
        self._sent = True

    def release(self) -> None:
        """End without an answer: nothing is paid if it was not sent, else the whole held amount."""
        if self._sent:
            self.leave(None)
        else:
            self.refused()

    def refused(self) -> None:
        """End with an error of the provider, which costs nothing."""
        self._end(lambda account, hold: teller_of(account.budget.store).cancel(hold))

    def leave(self, response: ModelResponse | None) -> None:
        """End with a part of the answer."""
        if not self._ended:
            self._spend(self._payment.price_of_part(response))

    async def settle(self, response: ModelResponse) -> None:
        """End with the whole answer."""
        if self._ended:
            return
        futures = self._spend(self._payment.price_of_answer(response))
        if pending := [one for one in futures if not one.done()]:
            await asyncio.wait(pending)

    def _spend(self, price: Decimal | None) -> list[asyncio.Future[Any]]:
        """Count the price, or the held amount if the price is unknown."""
        micro = None if price is None else micro_dollars(price)

        def spend(account: _Account, hold: Hold) -> asyncio.Future[Any]:
            return teller_of(account.budget.store).settle(hold, hold.amount if micro is None else micro)

        return self._end(spend)

    def _end(self, end: Callable[[_Account, Hold], asyncio.Future[Any]]) -> list[asyncio.Future[Any]]:
        if self._ended:
            return []
        self._ended = True
        return [end(account, hold) for account, hold in self.holds]


_around: ContextVar[Attempt | None] = ContextVar('syncai_attempt_around', default=None)

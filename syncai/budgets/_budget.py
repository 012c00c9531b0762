"""Budgets, and the list of those in force."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any, Literal, TypeAlias

from .._bridge import loop_thread, run_sync
from .._stores.ledger import Ledger, State
from .._stores.periods import FOREVER, Period
from .._stores.teller import settle_open
from ..exceptions import UserError
from ._context import of_runs, shown, values

__all__ = ['Budget', 'dollars_of', 'in_force', 'micro_dollars', 'Spent']

Per: TypeAlias = Literal['minute', 'hour', 'day', 'week', 'month', 'year'] | timedelta | None
Unknown: TypeAlias = Literal['allow'] | Decimal | int | float | None
_MICRO = 1_000_000
_PLACEHOLDER = re.compile(r'\{([^{}]*)\}')
_WAIT = 10.0
OUTPUT_TOKENS = 4096
"""The tokens that are assumed for an answer where `max_tokens` is not set."""


@dataclass(frozen=True, slots=True)
class Spent:
    """The state of a budget.

    Attributes:
        spent: What was spent in this window, in US dollars.
        held: What is held in addition, for requests under way.
        limit: What may be spent.
        resets_at: When the window ends, in UTC, or None.
    """

    spent: Decimal
    held: Decimal
    limit: Decimal
    resets_at: datetime | None

    @property
    def remaining(self) -> Decimal:
        """The amount that is neither spent nor held."""
        return max(Decimal(0), self.limit - self.spent - self.held)


@dataclass(frozen=True, kw_only=True, eq=False)
class Budget:
    """A budget that `budget()` has put in force.

    Attributes:
        name: Its name, with placeholders.
        dollars: What may be spent in each window.
        store: Where it is kept.
        on_store_error: What happens to requests while the store is unavailable.
        unknown: What requests of unknown price count as: None refuses them.
        wait: Seconds that a request waits for others to release what they hold.
        output_tokens: The tokens that are assumed for an answer where `max_tokens` is not set.
    """

    name: str
    dollars: Decimal
    store: Ledger
    on_store_error: Literal['open', 'closed'] = 'closed'
    unknown: Literal['allow'] | Decimal | None = None
    wait: float = _WAIT
    output_tokens: int = OUTPUT_TOKENS
    period: Period = FOREVER
    by_itself: bool = False  # private to a run or a map

    @property
    def placeholders(self) -> frozenset[str]:
        """The names in braces."""
        return frozenset(_PLACEHOLDER.findall(self.name))

    def account(self, names: Mapping[str, str]) -> str | None:
        """The name with its values, or None if one is missing: the budget does not concern the call then."""
        if not self.placeholders <= names.keys():
            return None
        return _PLACEHOLDER.sub(lambda match: names[match[1]], self.name)

    def state(self, **names: Any) -> Spent:
        """The state of the budget, including the latest spending of this process.

        Args:
            names: The values of its placeholders.

        Raises:
            StoreError: The store is unavailable.
            UserError: A placeholder has no value.
        """
        account = self.account({name: shown(name, value) for name, value in names.items()})
        if account is None:
            missing = ', '.join(f'{name}=...' for name in sorted(self.placeholders - names.keys()))
            raise UserError(f'The budget {self.name!r} is one for each value of its placeholders: give {missing}')
        if not self.store.instant and not loop_thread.is_current():
            run_sync(lambda: settle_open(self.store), name='budget')
        return self._spent(self.store.state(self.key(account), self.period))

    def spent(self, **names: Any) -> Decimal:
        """The amount spent in this window, in US dollars; arguments and errors as in `state`."""
        return self.state(**names).spent

    def key(self, account: str) -> str:
        """The account in the store, which budgets of other periods do not share."""
        return f'{account}|{self.period.key}'

    def _spent(self, state: State) -> Spent:
        ends = None if state.resets_at is None else datetime.fromtimestamp(state.resets_at, UTC)
        return Spent(dollars_of(state.spent), dollars_of(state.held), self.dollars, ends)

    def remove(self) -> None:
        """Remove it; the spent amounts stay in the store."""
        if _in_force.get((self.name, self.period.key)) is self:
            del _in_force[self.name, self.period.key]


# Any thread adds and removes whole entries; the loop thread reads them.
_in_force: dict[tuple[str, str], Budget] = {}


def in_force() -> list[tuple[str, Budget]]:
    """The budgets of the running call, with their accounts, in a fixed order."""
    names = values.get()
    budgets = [*_in_force.values(), *dict.fromkeys(of_runs.get())]
    accounts = [(account, one) for one in budgets if (account := one.account(names)) is not None]
    return sorted(accounts, key=lambda pair: (pair[0], pair[1].period.key))


def micro_dollars(dollars: Decimal) -> int:
    """Whole millionths of a dollar, rounded up."""
    return int((dollars * _MICRO).to_integral_value(ROUND_CEILING))


def dollars_of(micro: int) -> Decimal:
    """Dollars, from millionths of one."""
    return Decimal(micro) / _MICRO

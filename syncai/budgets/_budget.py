"""Budgets, and the list of those in force."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

from .._bridge import loop_thread, run_sync
from .._prices.payments import payments
from .._stores.ledger import Ledger, Memory, State
from .._stores.periods import FOREVER, Period, period_of
from .._stores.teller import settle_open
from ..exceptions import UserError
from ._context import of_runs, shown, values

__all__ = ['Budget', 'budget', 'check_names', 'in_force', 'micro_dollars', 'purse', 'remove_budget', 'Spent']

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
        """What is neither spent nor held."""
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
            StoreError: The store is away.
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
        """What was spent of it in this window, in US dollars; arguments and errors as in `state`."""
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


def budget(
    name: str,
    *,
    dollars: Decimal | int | float,
    per: Per = None,
    store: Ledger | None = None,
    on_store_error: Literal['open', 'closed'] | None = None,
    unknown: Unknown = None,
    zone: str | tzinfo = 'UTC',
    wait: float = _WAIT,
    output_tokens: int = OUTPUT_TOKENS,
) -> Budget:
    """Limit the spending from now on: no request is sent whose price may pass the limit.

    Before each attempt of a request its price is held: that of its estimated prompt, and of `max_tokens` or
    `output_tokens` of answer. When the answer is there, its true price is counted instead. Calling it again with the
    same name and `per` replaces the limit; what was spent stays.

    Args:
        name: Without a placeholder, as `'all'`, it holds for every call of the process. `'user:{user}'` is one budget
            for each value of `spending(user=...)`, and does not concern calls outside of such a block.
        dollars: US dollars for each window.
        per: `'minute'`, `'hour'`, `'day'`, `'week'`, `'month'`, `'year'`, a `timedelta`, or None forever.
        store: `SQLite(path)`, `Redis(url)` or `DjangoCache()`, shared by processes; None is this process alone.
        on_store_error: Must be chosen for a store: `'closed'` refuses requests while it is away, `'open'` sends them.
        unknown: What a request counts as whose model has no known price: dollars, or `'allow'` for nothing. None
            refuses it.
        zone: Where days, weeks, months and years begin.
        wait: Seconds that a request waits, before it is refused, if only amounts held by others prevent it.
        output_tokens: The tokens of an answer where `max_tokens` is not set.

    Raises:
        UserError: An argument is wrong, or the extra `prices` is not installed.
    """
    from .._prices.table import check_installed

    check_installed()
    _check_name(name)
    new_budget = Budget(
        name=name,
        dollars=_dollars('dollars', dollars),
        store=_store(store),
        on_store_error=_on_store_error(store, on_store_error),
        unknown=None if unknown is None else 'allow' if unknown == 'allow' else _dollars('unknown', unknown),
        wait=_number('wait', wait),
        output_tokens=int(_number('output_tokens', output_tokens)),
        period=period_of(per, zone),
    )
    before = _in_force.get((name, new_budget.period.key))
    if store is None and before is not None and isinstance(before.store, Memory):
        new_budget = replace(new_budget, store=before.store)  # what was spent stays
    _in_force[name, new_budget.period.key] = new_budget
    put_in_force()
    return new_budget


def remove_budget(name: str) -> None:
    """Remove the budgets of this name, whatever their windows; the spent amounts stay in the store."""
    for one in [one for one in _in_force.values() if one.name == name]:
        one.remove()


def purse(name: str, dollars: Any, *, spent: Decimal | None = None, wait: float = _WAIT) -> Budget:
    """A private budget of a run or a map.

    Args:
        name: Its name in errors.
        dollars: What may be spent.
        spent: What was spent before.
        wait: As in `budget`.

    Raises:
        UserError: `dollars` is no amount, or the extra `prices` is not installed.
    """
    from .._prices.table import check_installed
    from .._stores.ledger import Hold

    check_installed()
    put_in_force()
    own = Budget(name=name, dollars=_dollars(name, dollars), store=Memory(), wait=wait, by_itself=True)
    own.store.settle(Hold(own.key(name), 0, None, '', 0), micro_dollars(spent or Decimal(0)))
    return own


def put_in_force() -> None:
    """Have requests check budgets from now on."""
    from ._payment import payment_of

    payments.of = payment_of


def in_force() -> list[tuple[str, Budget]]:
    """The budgets of the running call, with their accounts, in a fixed order."""
    names = values.get()
    budgets = [*_in_force.values(), *dict.fromkeys(of_runs.get())]
    accounts = [(account, one) for one in budgets if (account := one.account(names)) is not None]
    return sorted(accounts, key=lambda pair: (pair[0], pair[1].period.key))


def check_names(names: Iterable[str]) -> None:
    """Raise UserError for a name that almost matches a placeholder."""
    known = {name for one in list(_in_force.values()) for name in one.placeholders}
    for name in names:
        if name not in known and (near := difflib.get_close_matches(name, known, n=1, cutoff=0.75)):
            raise UserError(f'No budget has the placeholder {{{name}}}: did you mean spending({near[0]}=...)?')


def micro_dollars(dollars: Decimal) -> int:
    """Whole millionths of a dollar, rounded up."""
    return int((dollars * _MICRO).to_integral_value(ROUND_CEILING))


def dollars_of(micro: int) -> Decimal:
    """Dollars, from millionths of one."""
    return Decimal(micro) / _MICRO


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise UserError(f"The name of a budget must be a text such as 'all' or 'user:{{user}}', not {name!r:.100}")
    fields, rest = _PLACEHOLDER.findall(name), _PLACEHOLDER.sub('', name)
    if not all(field.isidentifier() for field in fields) or '{' in rest or '}' in rest:
        raise UserError(f"Placeholders are names in braces, as in 'user:{{user}}', not as in {name!r:.100}")


def _dollars(name: str, value: Any) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, Decimal | int | float | str):
            raise InvalidOperation
        dollars = Decimal(str(value))
        if not dollars.is_finite() or dollars < 0:
            raise InvalidOperation
    except InvalidOperation:
        raise UserError(f"{name} must be US dollars, 0 or above, such as Decimal('0.50'), not {value!r:.100}") from None
    return dollars


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float('inf'):
        raise UserError(f'{name} must be a number, 0 or above, not {value!r:.100}')
    return value


def _store(store: Any) -> Ledger:
    if store is None:
        return Memory()
    if not isinstance(store, Ledger):
        raise UserError(
            f'store must be SQLite(path), Redis(url) or DjangoCache() of syncai.budgets, or None, not {store!r:.100}'
        )
    return store


def _on_store_error(store: Ledger | None, chosen: Any) -> Literal['open', 'closed']:
    if chosen in ('open', 'closed'):
        return 'closed' if chosen == 'closed' else 'open'
    if chosen is not None or (store is not None and not store.instant):
        raise UserError(
            "on_store_error must be chosen: 'closed' refuses requests while the store is away, 'open' sends them "
            'without counting' + ('' if chosen is None else f'; it cannot be {chosen!r:.100}')
        )
    return 'closed'

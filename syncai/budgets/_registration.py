"""Budgets put in force: by their names, or for one run."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from .._prices.payments import payments
from .._stores.ledger import Ledger, Memory
from .._stores.periods import period_of
from ..exceptions import UserError
from ._budget import _PLACEHOLDER, _WAIT, OUTPUT_TOKENS, Budget, Per, Unknown, _in_force, micro_dollars

__all__ = ['budget', 'purse', 'remove_budget']


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
    _have_requests_pay()
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
    _have_requests_pay()
    own = Budget(name=name, dollars=_dollars(name, dollars), store=Memory(), wait=wait, by_itself=True)
    own.store.settle(Hold(own.key(name), 0, None, '', 0), micro_dollars(spent or Decimal(0)))
    return own


def _have_requests_pay() -> None:
    """Have requests check budgets from now on."""
    from ._payment import payment_of

    payments.of = payment_of


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

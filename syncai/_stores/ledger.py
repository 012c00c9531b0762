"""Accounts in which amounts are held before they are spent, so that all holds together never pass a limit.

An amount is a whole number: micro-dollars, tokens or requests. A hold has a lease: if its process dies, it is free when
the lease is over. A hold that is settled after that still counts, because the amount was spent.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from .periods import FOREVER, Period

__all__ = ['Claim', 'Hold', 'Ledger', 'Memory', 'Refusal', 'State']


@dataclass(frozen=True, slots=True)
class Claim:
    """A request to hold an amount.

    Args:
        name: The account.
        limit: The most that may be spent and held in one window.
        amount: The amount.
        id: The name of the hold, chosen by the caller: the same claim returns the same hold.
        lease: Seconds after which the hold is over, unless it is renewed.
        period: The windows of the account.
    """

    name: str
    limit: int
    amount: int
    id: str
    lease: float
    period: Period = FOREVER


@dataclass(frozen=True, slots=True)
class Hold:
    """A held amount, in the window in which the hold began; the end is None if the window has none."""

    name: str
    starts: int
    ends: int | None
    id: str
    amount: int

    @property
    def account(self) -> tuple[str, int]:
        """The account of the hold."""
        return self.name, self.starts


@dataclass(frozen=True, slots=True)
class State:
    """The spent and held amounts of an account.

    Attributes:
        spent: The amount spent in this window.
        held: The amount held in addition.
        resets_at: When the window ends, in seconds since 1970, or None.
        frees_in: Seconds until the next hold expires, or None if there is none.
    """

    spent: int
    held: int
    resets_at: int | None
    frees_in: float | None = None


class Refusal(State):
    """The reason why an amount is not held: together with what is spent and held it would pass the limit."""

    __slots__ = ()


class Ledger(ABC):
    """A store of accounts. Its functions may wait for a disk or a server; call them only in threads that may block.

    Attributes:
        instant: Whether its functions never wait.
        shared: Whether other processes see the same accounts.
    """

    instant = False
    shared = True

    @cached_property
    def tellers(self) -> WeakKeyDictionary[Any, Any]:
        """The tellers of this ledger, by their loops; each entry belongs to the thread of its loop."""
        return WeakKeyDictionary()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != 'tellers'}

    @abstractmethod
    def reserve(self, claim: Claim) -> Hold | Refusal:
        """Hold an amount; the check whether it fits and the hold are one step.

        Raises:
            StoreError: The store is lost, full or locked: the amount may or may not be held.
            UserError: The place cannot be such a store.
        """

    @abstractmethod
    def settle(self, hold: Hold, amount: int) -> None:
        """End a hold, and count `amount` as spent in its window; the second time for the same hold does nothing."""

    @abstractmethod
    def cancel(self, hold: Hold) -> None:
        """End a hold without spending; no effect if it has ended."""

    @abstractmethod
    def resize(self, hold: Hold, amount: int) -> None:
        """Change the amount of a hold; its end stays. No effect if it has ended."""

    @abstractmethod
    def renew(self, holds: Sequence[Hold], lease: float) -> None:
        """Extend active holds to `lease` seconds from now."""

    @abstractmethod
    def state(self, name: str, period: Period) -> State:
        """The spent and held amounts of an account now."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Close what is open; the next use opens it again."""


@dataclass(slots=True)
class _Account:
    ends: int | None
    spent: int = 0
    held: int = 0
    holds: dict[str, tuple[int, float]] = field(default_factory=dict)  # their amounts and ends


class Memory(Ledger):
    """Accounts in the memory of this process. A forked process continues with a copy."""

    instant = True
    shared = False

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, int], _Account] = {}  # owned by the lock, which is held for dict operations
        self._lock = threading.Lock()

    def reserve(self, claim: Claim) -> Hold | Refusal:
        """Hold an amount; the check whether it fits and the hold are one step."""
        with self._lock:
            now = time.time()
            starts, ends = claim.period.window(now)
            account = self._account(claim.name, starts, ends, now)
            if claim.id not in account.holds:
                if account.spent + account.held + claim.amount > claim.limit:
                    first = min((end for _, end in account.holds.values()), default=None)
                    frees_in = None if first is None else first - now
                    return Refusal(account.spent, account.held, ends, frees_in)
                account.held += claim.amount
                account.holds[claim.id] = claim.amount, now + claim.lease
            return Hold(claim.name, starts, ends, claim.id, claim.amount)

    def settle(self, hold: Hold, amount: int) -> None:
        """End a hold, and count `amount` as spent in its window."""
        with self._lock:
            account = self._accounts.get(hold.account)
            if account is None:
                account = self._accounts[hold.account] = _Account(hold.ends)
            _end(account, hold.id)
            account.spent += amount

    def cancel(self, hold: Hold) -> None:
        """End a hold without spending."""
        with self._lock:
            if (account := self._accounts.get(hold.account)) is not None:
                _end(account, hold.id)

    def resize(self, hold: Hold, amount: int) -> None:
        """Change the amount of a hold; its end stays."""
        with self._lock:
            account = self._accounts.get(hold.account)
            if account is not None and hold.id in account.holds:
                before, end = account.holds[hold.id]
                account.holds[hold.id] = amount, end
                account.held += amount - before

    def renew(self, holds: Sequence[Hold], lease: float) -> None:
        """Extend active holds to `lease` seconds from now."""
        with self._lock:
            for hold in holds:
                account = self._accounts.get(hold.account)
                if account is not None and hold.id in account.holds:
                    account.holds[hold.id] = account.holds[hold.id][0], time.time() + lease

    def state(self, name: str, period: Period) -> State:
        """The spent and held amounts of an account now."""
        with self._lock:
            now = time.time()
            starts, ends = period.window(now)
            account = self._account(name, starts, ends, now)
            return State(account.spent, account.held, ends)

    def _account(self, name: str, starts: int, ends: int | None, now: float) -> _Account:
        account = self._accounts.get((name, starts))
        if account is None:
            over = [key for key, one in self._accounts.items() if one.ends is not None and one.ends <= now]
            for key in over:
                del self._accounts[key]
            account = self._accounts[name, starts] = _Account(ends)
        for hold_id in [hold_id for hold_id, (_, end) in account.holds.items() if end <= now]:
            _end(account, hold_id)
        return account

    def __repr__(self) -> str:
        return 'Memory()'


def _end(account: _Account, hold_id: str) -> None:
    amount, _ = account.holds.pop(hold_id, (0, 0.0))
    account.held -= amount

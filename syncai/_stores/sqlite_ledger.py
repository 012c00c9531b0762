"""Accounts in a SQLite file, for the processes of one machine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .ledger import Claim, Hold, Ledger, Refusal, State
from .periods import Period
from .sqlite import Part, SQLiteFile

if TYPE_CHECKING:
    import sqlite3

__all__ = ['SQLite']

_TABLES = (
    'CREATE TABLE budgets_accounts (name TEXT NOT NULL, starts INTEGER NOT NULL, ends INTEGER, spent INTEGER NOT NULL, '
    'PRIMARY KEY (name, starts)) WITHOUT ROWID',
    'CREATE TABLE budgets_holds (name TEXT NOT NULL, starts INTEGER NOT NULL, id TEXT NOT NULL, '
    'amount INTEGER NOT NULL, expires REAL NOT NULL, PRIMARY KEY (name, starts, id)) WITHOUT ROWID',
    'CREATE INDEX budgets_accounts_by_end ON budgets_accounts (ends)',
)
_PART = Part('budgets', 1, _TABLES)
_KEPT = 7 * 24 * 3600  # seconds that the spent amount of a window is kept after its end
_SPENT = 'SELECT spent FROM budgets_accounts WHERE name = ? AND starts = ?'
_HELD = 'SELECT COALESCE(SUM(amount), 0), MIN(expires) FROM budgets_holds WHERE name = ? AND starts = ? AND expires > ?'
_IS_HELD = 'SELECT 1 FROM budgets_holds WHERE name = ? AND starts = ? AND id = ?'
_FORGET = 'DELETE FROM budgets_holds WHERE name = ? AND starts = ? AND expires <= ?'
_RESIZE = 'UPDATE budgets_holds SET amount = ? WHERE name = ? AND starts = ? AND id = ?'
_RENEW = 'UPDATE budgets_holds SET expires = ? WHERE name = ? AND starts = ? AND id = ?'
_END = 'DELETE FROM budgets_holds WHERE name = ? AND starts = ? AND id = ?'
_SPEND = (
    'INSERT INTO budgets_accounts VALUES (?, ?, ?, ?) ON CONFLICT (name, starts) DO UPDATE SET spent = spent + '
    'excluded.spent'
)


class SQLite(Ledger):
    """Budgets and limits in a SQLite file, shared by all processes of this machine and kept after they end.

    Args:
        path: The file, made if it is missing, but not its directory; not on a network file system, whose locks do
            not hold. Conversations and journals may lie in the same file.

    Raises:
        UserError: The path is invalid.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = SQLiteFile(path, _PART)

    def reserve(self, claim: Claim) -> Hold | Refusal:
        """Hold an amount; the check whether it fits and the hold are one step."""
        with self._file.writing() as connection:
            now = time.time()  # now, since a window may have ended while this waited to write
            starts, ends = claim.period.window(now)
            account = claim.name, starts
            if connection.execute(_IS_HELD, (*account, claim.id)).fetchone() is None:
                connection.execute(_FORGET, (*account, now))
                spent, held, frees_in = _state(connection, account, now)
                if spent is None:
                    _make_account(connection, account, ends, now)
                if (spent or 0) + held + claim.amount > claim.limit:
                    return Refusal(spent or 0, held, ends, frees_in)
                values = *account, claim.id, claim.amount, now + claim.lease
                connection.execute('INSERT INTO budgets_holds VALUES (?, ?, ?, ?, ?)', values)
        return Hold(*account, ends, claim.id, claim.amount)

    def settle(self, hold: Hold, amount: int) -> None:
        """End a hold, and count `amount` as spent in its window."""
        with self._file.writing() as connection:
            _end(connection, hold)
            connection.execute(_SPEND, (*hold.account, hold.ends, amount))

    def cancel(self, hold: Hold) -> None:
        """End a hold without spending."""
        with self._file.writing() as connection:
            _end(connection, hold)

    def resize(self, hold: Hold, amount: int) -> None:
        """Change the amount of a hold; its end stays."""
        with self._file.writing() as connection:
            connection.execute(_RESIZE, (amount, *hold.account, hold.id))

    def renew(self, holds: Sequence[Hold], lease: float) -> None:
        """Extend active holds to `lease` seconds from now."""
        with self._file.writing() as connection:
            end = time.time() + lease
            connection.executemany(_RENEW, [(end, *hold.account, hold.id) for hold in holds])

    def state(self, name: str, period: Period) -> State:
        """The spent and held amounts of an account now."""
        with self._file.reading() as connection:
            now = time.time()
            starts, ends = period.window(now)
            spent, held, frees_in = _state(connection, (name, starts), now)
            return State(spent or 0, held, ends, frees_in)

    def close(self) -> None:
        """Close what is open; the next use opens it again."""
        self._file.close()

    def __repr__(self) -> str:
        return f'SQLite({str(self._file.path)!r})'


def _state(
    connection: sqlite3.Connection, account: tuple[str, int], now: float
) -> tuple[int | None, int, float | None]:
    """The spent amount (None for a new account), the held amount, and the seconds until the next hold expires."""
    spent = connection.execute(_SPENT, account).fetchone()
    held, first = connection.execute(_HELD, (*account, now)).fetchone()
    return (None if spent is None else spent[0]), held, None if first is None else first - now


def _make_account(connection: sqlite3.Connection, account: tuple[str, int], ends: int | None, now: float) -> None:
    """Make a new account, and delete accounts of windows that ended long ago and expired holds."""
    connection.execute(_SPEND, (*account, ends, 0))
    connection.execute('DELETE FROM budgets_accounts WHERE ends < ?', (now - _KEPT,))
    connection.execute('DELETE FROM budgets_holds WHERE expires < ?', (now,))


def _end(connection: sqlite3.Connection, hold: Hold) -> None:
    connection.execute(_END, (*hold.account, hold.id))

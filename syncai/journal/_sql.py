"""A journal in tables: of a SQLite file, or of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from typing import Any, Protocol

from ._entries import Entry, Rule
from ._owners import Owner

_NAMES = tuple(field.name for field in fields(Entry))
_COLUMNS = ', '.join(_NAMES)
_MARKS = ', '.join('?' for _ in _NAMES)
_WRITTEN = ', '.join(f'{name} = excluded.{name}' for name in _NAMES if name != 'key')
_IS_FREE = """(
    present.state = 'claimed' AND NOT EXISTS (SELECT 1 FROM syncai_journal_owners o WHERE o.id = present.owner)
    OR present.state = 'failed' AND 1 = ?
    OR present.state <> 'claimed' AND present.fingerprint NOT IN ({}))"""
_MAY_BE_WRITTEN = """NOT (present.state = 'done' AND present.fingerprint IN ({}))
    AND (excluded.state = 'done' OR present.state <> 'claimed' OR present.owner = ?)"""
_PAGE = 500  # entries that are read at a time

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS syncai_journal_rows (
        position {0}, journal TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, data TEXT, error TEXT,
        messages TEXT, run TEXT, note TEXT, fingerprint TEXT NOT NULL, owner TEXT, UNIQUE (journal, key)
    )""",
    """
    CREATE TABLE IF NOT EXISTS syncai_journal_owners (
        id TEXT PRIMARY KEY, journal TEXT NOT NULL, place TEXT NOT NULL, pid INTEGER NOT NULL,
        shared INTEGER NOT NULL, seen {1} NOT NULL
    )""",
    """
    CREATE TABLE IF NOT EXISTS syncai_journal_notes (
        journal TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (journal, name)
    )""",
)
"""In SQL that both databases know, except for two types."""


class Cursor(Protocol):
    """The common interface of both databases' cursors."""

    rowcount: int

    def fetchall(self) -> list[Any]:
        """The remaining rows."""
        ...


class Statements(Protocol):
    """A connection in a transaction."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run a statement, with `?` for each parameter."""
        ...

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Any:
        """Run it for each of several rows."""
        ...


class Database(Protocol):
    """SQLite's or PostgreSQL's part of the store."""

    def reading(self) -> AbstractContextManager[Statements]:
        """A transaction that reads."""
        ...

    def writing(self) -> AbstractContextManager[Statements]:
        """A transaction that writes all or nothing."""
        ...

    def alone(self, connection: Statements, journal: str) -> None:
        """Wait until no other transaction holds this lock."""
        ...

    def now(self, connection: Statements) -> float:
        """The database's clock, in seconds."""
        ...

    def close(self) -> None:
        """Close connections that are idle."""
        ...


class SqlDesk:
    """Owners and notes, in a transaction that excludes other desks."""

    def __init__(self, database: Database, connection: Statements, journal: str) -> None:
        self._database = database
        self._connection = connection
        self._journal = journal

    def owners(self) -> list[Owner]:
        """All registered owners."""
        cursor = self._connection.execute(
            'SELECT id, place, pid, shared, seen FROM syncai_journal_owners WHERE journal = ?', (self._journal,)
        )
        return [
            Owner(id=name, place=place, pid=pid, shared=bool(shared), seen=last_seen)
            for name, place, pid, shared, last_seen in cursor.fetchall()
        ]

    def now(self) -> float:
        """The database's clock."""
        return self._database.now(self._connection)

    def add(self, owner: Owner) -> None:
        """Register an owner, seen now."""
        self._connection.execute(
            'INSERT INTO syncai_journal_owners (id, journal, place, pid, shared, seen) VALUES (?, ?, ?, ?, ?, ?) '
            'ON CONFLICT (id) DO UPDATE SET seen = excluded.seen',
            (owner.id, self._journal, owner.place, owner.pid, int(owner.shared), self.now()),
        )

    def remove(self, ids: Sequence[str]) -> None:
        """Remove owners and their claims."""
        for name in ids:
            self._connection.execute('DELETE FROM syncai_journal_owners WHERE id = ?', (name,))

    def note(self, name: str) -> str | None:
        """The text stored under a name."""
        rows = self._connection.execute(
            'SELECT text FROM syncai_journal_notes WHERE journal = ? AND name = ?', (self._journal, name)
        ).fetchall()
        return rows[0][0] if rows else None

    def set_note(self, name: str, text: str | None) -> None:
        """Store a text under a name; None deletes it."""
        self._connection.execute(
            'DELETE FROM syncai_journal_notes WHERE journal = ? AND name = ?', (self._journal, name)
        )
        if text is not None:
            self._connection.execute('INSERT INTO syncai_journal_notes VALUES (?, ?, ?)', (self._journal, name, text))


class SqlStore:
    """The entries of one journal in the tables.

    Args:
        database: Which one.
        journal: The name of the journal in it.
    """

    def __init__(self, database: Database, journal: str) -> None:
        self._database = database
        self._journal = journal

    @contextmanager
    def desk(self) -> Iterator[SqlDesk]:
        """The part that one process at a time may change."""
        with self._database.writing() as connection:
            self._database.alone(connection, self._journal)
            yield SqlDesk(self._database, connection, self._journal)

    def find(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """The entries of those keys that have one."""
        with self._database.reading() as connection:
            return self._find(connection, keys)

    def _find(self, connection: Statements, keys: Sequence[str]) -> dict[str, Entry]:
        marks = ', '.join('?' for _ in keys)
        cursor = connection.execute(
            f'SELECT {_COLUMNS} FROM syncai_journal_rows WHERE journal = ? AND key IN ({marks})',  # noqa: S608 - marks
            (self._journal, *keys),
        )
        return {row[0]: entry_of(row) for row in cursor.fetchall()}

    def claim(self, keys: Sequence[str], owner: Owner, rule: Rule) -> Mapping[str, Entry | None]:
        """For each key: None if it is claimed now, else the entry that prevents it."""
        present = self.find(keys)  # done entries need no lock
        missing = sorted(key for key in keys if key not in present or not rule.settles(present[key]))
        if not missing:
            return present
        values = ', '.join(["(?, ?, 'claimed', ?, ?)"] * len(missing))
        marks = ', '.join('?' for _ in rule.accepted)
        parameters = [value for key in missing for value in (self._journal, key, rule.accepted[0], owner.id)]
        with self._database.writing() as connection:
            claimed = connection.execute(
                'INSERT INTO syncai_journal_rows AS present (journal, key, state, fingerprint, owner) '  # noqa: S608
                f'VALUES {values} ON CONFLICT (journal, key) DO UPDATE SET state = excluded.state, '
                'fingerprint = excluded.fingerprint, owner = excluded.owner '
                f'WHERE {_IS_FREE.format(marks)} RETURNING key',
                [*parameters, int(rule.retry_failed), *rule.accepted],
            )
            mine = {key for (key,) in claimed.fetchall()}
            others = [key for key in missing if key not in mine]
            return {**present, **(self._find(connection, others) if others else {}), **dict.fromkeys(mine)}

    def release(self, owner: Owner) -> None:
        """Release the owner's claims, and remove the owner."""
        with self._database.writing() as connection:
            connection.execute(
                "DELETE FROM syncai_journal_rows WHERE journal = ? AND state = 'claimed' AND owner = ?",
                (self._journal, owner.id),
            )
            connection.execute('DELETE FROM syncai_journal_owners WHERE id = ?', (owner.id,))

    def put(self, entries: Sequence[Entry], owner: Owner, rule: Rule) -> None:
        """Store entries, unless an accepted one is done already."""
        marks = ', '.join('?' for _ in rule.accepted)
        digest, written_if = rule.accepted[0], (*rule.accepted, owner.id)
        rows = [(self._journal, *_values(entry, digest), *written_if) for entry in sorted(entries, key=_by_key)]
        with self._database.writing() as connection:
            connection.executemany(
                f'INSERT INTO syncai_journal_rows AS present (journal, {_COLUMNS}) VALUES (?, {_MARKS}) '  # noqa: S608
                f'ON CONFLICT (journal, key) DO UPDATE SET {_WRITTEN} WHERE {_MAY_BE_WRITTEN.format(marks)}',
                rows,
            )

    def beat(self, owner: Owner) -> None:
        """Write the owner's heartbeat."""
        with self.desk() as desk:
            desk.add(owner)

    def forget(self, keys: Sequence[str]) -> int:
        """Delete entries."""
        with self._database.writing() as connection:
            return sum(
                connection.execute(
                    'DELETE FROM syncai_journal_rows WHERE journal = ? AND key = ?', (self._journal, key)
                ).rowcount
                for key in keys
            )

    def counts(self) -> Mapping[str, int]:
        """How many entries there are of each state."""
        with self._database.reading() as connection:
            counted = connection.execute(
                'SELECT state, count(*) FROM syncai_journal_rows WHERE journal = ? GROUP BY state', (self._journal,)
            )
            return dict(counted.fetchall())

    def entries(self) -> Iterator[Entry]:
        """All entries, in the order in which they were begun; no transaction is open between them."""
        last = -1
        while True:
            with self._database.reading() as connection:
                page = connection.execute(
                    f'SELECT {_COLUMNS}, position FROM syncai_journal_rows WHERE journal = ? AND position > ? '  # noqa: S608
                    f'ORDER BY position LIMIT {_PAGE}',
                    (self._journal, last),
                ).fetchall()
            if not page:
                return
            for row in page:
                yield entry_of(row[:-1])
            last = page[-1][-1]

    def close(self) -> None:
        """Close connections that are idle."""
        self._database.close()


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry of a row of the table."""
    return Entry(**dict(zip(_NAMES, row, strict=True)))


def _values(entry: Entry, digest: str) -> tuple[Any, ...]:
    """The columns of an entry, in their order; written by hand for speed."""
    return (
        entry.key,
        entry.state,
        entry.data,
        entry.error,
        entry.messages,
        entry.run,
        entry.note,
        digest,
        entry.owner,
    )


def _by_key(entry: Entry) -> str:
    return entry.key

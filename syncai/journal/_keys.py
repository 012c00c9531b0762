"""The keys of rows: the caller's, or made from the prompts."""

from __future__ import annotations

import json
import operator
import sqlite3
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from .._canonical import canonical_key
from ..exceptions import UserError

_MOST_BYTES = 2000  # of a key; an index of PostgreSQL takes 2,700


def key_text(key: object) -> str:
    """A caller's key as JSON, which keeps 1 and '1' apart.

    Raises:
        UserError: It is neither text, an integer, a UUID, nor a tuple of these.
    """
    if type(key) is int:
        return str(key)
    text = json.dumps(_plain(key), ensure_ascii=False)
    if len(text.encode('utf-8', 'surrogatepass')) > _MOST_BYTES:
        raise UserError(f'The key {text[:60]}... has more than {_MOST_BYTES} bytes: take a shorter one, such as an id')
    return text


def _plain(key: Any) -> Any:
    if isinstance(key, str):
        if '\0' in key or not _encodes(key):
            raise UserError(f'The key {key!r:.60} holds characters that no store takes: take another one')
        return str.__str__(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return int(key)
    if isinstance(key, UUID):
        return str(key)
    if isinstance(key, tuple) and key:
        return [_plain(item) for item in key]
    number: Any = key
    if not isinstance(key, bool) and hasattr(key, '__index__'):  # an integer of numpy or pandas
        return operator.index(number)
    raise UserError(
        f'key must give a str, an int, a UUID or a tuple of them for each row, not {type(key).__name__} ({key!r:.60})'
    )


def _encodes(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def key_value(text: str) -> Any:
    """The key that `key_text` wrote; a UUID is a str."""
    key = json.loads(text)
    return _tuples(key) if isinstance(key, list) else key


def _tuples(items: list[Any]) -> tuple[Any, ...]:
    return tuple(_tuples(item) if isinstance(item, list) else item for item in items)


def prompt_key(prompt: object) -> str:
    """The key of a row without a caller's key, without its count.

    Raises:
        UserError: The prompt holds a value without a stable key.
    """
    return canonical_key(prompt, name='the prompt')


_MOST_PARAMETERS = 500  # of a statement; older versions of SQLite take 999
_COUNTED = 'INSERT INTO seen VALUES {} ON CONFLICT (key) DO UPDATE SET times = times + 1 RETURNING key, times'


class Occurrences:
    """Counts of equal keys, in bounded memory, and beyond that in a temporary file.

    Belongs to the one thread at a time that reads the rows.
    """

    _IN_MEMORY = 10_000

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._database: sqlite3.Connection | None = None

    def count(self, keys: Sequence[str]) -> list[int]:
        """The number of each key's occurrence, from 1."""
        if self._database is None and len(self._counts) < self._IN_MEMORY:
            return [self._counted(key) for key in keys]
        database = self._database or self._moved()
        counts: dict[str, list[int]] = {}
        for begin in range(0, len(keys), _MOST_PARAMETERS):
            part = keys[begin : begin + _MOST_PARAMETERS]
            for key, times in database.execute(_COUNTED.format(', '.join(['(?, 1)'] * len(part))), part):
                counts.setdefault(key, []).append(times)
        for several in counts.values():
            several.sort(reverse=True)  # SQLite returns the rows of a statement in any order
        return [counts[key].pop() for key in keys]

    def _counted(self, key: str) -> int:
        times = self._counts[key] = self._counts.get(key, 0) + 1
        return times

    def _moved(self) -> sqlite3.Connection:
        # A database without a name lies in a file that SQLite deletes: https://www.sqlite.org/inmemorydb.html#temp_db
        database = self._database = sqlite3.connect('', isolation_level=None, check_same_thread=False)
        database.execute('PRAGMA journal_mode = OFF')
        database.execute('CREATE TABLE seen (key TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID')
        database.execute('BEGIN')
        database.executemany('INSERT INTO seen VALUES (?, ?)', self._counts.items())
        self._counts = {}
        return database

    def close(self) -> None:
        """Drop the temporary file."""
        if self._database is not None:
            self._database.close()

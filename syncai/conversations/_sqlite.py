"""Conversations in a SQLite file."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from .._stores.sqlite import Part, SQLiteFile
from ..messages import ModelMessage
from ._records import Record, messages_of, record_of
from ._store import checked_id, checked_limit, conflict

__all__ = ['SQLiteStore']

_TABLES = Part(
    'conversations',
    1,
    (
        'CREATE TABLE conversations (id TEXT PRIMARY KEY, version INTEGER NOT NULL, changed REAL NOT NULL)',
        'CREATE INDEX conversations_changed ON conversations (changed)',
        'CREATE TABLE conversation_messages (id TEXT NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL, '
        'PRIMARY KEY (id, number)) WITHOUT ROWID',
        'CREATE TABLE conversation_blobs (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL)',
        'CREATE TABLE conversation_files (id TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (id, sha256)) '
        'WITHOUT ROWID',
        'CREATE INDEX conversation_files_by_name ON conversation_files (sha256)',
    ),
)


class SQLiteStore:
    """Keeps conversations in a file, which threads, processes and forks may use at the same time.

    A conversation is written in its caller's thread, each step in one transaction. A file shared by several
    conversations is stored once. The file must lie on a disk of the machine, not on a network.

    Args:
        path: The file, such as `'chats.db'`; made at the first use, but not its directory.

    Raises:
        UserError: The path is invalid.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = SQLiteFile(path, _TABLES)

    def load(self, id: str) -> tuple[list[ModelMessage], int]:  # noqa: A002
        """The messages of a conversation and its version; none and 0 if there is none.

        Raises:
            UserError: The file cannot be used, or a message is of a newer version of syncai.
            StoreError: The file is locked or failed.
        """
        checked_id(id)
        with self._file.reading() as connection:
            rows = connection.execute('SELECT text FROM conversation_messages WHERE id = ? ORDER BY number', (id,))
            texts = [text for (text,) in rows]
            where = f'conversation {id!r} in {self._file.path}'
            return messages_of(texts, partial(_blobs_of, connection, id), where), len(texts)

    def append(self, id: str, version: int, messages: Sequence[ModelMessage]) -> int:  # noqa: A002
        """Add messages, all or none of them, and give the new version.

        Raises:
            ConversationConflict: The conversation has another version.
            UserError: The file cannot be used.
            StoreError: The file is locked, or the disk is full.
        """
        checked_id(id)
        records = [record_of(message) for message in messages]  # before the lock
        new = version + len(records)
        with self._file.writing() as connection:
            row = connection.execute('SELECT version FROM conversations WHERE id = ?', (id,)).fetchone()
            if (0 if row is None else row[0]) != version:
                raise conflict(id, version)
            if records:
                connection.execute('INSERT OR REPLACE INTO conversations VALUES (?, ?, ?)', (id, new, time.time()))
                rows = ((id, version + number, record.text) for number, record in enumerate(records))
                connection.executemany('INSERT INTO conversation_messages VALUES (?, ?, ?)', rows)
                _add_blobs(connection, id, records)
        return new

    def list(self, *, prefix: str = '', limit: int | None = None) -> list[str]:
        """The ids that begin with `prefix`, those that changed last first.

        Args:
            prefix: The beginning of the ids.
            limit: The most ids to give; None gives all.
        """
        query = 'SELECT id FROM conversations WHERE substr(id, 1, ?) = ? ORDER BY changed DESC, rowid DESC LIMIT ?'
        most = checked_limit(limit)
        with self._file.reading() as connection:
            rows = connection.execute(query, (len(prefix), prefix, -1 if most is None else most))
            return [id for (id,) in rows]  # noqa: A001

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove a conversation, and its files unless another uses them; an unknown id is no error."""
        checked_id(id)
        with self._file.writing() as connection:
            names = connection.execute('SELECT sha256 FROM conversation_files WHERE id = ?', (id,)).fetchall()
            for table in ('conversation_files', 'conversation_messages', 'conversations'):
                connection.execute(f'DELETE FROM {table} WHERE id = ?', (id,))  # noqa: S608
            connection.executemany(
                'DELETE FROM conversation_blobs WHERE sha256 = ? '
                'AND sha256 NOT IN (SELECT sha256 FROM conversation_files)',
                names,
            )

    def close(self) -> None:
        """Close the connections of this process to the file; the next use opens new ones."""
        self._file.close()

    def __repr__(self) -> str:
        return f'SQLiteStore({str(self._file.path)!r})'


def _add_blobs(connection: sqlite3.Connection, id: str, records: Iterable[Record]) -> None:  # noqa: A002
    blobs: Mapping[str, Any] = {name: data for record in records for name, data in record.blobs.items()}
    connection.executemany('INSERT OR IGNORE INTO conversation_blobs VALUES (?, ?)', blobs.items())
    names = ((id, name) for name in blobs)
    connection.executemany('INSERT OR IGNORE INTO conversation_files VALUES (?, ?)', names)


def _blobs_of(connection: sqlite3.Connection, id: str, names: Sequence[str]) -> dict[str, bytes]:  # noqa: A002
    """The files that belong to the conversation: a text that names another's file does not get it."""
    query = (
        'SELECT data FROM conversation_blobs JOIN conversation_files USING (sha256) '
        'WHERE conversation_files.id = ? AND sha256 = ?'
    )
    rows = ((name, connection.execute(query, (id, name)).fetchone()) for name in names)
    return {name: row[0] for name, row in rows if row is not None}

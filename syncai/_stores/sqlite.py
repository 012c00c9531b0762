"""A SQLite file of syncai: connections, transactions, and errors of the file.

A file may hold several parts (conversations, a journal, budgets), each with tables and a version of its own.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..exceptions import UserError
from .sqlite_errors import error_of, primary_code

__all__ = ['Part', 'SQLiteFile']

APPLICATION_ID = int.from_bytes(b'sync')
"""What marks a file as syncai's: https://www.sqlite.org/fileformat.html#application_id."""
LAYOUT = 1
"""`user_version` of a file: the layout of `syncai_parts`."""

_LOG_PAGES = 4_000
"""Pages of 4 kB. With SQLite's 1,000, one small write in 90 waits for the disk; with this, one in 500."""
_KEPT = 16  # idle connections of a file; more are closed when they come back
_PARTS = 'CREATE TABLE IF NOT EXISTS syncai_parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID'


@dataclass(frozen=True)
class Part:
    """The tables of one part of syncai in a file.

    Args:
        name: What it is called in the file and in errors, such as `journal`.
        version: The version of its tables; a file with a newer one is refused.
        tables: The statements that make its tables and indexes, run once, in one transaction.
        guest: Whether the file belongs to another program, such as Django. Then the marks of a syncai file are neither
            checked nor written, and its journal mode stays.
    """

    name: str
    version: int
    tables: tuple[str, ...]
    guest: bool = False


class SQLiteFile:
    """A file that threads, processes and forks may use at the same time.

    Each transaction has a connection to itself, taken from those that are idle; so one is used by one thread at a
    time, and a forked process uses none that was opened before the fork. With WAL, readers do not wait for a writer.
    A commit survives the death of the process; a loss of power may undo the last commits, each as a whole
    (`synchronous=NORMAL`, https://www.sqlite.org/pragma.html#pragma_synchronous). The log is moved
    into the file after every 16 MB, by the writer that reaches that size, which then waits for the disk.

    Args:
        path: The file; made at the first use if it is missing, but not its directory.
        part: What is kept in it.
        wait: How long to wait for another writer, in seconds.

    Raises:
        UserError: The path is invalid.
    """

    def __init__(self, path: str | os.PathLike[str], part: Part, *, wait: float = 10.0) -> None:
        self.path = checked_path(path)
        self.part = part
        self._wait = wait
        self._connections = _Connections(self.path, part, wait)
        with _FILES_LOCK:
            _FILES.add(self)
        weakref.finalize(self, self._connections.close)  # when it is collected, and when the interpreter ends

    def open(self) -> None:
        """Open the file now, and make it if it is missing.

        Raises:
            UserError: It cannot be used: a directory, no database, of another program, of a newer version.
            StoreError: It is locked, or the disk is full.
        """
        with self.reading():
            pass

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection with a snapshot of the file, whatever others write meanwhile.

        Raises:
            UserError: As `open`.
            StoreError: As `open`.
        """
        # Read the schema, so that the snapshot begins here and no later statement finds the file locked.
        with self._transaction('BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1') as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in an exclusive write transaction; an error undoes all of it.

        Raises:
            UserError: As `open`.
            StoreError: As `open`.
        """
        with self._transaction('BEGIN IMMEDIATE') as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        connection = self._connections.take()
        process = os.getpid()
        try:
            when_free(connection, begin, self._wait)
            yield connection
            if os.getpid() != process:
                raise UserError('The process was forked within a transaction: end it before the fork')
            connection.execute('COMMIT')
        except sqlite3.Error as error:
            raise error_of(error, self.path, self.part.name, self._wait) from error
        finally:
            self._connections.give_back(connection)

    def close(self) -> None:
        """Close the idle connections, and those in use when they come back; the next use opens new ones."""
        self._connections.close()

    def __repr__(self) -> str:
        return f'{type(self).__name__}({str(self.path)!r})'

    def __getstate__(self) -> tuple[str, Part, float]:
        return str(self.path), self.part, self._wait  # another process opens its own connections

    def __setstate__(self, state: tuple[str, Part, float]) -> None:
        path, part, wait = state
        SQLiteFile.__init__(self, path, part, wait=wait)


def checked_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path, so that a later `chdir` has no effect.

    Raises:
        UserError: It is no path, or names a database in memory.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(text := os.fspath(path), str):
        raise UserError(f'The path of a SQLite file must be a str or a Path, not {path!r:.100}')
    if not text or text == ':memory:' or text.startswith('file:') or '\0' in text:
        raise UserError(f"{text!r} is no path of a SQLite file: name one, such as 'chats.db'")
    return Path(text).expanduser().absolute()


def when_free(connection: sqlite3.Connection, statements: str, wait: float) -> None:
    """Execute statements, and try again for up to `wait` seconds while the file is locked.

    SQLite's own wait blocks the whole thread, so that under gevent the greenlet that holds the lock could not continue.
    """
    deadline = time.monotonic() + wait
    pause = 0.0005
    while True:
        try:
            for statement in statements.split('; '):
                connection.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if connection.in_transaction:
                connection.execute('ROLLBACK')
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(pause * (0.5 + random.random()))  # noqa: S311
            pause = min(pause * 1.5, 0.02)
        else:
            return


class _Connections:
    """The connections of one file in this process."""

    def __init__(self, path: Path, part: Part, wait: float) -> None:
        self._path = path
        self._part = part
        self._wait = wait
        self._lock = threading.Lock()  # owns the three fields below; held only for list operations
        self._idle: list[tuple[sqlite3.Connection, object]] = []
        self._busy: dict[sqlite3.Connection, object] = {}  # each with the identity of its open file
        self._closed: set[sqlite3.Connection] = set()  # busy ones that are to be closed

    def take(self) -> sqlite3.Connection:
        while True:
            with self._lock:
                pair = self._idle.pop() if self._idle else None
            if pair is None:
                break
            if pair[1] is not None and pair[1] == identity(self._path):
                return self._use(*pair)
            pair[0].close()  # of a file that was deleted or replaced
        return self._use(connected(self._path, self._part, self._wait), identity(self._path))

    def _use(self, connection: sqlite3.Connection, file: object) -> sqlite3.Connection:
        with self._lock:
            self._busy[connection] = file
        return connection

    def give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            ours = connection in self._busy
            file = self._busy.pop(connection, None)
            kept = connection not in self._closed and len(self._idle) < _KEPT
            self._closed.discard(connection)
        if not ours:  # opened by the parent before a fork, which still uses it
            return
        try:
            if connection.in_transaction:
                connection.execute('ROLLBACK')
        except sqlite3.Error:
            kept = False
        if not kept:
            connection.close()
            return
        with self._lock:
            self._idle.append((connection, file))

    def close(self) -> None:
        with self._lock:
            self._closed.update(self._busy)
        self.close_idle()

    def close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def leave_to_parent(self) -> None:
        """In a forked process: forget the connections of the parent, and never close them here.

        https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_
        """
        _OF_PARENTS.extend(self._busy)
        _OF_PARENTS.extend(connection for connection, _ in self._idle)
        self._lock = threading.Lock()
        self._idle, self._busy, self._closed = [], {}, set()


def identity(path: Path) -> object:
    """The identity of the file at the path now, or None."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def connected(path: Path, part: Part, wait: float) -> sqlite3.Connection:
    """A connection to a file that has the tables of the part.

    Raises:
        UserError: The file cannot be used; it was not changed.
        StoreError: It is locked, or the disk is full.
    """
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        _check_and_make(connection, path, part, wait)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise error_of(error, path, part.name, wait) from error
        raise
    return connection


def _check_and_make(connection: sqlite3.Connection, path: Path, part: Part, wait: float) -> None:
    if not part.guest:  # with WAL, NORMAL is safe; another program's file keeps its owner's choice
        when_free(connection, f'PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = {_LOG_PAGES}', wait)
    if _version_of(connection, path, part, wait) == part.version:
        return
    if not part.guest:  # WAL is a property of the file, and is set outside of transactions
        when_free(connection, 'PRAGMA journal_mode = WAL', wait)
    when_free(connection, 'BEGIN IMMEDIATE', wait)
    if _version_in(connection, path, part) == part.version:  # another process made the tables meanwhile
        connection.execute('COMMIT')
        return
    connection.execute(_PARTS)
    for statement in part.tables:
        connection.execute(statement)
    connection.execute('INSERT INTO syncai_parts VALUES (?, ?)', (part.name, part.version))
    if not part.guest:
        connection.execute(f'PRAGMA application_id = {APPLICATION_ID}')
        connection.execute(f'PRAGMA user_version = {LAYOUT}')
    connection.execute('COMMIT')


def _version_of(connection: sqlite3.Connection, path: Path, part: Part, wait: float) -> int | None:
    when_free(connection, 'BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1', wait)
    try:
        return _version_in(connection, path, part)
    finally:
        connection.execute('COMMIT')


def _version_in(connection: sqlite3.Connection, path: Path, part: Part) -> int | None:
    """The version of the part's tables in the file; None if it has none yet.

    Raises:
        UserError: The file is another program's, or newer than this version of syncai.
    """
    if part.guest:
        row = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'syncai_parts'").fetchone()
        return _known_version(connection, path, part, LAYOUT if row else 0)
    (application,) = connection.execute('PRAGMA application_id').fetchone()
    (layout,) = connection.execute('PRAGMA user_version').fetchone()
    if application == 0 and layout == 0 and connection.execute('SELECT 1 FROM sqlite_schema').fetchone() is None:
        return None  # empty: the file is new
    if application != APPLICATION_ID:
        raise UserError(f'{path} is a database of another program: give the {part.name} a file that does not exist yet')
    return _known_version(connection, path, part, layout)


def _known_version(connection: sqlite3.Connection, path: Path, part: Part, layout: int) -> int | None:
    rows = (
        connection.execute('SELECT version FROM syncai_parts WHERE name = ?', (part.name,)) if layout == LAYOUT else ()
    )
    version: int | None = next((row[0] for row in rows), None)
    if layout > LAYOUT or (version or 0) > part.version:
        raise UserError(
            f'The {part.name} in {path} has the format {version or layout} of a newer version of syncai: this one '
            f'knows {part.version if version else LAYOUT}. Upgrade syncai, or give it another file'
        )
    return version


_FILES_LOCK = threading.Lock()
_FILES: weakref.WeakSet[SQLiteFile] = weakref.WeakSet()  # owned by the lock
_OF_PARENTS: list[sqlite3.Connection] = []  # never closed in this process


def _before_fork() -> None:
    with _FILES_LOCK:
        files = list(_FILES)
    for file in files:
        file._connections.close_idle()  # so that the new process gets no descriptor of them


def _in_the_fork() -> None:
    global _FILES_LOCK
    _FILES_LOCK = threading.Lock()  # a thread that does not exist here may have held it
    for file in list(_FILES):
        file._connections.leave_to_parent()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_before_fork, after_in_child=_in_the_fork)

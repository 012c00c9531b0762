"""A journal in a PostgreSQL database, for the processes of several machines. Needs the package `psycopg`."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ..exceptions import StoreError, UserError
from ._sql import TABLES, Cursor, Statements

FORMAT = 1
"""The version of the tables, kept as a comment on them."""

_SECONDS = 10  # to connect, unless the address sets another


class PostgresDatabase:
    """The tables in a database, in the first schema of the search path; made if they are missing.

    Each process has one connection, made on first use; a fork makes its own.

    Args:
        name: The database in errors, without a password.
        parameters: Gives what `psycopg.connect` takes.

    Raises:
        UserError: The package is missing.
    """

    def __init__(self, name: str, parameters: Callable[[], Mapping[str, Any]]) -> None:
        try:
            psycopg: Any = importlib.import_module('psycopg')
        except ImportError:
            raise UserError(
                "PostgreSQL keeps journals with the package psycopg: pip install 'syncai-client[postgres]'"
            ) from None
        self._psycopg = psycopg
        self._name = name
        self._parameters = parameters
        self._lock = threading.Lock()  # owns the connection, for one transaction at a time
        self._connection: Any = None
        self._pid = 0

    @contextmanager
    def reading(self) -> Iterator[Statements]:
        """A transaction that reads."""
        with self.writing() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Statements]:
        """A transaction that writes.

        Raises:
            StoreError: The server is lost or refuses the statement; the transaction was undone.
            UserError: The tables are those of a newer version of syncai.
        """
        with self._lock:
            try:
                connection = self._connected()
                with connection.transaction(), connection.cursor() as cursor:
                    yield _Cursor(cursor)
            except self._psycopg.Error as error:
                self._drop()
                raise self._error_of(error) from error

    def alone(self, connection: Statements, journal: str) -> None:
        """Wait for the lock of the journal; the end of the transaction releases it."""
        connection.execute('SELECT pg_advisory_xact_lock(hashtext(?))', (f'syncai journal {journal}',))

    def now(self, connection: Statements) -> float:
        """The clock of the server."""
        return float(connection.execute('SELECT extract(epoch FROM clock_timestamp())').fetchall()[0][0])

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        with self._lock:
            self._drop()

    def __del__(self) -> None:
        if hasattr(self, '_connection'):
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None and self._pid == os.getpid():
            with suppress(self._psycopg.Error):
                self._connection.close()
        self._connection = None

    def _connected(self) -> Any:
        if self._connection is None or self._pid != os.getpid() or self._connection.closed:
            if self._connection is not None and self._pid != os.getpid():
                _OF_PARENTS.append(self._connection)  # never closed here: the parent still uses it
            connection = self._psycopg.connect(**{'connect_timeout': _SECONDS, **self._parameters()}, autocommit=True)
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    self._make_tables(_Cursor(cursor))
            except BaseException:
                connection.close()
                raise
            self._connection, self._pid = connection, os.getpid()
        return self._connection

    def _make_tables(self, connection: _Cursor) -> None:
        described = "SELECT obj_description(to_regclass('syncai_journal_rows'), 'pg_class')"
        comment = connection.execute(described).fetchall()[0][0]
        if comment is None:
            self.alone(connection, '')  # two processes that make them at the same time would fail
            for table in TABLES:
                connection.execute(table.format('BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY', 'DOUBLE PRECISION'))
            connection.execute(f"COMMENT ON TABLE syncai_journal_rows IS 'format {FORMAT}'")
        elif comment != f'format {FORMAT}':
            raise UserError(
                f'The tables syncai_journal_* in {self._name} have the {comment} of another version of syncai, '
                f'and this one knows format {FORMAT}: upgrade syncai, or name another database'
            )

    def _error_of(self, error: Exception) -> StoreError:
        words = ' '.join(str(error).split())
        if isinstance(error, self._psycopg.OperationalError):
            return StoreError(f'{self._name} could not be reached for the journal, or was lost: {words}')
        return StoreError(f'{self._name} refused a statement of the journal: {words}')

    def __str__(self) -> str:
        return self._name


class _Cursor:
    """A cursor that takes `?` for parameters."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run a statement."""
        cursor: Cursor = self._cursor.execute(sql.replace('?', '%s'), parameters)
        return cursor

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run it for each of several rows."""
        self._cursor.executemany(sql.replace('?', '%s'), parameters)


_OF_PARENTS: list[Any] = []  # connections of the parent before a fork

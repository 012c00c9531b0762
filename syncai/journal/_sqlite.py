"""A journal in a SQLite file, for the processes of one machine."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import cast

from .._stores.sqlite import Part, SQLiteFile
from ._sql import TABLES, Statements

PART = Part('journal', 1, tuple(table.format('INTEGER PRIMARY KEY', 'REAL') for table in TABLES))


class SqliteDatabase:
    """The tables in a file.

    Args:
        path: The file; made if it is missing.
        guest: Whether it is another program's.
    """

    def __init__(self, path: str | os.PathLike[str], *, guest: bool = False) -> None:
        self._file = SQLiteFile(path, replace(PART, guest=guest))

    def reading(self) -> AbstractContextManager[Statements]:
        """A transaction that reads."""
        return cast('AbstractContextManager[Statements]', self._file.reading())

    def writing(self) -> AbstractContextManager[Statements]:
        """A transaction that writes."""
        return cast('AbstractContextManager[Statements]', self._file.writing())

    def alone(self, connection: Statements, journal: str) -> None:
        """A transaction that writes is alone already."""

    def now(self, connection: Statements) -> float:
        """The clock of the machine."""
        del connection
        return time.time()

    def close(self) -> None:
        """Close the connections."""
        self._file.close()

    def __str__(self) -> str:
        return str(self._file.path)

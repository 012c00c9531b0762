"""The errors of SQLite in terms of the caller, with remedies."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from ..exceptions import StoreError, SyncAIError, UserError

__all__ = ['error_of', 'primary_code']

_REFUSED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for errors of the module `sqlite3` itself."""
    return (getattr(error, 'sqlite_errorcode', None) or 0) & 0xFF


def error_of(error: sqlite3.Error, path: Path, name: str, wait: float) -> SyncAIError:
    """An error that says what to do; a failed transaction was undone.

    Args:
        error: SQLite's own.
        path: The file.
        name: What the file holds.
        wait: The seconds spent waiting for another writer.
    """
    words = f'{str(error) or type(error).__name__} ({getattr(error, "sqlite_errorname", None) or type(error).__name__})'
    match primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f'{path} was locked by another writer for {wait:g} s, and the {name} could not be used: '
                'end what holds it (an open transaction of another program?), or try again'
            )
        case sqlite3.SQLITE_FULL:
            return StoreError(f'The disk of {path} is full, and nothing was written to the {name}: free some space')
        case sqlite3.SQLITE_NOTADB:
            return UserError(f'{path} is no SQLite database: give the {name} another file; this one was not changed')
        case sqlite3.SQLITE_CORRUPT:
            return UserError(f'{path} is damaged: {words}. Restore the {name} from a copy, or give another file')
        case code if code in _REFUSED and (reason := _why_refused(path)):
            return UserError(f'{path} cannot be opened or written for the {name}: {reason}')
        case _:
            return StoreError(f'The {name} in {path} failed: {words}')


def _why_refused(path: Path) -> str | None:
    """The problem with a path; None if the path is right, such as when no descriptor is left."""
    if os.path.isdir(path):  # noqa: PTH112  # pathlib's own raises where a directory above may not be entered
        return f'it is a directory: name a file in it, such as {path / "syncai.db"}'
    if not os.path.isdir(path.parent):  # noqa: PTH112
        return f'there is no directory {path.parent}, or this process may not enter it: make it first'
    if not _may_write(path.parent):
        return f'this process may not write in {path.parent}, where SQLite also keeps files beside it'
    if os.path.exists(path) and not _may_write(path):  # noqa: PTH110
        return 'this process may not write it: give it the right to, or name another file'
    return None


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)

"""The places of journals: paths and addresses."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from .._base.system import FREE_DESCRIPTORS, is_out_of_descriptors
from ..exceptions import StoreError, UserError
from ._store import JournalStore


def store_of(where: Any, name: str) -> tuple[str, JournalStore]:
    """The name of a place for errors, and its store, not yet connected.

    Raises:
        UserError: There is no such place, or its package is missing.
        StoreError: Too many files are open, even to read a module.
    """
    if isinstance(where, str | os.PathLike):
        try:
            where.encode() if isinstance(where, str) and '://' in where else os.fsencode(where)
        except UnicodeError:
            raise UserError(f'journal holds half of a surrogate pair: {os.fspath(where)!r:.100}') from None
    try:
        return _store_of(where, name)
    except (ImportError, OSError) as error:
        if not is_out_of_descriptors(error):
            raise
        raise StoreError(f'The journal cannot be opened, since too many files are open: {FREE_DESCRIPTORS}') from None


def _store_of(where: Any, name: str) -> tuple[str, JournalStore]:
    if isinstance(where, str) and '://' in where:
        parts = urlsplit(where)
        name = name or parts.fragment
        make = _BY_SCHEME.get(parts.scheme)
        if make is None:
            schemes = ', '.join(f'{scheme}://' for scheme in _BY_SCHEME)
            raise UserError(f'A journal is at a path, or at an address with {schemes}, not {parts.scheme}://')
        safe_address = f'{parts.scheme}://{parts.netloc.rpartition("@")[2]}{parts.path}{"#" + name if name else ""}'
        return safe_address, make(urlunsplit(parts._replace(fragment='')), safe_address, name)
    if isinstance(where, str) and where.startswith('django:'):
        return where, _of_django(where.removeprefix('django:') or 'default', name)
    if isinstance(where, str | os.PathLike):
        return os.fspath(where), _of_file(where, name)
    if type(where).__module__.partition('.')[0] == 'redis':
        return 'redis', _of_redis(where, 'redis', name)
    raise UserError(f'journal must be a path, an address or a Journal, not {type(where).__name__}')


def _of_file(path: str | os.PathLike[str], name: str, *, guest: bool = False) -> JournalStore:
    from ._sql import SqlStore
    from ._sqlite import SqliteDatabase

    return SqlStore(SqliteDatabase(path, guest=guest), name)


def _of_sqlite_url(url: str, safe_address: str, name: str) -> JournalStore:
    del safe_address
    return _of_file(Path(urlsplit(url).path.removeprefix('/') or '.'), name)


def _of_postgres(url: str, safe_address: str, name: str) -> JournalStore:
    from ._postgres import PostgresDatabase
    from ._sql import SqlStore

    return SqlStore(PostgresDatabase(safe_address, lambda: {'conninfo': url}), name)


def _of_redis(source: Any, safe_address: str, name: str) -> JournalStore:
    del safe_address
    from ._redis import RedisStore

    return RedisStore(source, name)


def _of_django(alias: str, name: str) -> JournalStore:
    """With separate connections, so that a rollback of the program does not undo paid rows."""
    try:
        from django.db import connections
        from django.utils.connection import ConnectionDoesNotExist
    except ImportError:
        raise UserError("'django:...' needs Django: pip install 'syncai-client[django]'") from None
    try:
        connection = connections[alias]
    except ConnectionDoesNotExist:
        raise UserError(f"There is no database {alias!r} in Django's DATABASES") from None
    if connection.vendor == 'sqlite':
        return _of_file(str(connection.settings_dict['NAME']), name, guest=True)
    if connection.vendor == 'postgresql':
        from ._postgres import PostgresDatabase
        from ._sql import SqlStore

        return SqlStore(PostgresDatabase(f"Django's database {alias!r}", _parameters_of(connection)), name)
    raise UserError(
        f"Django's database {alias!r} is {connection.vendor}; a journal needs SQLite or PostgreSQL: name a file, such "
        "as journal='run.sqlite'"
    )


def _parameters_of(connection: Any) -> Callable[[], Mapping[str, Any]]:
    """Django's connection parameters, without those of its cursors."""

    def parameters() -> Mapping[str, Any]:
        return {name: value for name, value in connection.get_connection_params().items() if name not in _OF_CURSORS}

    return parameters


_OF_CURSORS = ('cursor_factory', 'context', 'server_side_binding', 'prepare_threshold')

_BY_SCHEME: Mapping[str, Callable[[str, str, str], JournalStore]] = {
    'sqlite': _of_sqlite_url,
    'postgresql': _of_postgres,
    'postgres': _of_postgres,
    'redis': _of_redis,
    'rediss': _of_redis,
    'unix': _of_redis,
}

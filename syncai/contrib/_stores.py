"""The store of conversations that an application's settings name."""

from __future__ import annotations

from typing import Any

from ..exceptions import UserError

__all__ = ['store_of']

_KINDS = "a store, 'sqlite:chats.db', 'redis://localhost/0' or, in Django, 'django'"


def store_of(value: Any, where: str) -> Any:
    """The store of a setting: `sqlite:PATH`, `redis://...`, `django` or `django:ALIAS`, or a store.

    Args:
        value: The setting.
        where: The name of the setting.

    Raises:
        UserError: It names no store, or the store cannot be made.
    """
    if not isinstance(value, str):
        if not hasattr(value, 'append'):
            raise UserError(f'{where} must be {_KINDS}, not {value!r:.100}')
        return value
    scheme, _, rest = value.partition(':')
    if scheme == 'sqlite' and rest:
        from ..conversations import SQLiteStore

        return SQLiteStore(rest.removeprefix('///'))
    if scheme in ('redis', 'rediss', 'unix') and rest:
        from ..conversations import RedisStore

        return RedisStore(value)
    if scheme == 'django':
        from .django.store import DjangoStore

        return DjangoStore(using=rest or None)
    raise UserError(f'{where} must be {_KINDS}, not {value!r:.100}')

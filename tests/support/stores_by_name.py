"""A store of conversations by the name in a program's argument, and the clean-up of its threads."""

from __future__ import annotations

from typing import Any

from syncai.conversations import RedisStore, SQLiteStore, Store


def store_of(name: str) -> Store:
    """`sqlite:PATH`, an address of Redis, or `django`, with the settings of `DJANGO_SETTINGS_MODULE`."""
    kind, _, rest = name.partition(':')
    if kind == 'sqlite':
        return SQLiteStore(rest)
    if kind == 'redis':
        return RedisStore(name)
    if kind != 'django':
        raise ValueError(name)
    import django

    django.setup()
    from syncai.contrib.django import DjangoStore

    return DjangoStore()


def finished_with(store: Any) -> None:
    """Close what this thread has open; Django's connections belong to their thread."""
    if type(store).__name__ != 'DjangoStore':
        return
    from django.db import connections

    connections.close_all()

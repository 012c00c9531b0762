"""Which thread runs functions that use the database, and when its connections are closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from ..._bridge import after_functions

__all__ = ['close_after_functions', 'run_in_request_thread']


def run_in_request_thread(function: Callable[[], Any]) -> Awaitable[Any]:
    """What `function` returns, run in the thread that has the database connection of this ASGI request."""
    value: Awaitable[Any] = sync_to_async(function, thread_sensitive=True)()
    return value


def close_after_functions() -> None:
    """From now on worker threads close the connections that a function opened in them, when it is over.

    `request_finished` closes those of the thread of the request alone.
    """
    if _close_connections not in after_functions:
        after_functions.append(_close_connections)


def _close_connections() -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()

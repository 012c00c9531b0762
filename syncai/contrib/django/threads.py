"""The thread for functions that use the database, and the closing of its connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections

from ..._bridge import after_functions

__all__ = ['close_after_functions', 'run_in_request_thread']


def run_in_request_thread(function: Callable[[], Any]) -> Awaitable[Any]:
    """The return of `function`, run in the thread with the database connection of this ASGI request."""
    value: Awaitable[Any] = sync_to_async(function, thread_sensitive=True)()
    return value


def close_after_functions() -> None:
    """Have worker threads close the connections that a function opened, when it ends. `request_finished` only closes
    those of the request's thread.
    """
    if _close_connections not in after_functions:
        after_functions.append(_close_connections)


def _close_connections() -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()

"""A call ends with its owner, the object that consumes it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


class _Watch(weakref.ref[Any]):
    """Calls `cancel` when its referent is dropped."""

    __slots__ = ('cancel',)

    cancel: Callable[[], object]


class Tie:
    """Has `cancel` called when `owner` is dropped, in whatever thread and at whatever moment; `cancel` never waits.

    The interpreter swallows an interrupt that lands in a finalizer, and cuts the finalizer short. So there are two, and
    none once the call is over, where an interrupt would be swallowed for nothing. `weakref.finalize` does the same
    at several times the cost, since it also keeps an order for the exit.
    """

    __slots__ = ('_keys',)

    def __init__(self, owner: object, cancel: Callable[[], object]) -> None:
        self._keys: tuple[int, ...] = (_watch(owner, cancel), _watch(owner, cancel))

    def undo(self) -> None:
        """Let the owner go without a call of `cancel`; does nothing the second time."""
        keys, self._keys = self._keys, ()  # an id may be another watch's by the second time
        for key in keys:
            _watches.pop(key, None)


# What keeps a watch alive until its referent is dropped, by its id: equality of weak references is that of their
# referents. Any thread changes it, by single operations of a dict.
_watches: dict[int, _Watch] = {}


def _watch(owner: object, cancel: Callable[[], object]) -> int:
    watch = _Watch(owner, _dropped)
    watch.cancel = cancel
    _watches[id(watch)] = watch
    return id(watch)


def _dropped(watch: Any) -> None:
    watch.cancel()
    _watches.pop(id(watch), None)

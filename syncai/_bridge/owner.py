"""A call ends when its owner, the object that consumes it, is dropped."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


class _Watch(weakref.ref[Any]):
    """Calls `cancel` when its referent is dropped."""

    __slots__ = ('cancel',)

    cancel: Callable[[], object]


class Tie:
    """Calls `cancel` when `owner` is dropped, in any thread and at any moment; `cancel` never waits. The interpreter
    swallows an interrupt in a finalizer, and cuts the finalizer short. So there are two finalizers, and none once the
    call is over, when an interrupt would be lost for nothing. `weakref.finalize` does the same at several times the
    cost, since it also keeps an order for the exit.
    """

    __slots__ = ('_keys',)

    def __init__(self, owner: object, cancel: Callable[[], object]) -> None:
        self._keys: tuple[int, ...] = (_watch(owner, cancel), _watch(owner, cancel))

    def undo(self) -> None:
        """Release the owner without calling `cancel`; calling it again has no effect."""
        keys, self._keys = self._keys, ()  # on a second call the id may belong to another watch
        for key in keys:
            _watches.pop(key, None)


# Keeps each watch alive until its referent is dropped. By id, since weak references compare by their referents. Any
# thread changes it, by single operations of a dict.
_watches: dict[int, _Watch] = {}


def _watch(owner: object, cancel: Callable[[], object]) -> int:
    watch = _Watch(owner, _dropped)
    watch.cancel = cancel
    _watches[id(watch)] = watch
    return id(watch)


def _dropped(watch: _Watch) -> None:
    watch.cancel()
    _watches.pop(id(watch), None)

"""A call ends with its owner, the object that consumes it."""

from __future__ import annotations

import weakref
from collections.abc import Callable


class Tie:
    """Has `cancel` called when `owner` is dropped, in whatever thread and at whatever moment; `cancel` never waits.

    The interpreter swallows an interrupt that lands in a finalizer, and cuts the finalizer short. So there are two, and
    none once the call is over, where an interrupt would be swallowed for nothing.
    """

    def __init__(self, owner: object, cancel: Callable[[], object]) -> None:
        self._finalizers = [weakref.finalize(owner, cancel) for _ in range(2)]
        for finalizer in self._finalizers:
            finalizer.atexit = False

    def undo(self) -> None:
        """Let the owner go without a word; nothing happens the second time."""
        for finalizer in self._finalizers:
            finalizer.detach()

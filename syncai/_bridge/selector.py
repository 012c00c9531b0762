"""The selector of the loop thread, which wakes waiting threads just before it waits itself."""

from __future__ import annotations

import selectors

from .bells import Bell


class BellSelector(selectors.DefaultSelector):
    """Rings the bells of consumers whenever the loop is about to wait.

    A thread that is woken in the middle of a turn finds the interpreter's lock taken and sleeps again. A turn takes
    microseconds, so consumers do not wait longer for this.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bells: list[Bell] = []  # used by the loop thread alone

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Ring the bells, then wait; returns the ready sockets."""
        if self.bells:
            self.ring()
        return super().select(timeout)

    def ring(self) -> None:
        """Ring all bells in the list."""
        for bell in self.bells:
            bell.ring()
        self.bells.clear()

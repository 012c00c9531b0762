"""The selector of the loop thread, which wakes waiting threads just before it waits itself."""

from __future__ import annotations

import selectors

from .bells import Bell


class BellSelector(selectors.DefaultSelector):
    """Rings the bells of consumers whenever the loop is about to wait.

    A thread that is woken earlier, in the middle of a turn, finds the interpreter's lock taken and sleeps again. A turn
    of the loop ends within microseconds, so no consumer waits longer for this.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bells: list[Bell] = []  # the loop thread's own

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready, waited for after the bells were rung."""
        if self.bells:
            self.ring()
        return super().select(timeout)

    def ring(self) -> None:
        """Wake every thread whose bell was left here."""
        for bell in self.bells:
            bell.ring()
        self.bells.clear()

"""The rate of the snapshots of a stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..exceptions import UserError

T = TypeVar('T')

_SHARE = 10  # a snapshot may take a tenth of the time since the last one


class Pace:
    """Allows one snapshot every `debounce_by` seconds, and fewer if they are expensive. The cost of a snapshot grows
    with the text so far. The pause after a snapshot is at least ten times its cost. So all snapshots together take a
    bounded share of the stream's time: their cost grows with its size, not with its square.

    Args:
        debounce_by: Seconds between two snapshots, or None for one at every event.
        clock: Gives the time in seconds.
    """

    def __init__(self, debounce_by: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        number = isinstance(debounce_by, int | float) and not isinstance(debounce_by, bool)
        if debounce_by is not None and not (number and debounce_by >= 0):
            raise UserError(f'debounce_by must be None or a number of seconds, 0 or above, not {debounce_by!r}')
        self.every_event = debounce_by is None
        self._interval = debounce_by or 0.0
        self._clock = clock
        self._due = clock()

    def left(self) -> float:
        """Seconds until the next snapshot is due, 0 or below when it is."""
        return 0.0 if self.every_event else self._due - self._clock()

    def made(self, make: Callable[[], T]) -> T:
        """The snapshot from `make`; its cost delays the next one."""
        if self.every_event:
            return make()
        started = self._clock()
        snapshot = make()
        now = self._clock()
        self._due = now + max(self._interval, _SHARE * (now - started))
        return snapshot

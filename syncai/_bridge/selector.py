"""The selector of the loop thread, which wakes waiting threads just before it waits itself."""

from __future__ import annotations

import math
import select
import selectors
from time import monotonic
from typing import Any

from .bells import Bell

__all__ = ['BellSelector', 'new_selector']

Ready = list[tuple[selectors.SelectorKey, int]]

_USED = ('_fd_to_key', '_selector')  # private names of `selectors`
_LONGEST_WAIT = 24 * 3600.0  # seconds; as asyncio
_FEW = 4
"""The ready sockets that are read before the tasks that they wake run, in `few_sockets_at_once`."""


class BellSelector(selectors.DefaultSelector):
    """Rings the bells of consumers whenever the loop is about to wait.

    A thread that is woken in the middle of a turn finds the interpreter's lock taken and sleeps again. A turn takes
    microseconds, so consumers do not wait longer for this.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bells: list[Bell] = []  # used by the loop thread alone
        self.loop: Any = None  # whose callbacks `_EpollSelector` runs

    def select(self, timeout: float | None = None) -> Ready:
        """Ring the bells, then wait; returns the ready sockets."""
        if self.bells:
            self.ring()
        return super().select(timeout)

    def ring(self) -> None:
        """Ring all bells in the list."""
        for bell in self.bells:
            bell.ring()
        self.bells.clear()


class _EpollSelector(BellSelector):
    """Runs the callbacks of ready sockets, and waits again, until the loop has something else to do.

    One callback reads a piece of an answer, decodes it and hands it over; a turn of asyncio's loop would add a tenth to
    that work. The debug mode of asyncio keeps these turns.
    """

    _selector: Any  # the epoll object
    _fd_to_key: dict[int, selectors.SelectorKey]

    def select(self, timeout: float | None = None) -> Ready:
        """Serve sockets for at least one wait of at most `timeout` seconds; returns those that are left to the loop."""
        loop, bells, keys, poll = self.loop, self.bells, self._fd_to_key, self._selector.poll
        if loop is None or loop.get_debug():
            return super().select(timeout)
        seconds = -1.0 if timeout is None else timeout
        while True:
            if bells:
                for bell in bells:
                    bell.ring()
                bells.clear()
                del bell  # a bell of a thread that ends is closed with its last reference
            try:  # milliseconds, rounded up: a wait must not end before its time
                polled = poll(math.ceil(seconds * 1e3) * 1e-3, _FEW if loop.chains else len(keys) or 1)
            except InterruptedError:
                return []
            for descriptor, event in polled:
                _call(keys.get(descriptor), event)
            if loop._ready or loop._stopping:
                return []
            seconds = -1.0
            if scheduled := loop._scheduled:
                seconds = min(scheduled[0]._when - monotonic(), _LONGEST_WAIT)
                if seconds <= 0:
                    return []


def _call(key: selectors.SelectorKey | None, event: int) -> None:
    """Run the callbacks of a socket, as `BridgeLoop._process_events`; errors and hang-ups are for both."""
    if key is None:  # an earlier callback has removed it
        return
    reader, writer = key.data
    if event != select.EPOLLOUT and reader is not None and not reader._cancelled:
        reader._run()
    if event != select.EPOLLIN and writer is not None and not writer._cancelled:
        writer._run()


def new_selector() -> BellSelector:
    """The fastest selector that works here."""
    if issubclass(BellSelector, getattr(selectors, 'EpollSelector', ())):
        selector = _EpollSelector()
        if all(hasattr(selector, name) for name in _USED):
            return selector
        selector.close()
    return BellSelector()

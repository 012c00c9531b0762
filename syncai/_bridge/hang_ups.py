"""Clients of a server that hang up, noticed by the loop thread while the server's own thread waits.

On Linux the kernel reports the end of a connection by `EPOLLRDHUP`, even behind unread data, such as a request sent
ahead or the close_notify of TLS. One `epoll` holds the sockets of all clients; the loop watches it. Other systems have
no such report, and a server notices a failed write.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable
from typing import Any

from .._base.system import original
from .event_loop import BridgeLoop
from .loop_thread import loop_thread

_RDHUP: int | None = getattr(select, 'EPOLLRDHUP', None)  # gevent keeps the constants


class HangUp:
    """The watch of one socket, by a duplicate of its descriptor, so that the server may close its own. From `start` on,
    the duplicate belongs to the loop thread, which closes it once.
    """

    def __init__(self, descriptor: int, on_leave: Callable[[], object]) -> None:
        self.loop: BridgeLoop | None = None  # set by the submitting thread, before the loop thread starts this
        self._descriptor = os.dup(descriptor)
        self._on_leave: Callable[[], object] | None = on_leave

    def start(self) -> None:
        """On the loop thread: begin to watch."""
        assert self.loop is not None
        if self._on_leave is None:  # closed before
            self._drop()
            return
        hang_ups = self.loop.hang_ups
        if hang_ups is None:
            hang_ups = self.loop.hang_ups = HangUps(self.loop)
        hang_ups.add(self._descriptor, self)

    def cancel_on_loop(self) -> None:
        """On the loop thread: end the watch."""
        self._on_leave = None
        self._drop()

    def close(self) -> None:
        """End the watch, from any thread, repeatedly. Returns before the loop thread has closed the duplicate."""
        self._on_leave = None
        loop = self.loop
        try:
            assert loop is not None
            loop.call_soon_threadsafe(self._drop, context=loop.empty_context)
        except RuntimeError:  # the loop is closed, and so is the duplicate
            return

    def happened(self) -> None:
        """On the loop thread: the client has hung up."""
        on_leave, self._on_leave = self._on_leave, None
        self._drop()
        if on_leave is not None:
            on_leave()

    def _drop(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if self.loop is not None and self.loop.hang_ups is not None:
            self.loop.hang_ups.remove(descriptor)
        os.close(descriptor)


class HangUps:
    """The sockets of all watched clients of a loop. Used by the loop thread."""

    def __init__(self, loop: BridgeLoop) -> None:
        self._loop = loop
        self._poll: Any = original('select', 'epoll')()
        self._watches: dict[int, HangUp] = {}
        loop.add_reader(self._poll.fileno(), self._look)

    def add(self, descriptor: int, watch: HangUp) -> None:
        """Watch a descriptor; one whose client has hung up already is reported in the next turn."""
        self._watches[descriptor] = watch
        self._poll.register(descriptor, _RDHUP)

    def remove(self, descriptor: int) -> None:
        """End the watch of a descriptor; call it before closing, since the number may be reused."""
        if self._watches.pop(descriptor, None) is not None:
            with contextlib.suppress(OSError):
                self._poll.unregister(descriptor)
        if not self._watches:  # a loop without clients holds no descriptor for them
            self._loop.hang_ups = None
            self.close()

    @property
    def descriptors(self) -> set[int]:
        """The duplicates, which a forked child shares with its parent."""
        return set(self._watches)

    def close(self) -> None:
        """Close all of them, with the loop."""
        for watch in list(self._watches.values()):
            watch.cancel_on_loop()
        self._loop.remove_reader(self._poll.fileno())
        self._poll.close()

    def _look(self) -> None:
        for descriptor, _ in self._poll.poll(0):
            watch = self._watches.get(descriptor)
            if watch is not None:
                watch.happened()


def on_hang_up(descriptor: int, on_leave: Callable[[], object]) -> HangUp | None:
    """Call `on_leave` on the loop thread when the other side of a connected socket closes it, or its sending side.

    Args:
        descriptor: The socket, which stays the caller's: a duplicate is watched.
        on_leave: Called at most once, and not after `close` of the watch; it must not wait.

    Returns:
        The watch, to be closed; None where the system does not report it.
    """
    if _RDHUP is None:
        return None
    try:
        watch = HangUp(descriptor, on_leave)
    except OSError:  # no descriptor is left, or the server has closed its own
        return None
    try:
        loop_thread.submit(watch)
    except BaseException:
        watch.cancel_on_loop()
        raise
    return watch

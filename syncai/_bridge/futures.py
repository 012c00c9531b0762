"""Submitted calls: the outcome goes to a future."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

from .._base.other_names import OF_FUTURES, OtherNames
from .._base.tracebacks import hide_library_frames, only_user_frames
from .caller import absent
from .channel import Channel
from .threads import SafeCondition, new_thread, raise_interrupt_behind
from .workers import run_function

T = TypeVar('T')


class CallFuture(Future[T], OtherNames):
    """The outcome of a call on the loop thread; `cancel()` stops the call at any point."""

    _other_names = OF_FUTURES

    def __init__(self, channel: Channel[T], on_end: Callable[[], object] | None = None) -> None:
        super().__init__()
        # An interrupt of a waiting or cancelling thread could leave a plain condition locked, which would block the
        # loop thread.
        self._condition = SafeCondition(threading.RLock())
        self._channel = channel
        self._on_end = on_end

    def cancel(self) -> bool:
        """Stop the call; returns False if it is over. Waiting for the result then raises `CancelledError`."""
        try:
            return super().cancel()
        finally:
            if self.cancelled():  # even if a cancellation was interrupted
                self._channel.cancel()

    def result(self, timeout: float | None = None) -> T:
        """The result of the call; waits for it, and raises its exception."""
        try:
            with only_user_frames:
                return super().result(timeout)
        except RuntimeError as error:
            raise_interrupt_behind(error)
            raise
        finally:
            del self  # as the base class does: the traceback of what is raised holds this frame

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The exception of the call, or None if it returned; waits for its end."""
        try:
            return super().exception(timeout)
        except RuntimeError as error:
            raise_interrupt_behind(error)
            raise

    def settle(self) -> None:
        """On the loop thread, at the end of the call: set the outcome of the future, without waiting."""
        if self._on_end is None and self._settled_at_once():
            return
        thread = new_thread(self._end, 'syncai-worker')
        try:
            contextvars.Context().run(thread.start)
        except RuntimeError:  # no thread can be started any more
            self._end()

    def _end(self) -> None:
        on_end, self._on_end = self._on_end, None  # which may know this future
        if on_end is not None:
            run_function(on_end)
        self._settle()

    def _settled_at_once(self) -> bool:
        """Settle now if only threads in `result()` wait; returns whether it did. A wait for several futures uses locks
        of the standard library, which Ctrl-C may leave locked, and callbacks are the user's functions: neither belongs
        on the loop thread.
        """
        if not self._condition.acquire(blocking=False):
            return False
        try:
            if self._waiters or self._done_callbacks:  # type: ignore[attr-defined]
                return False
            self._settle()
        finally:
            self._condition.release()
        return True

    def _settle(self) -> None:
        with contextlib.suppress(InvalidStateError):  # cancelled at the same moment
            # Not raised here: the future holds the error, and its traceback would hold the frames with the future.
            if (error := self._channel.take_error()) is None:
                self.set_result(self._channel.outcome())
            else:
                hide_library_frames(error)
                self.set_exception(error)


def submit(
    work: Callable[[], Awaitable[T]], *, name: str = 'call', on_end: Callable[[], object] | None = None
) -> Future[T]:
    """The future of `work`, which starts on the loop thread.

    Args:
        work: Makes the coroutine.
        name: Its name in errors.
        on_end: Called in a worker thread when the call is over, however it ended; its errors are dropped.
    """
    channel: Channel[T] = Channel(lambda _: work(), name=name)
    future = CallFuture(channel, on_end)
    channel.doorbell = future.settle
    absent(channel.context)
    channel.submit()
    return future

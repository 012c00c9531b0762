"""A call that nobody waits for: its outcome goes to a future."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

from .caller import absent
from .channel import Channel

T = TypeVar('T')


class CallFuture(Future[T]):
    """The outcome of a call on the loop thread; `cancel()` stops the call, at whatever point it is."""

    def __init__(self, channel: Channel[T]) -> None:
        super().__init__()
        self._channel = channel

    def cancel(self) -> bool:
        """Stop the call; returns False where it is over already. Waiting for the result raises `CancelledError`."""
        cancelled = super().cancel()
        if cancelled:
            self._channel.cancel()
        return cancelled


def submit(work: Callable[[], Awaitable[T]], *, name: str = 'call') -> Future[T]:
    """The future result of `work`, started on the loop thread."""
    channel: Channel[T] = Channel(lambda _: work(), name=name)
    future = CallFuture(channel)

    def deliver() -> None:
        """On the loop thread, at the end of the call."""
        try:
            _settle(future, channel)
        except InvalidStateError:  # cancelled at the same moment
            return

    channel.doorbell = deliver
    absent(channel.context)
    channel.submit()
    return future


def _settle(future: Future[T], channel: Channel[T]) -> None:
    try:
        value = channel.outcome()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(value)

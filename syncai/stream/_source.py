"""Where the face of a streamed run gets its batches from, and how the run ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..exceptions import UserError
from .response import copy_of

if TYPE_CHECKING:
    from .._bridge import AsyncConsumer, SyncConsumer

T = TypeVar('T')
ConsumerT = TypeVar('ConsumerT', bound='AsyncConsumer[Any] | SyncConsumer[Any]')


class _Source(Generic[ConsumerT, T]):
    """A call that is started by entering a block. Its fields belong to its one reader, but for `closed`.

    Args:
        open_channel: Starts the call.
        face: The class that the user holds.
        entry: How its block is written.
    """

    def __init__(self, open_channel: Callable[[], ConsumerT], face: str, entry: str) -> None:
        self._open = open_channel
        self._face = face
        self._entry = entry
        self._consumer: ConsumerT | None = None
        self._value: T | None = None
        self._failure: BaseException | None = None
        self._raised = False
        self.ended = False
        self.closed = False  # set by any thread

    def open(self) -> None:
        """Start the call."""
        if self._consumer is not None:
            raise UserError(f'This {self._face} was already opened: make a new one')
        self._consumer = self._open()

    def check_entered(self) -> ConsumerT:
        """The started call.

        Raises:
            UserError: The block was not entered.
        """
        if self._consumer is None:
            raise UserError(
                f'{self._face} must be used as a context manager. '
                f'Write `{self._entry} as stream:` and use the stream inside the block'
            )
        return self._consumer

    def check_open(self) -> ConsumerT:
        """The started call, of which there may be more to read.

        Raises:
            UserError: The block was not entered, or was left.
        """
        consumer = self.check_entered()
        if self.closed and not self.ended:
            raise UserError('This stream was closed; read it inside its block')
        return consumer

    @property
    def value(self) -> T | None:
        """What the call returned, or None as long as it has not."""
        return self._value

    def outcome(self) -> T:
        """What the call returned, or its error raised: itself the first time, then copies of it."""
        if self._failure is None:
            assert self._value is not None
            return self._value
        error = self._failure
        if not self._raised:
            self._raised = True
            self._failure = copy_of(error)
        else:
            error = copy_of(error)
        try:
            raise error
        finally:
            del error  # the traceback holds this frame, and must not hold itself

    def settle(self) -> None:
        """Take the outcome of the call, whose batches have ended."""
        assert self._consumer is not None
        try:
            self._value = self._consumer.finish()
        except BaseException as error:
            self._failure = error
        self.ended = True  # last, so that an interrupt in between leaves nothing half done

    def __repr__(self) -> str:
        if self._consumer is None:
            return 'not entered'
        return 'ended' if self.ended else 'closed' if self.closed else 'open'


class SyncSource(_Source['SyncConsumer[T]', T]):
    """For synchronous callers."""

    def next_batch(self, timeout: float | None = None) -> list[Any] | None:
        """The next batch, an empty one after `timeout` seconds, or None at the end, whether good or bad."""
        consumer = self.check_open()
        if self.ended:
            return None
        batch = consumer.next_batch(timeout)
        if batch is None:
            self.settle()
        return batch

    def close(self) -> bool:
        """Stop the call; returns whether it is over."""
        self.closed = True
        return self._consumer is None or self._consumer.close()


class AsyncSource(_Source['AsyncConsumer[T]', T]):
    """For coroutines."""

    async def next_batch(self, timeout: float | None = None) -> list[Any] | None:
        """The next batch, an empty one after `timeout` seconds, or None at the end, whether good or bad."""
        consumer = self.check_open()
        if self.ended:
            return None
        batch = await consumer.next_batch(timeout)
        if batch is None:
            self.settle()
        return batch

    async def close(self) -> bool:
        """Stop the call; returns whether it is over."""
        self.closed = True
        return self._consumer is None or await self._consumer.close()

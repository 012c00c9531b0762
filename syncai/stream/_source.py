"""The call behind a stream: its batches, its state and its outcome."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._base.frozen import dataclass
from .._base.tracebacks import hide_library_frames, only_user_frames
from ..exceptions import UserError

if TYPE_CHECKING:
    from .._bridge import AsyncConsumer, SyncConsumer

T = TypeVar('T')
ConsumerT = TypeVar('ConsumerT', bound='AsyncConsumer[Any] | SyncConsumer[Any]')


@dataclass(frozen=True, slots=True)
class Words:
    """The error texts of a stream for wrong use of its block."""

    not_entered: str
    opened: str
    closed: str

    @classmethod
    def of_run(cls, face: str, entry: str) -> Words:
        """The texts for a streamed run, from the class of the stream and the code of its block."""
        return cls(
            not_entered=f'{face} must be used as a context manager. '
            f'Write `{entry} as stream:` and use the stream inside the block',
            opened=f'This {face} was already opened: make a new one',
            closed='This stream was closed; read it inside its block',
        )


class _Source(Generic[ConsumerT, T]):
    """A call that starts when its block is entered. Its fields belong to its one reader, except `closed`. The states
    are: not entered; open; ended, with a value or a failure, once the last batch was taken; closed, when the block is
        left, by any thread at any time. A call that ended before it was closed keeps its outcome.

    Args:
        start: Starts the call, and gives its consumer.
        words: The error texts for wrong use.
    """

    def __init__(self, start: Callable[[], ConsumerT], words: Words) -> None:
        self._start = start
        self._words = words
        self._consumer: ConsumerT | None = None
        self._value: T | None = None
        self._failure: BaseException | None = None
        self._raised = False
        self.rest: Iterator[Any] = iter(())  # the items of the last batch that `items` has not given
        self.ended = False
        self.read_out = False  # True once `items` has given all items of a successful call
        self.closed = False  # set by any thread

    def open(self) -> None:
        """Start the call."""
        if self._consumer is not None:
            raise UserError(self._words.opened)
        self._consumer = self._start()

    @property
    def entered(self) -> bool:
        """Whether the call was started."""
        return self._consumer is not None

    def check_entered(self) -> None:
        """Raise UserError unless the block was entered."""
        if self._consumer is None:
            raise UserError(self._words.not_entered)

    def check_unclosed(self) -> None:
        """Raise UserError unless the block was entered and has not been left."""
        self.check_entered()
        if self.closed:
            raise UserError(self._words.closed)

    def check_open(self) -> ConsumerT:
        """The started call.

        Raises:
            UserError: The block was not entered, or was left before the end.
        """
        consumer = self._consumer
        if consumer is None:
            raise UserError(self._words.not_entered)
        if self.closed and not self.ended:
            raise UserError(self._words.closed)
        return consumer

    @property
    def value(self) -> T | None:
        """The value of the call, or None until it returned."""
        return self._value

    def outcome(self) -> T:
        """The value of the call. Raises its error: the error itself the first time, then copies."""
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
        """Take the outcome of the call after its last batch."""
        assert self._consumer is not None
        try:
            self._value = self._consumer.finish()
        except BaseException as error:
            self._failure = error
        self.ended = True  # last, so that an interrupt in between changes nothing

    def __repr__(self) -> str:
        if self._consumer is None:
            return 'not entered'
        return 'ended' if self.ended else 'closed' if self.closed else 'open'


class SyncSource(_Source['SyncConsumer[T]', T]):
    """For synchronous callers.

    Args:
        on_close: Called in the thread that closes it, after the call was stopped.
    """

    def __init__(
        self, start: Callable[[], SyncConsumer[T]], words: Words, on_close: Callable[[], object] | None = None
    ) -> None:
        super().__init__(start, words)
        self._on_close = on_close

    def next_batch(self, timeout: float | None = None) -> list[Any] | None:
        """The next batch, or None at the end, also after a failure. It is empty after `timeout` seconds, and when the
        answer that `opened` waits for begins.
        """
        consumer = self._consumer
        if consumer is None or self.closed:
            consumer = self.check_open()
        if self.ended:
            return None
        batch = consumer.next_batch(timeout)
        if batch is None:
            self.settle()
        return batch

    def items(self, begin: Callable[[], object] | None = None) -> Iterator[Any]:
        """The items, each once; after a `break` the next loop continues. Raises the error of the call.

        Args:
            begin: Called before the first item is read.
        """
        try:
            if begin is not None:
                begin()
            while True:
                yield from self.rest
                batch = self.next_batch()
                if batch is None:
                    break
                self.rest = iter(batch)
            self.outcome()
        except Exception as error:  # no `with`: its exit would run in the finalizer, which swallows an interrupt
            hide_library_frames(error)
            raise
        self.read_out = True

    @property
    def longest_work(self) -> float:
        """Seconds of the longest function that ran during the last wait for a batch."""
        return 0.0 if self._consumer is None else self._consumer.longest_work

    def close(self) -> bool:
        """Stop the call; returns whether it is over."""
        try:
            return self.stop()
        finally:
            if self._on_close is not None:
                self._on_close()

    def stop(self) -> bool:
        """Stop the call from another thread; the caller's thread closes it."""
        self.closed = True
        return self._consumer is None or self._consumer.close()


class AsyncSource(_Source['AsyncConsumer[T]', T]):
    """For coroutines.

    Args:
        on_close: Awaited by the coroutine that closes it, after the call was stopped.
    """

    def __init__(
        self, start: Callable[[], AsyncConsumer[T]], words: Words, on_close: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        super().__init__(start, words)
        self._on_close = on_close

    async def next_batch(self, timeout: float | None = None) -> list[Any] | None:
        """The next batch, as in `SyncSource`."""
        consumer = self.check_open()
        if self.ended:
            return None
        batch = await consumer.next_batch(timeout)
        if batch is None:
            self.settle()
        return batch

    async def items(self) -> AsyncIterator[Any]:
        """The items, as in `SyncSource`."""
        with only_user_frames:
            while True:
                for item in self.rest:
                    yield item
                batch = await self.next_batch()
                if batch is None:
                    break
                self.rest = iter(batch)
            self.outcome()
        self.read_out = True

    async def close(self) -> bool:
        """Stop the call; returns whether it is over."""
        self.closed = True
        try:
            return self._consumer is None or await self._consumer.close()
        finally:
            if self._on_close is not None:
                await self._on_close()


def copy_of(error: BaseException) -> BaseException:
    """The same error without its traceback, which would hold the stream that holds it."""
    try:
        copied = copy.copy(error)
        if type(copied) is not type(error) or copied is error:
            raise TypeError
    except Exception:  # an error of the user, whose constructor takes other arguments
        return UserError(f'This stream has failed: {error!r}')
    # With `tblib` installed (Django's test runner and dask.distributed need it), copies would keep all of this.
    copied.__traceback__ = copied.__cause__ = copied.__context__ = None
    return copied

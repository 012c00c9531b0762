"""The result of a run as it arrives: what `run_stream_sync` and `run_stream` give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, overload

from typing_extensions import TypeVar

from .._base.call_hints import explain_methods
from .._base.other_names import OF_STREAMS
from .._base.tracebacks import hide_library_frames, only_user_frames
from ..exceptions import UserError
from ..messages import ModelResponse
from ._faces import AsyncFace, SyncFace
from ._run_view import RunView
from ._snapshots import LiveResult, Wait
from ._source import AsyncSource, SyncSource, Words

if TYPE_CHECKING:
    from .._bridge import AsyncConsumer, SyncConsumer
    from .._engine.run_state import RunState
    from ..result import RunResult

__all__ = ['StreamedRunResult', 'StreamedRunResultSync']

ResultT = TypeVar('ResultT', default=str)
ItemT = TypeVar('ItemT')
SourceT = TypeVar('SourceT', bound='SyncSource[Any] | AsyncSource[Any]')

_CONSUMED = 'This stream was already read to its end; get_data() has the result'


class _StreamedRun(RunView[ResultT], Generic[SourceT, ResultT]):
    """The common part of both faces, which add the waiting."""

    _other_names = OF_STREAMS

    def __init__(self, run: RunState[ResultT], source: SourceT) -> None:
        super().__init__(run)
        self._source = source
        self._live: LiveResult[ResultT] = LiveResult(run)
        self._read_out = False

    @property
    def is_complete(self) -> bool:
        """Whether the run is over and its result is there."""
        return self._source.value is not None

    @property
    def is_structured(self) -> bool:
        """Whether the result is data, as opposed to text."""
        with only_user_frames:
            self._ready()
        return self._live.structured

    def _check_unread(self) -> None:
        self._source.check_open()
        if self._read_out:
            raise UserError(_CONSUMED)

    if not TYPE_CHECKING:  # the inherited method raises

        def __iter__(self) -> NoReturn:
            raise UserError('Say how to read it: by stream(), stream_text(), stream_structured() or stream_items()')

        __aiter__ = __iter__

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self._source!r})'


class StreamedRunResultSync(_StreamedRun['SyncSource[RunResult[ResultT]]', ResultT], SyncFace):
    """The result of a run as it arrives, read synchronously; use it in a `with` block.

    Entering the block starts the run and returns at once, so several runs can stream side by side. The first use waits
    until the result begins, and runs the agent's sync functions in this thread meanwhile. Leaving the block stops the
    run and closes its connection, in whichever way it is left.

    A stream is read once. After a `break`, the next loop continues where the last one stopped; a loop over a stream
    that was read to its end raises `UserError`; a failed stream raises its error again. A stream may pass from thread
    to thread, and has one reader at a time. What describes the run (`usage()`, `all_messages()`, ...) stays readable
    after all of that.
    """

    def __init__(self, run: RunState[ResultT], start: Callable[[], SyncConsumer[RunResult[ResultT]]]) -> None:
        words = Words.of_run(type(self).__name__, 'with agent.run_stream_sync(...)')
        super().__init__(run, SyncSource(start, words, run.left))

    def stream(self, *, debounce_by: float | None = 0.1) -> Iterator[ResultT]:
        """The text or the data so far, as it grows, and at the end the result itself. Arriving data is validated
        without an unfinished scalar, unless that is text; data that does not fit is skipped. The values of a list share
        its whole elements: do not change them. The last value is fully validated, by the result validators too, and is
        given even if it equals the one before it; text that the validators did not change is not given again.

        Args:
            debounce_by: Seconds between two values; None gives one for every event. Data that is expensive to validate
                is given less often (see docs/streaming.md).

        Raises:
            UserError: The stream was already read to its end, or closed.
            AgentRunError: What went wrong with the run, of the class that says what to do about it.
        """
        self._check_unread()
        return self._read(lambda: self._live.data(debounce_by))

    def stream_text(self, *, delta: bool = False, debounce_by: float | None = 0.1) -> Iterator[str]:
        """The whole text so far, or with `delta` the pieces of it.

        Args:
            delta: Give pieces. They include text before tool calls and refused answers, with a blank line between two
                answers; without `delta`, the text begins again with each answer.
            debounce_by: As in `stream`; the pieces of that time are joined.

        Raises:
            UserError: The result is structured data; or as in `stream`.
        """
        self._check_unread()
        return self._read(lambda: self._live.text(delta=delta, debounce_by=debounce_by))

    def stream_structured(self, *, debounce_by: float | None = 0.1) -> Iterator[tuple[ModelResponse, bool]]:
        """The answer so far, with False, and at the end the whole answer, with True.

        Args:
            debounce_by: As for `stream`.

        Raises:
            UserError: The result is text; or as in `stream`.
        """
        self._check_unread()
        return self._read(lambda: self._live.messages(debounce_by))

    @overload
    def stream_items(self: StreamedRunResultSync[list[ItemT]]) -> Iterator[ItemT]: ...
    @overload
    def stream_items(self) -> Iterator[Any]: ...
    def stream_items(self) -> Iterator[Any]:
        """Each element of a result that is a list, once, validated, as soon as it is whole.

        Result validators see the whole list, after its elements were given.

        Raises:
            UserError: The result is not a list; or as in `stream`.
            UnexpectedModelBehavior: The list was refused after elements of it had been given.
        """
        self._check_unread()
        return self._read(self._live.items)

    def validate_structured_result(self, message: ModelResponse, *, allow_partial: bool = False) -> ResultT:
        """The data in a message from `stream_structured`; result validators are not called.

        Args:
            message: The message.
            allow_partial: Whether it may still be arriving.

        Raises:
            pydantic.ValidationError: The data does not fit the result type.
            UserError: There is no data in the message.
        """
        return self._live.message_data.validated(message, allow_partial=allow_partial)

    def get_data(self) -> ResultT:
        """The result; waits for it and skips the unread rest of the stream. Returns the same result each time.

        Raises:
            UserError: The stream was closed before its end.
            AgentRunError: The run failed.
        """
        with only_user_frames:
            while self._source.next_batch() is not None:
                pass
            self._live.end(self._source.value)
            data = self._source.outcome().data
        self._read_out = True
        return data

    def _read(self, way: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        try:
            self._begin()
            for step in way():
                if type(step) is Wait:
                    self._fetch(step.seconds)
                else:
                    yield step
            self._source.outcome()  # raises what went wrong
        except Exception as error:  # no `with`: its exit would run in the finalizer, which swallows an interrupt
            hide_library_frames(error)
            raise
        self._read_out = True

    def _begin(self) -> None:
        """Wait until the result begins."""
        while not self._live.look_for_result() and self._fetch():
            pass
        if not self._live.began and self._source.ended:
            self._source.outcome()

    def _fetch(self, seconds: float | None = None) -> bool:
        batch = self._source.next_batch(seconds)
        if batch is None:
            self._live.end(self._source.value)
        else:
            self._live.arrived(batch)
        return batch is not None

    def _ready(self) -> None:
        if not (self._source.closed or self._source.ended):
            self._begin()


class StreamedRunResult(_StreamedRun['AsyncSource[RunResult[ResultT]]', ResultT], AsyncFace):
    """The result of a run as it arrives, for a coroutine on any event loop; use it in an `async with` block.

    Entering the block starts the run and waits until the result begins; async functions of the agent run on this loop
    meanwhile. Otherwise as `StreamedRunResultSync`; what blocks there is awaited here.
    """

    def __init__(self, run: RunState[ResultT], start: Callable[[], AsyncConsumer[RunResult[ResultT]]]) -> None:
        words = Words.of_run(type(self).__name__, 'async with agent.run_stream(...)')
        super().__init__(run, AsyncSource(start, words, run.leave))

    async def __aenter__(self) -> Self:
        """Start the run, and wait until its result begins."""
        with only_user_frames:
            await super().__aenter__()
            try:
                await self._begin()
            except BaseException:
                await self.close()
                raise
        return self

    def stream(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[ResultT]:
        """The whole text so far, each once, or the data so far, and at the end the result itself."""
        self._check_unread()
        return self._read(lambda: self._live.data(debounce_by))

    def stream_text(self, *, delta: bool = False, debounce_by: float | None = 0.1) -> AsyncIterator[str]:
        """The whole text so far, or with `delta` the pieces of it."""
        self._check_unread()
        return self._read(lambda: self._live.text(delta=delta, debounce_by=debounce_by))

    def stream_structured(self, *, debounce_by: float | None = 0.1) -> AsyncIterator[tuple[ModelResponse, bool]]:
        """The answer so far, with False, and at the end the whole answer, with True."""
        self._check_unread()
        return self._read(lambda: self._live.messages(debounce_by))

    @overload
    def stream_items(self: StreamedRunResult[list[ItemT]]) -> AsyncIterator[ItemT]: ...
    @overload
    def stream_items(self) -> AsyncIterator[Any]: ...
    def stream_items(self) -> AsyncIterator[Any]:
        """Each element of a result that is a list, once, validated, as soon as it is whole."""
        self._check_unread()
        return self._read(self._live.items)

    async def validate_structured_result(self, message: ModelResponse, *, allow_partial: bool = False) -> ResultT:
        """The data in a message from `stream_structured`; result validators are not called."""
        return self._live.message_data.validated(message, allow_partial=allow_partial)

    async def get_data(self) -> ResultT:
        """The result; waits for it and skips the unread rest of the stream. Returns the same result each time."""
        with only_user_frames:
            while await self._source.next_batch() is not None:
                pass
            self._live.end(self._source.value)
            data = self._source.outcome().data
        self._read_out = True
        return data

    async def _read(self, way: Callable[[], Iterator[Any]]) -> AsyncIterator[Any]:
        with only_user_frames:
            for step in way():
                if type(step) is Wait:
                    await self._fetch(step.seconds)
                else:
                    yield step
            self._source.outcome()  # raises what went wrong
        self._read_out = True

    async def _begin(self) -> None:
        while not self._live.look_for_result() and await self._fetch():
            pass
        if not self._live.began and self._source.ended:
            self._source.outcome()

    async def _fetch(self, seconds: float | None = None) -> bool:
        batch = await self._source.next_batch(seconds)
        if batch is None:
            self._live.end(self._source.value)
        else:
            self._live.arrived(batch)
        return batch is not None

    def _ready(self) -> None:
        self._source.check_entered()


for _kind in (StreamedRunResultSync, StreamedRunResult):
    # `get_data` runs functions of the user, and their tracebacks would show the frame of the explanation.
    explain_methods(_kind, stream='', stream_items='', stream_structured='', stream_text='')

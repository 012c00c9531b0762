"""Every event of a run as it happens: what `run_stream_events_sync` and `run_stream_events` give."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from .._base.other_names import OF_EVENTS
from .._base.tracebacks import only_user_frames
from ..events import AgentStreamEvent
from ..exceptions import UserError
from ..result import RunResult
from ._faces import AsyncFace, SyncFace
from ._run_view import RunView
from ._source import AsyncSource, SyncSource, Words

if TYPE_CHECKING:
    from .._bridge import AsyncConsumer, SyncConsumer
    from .._engine.run_state import RunState

__all__ = ['StreamedRunEvents', 'StreamedRunEventsSync']

ResultT = TypeVar('ResultT', default=str)
SourceT = TypeVar('SourceT', bound='SyncSource[Any] | AsyncSource[Any]')


class _RunEvents(RunView[ResultT], Generic[SourceT, ResultT]):
    """The common part of both faces, which add the waiting."""

    _other_names = OF_EVENTS

    def __init__(self, run: RunState[ResultT], source: SourceT) -> None:
        super().__init__(run)
        self._source = source

    @property
    def result(self) -> RunResult[ResultT]:
        """The result of the run, after its last event.

        Raises:
            UserError: The events were not read to their end.
            AgentRunError: What went wrong with the run.
        """
        self._source.check_open()
        if not self._source.ended:
            raise UserError('The run has no result yet: read its events to their end first')
        with only_user_frames:
            result: RunResult[ResultT] = self._source.outcome()
        return result

    @property
    def entered(self) -> bool:
        """Whether the block was entered, which starts the run."""
        return self._source.entered

    def _check_unread(self) -> None:
        self._source.check_open()
        if self._source.read_out:
            raise UserError('These events were already read to their end; `result` has the result of the run')

    def _ready(self) -> None:
        self._source.check_entered()

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self._source!r})'


class StreamedRunEventsSync(_RunEvents['SyncSource[RunResult[ResultT]]', ResultT], SyncFace):
    """The events of a run, read synchronously; use it in a `with` block.

    They are the events of every answer (`PartStartEvent`, `PartDeltaEvent`), a `FinalResultEvent` when a result begins,
    and a `FunctionToolCallEvent` and a `FunctionToolResultEvent` for each call of a function tool. Entering the block
    starts the run and returns at once; leaving it stops the run. The agent's sync functions run in this thread, while
    it waits for the next event. Events are read once, as with `StreamedRunResultSync`.
    """

    def __init__(self, run: RunState[ResultT], start: Callable[[], SyncConsumer[RunResult[ResultT]]]) -> None:
        words = Words.of_run(type(self).__name__, 'with agent.run_stream_events_sync(...)')
        super().__init__(run, SyncSource(start, words, run.left))

    def __iter__(self) -> Iterator[AgentStreamEvent]:
        """The events, each as soon as it happens.

        Raises:
            UserError: They were already read to their end, or the block was left.
            AgentRunError: The run failed; the class says what to do.
        """
        self._check_unread()
        return self._source.items()

    def next_events(self, timeout: float | None = None) -> list[AgentStreamEvent] | None:
        """The events that have arrived, after a wait of at most `timeout` seconds; None at the end of the run.

        For a caller that must act while the model is silent, for example to write a keep-alive: an empty list means
        that no event came in time. The agent's sync functions run during this wait, and may make it longer.

        Raises:
            UserError: The events were already read to their end, or the block was left.
            AgentRunError: The run failed; raised after its events.
        """
        self._check_unread()
        rest = list(self._source.rest)
        if rest:
            return rest
        with only_user_frames:
            batch = self._source.next_batch(timeout)
            if batch is None:
                self._source.outcome()  # raises what went wrong
                self._source.read_out = True
        return batch

    @property
    def longest_function(self) -> float:
        """Seconds of the longest sync function of the agent that ran in this thread during the last wait."""
        return self._source.longest_work


class StreamedRunEvents(_RunEvents['AsyncSource[RunResult[ResultT]]', ResultT], AsyncFace):
    """The events of a run, for a coroutine on any event loop; use it in an `async with` block.

    As `StreamedRunEventsSync`; what blocks there is awaited here.
    """

    def __init__(self, run: RunState[ResultT], start: Callable[[], AsyncConsumer[RunResult[ResultT]]]) -> None:
        words = Words.of_run(type(self).__name__, 'async with agent.run_stream_events(...)')
        super().__init__(run, AsyncSource(start, words, run.leave))

    def __aiter__(self) -> AsyncIterator[AgentStreamEvent]:
        """The events, each as soon as it happens."""
        self._check_unread()
        return self._source.items()

    async def next_events(self, timeout: float | None = None) -> list[AgentStreamEvent] | None:
        """The events that have arrived, as in `StreamedRunEventsSync`; functions of the agent run beside the wait."""
        self._check_unread()
        rest = list(self._source.rest)
        if rest:
            return rest
        with only_user_frames:
            batch = await self._source.next_batch(timeout)
            if batch is None:
                self._source.outcome()  # raises what went wrong
                self._source.read_out = True
        return batch

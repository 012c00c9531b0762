"""The rows of a map: their order, and the rows of failed runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from .._base.tracebacks import hide_library_frames
from ..exceptions import AgentRunError
from ..messages import ModelResponse
from ..result import MapRow, RunPaused, RunResult
from ..usage import Usage

if TYPE_CHECKING:
    from .map_progress import Progress
    from .run_state import RunState

ResultT = TypeVar('ResultT')

Numbered: TypeAlias = 'tuple[int, MapRow[Any] | BaseException]'
"""The number of a row, and the row; or an exit or interrupt in its place."""

_WINDOW = 1000
_WINDOW_PART = 16


def window_of(max_concurrency: int) -> int:
    """The number of rows that may be begun and not yet given, because they wait for a slow row before them. So a slow
    row does not stop others for long, and memory is bounded even if a row of an endless iterator never ends.
    """
    return max(_WINDOW, _WINDOW_PART * max_concurrency)


class RowOrder(Generic[ResultT]):
    """Gives rows to the caller in the right order. Used in the caller's thread or on the caller's loop.

    Args:
        ordered: Whether in the order of their prompts, else as they end.
        return_exceptions: Whether to give a row with an error, else to raise the error.
    """

    def __init__(self, *, ordered: bool, return_exceptions: bool) -> None:
        self._ordered = ordered
        self._return_exceptions = return_exceptions
        self._waiting: dict[int, MapRow[ResultT] | BaseException] = {}
        self.given_count = 0
        self.progress: Progress | None = None

    @property
    def tick(self) -> float | None:
        """How long to wait for a row before `ready` is called without one."""
        return None if self.progress is None else self.progress.tick

    def add(self, number: int, row: MapRow[ResultT]) -> None:
        """Add a row that need not be made; `ready` gives it."""
        self._waiting[number if self._ordered else self.given_count + len(self._waiting)] = row

    def ready(self, batch: Iterable[Numbered]) -> Iterator[MapRow[ResultT]]:
        """The rows that may be given now that those of the batch are there."""
        waiting, outcome = self._waiting, None
        try:
            for number, outcome in batch:
                waiting[self.given_count + len(waiting) if not self._ordered else number] = outcome
            while self.given_count in waiting:
                outcome = waiting.pop(self.given_count)
                self.given_count += 1
                error = outcome if isinstance(outcome, BaseException) else outcome.error
                if error is not None and (outcome is error or not self._return_exceptions):
                    waiting.clear()
                    raise error
                assert isinstance(outcome, MapRow)
                if self.progress is not None:
                    self.progress.add(outcome)
                yield outcome
            if self.progress is not None:
                self.progress.look()
        finally:
            # The traceback of what is raised holds this frame, which must not hold what is raised.
            batch, outcome, error = (), None, None


def failed_row(prompt: Any, error: Exception, run: RunState[Any] | None) -> MapRow[Any]:
    """The row of a failed run, with its messages and usage until then; None if it never began."""
    hide_library_frames(error)
    if run is None:
        return MapRow(prompt, error, RunResult(None, _messages=(), _first_new=0, _usage=Usage()))
    messages = tuple(run.messages_so_far())
    so_far = RunResult(None, _messages=messages, _first_new=run.first_new, _usage=run.usage_so_far())
    return MapRow(prompt, error, so_far)


def failed_row_elsewhere(prompt: Any, error: Exception, history: int) -> MapRow[Any]:
    """The row of a run that failed in another process, made from its error alone.

    Args:
        prompt: What was asked.
        error: Why it failed; it may hold the conversation.
        history: How many messages of the conversation were there before the run.
    """
    messages = tuple((error.messages if isinstance(error, AgentRunError | RunPaused) else None) or ())
    if isinstance(error, RunPaused):
        usage = error.usage
    else:
        answers = [message for message in messages[history:] if isinstance(message, ModelResponse)]
        usage = sum((answer.usage for answer in answers), Usage())
    return MapRow(prompt, error, RunResult(None, _messages=messages, _first_new=history, _usage=usage))

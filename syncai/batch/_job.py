"""The public face of a batch: its state and its rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from ..exceptions import DeadlineExceeded, UserError
from ..result import MapRow
from ._advancing import advance, cancel
from ._ledger import NOTE, BatchPart, parts_in
from ._reading import RowsAsked, submit
from ._results import Results
from ._setup import BatchSetup

__all__ = ['BatchCounts', 'BatchJob', 'BatchState']

ResultT = TypeVar('ResultT')
BatchState: TypeAlias = Literal['running', 'cancelling', 'ended']
"""The state of a batch."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """The numbers of rows in each state.

    Attributes:
        total: All of them.
        done: Rows with a result.
        failed: Rows with an error.
        sent: Rows in a batch at the provider, or on the way into one.
        answered: Sent rows that the provider reports as finished; some providers report them only at the end.
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    sent: int = 0
    answered: int = 0


class BatchJob(Generic[ResultT]):
    """Rows that a provider answers at half price; `agent.batch(...)` makes it.

    It holds no connection and no lock: the journal has everything, and any process can continue from it.
    """

    def __init__(self, setup: BatchSetup, asked: RowsAsked | None = None) -> None:
        self._setup = setup
        self._rows_asked = asked
        self._wait: float | None = None

    @classmethod
    def sent(
        cls,
        setup: BatchSetup,
        rows: Iterable[Any],
        key: Callable[[Any], Any] | None,
        prompt: Callable[[Any], Any] | None,
    ) -> BatchJob[Any]:
        """The batch of these rows; unfinished rows are sent now."""
        with setup.desk(on_change=setup.on_change, retry_failed=setup.retry_failed) as desk:
            return cls(setup, submit(desk, rows, key, prompt, setup.plan))

    @classmethod
    def found(cls, setup: BatchSetup) -> BatchJob[Any]:
        """The batch that the journal holds."""
        if setup.on_change is not None:
            with setup.desk(on_change=setup.on_change):
                pass  # stored, for calls in other processes
        return cls(setup)

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def parts(self) -> tuple[BatchPart, ...]:
        """The jobs at the provider, as the journal has them; `poll` asks for them."""
        return tuple(self._noted()[0])

    @property
    def state(self) -> BatchState:
        """`'running'`, `'cancelling'`, or `'ended'`: each row has its result or its error."""
        parts, cancelled = self._noted()
        if self.counts.sent == 0 and all(part.state == 'ended' for part in parts):
            return 'ended'
        return 'cancelling' if cancelled else 'running'

    @property
    def ended(self) -> bool:
        """Whether each row has its result or its error."""
        return self.state == 'ended'

    @property
    def counts(self) -> BatchCounts:
        """How many rows are done, failed and under way."""
        with self._setup.glance() as journal:
            counts = journal.counts()
        done, failed, sent = counts['done'], counts['failed'], counts['sent']
        answered = sum(part.answered for part in self.parts if part.state != 'ended')
        return BatchCounts(done + failed + sent, done, failed, sent, answered)

    def _noted(self) -> tuple[list[BatchPart], bool]:
        with self._setup.glance() as journal:
            return parts_in(journal.note(NOTE))

    def __repr__(self) -> str:
        counts = self.counts
        return f'<batch in {self._setup.address}: {self.state}, {counts.done} of {counts.total} rows done>'

    # --- what can be done ---------------------------------------------------------------------------------------------

    def poll(self) -> BatchState:
        """Poll the provider once, store ended jobs in the journal, and send further rows; returns the state. Tools and
        validators run in this thread. Nothing is lost if it fails or is killed: call it again.

        Raises:
            ModelAPIError: The provider cannot be asked now.
            UserError: Another process works on the journal at this moment.
            StoreError: The journal is lost, full or locked.
        """
        with self._setup.desk() as desk:
            self._wait = desk.caller.run(lambda: advance(desk))
        return self.state

    def cancel(self) -> None:
        """Cancel the jobs at the provider; rows that were answered until then stay, and are billed. The others get a
        `BatchError` once `poll` or `results` see the end of the batch.

        Raises:
            ModelAPIError: The provider cannot be asked now.
        """
        if self.ended:
            return
        with self._setup.desk() as desk:
            desk.caller.run(lambda: cancel(desk))

    def results(
        self,
        *,
        timeout: float | None = None,
        ordered: bool = False,
        return_exceptions: bool = True,
        interval: float | None = None,
    ) -> Generator[MapRow[ResultT], None, None]:
        """The rows, as in `map_sync`; waits for missing ones. They come as their jobs end. Leaving early, or an
        interrupt, only ends the waiting: the batch continues, and `agent.batch(journal=...)` finds it again.

        Args:
            timeout: Seconds to wait at most; None waits until all are there.
            ordered: Give them in the order of the rows, or of the journal where no rows were passed.
            return_exceptions: Give a row that failed with its `error`; False raises that in its place.
            interval: Seconds between two polls; None begins with one second and grows to a minute, or follows the
                provider.

        Raises:
            DeadlineExceeded: Not all rows are there in time.
            ModelAPIError: The provider cannot be asked now.
        """
        _check_seconds('timeout', timeout)
        _check_seconds('interval', interval)
        return self._rows(timeout, interval, ordered=ordered, return_exceptions=return_exceptions)

    def _rows(
        self, timeout: float | None, interval: float | None, *, ordered: bool, return_exceptions: bool
    ) -> Generator[MapRow[ResultT], None, None]:
        deadline = None if timeout is None else time.monotonic() + timeout
        results: Results[ResultT] = Results(self._setup, self._rows_asked, ordered=ordered)
        pause = _FIRST_PAUSE
        while True:
            for row in results.ready():
                if row.error is not None and not return_exceptions:
                    raise row.error
                yield row
            if not results.left:
                return
            if results.more():  # another process has collected them meanwhile
                continue
            self._refuse_stuck(results.left)
            self._look(deadline, timeout)
            if not results.more():
                self._sleep(interval if interval is not None else self._wait or pause, deadline, timeout)
                pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _look(self, deadline: float | None, timeout: float | None) -> None:
        try:
            self.poll()
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(self._where())
            raise
        if deadline is not None and time.monotonic() > deadline and not self.ended:
            self._late(timeout)

    def _sleep(self, seconds: float, deadline: float | None, timeout: float | None) -> None:
        seconds_left = seconds if deadline is None else deadline - time.monotonic()
        if seconds_left <= 0:
            self._late(timeout)
        try:
            self._setup.waiting.pause(max(0.0, min(seconds, seconds_left)))
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(self._where())
            raise

    def _late(self, timeout: float | None) -> None:
        raise DeadlineExceeded(
            f'The batch did not end within timeout ({timeout:g} s). {self._where()}',
            limit=timeout,
            model_name=self._setup.api.model.model_name,
            provider=self._setup.api.model.system,
        )

    def _where(self) -> str:
        names = ', '.join(part.job_id or part.tag for part in self.parts if part.state != 'ended')
        provider = self._setup.api.model.system
        return (
            f'The batch goes on at {provider} ({names}), and is paid for. '
            f'agent.batch(journal={self._setup.address}) finds it again, and its cancel() ends it'
        )

    def _refuse_stuck(self, left: int) -> None:
        """Raise UserError if rows are left that no job holds, such as when the journal was changed meanwhile."""
        if self.ended:
            raise UserError(
                f'{left} rows are no longer in the journal {self._setup.address}: pass them to agent.batch again'
            )


def _check_seconds(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float('inf'):
        raise UserError(f'{name} must be None or a number of seconds, 0 or above, not {value!r:.60}')

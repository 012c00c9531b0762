"""The working state of one call of `batch`, `poll`, `results` or `cancel` while the journal is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .._engine.map_rows import failed_row
from .._engine.plan import RunPlan
from ..journal import Entry, OpenJournal, prompt_of
from ..messages import ModelMessagesTypeAdapter
from ..models._http.batches import Batches
from ..result import MapRow, RunResult
from ..settings import ModelSettings
from ._ledger import Ledger, RowNote
from ._runs import BatchedRun
from ._waiting import Waiting

if TYPE_CHECKING:
    from .._engine.run_state import RunState

__all__ = ['Desk', 'Repair']

Repair: TypeAlias = Literal['batch', 'live'] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The journal, the jobs in it, and the API of the provider.

    Attributes:
        journal: The open journal; used in the caller's thread.
        entries: All that it holds.
        ledger: The jobs; used there too.
        api: The provider's batch API; used on the loop thread.
        plan: The plan of the run of a prompt.
        settings: Those of each request, with those of the model.
        rounds: The most batches of a row.
        repair: How invalid results are repaired.
        caller: How this thread waits.
    """

    journal: OpenJournal[Any]
    entries: Callable[[], Iterator[Entry]]
    ledger: Ledger
    api: Batches
    plan: Callable[[Any], RunPlan[Any]]
    settings: ModelSettings
    rounds: int
    repair: Repair
    caller: Waiting

    def run(self, note: RowNote) -> BatchedRun[Any]:
        """The run of a stored row."""
        run: BatchedRun[Any] = BatchedRun(self.plan(asked_in(note)))
        run.restore(note.state)
        return run

    def keep(self, rows: Sequence[tuple[str, MapRow[Any]]]) -> None:
        """Store finished rows, in one commit."""
        if rows:
            self.journal.put_entries([self.journal.codec.entry(key, row) for key, row in rows])

    def waiting(self) -> list[Entry]:
        """The rows that wait for a job: their keys and notes."""
        return [
            entry
            for entry in self.entries()
            if entry.state == 'sent' and self.ledger.part(RowNote.of(entry).part) is None
        ]


def asked_in(note: RowNote) -> Any:
    """The prompt of a stored row."""
    return prompt_of(ModelMessagesTypeAdapter.validate_python(note.state['messages']))


def done_row(prompt: Any, result: RunResult[Any]) -> MapRow[Any]:
    """The row of a run that has its result."""
    return MapRow(prompt, None, result)


def lost_row(prompt: Any, error: Exception, run: RunState[Any] | None) -> MapRow[Any]:
    """The row of a run that failed."""
    return failed_row(prompt, error, run)

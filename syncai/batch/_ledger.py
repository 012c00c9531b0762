"""The records of the provider's jobs in a journal, written before a job is made and after."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..exceptions import UserError

if TYPE_CHECKING:
    from ..journal import Entry, OpenJournal

__all__ = ['BatchPart', 'Ledger', 'PartState', 'RowNote']

FORMAT = 1
NOTE = 'batch'

PartState: TypeAlias = Literal['sending', 'running', 'cancelling', 'ended']
"""`sending`: the job is being made, or the process died meanwhile; `ended`: its results are in the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPart:
    """One job at the provider.

    Attributes:
        tag: Our name for it, the prefix of its row ids.
        state: How far it is.
        rows: How many rows it has.
        job_id: The provider's id, or None while that is unknown.
        begun: When it was sent, in seconds since 1970.
        answered: Rows that the provider reports as finished; some providers report them only at the end.
        problem: The provider's error for the whole job, or None.
        empty_since: Since when it is complete without results, or None.
        held: The amounts held in budgets until its end.
        spent: What its answers have cost so far, in millionths of a dollar; counted where something is held.
        others: Jobs of the account that were compared and are not this one.
    """

    tag: str
    state: PartState
    rows: int
    begun: float
    job_id: str | None = None
    answered: int = 0
    problem: str | None = None
    empty_since: float | None = None
    held: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    spent: int = 0
    others: tuple[str, ...] = ()


class Ledger:
    """The jobs of one batch, as the journal has them. Belongs to the thread that works on the batch.

    Raises:
        UserError: The journal holds the batch of a newer version.
    """

    def __init__(self, journal: OpenJournal[Any]) -> None:
        self._journal = journal
        note = journal.note(NOTE)
        self.known = note is not None  # whether there was a batch before
        self.parts, self.cancelled = parts_in(note)
        self.terms = terms_in(note)

    def agree(self, terms: Mapping[str, Any]) -> None:
        """Store the terms of the batch for other processes, and that it exists."""
        if not self.known or self.terms != terms:
            self.terms = dict(terms)
            self._save(self.parts)

    def part(self, tag: str | None) -> BatchPart | None:
        """The job of that tag."""
        return next((part for part in self.parts if part.tag == tag), None)

    @property
    def open(self) -> list[BatchPart]:
        """The jobs whose results are not in the journal."""
        return [part for part in self.parts if part.state != 'ended']

    def add(self, part: BatchPart, keys: Sequence[str]) -> None:
        """Store a job that will be made now, with the keys of its rows in order."""
        self._journal.set_note(f'{NOTE} {part.tag}', json.dumps(list(keys)))
        self._save([*self.parts, part])

    def change(self, tag: str, **changes: Any) -> None:
        """Store the changes of a job."""
        parts = [replace(part, **changes) if part.tag == tag else part for part in self.parts]
        if parts != self.parts:
            self._save(parts)

    def end(self, tag: str) -> None:
        """Store that the results of a job are in the journal."""
        self.change(tag, state='ended')
        self._journal.set_note(f'{NOTE} {tag}', None)

    def drop(self, tag: str) -> None:
        """Remove a job that was never made; its rows wait for another one."""
        self._save([part for part in self.parts if part.tag != tag])
        self._journal.set_note(f'{NOTE} {tag}', None)

    def keys(self, tag: str) -> list[str]:
        """The keys of the rows of a job, in their order."""
        return list(json.loads(self._journal.note(f'{NOTE} {tag}') or '[]'))

    def cancel(self, *, cancelled: bool) -> None:
        """Store whether further jobs may be made."""
        if cancelled != self.cancelled:
            self.cancelled = cancelled
            self._save(self.parts)

    def _save(self, parts: list[BatchPart]) -> None:
        self.parts = parts
        terms = {'terms': self.terms, 'cancelled': self.cancelled}
        text = {'format': FORMAT, **terms, 'parts': [asdict(part) for part in parts]}
        self._journal.set_note(NOTE, json.dumps(text))


def terms_in(note: str | None) -> dict[str, Any]:
    """How the rows of a batch are answered: its `rounds` and its `repair`."""
    return {} if note is None else dict(json.loads(note).get('terms') or {})


def parts_in(note: str | None) -> tuple[list[BatchPart], bool]:
    """The jobs that a note holds, and whether they were cancelled."""
    if note is None:
        return [], False
    values = json.loads(note)
    if values.get('format') != FORMAT:
        raise UserError('The batch in this journal was made by a newer version of syncai: update it')
    parts = [
        BatchPart(**{**part, 'others': tuple(part['others']), 'held': tuple(part['held'])}) for part in values['parts']
    ]
    return parts, bool(values['cancelled'])


@dataclass(frozen=True, slots=True)
class RowNote:
    """The note of a row in a batch.

    Attributes:
        part: The tag of its job; a row whose job is not in the ledger waits for one.
        number: Its number in the job.
        state: Its run.
    """

    part: str | None
    number: int
    state: dict[str, Any]

    @classmethod
    def of(cls, entry: Entry) -> RowNote:
        """That of an entry whose state is `sent`."""
        values = json.loads(entry.note or '{}')
        return cls(values.get('part'), values.get('number', 0), values.get('state') or {})

    def entry(self, key: str) -> Entry:
        """The entry that keeps it."""
        from ..journal import Entry

        values = {'part': self.part, 'number': self.number, 'state': self.state}
        return Entry(key=key, state='sent', note=json.dumps(values, ensure_ascii=False))

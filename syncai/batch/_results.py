"""The rows of a batch that are over, read from the journal a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from ..journal import Entry, RowCodec
from ..result import MapRow
from ._reading import RowsAsked
from ._setup import BatchSetup

__all__ = ['Results']

ResultT = TypeVar('ResultT')
_AT_ONCE = 500
_OVER = ('done', 'failed')


class Results(Generic[ResultT]):
    """The given and the remaining rows of a batch. Belongs to the thread that iterates.

    Args:
        setup: The batch.
        rows: Its rows, or None for all of the journal.
        ordered: Whether a row waits for those before it.
    """

    def __init__(self, setup: BatchSetup, rows: RowsAsked | None, *, ordered: bool) -> None:
        self._setup = setup
        self._codec: RowCodec[ResultT] = RowCodec(setup.result_type, setup.history)
        self._ordered = ordered
        keys = self._all_keys() if rows is None else rows.keys
        self._pending = list(enumerate(keys))
        self._rows = rows
        self._over = -1

    @property
    def left(self) -> int:
        """How many rows were not given yet."""
        return len(self._pending)

    def more(self) -> bool:
        """Whether rows have ended since `ready` was read."""
        return self._count() != self._over

    def _all_keys(self) -> list[str]:
        with self._setup.glance() as journal:
            return [entry.key for entry in journal.entries()]

    def _count(self) -> int:
        with self._setup.glance() as journal:
            counts = journal.counts()
        return counts['done'] + counts['failed']

    def _find(self, keys: list[str]) -> Mapping[str, Entry]:
        with self._setup.glance() as journal:
            return journal._store.find(keys)

    def ready(self) -> Iterator[MapRow[ResultT]]:
        """The rows that are over and were not given."""
        self._over = self._count()
        pending, self._pending = self._pending, []
        for begin in range(0, len(pending), _AT_ONCE):
            chunk = pending[begin : begin + _AT_ONCE]
            entries = self._find([key for _, key in chunk])
            for place, (number, key) in enumerate(chunk):
                entry = entries.get(key)
                if entry is None or entry.state not in _OVER:
                    if self._ordered:
                        self._pending = pending[begin + place :]
                        return
                    self._pending.append((number, key))
                    continue
                row = self._codec.row(entry)
                yield MapRow(row.prompt, row.error, row._run, key=row.key, stored=self._was_stored(number))

    def _was_stored(self, number: int) -> Any:
        return self._rows is not None and bool(self._rows.stored[number])

"""The public face of a journal: its place and its content."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import TypeForm, TypeVar

from ..exceptions import UserError
from ._codec import RowCodec
from ._entries import Entry
from ._fingerprint import Fingerprint
from ._keys import key_text
from ._open import OnChange, OpenJournal
from ._places import store_of

if TYPE_CHECKING:
    from ..messages import ModelMessage
    from ..result import MapRow

ResultT = TypeVar('ResultT', default=str)

_LONGEST_NAME = 100

LEASE = 60.0
"""Seconds of silence after which a process counts as gone."""


class Journal:
    """The results of a map or a batch, stored under the keys of its rows; any `journal=` takes one.

    Args:
        where: A SQLite file, by its path; `'postgresql://...'`; `'redis://...'`, or a `redis.Redis`; or
            `'django:default'`, the database of that name in Django's settings (SQLite or PostgreSQL).
        name: The name of the journal in that file, database or server; an address may have it as its fragment
            (`'redis://host/0#invoices'`).
        lease: Seconds of silence after which the claims of a process are free. Claims of a dead process on the same
            machine are free at once.

    Raises:
        UserError: There is no such place, or its package is missing.
    """

    def __init__(self, where: str | os.PathLike[str] | Any, *, name: str = '', lease: float = LEASE) -> None:
        if isinstance(lease, bool) or not isinstance(lease, int | float) or not 0 < lease < math.inf:
            raise UserError(f'lease must be a number of seconds above 0, not {lease!r:.60}')
        if not isinstance(name, str) or len(name) > _LONGEST_NAME or any(letter in name for letter in '{}\0'):
            raise UserError(
                f'The name of a journal must be a str of up to {_LONGEST_NAME} characters, not {name!r:.60}'
            )
        self._lease = float(lease)
        self._address, self._store = store_of(where, name)

    @classmethod
    def of(cls, where: Journal | str | os.PathLike[str] | Any) -> Journal:
        """The journal itself, or the journal at a place."""
        return where if isinstance(where, Journal) else cls(where)

    def open(
        self,
        fingerprint: Fingerprint,
        result_type: TypeForm[ResultT] = str,  # type: ignore[assignment]
        *,
        history: Sequence[ModelMessage] = (),
        share: bool = False,
        on_change: OnChange | None = None,
        retry_failed: bool = True,
    ) -> OpenJournal[ResultT]:
        """The open journal, for one map or batch; made if it is missing.

        Args:
            fingerprint: Everything besides the prompts that the answers depend on.
            result_type: The type of the results.
            history: The messages that each run begins with; they are not stored.
            share: Let other processes with `share=True` work on it at the same time.
            on_change: What to do if the fingerprint differs from that of the rows: `'redo'` makes all of
                them again, `'keep'` takes them as they are.
            retry_failed: Whether rows that failed are made again.

        Raises:
            UserError: Another process works on it, the fingerprint differs, or the place cannot be used.
            StoreError: It is lost, full or locked.
        """
        if on_change not in (None, 'redo', 'keep'):
            raise UserError(f"on_change must be None, 'redo' or 'keep', not {on_change!r:.60}")
        return OpenJournal(
            self._store,
            self._address,
            RowCodec(result_type, history),
            fingerprint,
            share=share,
            on_change=on_change,
            retry_failed=retry_failed,
            lease=self._lease,
        )

    def rows(self, result_type: TypeForm[ResultT] = str) -> Iterator[MapRow[ResultT]]:  # type: ignore[assignment]
        """The done and failed rows, read a few at a time, without running anything.

        Args:
            result_type: The type of their results, as the agent names it.
        """
        codec: RowCodec[ResultT] = RowCodec(result_type)
        return (codec.row(entry) for entry in self.entries() if entry.state in ('done', 'failed'))

    def entries(self) -> Iterator[Entry]:
        """All entries, unconverted."""
        return self._store.entries()

    def counts(self) -> Mapping[str, int]:
        """The numbers of rows that are `done`, `failed`, `claimed` by a process, or `sent` to a batch."""
        return {'done': 0, 'failed': 0, 'claimed': 0, 'sent': 0, **self._store.counts()}

    def forget(self, keys: Iterable[object]) -> int:
        """Delete rows, so that the next map makes them again; returns the number of deleted rows.

        Args:
            keys: The keys, as in `row.key`.
        """
        if isinstance(keys, str):
            raise UserError('forget takes several keys: put the one into a list')
        return self._store.forget([key_text(key) for key in keys])

    def note(self, name: str) -> str | None:
        """The text that an open journal stored under a name, or None."""
        with self._store.desk() as desk:
            return desk.note(f'note {name}')

    def close(self) -> None:
        """Close idle connections; the next use opens new ones."""
        self._store.close()

    def __repr__(self) -> str:
        return f'Journal({self._address!r})'

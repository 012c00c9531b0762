"""A journal in use by a map or a batch."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import time
import weakref
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeAlias, TypeVar
from uuid import uuid4

from .._bridge.threads import allocate_lock
from ..exceptions import SyncAIError, UserError
from ._codec import RowCodec
from ._entries import Entry, Rule
from ._fingerprint import Fingerprint
from ._keeper import Keeper
from ._owners import Owner, this_place

if TYPE_CHECKING:
    from ..result import MapRow
    from ._store import Desk, JournalStore

ResultT = TypeVar('ResultT')
OnChange: TypeAlias = Literal['redo', 'keep']

_MOST_PENDING = 1000  # rows; these are committed before more are read
_MOST_IN_COMMIT = 500
_LOOK_PAUSE = 1.0  # seconds between checks for live owners
_BEATS = 4  # within a lease
_FINGERPRINT = 'fingerprint'
_ACCEPTED = 'accepted'


class OpenJournal(Generic[ResultT]):
    """The rows of one run of a map or batch; leave it as a context, or call `close`.

    Made by `Journal.open`. `look` and `check` belong to the thread that reads the rows; `put`, `flush` and `close` are
    for any thread.
    """

    def __init__(
        self,
        store: JournalStore,
        name: str,
        codec: RowCodec[ResultT],
        fingerprint: Fingerprint,
        *,
        share: bool,
        on_change: OnChange | None,
        retry_failed: bool,
        lease: float,
    ) -> None:
        self.codec = codec
        self._store = store
        self._name = name
        self._share = share
        self._lease = lease
        self._owner = Owner(id=uuid4().hex, place=this_place(), pid=os.getpid(), shared=share)
        self._pending: deque[tuple[str, MapRow[Any]]] = deque()  # added to and taken from by any thread
        self._writing = allocate_lock()  # held by the thread that commits
        self._failure: Exception | None = None  # set once, by the thread that commits or beats
        self._looked = 0.0
        self._closed = False
        with store.desk() as desk:
            accepted = _registered(desk, self._owner, fingerprint, name, on_change, lease)
        self._fresh = next(iter(store.entries()), None) is None
        self._rule = Rule(accepted=accepted, retry_failed=retry_failed)
        self._keeper = Keeper(self.flush, self._beat, lease / _BEATS, self._fail)
        _OPEN.add(self)

    def look(self, keys: Sequence[str]) -> list[Entry | None]:
        """The entries of the next rows.

        Args:
            keys: Their keys, as JSON.

        Returns:
            For each: its entry if it needs no further work; an entry in state `claimed` if another process works on it
            (only with `share=True`; ask again later); or None if the caller must make it (with `share=True` it is now
            claimed).

        Raises:
            StoreError: The journal is lost, full or locked.
        """
        if not keys:
            return []
        if not self._share:
            if self._fresh:  # no other process adds to it
                return [None] * len(keys)
            entries = self._store.find(keys)
            return [entry if (entry := entries.get(key)) and self._rule.settles(entry) else None for key in keys]
        claimed = self._store.claim(keys, self._owner, self._rule)
        busy = any(entry is not None and entry.state == 'claimed' for entry in claimed.values())
        if busy and time.monotonic() - self._looked > _LOOK_PAUSE:
            self._looked = time.monotonic()
            with self._store.desk() as desk:
                _alive(desk, self._lease)  # forgets the others
        return [claimed.get(key) for key in keys]

    def put(self, key: str, row: MapRow[Any]) -> None:
        """Store the row of a run; it is committed within 50 ms, together with others. Never waits.

        Args:
            key: The key as JSON.
            row: Its result or its error.
        """
        self._pending.append((key, row))
        self._keeper.wake()

    def put_entries(self, entries: Sequence[Entry]) -> None:
        """Store entries now, in one commit, such as those of rows that a batch has sent.

        Raises:
            StoreError: The journal is lost, full or locked; none of them is stored.
        """
        self._store.put(entries, self._owner, self._rule)

    def check(self) -> None:
        """Raise the error of earlier commits; if many rows are pending, commit them first."""
        if self._failure is not None:
            raise self._failure
        if len(self._pending) > _MOST_PENDING:
            self.flush()

    def flush(self) -> None:
        """Commit what is pending, in this thread.

        Raises:
            StoreError: The journal is lost, full or locked; the rows stay pending.
            UserError: A result has no form in JSON; the others are committed.
        """
        with self._writing:
            while self._pending:
                self._commit()

    def _commit(self) -> None:
        rows: list[tuple[str, MapRow[Any]]] = []
        while self._pending and len(rows) < _MOST_IN_COMMIT:
            rows.append(self._pending.popleft())
        entries, failure = [], None
        for key, row in rows:
            try:
                entries.append(self.codec.entry(key, row))
            except UserError as error:
                failure = error
        try:
            if entries:
                self.put_entries(entries)
        except BaseException:
            self._pending.extendleft(reversed(rows))
            raise
        if failure is not None:
            raise failure

    def note(self, name: str) -> str | None:
        """The text that `set_note` stored under a name, in any process."""
        with self._store.desk() as desk:
            return desk.note(f'note {name}')

    def set_note(self, name: str, text: str | None) -> None:
        """Store a text under a name, such as the jobs of a batch; None deletes it."""
        with self._store.desk() as desk:
            desk.set_note(f'note {name}', text)

    def close(self) -> None:
        """Commit what is pending, and release unfinished claims.

        Raises:
            StoreError: The journal is lost, full or locked.
            UserError: As `flush`.
        """
        if self._closed or self._owner.pid != os.getpid():  # in a forked process it stays the parent's
            return
        self._closed = True
        _OPEN.discard(self)
        self._keeper.close()
        try:
            self.flush()
        finally:
            self._store.release(self._owner)
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f'<open journal {self._name}>'

    def _beat(self) -> None:
        self._store.beat(self._owner)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error


_OPEN: weakref.WeakSet[OpenJournal[Any]] = weakref.WeakSet()  # of this process; added to and taken from by any thread


@atexit.register
def _close_at_exit() -> None:
    """Commit pending rows of maps that ended with an error: the traceback keeps their generators alive."""
    for journal in list(_OPEN):
        with contextlib.suppress(SyncAIError):
            journal.close()


def _registered(
    desk: Desk, owner: Owner, fingerprint: Fingerprint, name: str, on_change: OnChange | None, lease: float
) -> tuple[str, ...]:
    """The accepted fingerprints, after registering the owner.

    Raises:
        UserError: Another process works on it, or the fingerprint differs.
    """
    others = _alive(desk, lease)
    if unshared := [other for other in others if not (other.shared and owner.shared)]:
        raise UserError(
            f'The journal {name} is in use by {unshared[0]}: wait for its end, or pass share=True in all of them, so '
            'that no row is paid for twice'
        )
    stored_print = desk.note(_FINGERPRINT)
    accepted = [fingerprint.digest]
    if stored_print is not None and (before := Fingerprint.from_json(stored_print)).digest != fingerprint.digest:
        changes = '\n  '.join(fingerprint.changes_from(before))
        if on_change is None:
            raise UserError(
                f'The rows of the journal {name} were made by another run:\n  {changes}\n'
                'Pass on_change="redo" to make all of them again, on_change="keep" to make only the missing ones, or '
                'name another journal'
            )
        if others:
            raise UserError(f'The journal {name} is in use by {others[0]}, by a run that differs:\n  {changes}')
        if on_change == 'keep':
            accepted += [digest for digest in json.loads(desk.note(_ACCEPTED) or '[]') if digest not in accepted]
    elif stored_print is not None:
        accepted = json.loads(desk.note(_ACCEPTED) or '[]') or accepted
    desk.set_note(_FINGERPRINT, fingerprint.to_json())
    desk.set_note(_ACCEPTED, json.dumps(accepted))
    desk.add(owner)
    return tuple(accepted)


def _alive(desk: Desk, lease: float) -> list[Owner]:
    """The owners with live processes; the others are removed, and their claims are free."""
    owners, now = desk.owners(), desk.now()
    lost_owners = [owner for owner in owners if owner.is_gone(now, lease)]
    if lost_owners:
        desk.remove([owner.id for owner in lost_owners])
    return [owner for owner in owners if owner not in lost_owners]

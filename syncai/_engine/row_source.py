"""The rows of a map as they are read: their prompts, their keys, and the entries that a journal has for them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..exceptions import UserError
from ..journal import Entry, OpenJournal, key_text, prompt_key
from ..journal._keys import Occurrences
from ..result import MapRow
from .map_rows import RowOrder, failed_row, window_of
from .ready_messages import with_files_read

WorkT = TypeVar('WorkT')

_PATIENCE = 0.002
"""The most seconds of reading rows before the runs of the rows read so far begin."""
_POLL_SECONDS = 0.2
"""Seconds before another look at a row that another process works on."""
_MOST_POLLED = 100


@dataclass(slots=True)
class Due(Generic[WorkT]):
    """A row to be made.

    Attributes:
        number: Its place among the rows.
        prompt: Its prompt.
        request: The prompt with its files, as they were when the row was read.
        key: The caller's key, or one made from the prompt, or None.
        text: The key as the journal has it; empty without a journal.
        work: A plan or a call that makes the row, or the error that prevents it.
    """

    number: int
    prompt: Any
    key: Any
    text: str
    work: WorkT | Exception | None = None
    request: Any = None

    def row(self, row: MapRow[Any]) -> MapRow[Any]:
        """The row with its key."""
        return row if self.key is None else MapRow(row.prompt, row.error, row._run, key=self.key)


@dataclass(slots=True)
class Taken(Generic[WorkT]):
    """The rows of one read.

    Attributes:
        due: The rows to be made.
        ready: Whether other rows are ready, and wait in the `RowOrder`.
        more: Whether more may follow.
        pause: Seconds before the next look if other processes make all remaining rows; or None.
    """

    due: list[Due[WorkT]] = field(default_factory=list)
    ready: bool = False
    more: bool = True
    pause: float | None = None


class RowSource(Generic[WorkT]):
    """Reads the rows of a map. Used by the caller's thread, or for a coroutine by one worker thread at a time.

    Args:
        items: The caller's items, one for each row.
        make: Makes the work of a row from a prompt; if it raises, that is the error of the row.
        order: Takes the rows that need not be made, and knows how many were given.
        most: The most rows that are made at a time.
        key: Gives the key of an item, or None.
        prompt: Gives the prompt of an item; None if the items are the prompts.
        open_journal: Opens the journal, or None.
    """

    def __init__(
        self,
        items: Iterator[Any],
        make: Callable[[Any], WorkT],
        order: RowOrder[Any],
        most: int,
        *,
        key: Callable[[Any], Any] | None = None,
        prompt: Callable[[Any], Any] | None = None,
        open_journal: Callable[[], OpenJournal[Any]] | None = None,
    ) -> None:
        self._items = items
        self._make = make
        self._order = order
        self._window = window_of(most)
        self._key = key
        self._prompt = prompt
        self._open_journal = open_journal
        self._journal: OpenJournal[Any] | None = None
        self._occurrences = Occurrences()
        self._elsewhere: deque[Due[WorkT]] = deque()
        self._unsorted: deque[Due[WorkT]] = deque()  # read, and not looked up in the journal yet
        self._looked = 0.0
        self._count = 0
        self._read_out = False
        self._failure: Exception | None = None

    def take(self, room: int) -> Taken[WorkT]:
        """The next rows: up to `room` rows to be made, and any rows that are ready without a run.

        Raises:
            UserError: The journal cannot be used.
            StoreError: The journal is lost, full or locked. After it was opened, `end` raises this instead.
        """
        if self._open_journal is not None and self._journal is None:
            self._journal = self._open_journal()
        rows: Taken[WorkT] = Taken()
        try:
            self._fill(rows, room)
        except Exception as error:
            self.give_up(error, rows.due)
            rows.due, rows.ready = [], True
        rows.more = not self._read_out or bool(self._elsewhere)
        if self._elsewhere and not rows.due:
            rows.pause = _POLL_SECONDS
        return rows

    def _fill(self, rows: Taken[WorkT], room: int) -> None:
        """Sort rows into `rows` until there is no room.

        Raises:
            UserError: A key is wrong.
            StoreError: The journal is lost, full or locked.
        """
        if self._journal is not None:
            self._journal.check()
            self._look_elsewhere(rows, room)
        began = time.monotonic()
        while len(rows.due) < room and not self._read_out and self._elsewhere_has_room():
            self._classify(self._read(room - len(rows.due), began), rows)
            if time.monotonic() - began > _PATIENCE:
                return

    def give_up(self, error: Exception, others: Sequence[Due[WorkT]] = ()) -> None:
        """Stop reading. Rows that were begun still end and are given; then `end` raises the error.

        Args:
            error: The reason; also the error of the rows that were read and will not be made.
            others: More rows of this kind.
        """
        self._read_out, self._failure = True, error
        for due in (*self._elsewhere, *self._unsorted, *others):
            self._order.add(due.number, due.row(failed_row(due.prompt, error, None)))
        self._elsewhere.clear()
        self._unsorted.clear()

    def keep(self, due: Due[WorkT], row: MapRow[Any]) -> None:
        """Write a finished row that has a key into the journal. Any thread may call it."""
        if self._journal is not None and due.text:
            self._journal.put(due.text, row)

    def end(self) -> None:
        """After the last row: commit what is pending, and raise the error that stopped the reading, if any."""
        failure, self._failure = self._failure, None
        try:
            self.close()
            if failure is not None:
                raise failure
        finally:
            del failure

    def close(self) -> None:
        """Commit what is pending, and close the journal.

        Raises:
            StoreError: It is lost, full or locked.
        """
        self._failure = None  # its traceback knows this object
        self._occurrences.close()
        if self._order.progress is not None:
            self._order.progress.close()
        journal, self._journal = self._journal, None
        self._open_journal = None
        if journal is not None:
            journal.close()

    def _elsewhere_has_room(self) -> bool:
        return self._count - self._order.given_count < self._window

    def _read(self, most: int, began: float) -> list[Due[WorkT]]:
        """The next items, with their prompts."""
        read: list[Due[WorkT]] = []
        while len(read) < most and self._elsewhere_has_room() and not self._read_out:
            try:
                item = next(self._items)
                key = None if self._key is None else self._key(item)
            except StopIteration:
                self._read_out = True
                break
            except Exception as error:  # the caller's iterator failed: what was begun still ends
                self._read_out, self._failure = True, error
                break
            due: Due[WorkT] = Due(self._count, item, key, '')
            self._count += 1
            if self._prompt is not None:
                try:
                    due.prompt = self._prompt(item)
                except Exception as error:
                    due.work = error
            due.request = with_files_read(due.prompt)
            read.append(due)
            if time.monotonic() - began > _PATIENCE:
                break
        return read

    def _classify(self, read: list[Due[WorkT]], rows: Taken[WorkT]) -> None:
        """Sort rows: to be made here, ready, or made elsewhere."""
        if self._journal is None:
            for due in read:
                self._add(due, rows)
            return
        self._unsorted.extend(read)
        self._name(read)
        self._sort(self._journal.look([due.text for due in read]), rows)

    def _sort(self, entries: list[Entry | None], rows: Taken[WorkT]) -> None:
        assert self._journal is not None
        looked_up = iter(entries)
        while self._unsorted:
            due = self._unsorted[0]
            entry = next(looked_up) if due.text else None
            if entry is None:
                self._add(due, rows)
            elif entry.state == 'claimed':
                self._elsewhere.append(due)
            elif entry.state == 'sent':
                raise UserError(
                    f'The row {due.text} is in a batch at the provider, and is paid for: agent.batch(journal=...) '
                    'waits for it, or pass batch=True'
                )
            else:
                row = self._journal.codec.row(entry, due.prompt)
                self._order.add(due.number, MapRow(row.prompt, row.error, row._run, key=due.key, stored=True))
                rows.ready = True
            self._unsorted.popleft()

    def _add(self, due: Due[WorkT], rows: Taken[WorkT]) -> None:
        if due.work is None:
            try:
                due.work = self._make(due.request)
            except Exception as error:
                due.work = error
        rows.due.append(due)

    def _name(self, rows: list[Due[WorkT]]) -> None:
        """Give the rows their keys: the caller's, or keys of their prompts with a count of equal ones.

        Raises:
            UserError: A key is invalid, or is used twice.
        """
        if self._key is not None:
            for due, times in zip(rows, self._occurrences.count([_text(due) for due in rows]), strict=True):
                if times > 1:
                    raise UserError(
                        f'key gave {due.key!r:.100} for a second row: each row needs a key of its own, such as its '
                        'primary key; without key= rows that ask the same are numbered'
                    )
            return
        hashes = {due.number: digest for due in rows if (digest := _hash(due)) is not None}
        counts = dict(zip(hashes, self._occurrences.count([*hashes.values()]), strict=True))
        for due in rows:
            if due.number in hashes:
                due.key = f'{hashes[due.number]}-{counts[due.number]}'
                due.text = key_text(due.key)

    def _look_elsewhere(self, rows: Taken[WorkT], room: int) -> None:
        """Look again at rows that other processes work on; rows that these gave up are made here."""
        if not self._elsewhere or time.monotonic() - self._looked < _POLL_SECONDS:
            return
        self._looked = time.monotonic()
        assert self._journal is not None
        again = [self._elsewhere.popleft() for _ in range(min(len(self._elsewhere), max(room, 1), _MOST_POLLED))]
        self._unsorted.extend(again)
        self._sort(self._journal.look([due.text for due in again]), rows)


def _hash(due: Due[Any]) -> str | None:
    """The hash of a prompt; None for a value that is no prompt, such as the missing value of a data frame."""
    try:
        return prompt_key(due.request)
    except UserError as error:
        due.work = due.work or error
        return None


def _text(due: Due[Any]) -> str:
    due.text = key_text(due.key)
    return due.text

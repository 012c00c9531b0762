"""The caller's rows, read in its thread: their prompts, their keys and their entries in the journal."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from .._engine.plan import RunPlan
from ..exceptions import UserError
from ..journal import key_text, prompt_key
from ..journal._keys import Occurrences
from ._advancing import find_lost
from ._desk import Desk, lost_row
from ._ledger import RowNote
from ._runs import BatchedRun
from ._sending import Sender

__all__ = ['RowsAsked', 'submit']

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class RowsAsked:
    """The rows of one call, in their order.

    Attributes:
        keys: Their keys, as the journal has them.
        stored: For each, whether it was done before.
    """

    keys: list[str]
    stored: array[int]


def submit(
    desk: Desk,
    items: Iterable[Any],
    key: Callable[[Any], Any] | None,
    prompt: Callable[[Any], Any] | None,
    plan: Callable[[Any], RunPlan[Any]],
) -> RowsAsked:
    """Send the rows that are neither done nor under way.

    Raises:
        UserError: A key is wrong or is used twice.
        ModelAPIError: The provider refused a job, or cannot be reached; sent rows are stored, and the call can be
            repeated.
    """
    desk.ledger.agree({'rounds': desk.rounds, 'repair': desk.repair})
    desk.ledger.cancel(cancelled=False)
    desk.caller.run(lambda: find_lost(desk))
    sender, rows_asked = Sender(desk), RowsAsked([], array('b'))
    waiting_rows = desk.waiting() if desk.ledger.known else []
    for begin in range(0, len(waiting_rows), _AT_ONCE):
        runs = [(entry.key, desk.run(RowNote.of(entry))) for entry in waiting_rows[begin : begin + _AT_ONCE]]
        desk.caller.run(partial(sender.add_all, runs, begun=True))
    for chunk in _named(items, key, prompt):
        entries = desk.journal.look([text for text, _ in chunk])
        runs = list[tuple[str, BatchedRun[Any]]]()
        for (text, asks), entry in zip(chunk, entries, strict=True):
            rows_asked.keys.append(text)
            rows_asked.stored.append(entry is not None and entry.state != 'sent')
            if entry is None:
                _make(desk, text, asks, plan, runs)
        desk.caller.run(partial(sender.add_all, runs, begun=False))
    desk.caller.run(sender.send)
    return rows_asked


def _make(
    desk: Desk, key: str, prompt: Any, plan: Callable[[Any], RunPlan[Any]], runs: list[tuple[str, BatchedRun[Any]]]
) -> None:
    try:
        if isinstance(prompt, Exception):
            raise prompt
        runs.append((key, BatchedRun(plan(prompt))))
    except Exception as error:
        desk.keep([(key, lost_row(prompt, error, None))])


def _named(
    items: Iterable[Any], key: Callable[[Any], Any] | None, prompt: Callable[[Any], Any] | None
) -> Iterator[list[tuple[str, Any]]]:
    """The rows with their keys, some at a time."""
    occurrences, source = Occurrences(), iter(items)
    try:
        while chunk := list(islice(source, _AT_ONCE)):
            asks = [item if prompt is None else _asked(prompt, item) for item in chunk]
            if key is not None:
                texts = [key_text(key(item)) for item in chunk]
                for item, times in zip(chunk, occurrences.count(texts), strict=True):
                    if times > 1:
                        raise UserError(f'key gave {key(item)!r:.100} for a second row: each row needs one of its own')
            else:
                digests = [prompt_key(one) for one in asks]
                counted = zip(digests, occurrences.count(digests), strict=True)
                texts = [key_text(f'{digest}-{times}') for digest, times in counted]
            yield list(zip(texts, asks, strict=True))
    finally:
        occurrences.close()


def _asked(prompt: Callable[[Any], Any], item: Any) -> Any:
    try:
        return prompt(item)
    except Exception as error:
        return error

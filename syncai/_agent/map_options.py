"""The options of a map, besides those of each of its runs, and their checks."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor
from decimal import Decimal
from typing import Any, Generic, Literal

from typing_extensions import TypeVar

from .._engine.checks import check_flag
from ..exceptions import UserError
from ..journal import Journal
from ..runs import RunOptions

DepsT = TypeVar('DepsT', default=None)


class MapOptions(RunOptions[DepsT], Generic[DepsT], total=False):
    """Options of a map, all optional, besides those of its runs.

    Attributes:
        journal: Where results are kept, so that a killed map continues where it stopped: the path of a SQLite file,
            `'postgresql://...'`, `'redis://...'`, `'django:default'` or a `Journal`. Rows that are done come back
            from it, unpaid.
        key: A function that gives the key of an item, such as its primary key; each row needs one of its own. None
            makes one from the prompt and from the number of equal prompts before it.
        prompt: A function that makes the prompt of an item; None takes the items as prompts.
        share: Let several processes work on one journal: a row is claimed before it is paid for.
        on_change: What to do when the model, settings, instructions, tools or result type are not those of the
            journal: None raises an error that lists what changed, `'redo'` makes all rows again, `'keep'` only makes
            the missing ones.
        retry_failed: Whether rows that failed before are tried again; False gives them with their error.
        batch: Send the rows to the provider's batch API, at half the price and within a day, and wait for the answers;
            needs a journal. See `agent.batch`, which does not wait.
        rounds: As in `agent.batch`.
        repair: As in `agent.batch`.
        dollars: What all runs of this map together may cost, as an int or a Decimal; a request that does not fit in
            what is left is not sent, and is the `BudgetExceeded` of its row. Rows that a journal had cost nothing.
            Needs the extra `prices`.
        progress: Show how far the map is: a bar in a terminal, a line in a notebook, else a log line each 10 s.
    """

    journal: Journal | str | os.PathLike[str] | None
    key: Callable[[Any], Any] | None
    prompt: Callable[[Any], Any] | None
    share: bool
    on_change: Literal['redo', 'keep'] | None
    retry_failed: bool
    batch: bool
    rounds: int | None
    repair: Literal['batch', 'live'] | None
    dollars: Decimal | int | None
    progress: bool


class MapArguments(MapOptions[DepsT], Generic[DepsT], total=False):
    """These options and the arguments of the map itself, declared once for type checkers."""

    max_concurrency: int
    ordered: bool
    return_exceptions: bool | None
    executor: Executor | None


OF_MAPS = tuple(MapOptions.__annotations__.keys() - RunOptions.__annotations__.keys())
_OF_JOURNALS = ('share', 'on_change', 'retry_failed')
_DEFAULTS: dict[str, Any] = {'share': False, 'retry_failed': True, 'progress': False, 'batch': False}
_OF_BATCHES = ('rounds', 'repair')


def check_batch(options: dict[str, Any]) -> bool:
    """Whether the rows go to a batch API; raises UserError unless the value is True or False."""
    check_flag('batch', options.get('batch', False))
    return bool(options.get('batch'))


def taken_from(options: dict[str, Any]) -> dict[str, Any]:
    """The complete, checked options of the map, taken out of those of its runs.

    Raises:
        UserError: Names the option and what it must be.
    """
    if idle := [name for name in _OF_BATCHES if name in options]:
        raise UserError(f'{idle[0]} needs batch=True: pass it too, or leave {idle[0]} out')
    of_map = {name: options.pop(name) for name in OF_MAPS if name in options}
    chosen = {**dict.fromkeys(OF_MAPS), **_DEFAULTS, **of_map}
    for name in _DEFAULTS:
        check_flag(name, chosen[name])
    for name in ('key', 'prompt'):
        if chosen[name] is not None and not callable(chosen[name]):
            raise UserError(f'{name} must be a function of an item, not {chosen[name]!r:.100}')
    if chosen['on_change'] not in (None, 'redo', 'keep'):
        raise UserError(f"on_change must be None, 'redo' or 'keep', not {chosen['on_change']!r:.60}")
    if chosen['journal'] is None:
        if idle := [name for name in _OF_JOURNALS if chosen[name] != _DEFAULTS.get(name)]:
            raise UserError(f'{idle[0]} needs a journal: pass journal="run.sqlite" too')
    else:
        chosen['journal'] = Journal.of(chosen['journal'])
    return chosen

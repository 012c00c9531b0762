"""The checked arguments of a batch: its journal, its model, and the plan of its rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._bridge import loop_thread
from .._engine.fingerprints import fingerprint_of
from .._engine.plan import RunPlan
from ..exceptions import UserError
from ..journal import Fingerprint, Journal
from ..messages import ModelMessage
from ..models import Model
from ..models._http.batches import Batches
from ..models._http.model import HttpModel
from ..settings import ModelSettings, merge_settings
from ..tape._model import TapedModel
from ._desk import Desk, Repair
from ._ledger import NOTE, Ledger, terms_in
from ._waiting import Waiting

if TYPE_CHECKING:
    from .._engine.plan import RunPlan

__all__ = ['BatchSetup', 'setup_of']

_PROBE = 'a prompt'  # a prompt for the plan that is made to check what all rows have in common
_PROVIDERS = 'OpenAI (Chat and Responses), Azure OpenAI, Anthropic, Gemini, Mistral and Groq'
_MOST_ROUNDS = 100


@dataclass(frozen=True, kw_only=True)
class BatchSetup:
    """What does not change while a batch is under way.

    Attributes:
        journal: Where it is kept.
        address: The caller's text for it, for messages.
        plan: The plan of the run of a prompt.
        api: The provider's batch API.
        fingerprint: Everything besides the prompts that answers depend on.
        result_type: The type of results, as it was written.
        history: The messages that each run begins with.
        settings: Those of each request, with those of the model.
        rounds: How many batches a row may take part in for its tools.
        repair: What becomes of a result that is not valid.
        on_change: What to do with rows of another fingerprint.
        retry_failed: Whether rows that failed are sent again.
        waiting: The way of waiting of the working thread.
    """

    journal: Journal
    address: str
    plan: Callable[[Any], RunPlan[Any]]
    api: Batches
    fingerprint: Fingerprint
    result_type: Any
    history: Sequence[ModelMessage]
    settings: ModelSettings
    rounds: int
    repair: Repair
    on_change: Literal['redo', 'keep'] | None
    retry_failed: bool
    waiting: Waiting

    @contextmanager
    def glance(self) -> Iterator[Journal]:
        """The journal for reading; no connection stays open."""
        try:
            yield self.journal
        finally:
            self.journal.close()

    @contextmanager
    def desk(self, *, on_change: Literal['redo', 'keep'] | None = None, retry_failed: bool = False) -> Iterator[Desk]:
        """The desk with the open journal; raises if another process has it open.

        Raises:
            LoopThreadError: This is the loop thread, which must not wait for the journal.
        """
        loop_thread.refuse_on_loop_thread()
        opened = self.journal.open(
            self.fingerprint, self.result_type, history=self.history, on_change=on_change, retry_failed=retry_failed
        )
        with opened as journal:
            yield Desk(
                journal=journal,
                entries=self.journal.entries,
                ledger=Ledger(journal),
                api=self.api,
                plan=self.plan,
                settings=self.settings,
                rounds=self.rounds,
                repair=self.repair,
                caller=self.waiting,
            )


def setup_of(
    plan: Callable[[Any], RunPlan[Any]],
    *,
    journal: Any,
    result_type: Any,
    rounds: int | None,
    repair: Repair,
    on_change: Literal['redo', 'keep'] | None,
    retry_failed: bool,
    attach: bool,
    options: Mapping[str, Any],
    waiting: Waiting,
) -> BatchSetup:
    """The setup, after all checks.

    Raises:
        UserError: Names the argument and the remedy.
    """
    place, address = _place_of(journal, attach=attach), repr(journal)
    terms = _terms_of(place, address) if attach else {}
    rounds = int(terms.get('rounds') or 1) if rounds is None else rounds
    repair = terms.get('repair', repair) if repair == 'batch' else repair
    _check_numbers(rounds, repair)
    if options.get('timeout') is not None:
        raise UserError(
            'timeout is for runs that are waited for, and a batch takes up to a day: leave it out; '
            'results(timeout=...) limits how long you wait'
        )
    probe = plan(_PROBE)
    if not attach:
        _check_tools(probe, rounds)
    return BatchSetup(
        journal=place,
        address=address,
        plan=plan if repair is not None else lambda prompt: replace(plan(prompt), result_retries=0),
        api=_api_of(probe.model),
        fingerprint=fingerprint_of(probe),
        result_type=result_type,
        history=probe.history,
        settings=merge_settings(probe.model.settings, probe.settings),
        rounds=rounds,
        repair=repair,
        on_change=on_change,
        retry_failed=retry_failed,
        waiting=waiting,
    )


def _place_of(journal: Any, *, attach: bool) -> Journal:
    if journal is None:
        raise UserError("A batch needs a journal, by which it is found again: pass journal='run.sqlite'")
    place = Journal.of(journal)
    if attach and _is_missing_file(journal):  # opening it would make the file
        raise UserError(f'There is no journal {journal!r}: pass the rows, as agent.batch(rows, journal=...)')
    return place


def _is_missing_file(journal: object) -> bool:
    if isinstance(journal, str) and ':' in journal:  # an address
        return False
    return isinstance(journal, str | os.PathLike) and not Path(journal).exists()


def _terms_of(journal: Journal, address: str) -> dict[str, Any]:
    """The terms of the batch in the journal."""
    note = journal.note(NOTE)
    journal.close()
    if note is None:
        raise UserError(f'The journal {address} holds no batch: pass the rows, as agent.batch(rows, journal=...)')
    return terms_in(note)


def _check_numbers(rounds: object, repair: object) -> None:
    if not isinstance(rounds, int) or isinstance(rounds, bool) or not 1 <= rounds <= _MOST_ROUNDS:
        raise UserError(f'rounds must be an integer from 1 to {_MOST_ROUNDS}, not {rounds!r:.60}')
    if repair not in ('batch', 'live', None):
        raise UserError(f"repair must be 'batch', 'live' or None, not {repair!r:.60}")


def _check_tools(probe: RunPlan[Any], rounds: int) -> None:
    if probe.tools and rounds < 2:
        names = ', '.join(probe.tools)
        raise UserError(
            f'The agent has tools ({names}): after each answer that calls one, its row needs a further batch. Pass '
            'rounds=3, which is how many batches a row may take at most, or use map_sync'
        )


def _api_of(model: Model) -> Batches:
    if isinstance(model, TapedModel):
        raise UserError('A tape is in force, and tapes do not hold batches: leave its block, or use map_sync')
    api = model._batches if isinstance(model, HttpModel) else None
    if api is None:
        raise UserError(
            f'{model.system}:{model.model_name} takes no batches: they are for {_PROVIDERS}. map_sync answers the same '
            'rows at the full price, with any model'
        )
    return api

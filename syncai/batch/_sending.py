"""Rows on their way to the provider: packed into jobs, stored, and sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .._bridge import call_user_function
from ..exceptions import ModelAPIError, UserError
from ..journal import Entry
from ..models._http.batches import ProviderJob, RowBody, unsure
from ..settings import merge_settings
from ._desk import Desk, lost_row
from ._finding import find_again
from ._ledger import BatchPart, RowNote
from ._paying import Costs, hold, settle
from ._runs import BatchedRun

__all__ = ['custom_id', 'Sender', 'send_again']

_MOST_IN_COMMIT = 500
_TAG_LETTERS = 16


def custom_id(tag: str, number: int) -> str:
    """The id of a row. Its prefix is the tag of its job, by which the job is found if the provider stores no names."""
    return f'{tag}-{number}'


@dataclass(slots=True)
class _Load:
    """The rows of a job that is not sent yet."""

    tag: str
    rows: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    costs: Costs = field(default_factory=lambda: Costs({}))
    size: int = 0

    def add(self, key: str, row: bytes, one: RowBody) -> None:
        self.rows.append(row)
        self.keys.append(key)
        self.size += len(row) + 1
        self.headers = joined_headers(self.headers, one.headers)


class Sender:
    """Puts rows into jobs within the limits of the provider. Lives on the loop thread.

    Args:
        desk: What it works with.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._load: _Load | None = None
        self._entries: list[Entry] = []
        self.refused: Exception | None = None  # the error of a job that could not be sent

    async def add(self, key: str, run: BatchedRun[Any]) -> None:
        """Add the next request of a run; a full job is sent first.

        Raises:
            UserError: The request is longer than a job may be, or cannot be written.
            ModelAPIError: A job was refused.
        """
        api = self._desk.api
        call = await run.call()
        settings = merge_settings(call.model.settings, call.settings)
        one = await api.body(call.messages, settings, call.parameters)
        load = self._load or _Load(_new_tag())
        row = api.row(custom_id(load.tag, len(load.rows)), one.body)
        if len(row) >= api.limits.size:
            raise UserError(f'One row has {len(row)} bytes, and a whole batch may have {api.limits.size}: use map_sync')
        if len(load.rows) >= api.limits.rows or load.size + len(row) > api.limits.size:
            self._load = load
            await self.send()
            load = _Load(_new_tag())
            row = api.row(custom_id(load.tag, 0), one.body)
        await load.costs.add(run, call, settings)
        self._load = load
        self._entries.append(RowNote(load.tag, len(load.rows), run.state()).entry(key))
        load.add(key, row, one)
        if len(self._entries) >= _MOST_IN_COMMIT:
            await self._commit()

    async def add_all(self, runs: Sequence[tuple[str, BatchedRun[Any]]], *, begun: bool) -> None:
        """Add the next requests of runs, by their keys; a failed row is stored with its error, without affecting
        others.

        Raises:
            ModelAPIError: A job was refused.
        """
        for key, run in runs:
            try:
                if not begun:
                    await run.begin()
                await self.add(key, run)
            except Exception as error:
                if self.refused is error:  # the error of a job, and not of the row
                    raise
                await call_user_function(self._desk.keep, [(key, lost_row(run.plan.prompt, error, run))])

    async def send(self) -> None:
        """Send the job: it is stored first, so that it is found if this process dies."""
        load, self._load = self._load, None
        if load is None:
            return
        await self._commit()
        try:
            holds = await hold(load.costs)
            part = BatchPart(tag=load.tag, state='sending', rows=len(load.rows), begun=time.time(), held=holds)
            await call_user_function(self._desk.ledger.add, part, load.keys)
            await create(self._desk, part, load.rows, load.headers)
        except Exception as error:
            self.refused = error
            raise

    async def _commit(self) -> None:
        entries, self._entries = self._entries, []
        if entries:
            await call_user_function(self._desk.journal.put_entries, entries)


async def create(desk: Desk, part: BatchPart, rows: Sequence[bytes], headers: dict[str, str]) -> None:
    """Make the job of a stored part; a job that may exist is searched for, and not made twice.

    Raises:
        ModelAPIError: It was refused, and its rows wait for the next call; or the outcome is unknown, and the next call
            searches for it.
    """
    for attempt in range(_ATTEMPTS):
        try:
            job = await desk.api.create(rows, part.tag, headers)
        except ModelAPIError as error:
            if not unsure(error):
                await call_user_function(desk.ledger.drop, part.tag)
                await settle(part, None)
                raise
            outcome = await find_again(desk, part)
            if isinstance(outcome, ProviderJob):
                job = outcome
            elif outcome == 'undecided':
                return
            elif attempt == _ATTEMPTS - 1:
                raise
            else:
                continue
        await adopt(desk, part, job)
        return


_ATTEMPTS = 3


async def adopt(desk: Desk, part: BatchPart, job: ProviderJob) -> None:
    """Store that this is the job of a part."""
    state = 'cancelling' if job.state == 'cancelling' else 'running'
    await call_user_function(desk.ledger.change, part.tag, job_id=job.job_id, state=state)


async def send_again(desk: Desk, part: BatchPart) -> None:
    """Make the job of a stored part that was never made, from its stored rows."""
    rows, headers = list[bytes](), dict[str, str]()
    keys = await call_user_function(desk.ledger.keys, part.tag)
    for begin in range(0, len(keys), _MOST_IN_COMMIT):
        entries = await call_user_function(desk.journal.look, keys[begin : begin + _MOST_IN_COMMIT])
        for number, entry in enumerate(entries, begin):
            if entry is None or entry.state != 'sent':
                continue
            one = await body_of(desk, await call_user_function(desk.run, RowNote.of(entry)))
            rows.append(desk.api.row(custom_id(part.tag, number), one.body))
            headers = joined_headers(headers, one.headers)
    if not rows:
        await call_user_function(desk.ledger.end, part.tag)
        return
    await call_user_function(desk.ledger.change, part.tag, begun=time.time(), rows=len(rows))
    await create(desk, part, rows, headers)


async def body_of(desk: Desk, run: BatchedRun[Any]) -> RowBody:
    """The request that a run waits for."""
    call = await run.call()
    settings = merge_settings(call.model.settings, call.settings)
    return await desk.api.body(call.messages, settings, call.parameters)


def joined_headers(headers: dict[str, str], more: Any) -> dict[str, str]:
    """The headers of the whole job with those of one row; lists of betas are merged."""
    joined = dict(headers)
    for name, value in more.items():
        values = joined.get(name, '').split(',') if joined.get(name) else []
        joined[name] = ','.join(dict.fromkeys([*values, *value.split(',')])) if name.endswith('-beta') else value
    return joined


def _new_tag() -> str:
    return f'syncai-{uuid4().hex[:_TAG_LETTERS]}'

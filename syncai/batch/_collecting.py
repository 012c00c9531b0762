"""The results of a job, in any order: passed to the runs of their rows, and stored in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

from .._base.system import warn_in_log
from .._bridge import call_user_function
from ..exceptions import AgentRunError, BatchError, NotFoundError, UserError
from ..journal import Entry
from ..messages import ModelResponse
from ..models._http.batches import ProviderJob, RowAnswer
from ..result import MapRow, RunResult
from ._desk import Desk, asked_in, done_row, lost_row
from ._ledger import BatchPart, RowNote
from ._paying import cost_of, settle
from ._runs import BatchedRun, Sent
from ._sending import custom_id

__all__ = ['collect']

_AT_ONCE = 200  # results that are read together
_TOGETHER = 16  # rows that run concurrently and are committed together
_LOST = {
    'expired': 'The batch expired before this row was reached: run it again, or split the work over more time',
    'cancelled': 'The batch was cancelled before this row was reached',
    'missing': 'The results of the batch lack this row: run it again',
    'failed': 'The provider did not begin the batch',
    'gone': 'The provider no longer keeps the results of the batch: run the row again',
    'rounds': 'The model calls tools after the last of the rounds of this batch: raise rounds=',
}


async def collect(desk: Desk, part: BatchPart, job: ProviderJob) -> None:
    """Store the outcomes of an ended job's rows in the journal. It may be interrupted anywhere, and repeated: a row
    that has left the job is not passed to its run again.

    Raises:
        ModelAPIError: The results cannot be fetched now.
    """
    keys = await call_user_function(desk.ledger.keys, part.tag)
    ids = {custom_id(part.tag, number): key for number, key in enumerate(keys)}
    has_ended, unknown, twice = False, 0, 0
    ids_read = set[str]()
    try:
        async for answers in _in_chunks(desk, job):
            by_id = {answer.custom_id: answer for answer in reversed(answers) if answer.custom_id in ids}
            unknown += sum(answer.custom_id not in ids for answer in answers)
            twice += len(ids_read & by_id.keys()) + sum(answer.custom_id in ids for answer in answers) - len(by_id)
            new = {ids[one]: answer for one, answer in by_id.items() if one not in ids_read}
            ids_read |= by_id.keys()
            await _take(desk, part, job, new)
    except NotFoundError:
        has_ended = True
    if unknown or twice:
        text = 'The results of the batch %s hold rows that nobody sent (%d), or for the second time (%d): ignored'
        await call_user_function(warn_in_log, text, job.job_id, unknown, twice)
    reason = 'gone' if has_ended else 'failed' if job.state == 'failed' else _missing(job)
    await _lose(desk, part, job, reason, [key for one, key in ids.items() if one not in ids_read])
    ended = desk.ledger.part(part.tag) or part
    await call_user_function(desk.ledger.end, part.tag)
    await settle(ended, ended.spent)


async def _in_chunks(desk: Desk, job: ProviderJob) -> AsyncIterator[list[RowAnswer]]:
    chunk = list[RowAnswer]()
    async with aclosing(desk.api.answers(job)) as answers:
        async for answer in answers:
            chunk.append(answer)
            if len(chunk) >= _AT_ONCE:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


async def _take(desk: Desk, part: BatchPart, job: ProviderJob, answers: dict[str, RowAnswer]) -> None:
    """Pass answers to the runs of their rows, in groups, and commit each group."""
    entries = await _still_there(desk, part, list(answers))
    read = {entry.key: _read(desk, job, answers[entry.key]) for entry in entries}
    for begin in range(0, len(entries), _TOGETHER):
        group = entries[begin : begin + _TOGETHER]
        runs = await call_user_function(lambda group=group: [_restored(desk, entry) for entry in group])
        outcomes = (
            _one(desk, job, entry, run, read[entry.key], Sent(job.job_id, part.begun))
            for entry, run in zip(group, runs, strict=True)
        )
        rows = await asyncio.gather(*outcomes)
        await call_user_function(desk.journal.put_entries, list(rows))
    if part.held and (spent := sum(cost_of(part, one) for one in read.values() if isinstance(one, ModelResponse))):
        now = desk.ledger.part(part.tag) or part
        await call_user_function(lambda: desk.ledger.change(part.tag, spent=now.spent + spent))


async def _still_there(desk: Desk, part: BatchPart, keys: list[str]) -> list[Entry]:
    """The entries of the rows that wait for this job."""
    entries = await call_user_function(desk.journal.look, keys)
    return [entry for entry in entries if entry and entry.state == 'sent' and RowNote.of(entry).part == part.tag]


def _restored(desk: Desk, entry: Entry) -> BatchedRun[Any] | Exception:
    """In the caller's thread: the run of a row, or the error that prevents it."""
    try:
        return desk.run(RowNote.of(entry))
    except Exception as error:
        return error


async def _one(
    desk: Desk,
    job: ProviderJob,
    entry: Entry,
    run: BatchedRun[Any] | Exception,
    answer: ModelResponse | AgentRunError,
    job_sent: Sent,
) -> Entry:
    """The entry of a row after its answer: its result, its error, or its next request."""
    prompt = asked_in(RowNote.of(entry))
    if isinstance(run, Exception):
        return _entry(desk, entry.key, lost_row(prompt, run, None))
    try:
        result = await run.take_answer(answer, job_sent)
        if result is None:
            result = await _next(desk, run, job)
    except Exception as error:
        return _entry(desk, entry.key, lost_row(prompt, error, run))
    if result is None:
        return RowNote(None, 0, run.state()).entry(entry.key)
    try:
        return _entry(desk, entry.key, done_row(prompt, result))
    except UserError as error:  # the result has no form in JSON
        return _entry(desk, entry.key, lost_row(prompt, error, run))


def _read(desk: Desk, job: ProviderJob, answer: RowAnswer) -> ModelResponse | AgentRunError:
    not_reached = answer.body is None and answer.status is None and job.ending != 'completed'
    if reason := answer.lost or (job.ending if not_reached else None):  # providers have further codes for it
        return _lost(reason, job, desk)
    try:
        return desk.api.response(answer, desk.settings)
    except AgentRunError as error:
        return error


async def _next(desk: Desk, run: BatchedRun[Any], job: ProviderJob) -> RunResult[Any] | None:
    """The result of a run with a further request that is sent at once; None if that waits for a batch."""
    if run.repairs and desk.repair == 'live':
        return await run.finish_live()
    if run.rounds >= desk.rounds and not run.repairs:
        raise _lost('rounds', job, desk)
    return None


def _entry(desk: Desk, key: str, row: MapRow[Any]) -> Entry:
    return desk.journal.codec.entry(key, row)


async def _lose(desk: Desk, part: BatchPart, job: ProviderJob, reason: str, keys: list[str]) -> None:
    """Store the reason for rows without a result."""
    for begin in range(0, len(keys), _AT_ONCE):
        entries = await _still_there(desk, part, keys[begin : begin + _AT_ONCE])
        rows = []
        for entry in entries:
            note = RowNote.of(entry)
            run, error = await call_user_function(desk.run, note), _lost(reason, job, desk)
            with suppress(AgentRunError):
                await run.take_answer(error, Sent(job.job_id, part.begun))
            rows.append(_entry(desk, entry.key, lost_row(asked_in(note), error, run)))
        if rows:
            await call_user_function(desk.journal.put_entries, rows)


async def lose_waiting(desk: Desk, entries: list[Entry]) -> None:
    """Store the error of rows that wait for a further job that will not be made."""
    rows = []
    for entry in entries:
        note = RowNote.of(entry)
        run = await call_user_function(desk.run, note)
        error = BatchError(_LOST['cancelled'], reason='cancelled')
        rows.append(_entry(desk, entry.key, lost_row(asked_in(note), error, run)))
    if rows:
        await call_user_function(desk.journal.put_entries, rows)


def _missing(job: ProviderJob) -> str:
    return 'missing' if job.ending == 'completed' else job.ending


def _lost(reason: str, job: ProviderJob, desk: Desk) -> BatchError:
    message = f'{_LOST[reason]} ({job.job_id})'
    if reason == 'failed' and job.problem:
        message = f'{message}: {job.problem}'
    model = desk.api.model
    return BatchError(message, reason=reason, job_id=job.job_id, model_name=model.model_name, provider=model.system)

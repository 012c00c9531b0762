"""Batches of Anthropic: rows in the body, results in one file of lines, and jobs without a tag.

Source: https://platform.claude.com/docs/en/build-with-claude/batch-processing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from .._http.batches import (
    ApiAnswer,
    Batches,
    BatchLimits,
    ProviderJob,
    RowAnswer,
    count_of,
    line_of,
    list_of,
    object_of,
    seconds_of,
)
from .errors import STATUS_OF_TYPE

__all__ = ['AnthropicBatches', 'job_of', 'row_answer']

_PAGE = 100
_SPARE = 2**20  # bytes around the rows


class AnthropicBatches(Batches):
    """The API of Message Batches."""

    limits = BatchLimits(rows=100_000, size=256 * 2**20 - _SPARE)
    has_tags = False
    names_results = False

    def row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """One element of `requests`."""
        return line_of({'custom_id': custom_id, 'params': body})

    async def create(self, rows: Sequence[bytes], tag: str, headers: Mapping[str, str]) -> ProviderJob:
        """A job with these rows; only the beginning of each `custom_id` holds the tag."""
        del tag
        body = b'{"requests":[%s]}' % b','.join(rows)
        return self._job(await self._send('POST', self._path(''), body, headers=headers, once=True))

    async def job(self, job_id: str) -> ProviderJob:
        """The job as it is now."""
        return self._job(await self._send('GET', self._path(f'/{quote(job_id, safe="")}')))

    async def cancel(self, job_id: str) -> None:
        """Ask the provider to cancel the job."""
        await self._send('POST', self._path(f'/{quote(job_id, safe="")}/cancel'), b'{}')

    async def jobs(self, since: float) -> AsyncIterator[ProviderJob]:
        """The jobs of this workspace, the newest first."""
        after = ''
        while True:
            query = f'?limit={_PAGE}' + (f'&after_id={quote(after, safe="")}' if after else '')
            body = (await self._send('GET', self._path(query))).body
            page = [job_of(item) for item in list_of(body.get('data')) if isinstance(item, dict)]
            for job in page:
                if job.created is not None and job.created < since:
                    return
                yield job
            if not body.get('has_more') or not page or page[-1].job_id == after:
                return
            after = page[-1].job_id

    async def answers(self, job: ProviderJob) -> AsyncGenerator[RowAnswer, None]:
        """The lines of its results, from the API's address for them: `results_url` might name another host."""
        async with aclosing(self._lines(self._path(f'/{quote(job.job_id, safe="")}/results'))) as lines:
            async for line in lines:
                yield self._read_line(row_answer, line)

    def _path(self, rest: str) -> str:
        return f'{self._model._path(stream=False)}/batches{rest}'

    def _job(self, answer: ApiAnswer) -> ProviderJob:
        self._name_in(answer.body, 'id', 'a batch')
        return job_of(answer.body, answer.retry_after)


def job_of(body: Mapping[str, Any], retry_after: float | None = None) -> ProviderJob:
    """The job in an object `message_batch`; until its end all counts except that of waiting rows are 0."""
    status, counts = str(body.get('processing_status')), object_of(body.get('request_counts'))
    numbers = {name: count_of(value) for name, value in counts.items()}
    return ProviderJob(
        job_id=str(body.get('id')),
        state='ended' if status == 'ended' else 'cancelling' if status == 'canceling' else 'running',
        ending='cancelled' if numbers.get('canceled') else 'expired' if numbers.get('expired') else 'completed',
        total=sum(numbers.values()),
        succeeded=numbers.get('succeeded', 0),
        failed=sum(numbers.get(name, 0) for name in ('errored', 'canceled', 'expired')),
        created=seconds_of(body.get('created_at')),
        problem='its results are no longer kept (29 days after it was made)' if body.get('archived_at') else None,
        retry_after=retry_after,
    )


def row_answer(line: Mapping[str, Any]) -> RowAnswer | None:
    """The result in one line of results, or None if the line is no result."""
    custom_id, result = line.get('custom_id'), object_of(line.get('result'))
    kind, message = result.get('type'), result.get('message')
    if not isinstance(custom_id, str):
        return None
    if kind == 'succeeded' and isinstance(message, dict):
        return RowAnswer(custom_id=custom_id, body=message)
    if kind in ('canceled', 'expired'):
        return RowAnswer(custom_id=custom_id, lost='cancelled' if kind == 'canceled' else 'expired')
    error = result.get('error')
    if kind != 'errored' or not isinstance(error, dict):
        return None
    inner = error['error'] if isinstance(error.get('error'), dict) else error  # some servers write one level only
    whole = error if inner is not error else {'type': 'error', 'error': error}
    return RowAnswer(custom_id=custom_id, status=STATUS_OF_TYPE.get(str(inner.get('type'))), error=whole)

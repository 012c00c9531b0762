"""Batches of OpenAI, Azure OpenAI and Groq: a file of rows, a job over it, and two files of results.

Sources: https://platform.openai.com/docs/guides/batch, https://console.groq.com/docs/batch,
https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .._http.batches import (
    ApiAnswer,
    Batches,
    BatchLimits,
    JobState,
    ProviderJob,
    RowAnswer,
    count_of,
    failed_row,
    line_of,
    list_of,
    object_of,
    uploaded_form,
)

if TYPE_CHECKING:
    from .._http.model import HttpModel

__all__ = ['FileBatches', 'job_of', 'row_answer']

TAG = 'syncai'
"""The name of the tag in the metadata of a job."""

_PAGE = 100
_STATES: dict[str, JobState] = {
    'failed': 'failed',
    'completed': 'ended',
    'expired': 'ended',
    'cancelled': 'ended',
    'cancelling': 'cancelling',
}
_NOT_READY = ('pending', 'running', 'uploading')
_MOST_LOOKS, _PAUSE = 120, 1.0  # checks whether a file is ready, and the seconds between two of them
_LOST_BY = {'batch_expired': 'expired', 'batch_cancelled': 'cancelled'}


class FileBatches(Batches):
    """The batch API of OpenAI, which other providers have too.

    Args:
        model: The model.
        endpoint: The endpoint of the rows, such as `/v1/chat/completions`.
        limits: What one job may hold.
        root: The address of the API, if it differs from that of the model.
        query: The query of each of its addresses.
    """

    def __init__(
        self, model: HttpModel, endpoint: str, limits: BatchLimits, *, root: str | None = None, query: str = ''
    ) -> None:
        super().__init__(model)
        self.limits = limits
        self._endpoint = endpoint
        self._root = model.base_url if root is None else root
        self._query = query

    def row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """One line of the file."""
        return line_of({'custom_id': custom_id, 'method': 'POST', 'url': self._endpoint, 'body': body})

    async def create(self, rows: Sequence[bytes], tag: str, headers: Mapping[str, str]) -> ProviderJob:
        """A new job over a new file with the rows; a file without a job costs nothing."""
        form, content_type = uploaded_form(rows, f'{tag}.jsonl', {'purpose': 'batch'})
        file = await self._send('POST', self._at('/files'), form, content_type=content_type, headers=headers)
        name = self._name_in(file.body, 'id', 'an uploaded file')
        await self._ready(name, file.body.get('status'))
        job = {
            'input_file_id': name,
            'endpoint': self._endpoint,
            'completion_window': '24h',
            'metadata': {TAG: tag},
        }
        answer = await self._send('POST', self._at('/batches'), line_of(job), headers=headers, once=True)
        return self._job(answer)

    async def _ready(self, name: str, status: object) -> None:
        """Wait until a file is ready: Azure checks it first."""
        for _ in range(_MOST_LOOKS):
            if status not in _NOT_READY:
                return
            await asyncio.sleep(_PAUSE)
            status = (await self._send('GET', self._at(f'/files/{quote(name, safe="")}'))).body.get('status')

    async def job(self, job_id: str) -> ProviderJob:
        """The job as it is now."""
        return self._job(await self._send('GET', self._at(f'/batches/{quote(job_id, safe="")}')))

    async def cancel(self, job_id: str) -> None:
        """Ask the provider to cancel the job."""
        await self._send('POST', self._at(f'/batches/{quote(job_id, safe="")}/cancel'))

    async def jobs(self, since: float) -> AsyncIterator[ProviderJob]:
        """The jobs of this account, the newest first."""
        after = ''
        while True:
            path = self._at(f'/batches?limit={_PAGE}' + (f'&after={quote(after, safe="")}' if after else ''))
            answer = await self._send('GET', path)
            page = [job_of(item) for item in list_of(answer.body.get('data')) if isinstance(item, dict)]
            for job in page:
                if job.created is not None and job.created < since:
                    return
                yield job
            if not answer.body.get('has_more') or not page or page[-1].job_id == after:
                return
            after = page[-1].job_id

    async def answers(self, job: ProviderJob) -> AsyncGenerator[RowAnswer, None]:
        """The lines of both files: even a completed job may have only a file of errors."""
        for file in job.files:
            async with aclosing(self._lines(self._at(f'/files/{quote(file, safe="")}/content'))) as lines:
                async for line in lines:
                    yield self._read_line(row_answer, line)

    def _at(self, path: str) -> str:
        url = f'{self._root}{path}'
        return url + ('&' if '?' in url else '?') + self._query if self._query else url

    def _job(self, answer: ApiAnswer) -> ProviderJob:
        self._name_in(answer.body, 'id', 'a batch')
        return job_of(answer.body, answer.retry_after)


def job_of(body: Mapping[str, Any], retry_after: float | None = None) -> ProviderJob:
    """The job in an object `batch`."""
    status, counts = str(body.get('status')), object_of(body.get('request_counts'))
    problems = [item for item in list_of(object_of(body.get('errors')).get('data')) if isinstance(item, dict)]
    created = body.get('created_at')
    return ProviderJob(
        job_id=str(body.get('id')),
        state=_STATES.get(status, 'running'),
        ending='cancelled' if status == 'cancelled' else 'expired' if status == 'expired' else 'completed',
        total=count_of(counts.get('total')),
        succeeded=count_of(counts.get('completed')),
        failed=count_of(counts.get('failed')),
        tag=object_of(body.get('metadata')).get(TAG),
        created=float(created) if isinstance(created, int | float) else None,
        problem='; '.join(_problem(item) for item in problems[:3]) or None,
        files=tuple(str(body[name]) for name in ('output_file_id', 'error_file_id') if body.get(name)),
        retry_after=retry_after,
    )


def row_answer(line: Mapping[str, Any]) -> RowAnswer | None:
    """The result in one line of a file of results, or None if the line is no result."""
    custom_id, response, error = line.get('custom_id'), line.get('response'), line.get('error')
    if not isinstance(custom_id, str):
        return None
    if isinstance(response, dict):
        status, body = response.get('status_code'), response.get('body')
        if isinstance(status, int) and status >= 400:
            return failed_row(custom_id, status, body, {})
        if isinstance(body, dict) and not error:
            return RowAnswer(custom_id=custom_id, body=body)
    return failed_row(custom_id, None, error, _LOST_BY) if error else None


def _problem(item: Mapping[str, Any]) -> str:
    where = f'line {item["line"]}: ' if item.get('line') is not None else ''
    code = f' ({item["code"]})' if item.get('code') else ''
    return f'{where}{item.get("message")}{code}'

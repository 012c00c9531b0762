"""Batches of Mistral: few rows in the body, many in a file; results in the job, or in files.

Source: https://docs.mistral.ai/capabilities/batch.
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
    JobState,
    ProviderJob,
    RowAnswer,
    count_of,
    line_of,
    list_of,
    object_of,
    uploaded_form,
)
from .batches import TAG, row_answer

__all__ = ['job_of', 'MistralBatches']

_PAGE = 100
_MOST_INLINE = BatchLimits(rows=1_000, size=8 * 2**20)
_STATES: dict[str, JobState] = {
    'SUCCESS': 'ended',
    'FAILED': 'failed',
    'TIMEOUT_EXCEEDED': 'ended',
    'CANCELLED': 'ended',
    'CANCELLATION_REQUESTED': 'cancelling',
}


class MistralBatches(Batches):
    """The API of Mistral's batch jobs."""

    limits = BatchLimits(rows=1_000_000, size=256 * 2**20)

    def row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """One line of the file, or one element of `requests`; the model is that of the job."""
        return line_of({'custom_id': custom_id, 'body': {k: v for k, v in body.items() if k != 'model'}})

    async def create(self, rows: Sequence[bytes], tag: str, headers: Mapping[str, str]) -> ProviderJob:
        """A job with these rows; many rows go as a file."""
        job = line_of({'endpoint': '/v1/chat/completions', 'model': self._model.model_name, 'metadata': {TAG: tag}})
        if len(rows) <= _MOST_INLINE.rows and sum(map(len, rows)) <= _MOST_INLINE.size:
            source = b'"requests":[%s]' % b','.join(rows)
        else:
            source = b'"input_files":[%s]' % line_of_text(await self._uploaded(rows, tag, headers))
        body = b'%s,%s}' % (job[:-1], source)
        return self._job(await self._send('POST', '/batch/jobs', body, headers=headers, once=True))

    async def job(self, job_id: str) -> ProviderJob:
        """The job as it is now, with its answers if it has them."""
        return self._job(await self._send('GET', f'/batch/jobs/{quote(job_id, safe="")}'))

    async def cancel(self, job_id: str) -> None:
        """Ask the provider to cancel the job."""
        await self._send('POST', f'/batch/jobs/{quote(job_id, safe="")}/cancel')

    async def jobs(self, since: float) -> AsyncIterator[ProviderJob]:
        """The jobs of this account; Mistral documents no order, so `since` is checked for each."""
        count = number = 0
        while True:
            body = (await self._send('GET', f'/batch/jobs?page={number}&page_size={_PAGE}')).body
            page = [job_of(item) for item in list_of(body.get('data')) if isinstance(item, dict)]
            for job in page:
                if job.created is None or job.created >= since:
                    yield job
            count, number = count + len(page), number + 1
            if not page or count >= count_of(body.get('total')):
                return

    async def answers(self, job: ProviderJob) -> AsyncGenerator[RowAnswer, None]:
        """The answers in the job, or the lines of its files."""
        for line in job.answers:
            yield self._read_line(row_answer, line)
        for file in () if job.answers else job.files:
            async with aclosing(self._lines(f'/files/{quote(file, safe="")}/content')) as lines:
                async for line in lines:
                    yield self._read_line(row_answer, line)

    async def _uploaded(self, rows: Sequence[bytes], tag: str, headers: Mapping[str, str]) -> str:
        form, content_type = uploaded_form(rows, f'{tag}.jsonl', {'purpose': 'batch'})
        file = await self._send('POST', '/files', form, content_type=content_type, headers=headers)
        return self._name_in(file.body, 'id', 'an uploaded file')

    def _job(self, answer: ApiAnswer) -> ProviderJob:
        self._name_in(answer.body, 'id', 'a batch job')
        return job_of(answer.body, answer.retry_after)


def line_of_text(text: str) -> bytes:
    """A text as JSON."""
    return line_of({'': text})[4:-1]


def job_of(body: Mapping[str, Any], retry_after: float | None = None) -> ProviderJob:
    """The job in an object `batch` of Mistral."""
    status, created = str(body.get('status')), body.get('created_at')
    problems = [str(object_of(item).get('message')) for item in list_of(body.get('errors'))]
    return ProviderJob(
        job_id=str(body.get('id')),
        state=_STATES.get(status, 'running'),
        ending='cancelled' if status == 'CANCELLED' else 'expired' if status == 'TIMEOUT_EXCEEDED' else 'completed',
        total=count_of(body.get('total_requests')),
        succeeded=count_of(body.get('succeeded_requests')),
        failed=count_of(body.get('failed_requests')),
        tag=object_of(body.get('metadata')).get(TAG),
        created=float(created) if isinstance(created, int | float) else None,
        problem='; '.join(problems[:3]) or None,
        files=tuple(str(body[name]) for name in ('output_file', 'error_file') if body.get(name)),
        answers=[item for item in list_of(body.get('outputs')) if isinstance(item, dict)],
        retry_after=retry_after,
    )

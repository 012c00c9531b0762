"""The batch APIs of the server: files and jobs, kept while it runs; their shapes are those of `_wire.batches`."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from ._wire.batch_rows import Job, Result, Row, body_of, file_object, uploaded
from ._wire.batches import kind_of
from .batch_plan import BatchPlan
from .recorded import RecordedRequest
from .script import Reply

Answer = Callable[[RecordedRequest], Awaitable[Reply]]


@dataclass
class BatchService:
    """Lives on the server's loop; only that loop's thread touches it.

    Attributes:
        plans: How the batches are treated, in the order in which they are made; the last one holds for all that follow.
        answer: Answers one row, as a request of its own.
    """

    plans: Sequence[BatchPlan]
    answer: Answer
    files: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: count(1))
    _broken: set[str] = field(default_factory=set)

    async def reply(self, request: RecordedRequest) -> Reply | None:
        """The reply to a request of a batch API; None if it is none."""
        path = request.path.partition('?')[0]
        for method, pattern, handle in _ROUTES:
            if method == request.method and (match := pattern.fullmatch(path)):
                return await handle(self, request, *match.groups())
        return None

    # --- files --------------------------------------------------------------------------------------------------------

    async def upload(self, request: RecordedRequest) -> Reply:
        rows = uploaded(request)
        if rows is None:
            return _refused(400, 'The form must have purpose=batch and a file.')
        name = f'file-{next(self._numbers)}'
        self.files[name] = rows
        return _json(file_object(name, rows))

    async def begin_upload(self, request: RecordedRequest) -> Reply:
        address = f'http://{request.headers["host"]}{request.path.partition("?")[0]}?upload={next(self._numbers)}'
        if 'x-goog-upload-offset' not in request.headers:
            return _json({}, {'x-goog-upload-url': address, 'x-goog-upload-status': 'active'})
        name = f'files/f{next(self._numbers)}'
        self.files[name] = request.body
        file = {'name': name, 'uri': f'https://example.invalid/{name}', 'state': 'ACTIVE'}
        file |= {'mimeType': 'application/jsonl', 'sizeBytes': str(len(request.body))}
        return _json({'file': file}, {'x-goog-upload-status': 'final'})

    async def content(self, request: RecordedRequest, name: str) -> Reply:
        del request
        if name not in self.files:
            return _refused(404, f'No such file: {name}')
        return self._file(name, 'application/octet-stream')

    async def file(self, request: RecordedRequest, name: str) -> Reply:
        del request
        known = name in self.files
        return _json(file_object(name, self.files[name])) if known else _refused(404, f'No such file: {name}')

    # --- jobs ---------------------------------------------------------------------------------------------------------

    async def create(self, request: RecordedRequest, model: str = '') -> Reply:
        plan = self.plans[min(len(self.jobs), len(self.plans) - 1)]
        kind = kind_of(request)
        rows = kind.rows(request, self.files, model)
        if isinstance(rows, str):
            return _refused(400, rows)
        if plan.creation == 'refused':
            self.plans = self.plans[1:] if len(self.plans) > 1 else (replace(plan, creation='answered'),)
            return Reply(status=500, headers={'x-should-retry': 'true'})
        number = next(self._numbers)
        about, host = kind.about(request, model), request.headers.get('host', '')
        job = Job(kind, kind.name(number), number, time.time(), plan, rows, about, host)
        self.jobs[job.name] = job
        return Reply(ending='reset_before_headers') if plan.creation == 'lost' else self._job(job)

    async def look(self, request: RecordedRequest, name: str) -> Reply:
        job = self.jobs.get(name)
        if job is None or job.kind is not kind_of(request, name):
            return _refused(404, f'No such batch: {name}')
        await self._look_at(job)
        return self._job(job)

    async def _look_at(self, job: Job) -> None:
        if not job.ended:
            job.looks += 1
            if job.looks > job.plan.polls or job.cancelling:
                await self._end(job)

    async def cancel(self, request: RecordedRequest, name: str) -> Reply:
        del request
        job = self.jobs.get(name)
        if job is None:
            return _refused(404, f'No such batch: {name}')
        job.cancelling = job.cancelling or not job.ended
        return self._job(job) if job.kind.shows_cancelled else _json({})

    async def list(self, request: RecordedRequest) -> Reply:
        kind = kind_of(request)
        jobs = sorted((job for job in self.jobs.values() if job.kind is kind), key=lambda job: -job.number)
        for job in jobs:
            await self._look_at(job)
        return _json(kind.page(jobs, request))

    async def results(self, request: RecordedRequest, name: str) -> Reply:
        del request
        job = self.jobs.get(name)
        if job is None or not job.ended or job.plan.results == 'gone':
            return _refused(404, f'No results of {name}')
        self.files[name] = job.kind.lines(job.results)
        return self._file(name, 'application/x-jsonl')

    def _file(self, name: str, content_type: str) -> Reply:
        broken = name in self._broken
        self._broken.discard(name)
        return Reply(body=self.files[name], content_type=content_type, ending='cut' if broken else 'done')

    def _job(self, job: Job) -> Reply:
        wait = job.plan.retry_after
        headers = {'retry-after': f'{wait:g}'} if wait is not None and not job.ended else {}
        return _json(job.kind.show(job), headers)

    async def _end(self, job: Job) -> None:
        ending = 'cancelled' if job.cancelling else job.plan.ending
        reached = len(job.rows) if ending == 'completed' else 0 if ending == 'failed' else job.plan.reached
        job.ending = ending
        job.results = [
            await self._result(row) if number < reached else Result(row.custom_id, lost=ending)
            for number, row in enumerate(job.rows)
        ]
        if ending == 'failed':
            job.results = []
            return
        job.results = [
            result
            for number, result in enumerate(job.results)
            for _ in range(2 if number in job.plan.repeated else 1)
            if number not in job.plan.missing
        ]
        job.results += [replace(job.results[0], custom_id=f'unknown-{n}') for n in range(job.plan.unknown)]
        if job.plan.reverse:
            job.results.reverse()
        files = job.kind.files(job)
        self.files |= files if job.plan.results != 'gone' else {}
        self._broken |= {*files, job.name} if job.plan.results == 'broken' else set()

    async def _result(self, row: Row) -> Result:
        request = row.request
        reply = await self.answer(request)
        return Result(row.custom_id, status=reply.status, body=body_of(reply, request))


def _json(value: object, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(body=value, content_type='application/json', headers=headers)


def _refused(status: int, message: str) -> Reply:
    body = {'error': {'message': message, 'type': 'invalid_request_error', 'code': None, 'param': None}}
    return Reply(status=status, body=body, content_type='application/json', headers={'x-should-retry': 'false'})


_ROUTES = [
    (method, re.compile(pattern), handle)
    for method, pattern, handle in (
        ('POST', r'/upload/[^/]+/files', BatchService.begin_upload),
        ('GET', r'(?:/download)?/[^/]+/(files/[^/:]+):download', BatchService.content),
        ('POST', r'.*/models/([^/]+):batchGenerateContent', BatchService.create),
        ('POST', r'.*/(batches/[^/:]+):cancel', BatchService.cancel),
        ('GET', r'.*/(batches/g[^/]+)', BatchService.look),
        ('POST', r'.*/messages/batches', BatchService.create),
        ('GET', r'.*/messages/batches', BatchService.list),
        ('GET', r'.*/messages/batches/([^/]+)', BatchService.look),
        ('GET', r'.*/messages/batches/([^/]+)/results', BatchService.results),
        ('POST', r'.*/messages/batches/([^/]+)/cancel', BatchService.cancel),
        ('POST', r'.*/batch/jobs', BatchService.create),
        ('GET', r'.*/batch/jobs', BatchService.list),
        ('GET', r'.*/batch/jobs/([^/]+)', BatchService.look),
        ('POST', r'.*/batch/jobs/([^/]+)/cancel', BatchService.cancel),
        ('POST', r'.*/batches', BatchService.create),
        ('GET', r'.*/batches', BatchService.list),
        ('GET', r'.*/batches/(batch_[^/]+)', BatchService.look),
        ('POST', r'.*/batches/(batch_[^/]+)/cancel', BatchService.cancel),
        ('POST', r'.*/files', BatchService.upload),
        ('GET', r'.*/files/([^/]+)', BatchService.file),
        ('GET', r'.*/files/([^/]+)/content', BatchService.content),
    )
]

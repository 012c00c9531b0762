"""Batches of Gemini: few rows in the body, many in a file; results in the job, in any order, or in a file.

Sources: https://ai.google.dev/gemini-api/docs/batch-api, https://ai.google.dev/api/batch-api,
https://ai.google.dev/api/files.
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
    seconds_of,
)
from .openapi_schema import openapi_schema

__all__ = ['GoogleBatches', 'job_of', 'row_answer']

_KEY = 'custom_id'
_PAGE = 100
_MOST_INLINE = 16 * 2**20  # bytes; Google takes 20 MB, including the JSON around the rows
_STATES: dict[str, JobState] = {'SUCCEEDED': 'ended', 'FAILED': 'failed', 'CANCELLED': 'ended', 'EXPIRED': 'ended'}
# The numbers of gRPC, as https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto maps them to HTTP.
_STATUS_OF_CODE = {
    1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500,
    14: 503, 15: 500, 16: 401,
}  # fmt: skip


class GoogleBatches(Batches):
    """The batch API of the Gemini API."""

    limits = BatchLimits(rows=100_000, size=256 * 2**20)

    def row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """One line of the file; for few rows, `create` turns it into an element of a list."""
        return line_of({'key': custom_id, 'request': {**body, 'model': f'models/{self._model.model_name}'}})

    def fitted(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body with its schemas in the older form: batches accept the newer form but ignore it.

        Source: an A/B test at https://github.com/crmne/ruby_llm/issues/894 (0 of 502 rows right with
        `responseJsonSchema`, all with `responseSchema`).
        """
        config = object_of(body.get('generationConfig'))
        if isinstance(schema := config.get('responseJsonSchema'), dict):
            rest = {name: value for name, value in config.items() if name != 'responseJsonSchema'}
            body['generationConfig'] = {**rest, 'responseSchema': openapi_schema(schema, 'the result')}
        body_tools = list_of(body.get('tools'))
        if any('functionDeclarations' in object_of(tool) for tool in body_tools):
            body['tools'] = [_older_tool(tool) for tool in body_tools]
        return body

    async def create(self, rows: Sequence[bytes], tag: str, headers: Mapping[str, str]) -> ProviderJob:
        """A job with these rows."""
        if sum(map(len, rows)) <= _MOST_INLINE:
            source = b'{"requests":{"requests":[%s]}}' % b','.join(map(_inline, rows))
        else:
            source = line_of({'fileName': await self._uploaded(rows, tag)})
        body = b'{"batch":{"displayName":"%s","inputConfig":%s}}' % (tag.encode(), source)
        path = f'/models/{quote(self._model.model_name, safe="")}:batchGenerateContent'
        return self._job(await self._send('POST', path, body, headers=headers, once=True))

    async def job(self, job_id: str) -> ProviderJob:
        """The job as it is now, with its answers if it holds them."""
        return self._job(await self._send('GET', f'/{quote(job_id)}'))

    async def cancel(self, job_id: str) -> None:
        """Ask the provider to cancel the job."""
        await self._send('POST', f'/{quote(job_id)}:cancel')

    async def jobs(self, since: float) -> AsyncIterator[ProviderJob]:
        """The jobs of this project; Google documents no order, so `since` is checked for each."""
        token = ''
        while True:
            query = f'?pageSize={_PAGE}' + (f'&pageToken={quote(token, safe="")}' if token else '')
            body = (await self._send('GET', f'/batches{query}')).body
            for item in list_of(body.get('operations')):
                job = job_of(object_of(item))
                if job.created is None or job.created >= since:
                    yield job
            following = body.get('nextPageToken')
            if not isinstance(following, str) or following in ('', token):
                return
            token = following

    async def answers(self, job: ProviderJob) -> AsyncGenerator[RowAnswer, None]:
        """The answers in the job, or the lines of its file."""
        for line in job.answers:
            yield self._read_line(row_answer, line)
        for file in job.files:
            root, _, version = self._model.base_url.rpartition('/')
            async with aclosing(self._lines(f'{root}/download/{version}/{quote(file)}:download?alt=media')) as lines:
                async for line in lines:
                    yield self._read_line(row_answer, line)

    async def _uploaded(self, rows: Sequence[bytes], tag: str) -> str:
        """The name of a new file with the rows, uploaded by Google's resumable protocol."""
        content = b'\n'.join(rows) + b'\n'
        root, _, version = self._model.base_url.rpartition('/')
        begin = {
            'x-goog-upload-protocol': 'resumable',
            'x-goog-upload-command': 'start',
            'x-goog-upload-header-content-length': str(len(content)),
            'x-goog-upload-header-content-type': 'application/jsonl',
        }
        about = line_of({'file': {'display_name': tag}})
        answer = await self._exchange('POST', f'{root}/upload/{version}/files', about, headers=begin)
        url = answer.headers.get('x-goog-upload-url', '')
        if not url.startswith(f'{root}/'):
            raise self._odd('no address of its own for an upload', {'x-goog-upload-url': url})
        rest = {'x-goog-upload-offset': '0', 'x-goog-upload-command': 'upload, finalize'}
        response = await self._send('POST', url, content, content_type='application/jsonl', headers=rest, once=True)
        return self._name_in(object_of(response.body.get('file')) or response.body, 'name', 'an uploaded file')

    def _job(self, answer: ApiAnswer) -> ProviderJob:
        self._name_in(answer.body, 'name', 'a batch')
        return job_of(answer.body, answer.retry_after)


def _inline(row: bytes) -> bytes:
    """An element of a list of requests, made of a line of a file: its key is in its metadata."""
    head, _, request = row.partition(b',"request":')
    return b'{"request":%s,"metadata":{"%s":%s}}' % (request[:-1], _KEY.encode(), head.partition(b':')[2])


def _older_tool(tool: dict[str, Any]) -> dict[str, Any]:
    declarations = [_older_declaration(one) for one in list_of(tool.get('functionDeclarations'))]
    return {**tool, 'functionDeclarations': declarations} if declarations else tool


def _older_declaration(declaration: dict[str, Any]) -> dict[str, Any]:
    schema = declaration.get('parametersJsonSchema')
    if not isinstance(schema, dict):
        return declaration
    rest = {name: value for name, value in declaration.items() if name != 'parametersJsonSchema'}
    older = openapi_schema(schema, f'the tool {declaration.get("name")!r}')
    return {**rest, 'parameters': older} if older.get('properties') else rest


def job_of(body: Mapping[str, Any], retry_after: float | None = None) -> ProviderJob:
    """The job in a long-running operation. At the end it holds its answers twice; one copy is read."""
    about = object_of(body.get('metadata'))
    state = str(about.get('state')).removeprefix('BATCH_STATE_').removeprefix('JOB_STATE_')
    counts, output = (
        object_of(about.get('batchStats')),
        object_of(body.get('response')) or object_of(about.get('output')),
    )
    inline = object_of(output.get('inlinedResponses')).get('inlinedResponses')
    problem = object_of(body.get('error')).get('message')
    failed: JobState = 'failed' if problem and not output else 'ended'
    return ProviderJob(
        job_id=str(body.get('name')),
        state=_STATES.get(state, failed if body.get('done') else 'running'),
        ending='cancelled' if state == 'CANCELLED' else 'expired' if state == 'EXPIRED' else 'completed',
        total=count_of(counts.get('requestCount')),
        succeeded=count_of(counts.get('successfulRequestCount')),
        failed=count_of(counts.get('failedRequestCount')),
        tag=about.get('displayName'),
        created=seconds_of(about.get('createTime')),
        problem=str(problem) if problem else None,
        files=(str(output['responsesFile']),) if output.get('responsesFile') else (),
        answers=[item for item in list_of(inline) if isinstance(item, dict)],
        retry_after=retry_after,
    )


def row_answer(line: Mapping[str, Any]) -> RowAnswer | None:
    """The result in a line of a file or in an element of a list; None if it is no result."""
    custom_id = line.get('key', object_of(line.get('metadata')).get(_KEY))
    response, error = line.get('response'), line.get('error')
    if not isinstance(custom_id, str):
        return None
    if isinstance(response, dict):
        return RowAnswer(custom_id=custom_id, body=response)
    if not isinstance(error, dict):
        return None
    code = error.get('code')
    status = _STATUS_OF_CODE.get(code, code) if isinstance(code, int) else None
    http_status = status if isinstance(status, int) and 400 <= status < 600 else None
    return RowAnswer(custom_id=custom_id, status=http_status, error={'error': error})

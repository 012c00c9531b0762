"""Batches in the wire formats of four providers: OpenAI (also Azure and Groq), Anthropic, Google and Mistral."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from ..recorded import RecordedRequest
from .batch_rows import Job, Kind, Result, Row, number_in, page_of, parsed_rows, repeated_id, rfc_3339, row_of

_DAY = 24 * 3600
_TIMES = ('finalizing_at', 'completed_at', 'failed_at', 'expired_at', 'cancelling_at', 'cancelled_at')
_GOOGLE_TYPE = 'type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch'
_NOTHING_USED: Mapping[str, Any] = {
    'input_tokens': 0,
    'output_tokens': 0,
    'total_tokens': 0,
    'input_tokens_details': {'cached_tokens': 0},
    'output_tokens_details': {'reasoning_tokens': 0},
}


def kind_of(request: RecordedRequest, name: str = '') -> Kind:
    """The kind of a request to a batch API."""
    path = request.path.partition('?')[0]
    if '/messages/batches' in path:
        return _ANTHROPIC
    if '/batch/jobs' in path:
        return _MISTRAL
    googles = ':batchGenerateContent' in path or 'x-goog-api-key' in request.headers or name.startswith('batches/')
    return _GOOGLE if googles else _OPENAI


class _OpenAI:
    shows_cancelled = True

    def name(self, number: int) -> str:
        return f'batch_{number}'

    def rows(self, request: RecordedRequest, files: Mapping[str, bytes], model: str) -> list[Row] | str:
        del model
        body = request.json if isinstance(request.json, dict) else {}
        if body.get('completion_window') != '24h' or body.get('input_file_id') not in files:
            return 'input_file_id must name an uploaded file, and completion_window must be 24h.'
        parsed = parsed_rows(files[body['input_file_id']])
        if isinstance(parsed, str):
            return parsed
        if wrong := repeated_id([row['custom_id'] for row in parsed]):
            return wrong
        endpoint = body.get('endpoint')
        if any(row['url'] != endpoint or row['method'] != 'POST' or row['body'].get('stream') for row in parsed):
            return 'Each row must be a POST to the endpoint of the batch, and must not stream.'
        if len({row['body'].get('model') for row in parsed}) > 1:
            return 'All rows of a batch must have one model.'
        return [row_of(n, row['custom_id'], row['url'], row['body']) for n, row in enumerate(parsed)]

    def about(self, request: RecordedRequest, model: str) -> Mapping[str, Any]:
        del model
        return {**request.json}

    def show(self, job: Job) -> dict[str, Any]:
        total = len(job.rows) if job.looks else 0
        done, failed, lost = job.count()
        status = job.ending or ('cancelling' if job.cancelling else 'in_progress' if job.looks else 'validating')
        problems = {'object': 'list', 'data': [{'code': 'token_limit_exceeded', 'message': job.plan.problem}]}
        files, created = self.files(job), int(job.created)
        times = {name: created if status == name.removesuffix('_at') else None for name in _TIMES}
        return {
            'id': job.name,
            'object': 'batch',
            'model': job.rows[0].request.json.get('model') if job.looks and job.rows else None,
            'errors': problems if status == 'failed' else None,
            'completion_window': '24h',
            'status': status,
            'output_file_id': next((name for name in files if name.endswith('-output')), None),
            'error_file_id': next((name for name in files if name.endswith('-error')), None),
            'created_at': created,
            'expires_at': created + _DAY,
            'in_progress_at': created if job.looks else None,
            **times,
            'request_counts': {'total': 0 if status == 'failed' else total, 'completed': done, 'failed': failed + lost},
            'usage': _NOTHING_USED,
            'metadata': None,
            **job.about,
        }

    def page(self, jobs: Sequence[Job], request: RecordedRequest) -> dict[str, Any]:
        data, more = page_of(jobs, request, 'after')
        return {'object': 'list', 'data': [self.show(job) for job in data], 'has_more': more}

    def lines(self, results: Iterable[Result]) -> bytes:
        return b''.join(to_json(self._line(number, result)) + b'\n' for number, result in enumerate(results))

    def files(self, job: Job) -> dict[str, bytes]:
        good = [result for result in job.results if result.lost is None and result.status < 400]
        bad = [result for result in job.results if result.lost is not None or result.status >= 400]
        by_name = {f'file-{job.number}-output': good, f'file-{job.number}-error': bad}
        return {name: self.lines(results) for name, results in by_name.items() if results}

    def _line(self, number: int, result: Result) -> dict[str, Any]:
        line: dict[str, Any] = {'id': f'batch_req_{number}', 'custom_id': result.custom_id}
        if result.lost is not None:
            message = f'This request was not executed: the batch was {result.lost}.'
            return {**line, 'response': None, 'error': {'code': f'batch_{result.lost}', 'message': message}}
        response = {'status_code': result.status, 'request_id': f'row-{number}', 'body': result.body}
        return {**line, 'response': response, 'error': None}


class _Mistral(_OpenAI):
    def name(self, number: int) -> str:
        return f'job-{number}'

    def rows(self, request: RecordedRequest, files: Mapping[str, bytes], model: str) -> list[Row] | str:
        del model
        body = request.json if isinstance(request.json, dict) else {}
        parsed: list[Any] | str = body.get('requests') or []
        if names := body.get('input_files'):
            parsed = parsed_rows(files[names[0]]) if names[0] in files else 'No such file.'
        if isinstance(parsed, str):
            return parsed
        return [
            row_of(n, r['custom_id'], body['endpoint'], {'model': body['model'], **r['body']})
            for n, r in enumerate(parsed)
        ]

    def show(self, job: Job) -> dict[str, Any]:
        done, failed, lost = job.count()
        words = {'completed': 'SUCCESS', 'failed': 'FAILED', 'expired': 'TIMEOUT_EXCEEDED', 'cancelled': 'CANCELLED'}
        status = words.get(job.ending) or (
            'CANCELLATION_REQUESTED' if job.cancelling else 'RUNNING' if job.looks else 'QUEUED'
        )
        about = {name: value for name, value in job.about.items() if name != 'requests'}
        kept = job.plan.results == 'kept' or 'input_files' in about
        inline = [self._line(n, result) for n, result in enumerate(job.results)] if kept else None
        files = {name.rpartition('-')[2]: name for name in self.files(job)}
        return {
            'id': job.name,
            'object': 'batch',
            'errors': [{'message': job.plan.problem, 'count': 1}] if job.ending == 'failed' else [],
            'status': status,
            'created_at': int(job.created),
            'outputs': (inline or None) if 'input_files' not in about else None,
            'output_file': files.get('output'),
            'error_file': files.get('error'),
            'total_requests': len(job.rows) if job.looks else 0,
            'completed_requests': done + failed,
            'succeeded_requests': done,
            'failed_requests': failed + lost,
            'input_files': ['made-of-requests'],
            'agent_id': None,
            'metadata': None,
            'started_at': int(job.created) if job.looks else None,
            'completed_at': int(job.created) if job.ended else None,
            **about,
        }

    def page(self, jobs: Sequence[Job], request: RecordedRequest) -> dict[str, Any]:
        number, size = (number_in(request, name, default) for name, default in (('page', 0), ('page_size', 100)))
        data = jobs[number * size : (number + 1) * size]
        forms = [{**self.show(job), 'outputs': None} for job in data]
        return {'object': 'list', 'data': forms, 'total': len(jobs)}


class _Anthropic:
    shows_cancelled = True

    def name(self, number: int) -> str:
        return f'msgbatch_{number}'

    def rows(self, request: RecordedRequest, files: Mapping[str, bytes], model: str) -> list[Row] | str:
        del files, model
        rows = request.json.get('requests') if isinstance(request.json, dict) else None
        if not isinstance(rows, list) or not rows:
            return 'requests: Field required'
        for row in rows:
            if not re.fullmatch(r'[a-zA-Z0-9_-]{1,64}', row['custom_id']):
                return f'custom_id {row["custom_id"]!r} should match the pattern ^[a-zA-Z0-9_-]{{1,64}}$'
        if wrong := repeated_id([row['custom_id'] for row in rows]):
            return wrong
        return [row_of(n, row['custom_id'], '/v1/messages', row['params']) for n, row in enumerate(rows)]

    def about(self, request: RecordedRequest, model: str) -> Mapping[str, Any]:
        del request, model
        return {}

    def show(self, job: Job) -> dict[str, Any]:
        results = job.results
        lost = {word: sum(r.lost == word for r in results) for word in ('cancelled', 'expired', 'failed')}
        done, failed, _ = job.count()
        counts = {'processing': 0 if job.ended else len(job.rows), 'succeeded': done, 'errored': failed}
        return {
            'id': job.name,
            'type': 'message_batch',
            'processing_status': 'ended' if job.ended else 'canceling' if job.cancelling else 'in_progress',
            'request_counts': {**counts, 'canceled': lost['cancelled'], 'expired': lost['expired']},
            'created_at': rfc_3339(job.created),
            'expires_at': rfc_3339(job.created + _DAY),
            'ended_at': rfc_3339(job.created) if job.ended else None,
            'archived_at': None,
            'cancel_initiated_at': rfc_3339(job.created) if job.cancelling else None,
            'results_url': f'http://{job.host}/v1/messages/batches/{job.name}/results' if job.ended else None,
        }

    def page(self, jobs: Sequence[Job], request: RecordedRequest) -> dict[str, Any]:
        data, more = page_of(jobs, request, 'after_id')
        return {'data': [self.show(job) for job in data], 'has_more': more}

    def lines(self, results: Iterable[Result]) -> bytes:
        return b''.join(to_json(self._line(result)) + b'\n' for result in results)

    def files(self, job: Job) -> dict[str, bytes]:
        del job
        return {}

    def _line(self, result: Result) -> dict[str, Any]:
        if result.lost is not None:
            what: dict[str, Any] = {'type': 'canceled' if result.lost == 'cancelled' else 'expired'}
        elif result.status >= 400:
            what = {'type': 'errored', 'error': result.body}
        else:
            what = {'type': 'succeeded', 'message': result.body}
        return {'custom_id': result.custom_id, 'result': what}


class _Google:
    shows_cancelled = False

    def name(self, number: int) -> str:
        return f'batches/g{number}'

    def rows(self, request: RecordedRequest, files: Mapping[str, bytes], model: str) -> list[Row] | str:
        source = request.json['batch']['inputConfig']
        if 'fileName' in source:
            parsed = parsed_rows(files.get(source['fileName'], b'?'))
            pairs = parsed if isinstance(parsed, str) else [(row['key'], row['request']) for row in parsed]
        else:
            pairs = [(row['metadata']['custom_id'], row['request']) for row in source['requests']['requests']]
        if isinstance(pairs, str):
            return pairs
        return [row_of(n, key, f'/v1beta/models/{model}:generateContent', body) for n, (key, body) in enumerate(pairs)]

    def about(self, request: RecordedRequest, model: str) -> Mapping[str, Any]:
        batch = request.json['batch']
        return {
            'model': f'models/{model}',
            'displayName': batch['displayName'],
            'file': 'fileName' in batch['inputConfig'],
        }

    def show(self, job: Job) -> dict[str, Any]:
        words = {'completed': 'SUCCEEDED', '': 'RUNNING' if job.looks else 'PENDING'}
        state = f'BATCH_STATE_{words.get(job.ending, job.ending.upper())}'
        done, failed, _ = job.count()
        waiting = 0 if job.ended else len(job.rows)
        counts = {'requestCount': len(job.rows), 'pendingRequestCount': waiting}
        counts |= {'successfulRequestCount': done, 'failedRequestCount': failed}
        stats = {name: str(value) for name, value in counts.items() if value or name == 'requestCount'}
        moments = ('createTime', 'updateTime', 'endTime')[: 3 if job.ended else 2]
        created = dict.fromkeys(moments, rfc_3339(job.created))
        about = {'@type': _GOOGLE_TYPE, 'name': job.name}
        about |= {name: job.about[name] for name in ('model', 'displayName')}
        form: dict[str, Any] = {
            'name': job.name,
            'metadata': {**about, **created, 'batchStats': stats, 'state': state},
        }
        if not job.ended:
            return form
        if job.ending != 'completed':
            return {**form, 'done': True, 'error': {'code': 13, 'message': job.plan.problem}}
        output: dict[str, Any] = {'responsesFile': f'files/out{job.number}'}
        if not job.about['file']:
            lines = [self._line(result, inline=True) for result in job.results]
            output = {'inlinedResponses': {'inlinedResponses': lines}}
        return {**form, 'metadata': {**form['metadata'], 'output': output}, 'done': True, 'response': output}

    def page(self, jobs: Sequence[Job], request: RecordedRequest) -> dict[str, Any]:
        begin, size = (number_in(request, name, default) for name, default in (('pageToken', 0), ('pageSize', 100)))
        following = {'nextPageToken': str(begin + size)} if begin + size < len(jobs) else {}
        return {'operations': [self.show(job) for job in jobs[begin : begin + size]], **following}

    def lines(self, results: Iterable[Result]) -> bytes:
        return b''.join(to_json(self._line(result, inline=False)) + b'\n' for result in results)

    def files(self, job: Job) -> dict[str, bytes]:
        return {f'files/out{job.number}': self.lines(job.results)} if job.about['file'] else {}

    def _line(self, result: Result, *, inline: bool) -> dict[str, Any]:
        key = {'metadata': {'custom_id': result.custom_id}} if inline else {'key': result.custom_id}
        if result.status >= 400:
            message = (result.body or {}).get('error', {}).get('message', '')
            return {
                'error': {'code': {400: 3, 404: 5, 429: 8, 503: 14}.get(result.status, 13), 'message': message},
                **key,
            }
        return {'response': result.body, **key}


_OPENAI, _MISTRAL, _ANTHROPIC, _GOOGLE = _OpenAI(), _Mistral(), _Anthropic(), _Google()

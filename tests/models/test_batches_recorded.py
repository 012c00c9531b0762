"""Recorded batch traffic of four providers: what is read of it, and that the same would have been sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from beside import RECORDINGS

from syncai._bridge import run_sync
from syncai.messages import ModelRequest, ModelResponse
from syncai.models import ModelRequestParameters
from syncai.models._http.batches import Batches, ProviderJob, RowAnswer
from syncai.models._http.model import HttpModel
from syncai.models.anthropic import AnthropicModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions

pytestmark = pytest.mark.needs_recordings
ANSWERS = {'0': '4', '1': 'Jupiter'}
Exchange = dict[str, Any]


def recorded(name: str) -> list[Exchange]:
    path = RECORDINGS / 'batch' / f'{name}.json'
    return json.loads(path.read_text()) if path.exists() else []


class Provider:
    """Answers each request with the recorded answer to the same method and path, in their order."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._left = list(exchanges)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        for number, exchange in enumerate(self._left):
            asked = exchange['request']
            if (asked['method'], urlsplit(asked['url']).path) == (request.method, path):
                answer = self._left.pop(number)['response']
                return httpx.Response(answer['status'], headers=answer['headers'], content=answer['body'])
        return httpx.Response(404, json={'error': {'message': f'nothing was recorded for {request.method} {path}'}})


def responses(http: HttpOptions) -> HttpModel:
    return OpenAIResponsesModel('gpt-5-nano', api_key='k', http=http)


def anthropic(http: HttpOptions) -> HttpModel:
    return AnthropicModel('claude-haiku-4-5', api_key='k', http=http)


def google(http: HttpOptions) -> HttpModel:
    return GoogleModel('gemini-2.5-flash', api_key='k', http=http)


def mistral(http: HttpOptions) -> HttpModel:
    return OpenAIChatModel('mistral-small-latest', provider='mistral', api_key='k', http=http)


FOUR = [
    pytest.param('openai_responses_two_answers', responses, id='openai'),
    pytest.param('anthropic_two_answers', anthropic, id='anthropic'),
    pytest.param('google_inline_two_answers', google, id='google'),
    pytest.param('mistral_inline_two_answers', mistral, id='mistral'),
]
Make = Callable[[HttpOptions], HttpModel]


def opened(name: str, make: Make) -> tuple[Provider, Batches]:
    provider = Provider(recorded(name))
    model = make(HttpOptions(transport=httpx.MockTransport(provider), max_retries=0))
    assert model._batches is not None
    return provider, model._batches


async def whole_way(batches: Batches) -> tuple[list[ProviderJob], list[RowAnswer], list[ModelResponse]]:
    """Two rows, sent, waited for and read."""
    rows = list[bytes]()
    headers = dict[str, str]()
    for number, question in enumerate(('What is 2 + 2? Just the number.', 'Name the largest planet.')):
        one = await batches.body([ModelRequest.user_text_prompt(question)], {}, ModelRequestParameters())
        rows.append(batches.row(str(number), one.body))
        headers |= one.headers
    jobs = [await batches.create(rows, 'tag', headers)]
    while jobs[-1].state != 'ended':
        jobs.append(await batches.job(jobs[0].job_id))
    answers = [answer async for answer in batches.answers(jobs[-1])]
    return jobs, answers, [batches.response(answer, {}) for answer in answers]


@pytest.mark.parametrize(('name', 'make'), FOUR)
def test_two_rows_are_sent_waited_for_and_answered(name: str, make: Make) -> None:
    _, batches = opened(name, make)
    jobs, answers, read = run_sync(lambda: whole_way(batches))
    assert {jobs[0].job_id} == {job.job_id for job in jobs}
    assert [job.state for job in jobs[:-1]] == ['running'] * (len(jobs) - 1)
    assert len(jobs) >= 3
    assert {a.custom_id: r.text for a, r in zip(answers, read, strict=True)} == ANSWERS
    assert (jobs[-1].total, jobs[-1].succeeded, jobs[-1].failed, jobs[-1].ending) == (2, 2, 0, 'completed')
    for response in read:
        assert response.usage.requests == 1
        assert (response.usage.request_tokens or 0) > 10
        assert response.provider_details is not None
        assert response.provider_details['processing'] == 'batch'


def test_the_price_of_recorded_answers_is_that_of_batches() -> None:
    """https://platform.openai.com/docs/pricing: gpt-5-nano 0.05 and 0.40 dollars a million, a half of it in batches."""
    pytest.importorskip('genai_prices')
    from dataclasses import replace
    from datetime import UTC, datetime
    from decimal import Decimal

    from syncai._prices import price_of

    _, batches = opened('openai_responses_two_answers', responses)
    _, _, read = run_sync(lambda: whole_way(batches))
    now = datetime(2026, 11, 1, tzinfo=UTC)
    counts = [(one.usage.request_tokens or 0, one.usage.response_tokens or 0) for one in read]
    expected = sum((Decimal(i) * Decimal('0.05') + Decimal(o) * Decimal('0.40')) / 10**6 / 2 for i, o in counts)
    assert price_of([replace(one, timestamp=now) for one in read]) == expected


@pytest.mark.parametrize(('name', 'make'), FOUR)
def test_requests_are_those_that_were_recorded(name: str, make: Make) -> None:
    provider, batches = opened(name, make)
    run_sync(lambda: whole_way(batches))
    posted = [request for request in provider.requests if request.method == 'POST']
    expected = [exchange['request'] for exchange in recorded(name) if exchange['request']['method'] == 'POST']
    assert [request.url.path for request in posted] == [urlsplit(one['url']).path for one in expected]
    for request, one in zip(posted, expected, strict=True):
        if one['json'] is None:
            assert_same_form(request, one['multipart'])
        else:
            sent = json.loads(request.content)
            assert shape(sent) >= shape(one['json']), 'a field of the recorded request is missing'


def shape(value: object, path: str = '') -> set[str]:
    """The paths of all fields; what a row says is left out, since the conversations differ."""
    if isinstance(value, list):
        return set().union(*(shape(item, f'{path}[]') for item in value))
    if not isinstance(value, dict):
        return {path}
    own = {'system', 'content', 'stream', 'contents', 'generationConfig', 'custom_id'}
    return {path}.union(*(shape(item, f'{path}.{key}') for key, item in value.items() if key not in own))


def assert_same_form(request: httpx.Request, parts: list[dict[str, Any]]) -> None:
    boundary = re.fullmatch(r'multipart/form-data; boundary=(\S+)', request.headers['content-type'])
    assert boundary is not None
    pieces = request.content.split(b'--' + boundary[1].encode())
    assert (pieces[0], pieces[-1]) == (b'', b'--\r\n')
    sent = dict[str, tuple[str, str]]()
    for piece in pieces[1:-1]:
        head, _, body = piece.decode().strip('\r\n').partition('\r\n\r\n')
        names = re.findall(r'[; ]name="(\w+)"', head)
        sent[names[0]] = (head, body)
    assert sent.keys() == {part['name'] for part in parts}
    assert sent['purpose'][1] == 'batch'
    head, text = sent['file']
    assert 'Content-Type: application/jsonl' in head
    assert 'filename="tag.jsonl"' in head
    expected = next(part['text'] for part in parts if part['name'] == 'file')
    for line, other in zip(text.strip().splitlines(), expected.splitlines(), strict=True):
        ours, theirs = json.loads(line), json.loads(other)
        assert ours.keys() == theirs.keys()
        assert {k: ours[k] for k in ('custom_id', 'method', 'url')} == {
            k: theirs[k] for k in ('custom_id', 'method', 'url')
        }
        assert ours['body'].keys() >= {'model', 'input'}
        assert 'stream' not in ours['body']


def test_anthropic_says_when_to_ask_again_and_what_was_cancelled() -> None:
    provider, batches = opened('anthropic_cancel', anthropic)

    async def cancelled() -> ProviderJob:
        job = await batches.create([batches.row('0', {})], 'tag', {})
        await batches.cancel(job.job_id)
        return job

    job = run_sync(cancelled)
    assert (job.state, job.total, job.succeeded) == ('running', 1, 0)
    assert provider.requests[-1].url.path.endswith(f'/messages/batches/{job.job_id}/cancel')
    _, waiting = opened('anthropic_two_answers', anthropic)
    jobs, _, _ = run_sync(lambda: whole_way(waiting))
    assert [job.retry_after for job in jobs] == [None, 10.0, 10.0, None]

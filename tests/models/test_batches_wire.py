"""The batch APIs over real sockets: what is asked for, and what is made of every way in which a batch can end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from batch_wires import SEVEN, Make, anthropic, azure, chat, google, mistral, older_azure

from syncai._bridge import run_sync
from syncai.exceptions import (
    BadRequestError,
    ModelAPIError,
    ModelConnectionError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UserError,
)
from syncai.messages import ModelRequest
from syncai.models import ModelRequestParameters, infer_model
from syncai.models._anthropic import batches as of_anthropic
from syncai.models._chat import batches as of_openai
from syncai.models._chat import mistral_batches as of_mistral
from syncai.models._google import batches as of_google
from syncai.models._google.openapi_schema import openapi_schema
from syncai.models._http.batches import Batches, BatchLimits, ProviderJob, RowAnswer
from syncai.models._http.model import HttpModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import BatchPlan, ModelServer, RecordedRequest, Reply


def batches_of(model: HttpModel) -> Batches:
    assert model._batches is not None
    return model._batches


async def sent(batches: Batches, count: int = 3, tag: str = 'tag-1') -> ProviderJob:
    rows = []
    for number in range(count):
        one = await batches.body([ModelRequest.user_text_prompt(f'row {number}')], {}, ModelRequestParameters())
        rows.append(batches.row(f'{tag}-{number}', one.body))
    return await batches.create(rows, tag, {})


async def ended(batches: Batches, job: ProviderJob) -> ProviderJob:
    while job.state in ('running', 'cancelling'):
        job = await batches.job(job.job_id)
    return job


async def whole_way(batches: Batches, count: int = 3) -> tuple[ProviderJob, dict[str, RowAnswer]]:
    job = await ended(batches, await sent(batches, count))
    return job, {answer.custom_id: answer async for answer in batches.answers(job)}


def question(request: RecordedRequest) -> str:
    """The last text in a request, whatever its format."""
    texts: list[str] = []

    def look(value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if key in ('text', 'content') and isinstance(item, str):
                    texts.append(item)
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look(request.json)
    return texts[-1]


def echo(request: RecordedRequest) -> Reply:
    text = question(request)
    status = {'row 1': 400}.get(text, 200)
    return Reply(f'you said {text}', usage=(3, 2), status=status)


@pytest.mark.parametrize('make', SEVEN)
def test_rows_come_back_by_their_ids_in_any_order(make: Make) -> None:
    with ModelServer(echo) as server:
        batches = batches_of(make(server))
        job, answers = run_sync(lambda: whole_way(batches))
        assert (job.state, job.ending, job.total, job.succeeded, job.failed) == ('ended', 'completed', 3, 2, 1)
        assert batches.response(answers['tag-1-2'], {}).text == 'you said row 2'
        with pytest.raises(BadRequestError) as caught:
            batches.response(answers['tag-1-1'], {})
        assert caught.value.provider == make(server).system


@pytest.mark.parametrize('make', SEVEN)
def test_jobs_are_found_by_their_tags(make: Make) -> None:
    with ModelServer(echo) as server:
        batches = batches_of(make(server))

        async def jobs() -> list[ProviderJob]:
            for number in range(3):
                await sent(batches, tag=f'tag-{number}')
            return [job async for job in batches.jobs(0)]

        found = run_sync(jobs)
        assert len(found) == 3
        assert all(job.created is not None for job in found)
        assert {job.tag for job in found} == ({'tag-0', 'tag-1', 'tag-2'} if batches.has_tags else {None})


@pytest.mark.parametrize('make', SEVEN)
def test_more_jobs_than_a_page_holds(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (of_openai, of_anthropic, of_google, of_mistral):
        monkeypatch.setattr(module, '_PAGE', 2)
    with ModelServer(echo) as server:
        batches = batches_of(make(server))

        async def jobs() -> Sequence[str]:
            for number in range(5):
                await sent(batches, 1, tag=f'tag-{number}')
            return [job.job_id async for job in batches.jobs(0)]

        found = run_sync(jobs)
        assert len(set(found)) == len(found) == 5


@pytest.mark.parametrize('make', SEVEN)
def test_a_cancelled_job_gives_what_was_answered(make: Make) -> None:
    with ModelServer(echo, batches=BatchPlan(reached=1)) as server:
        batches = batches_of(make(server))

        async def cancelled() -> tuple[ProviderJob, list[RowAnswer]]:
            job = await sent(batches)
            await batches.cancel(job.job_id)
            job = await ended(batches, job)
            return job, [answer async for answer in batches.answers(job)]

        job, answers = run_sync(cancelled)
        assert job.ending == 'cancelled'
        if make is google:
            assert answers == []  # "Unfinished rows of an expired job give nothing", and so do finished ones
            return
        assert {answer.custom_id: answer.lost for answer in answers} == {
            'tag-1-0': None,
            'tag-1-1': 'cancelled',
            'tag-1-2': 'cancelled',
        }


@pytest.mark.parametrize('make', SEVEN)
def test_an_expired_job_gives_what_was_answered(make: Make) -> None:
    with ModelServer(echo, batches=BatchPlan(ending='expired', reached=1)) as server:
        job, answers = run_sync(lambda: whole_way(batches_of(make(server))))
        assert job.ending == 'expired'
        assert {answer.lost for answer in answers.values()} == (set() if make is google else {None, 'expired'})


@pytest.mark.parametrize('make', SEVEN)
def test_a_job_that_failed_says_why(make: Make) -> None:
    if make is anthropic:
        pytest.skip('Anthropic validates each row by itself: a job never fails')
    with ModelServer(echo, batches=BatchPlan(ending='failed', problem='too many tokens')) as server:
        job, answers = run_sync(lambda: whole_way(batches_of(make(server))))
        assert (job.state, answers) == ('failed', {})
        assert 'too many tokens' in (job.problem or '')


@pytest.mark.parametrize('make', SEVEN)
def test_results_that_are_gone(make: Make) -> None:
    with ModelServer(echo, batches=BatchPlan(results='gone')) as server:
        if make is google:
            pytest.skip('answers in the job cannot be gone while it is there')
        with pytest.raises(NotFoundError):
            run_sync(lambda: whole_way(batches_of(make(server))))


@pytest.mark.parametrize('make', [chat, anthropic])
def test_results_that_break_off_are_an_error_and_can_be_read_again(make: Make) -> None:
    with ModelServer(echo, batches=BatchPlan(results='broken')) as server:
        batches = batches_of(make(server))

        async def first() -> ProviderJob:
            return await ended(batches, await sent(batches, 50))

        async def read(job: ProviderJob) -> list[RowAnswer]:
            return [answer async for answer in batches.answers(job)]

        job = run_sync(first)
        for _ in job.files or ['results']:
            with pytest.raises(ModelAPIError):
                run_sync(lambda: read(job))
        assert len(run_sync(lambda: read(job))) == 50


@pytest.mark.parametrize('make', SEVEN)
def test_a_job_is_asked_for_once_where_nobody_knows_whether_it_was_made(make: Make) -> None:
    with ModelServer(echo, batches=BatchPlan(creation='lost')) as server:
        batches = batches_of(make(server))
        with pytest.raises(ModelConnectionError):
            run_sync(lambda: sent(batches))

        async def jobs() -> list[ProviderJob]:
            return [job async for job in batches.jobs(0)]

        assert len(run_sync(jobs)) == 1


@pytest.mark.parametrize('make', SEVEN)
def test_a_refused_creation(make: Make) -> None:
    with ModelServer(echo, batches=BatchPlan(creation='refused')) as server:
        batches = batches_of(make(server))
        with pytest.raises(ServerError):
            run_sync(lambda: sent(batches))
        assert run_sync(lambda: whole_way(batches))[0].state == 'ended'


@pytest.mark.parametrize('make', [google, mistral])
def test_many_rows_go_by_file(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_google, '_MOST_INLINE', 0)
    monkeypatch.setattr(of_mistral, '_MOST_INLINE', BatchLimits(0, 0))
    with ModelServer(echo) as server:
        batches = batches_of(make(server))
        _, answers = run_sync(lambda: whole_way(batches))
        assert batches.response(answers['tag-1-2'], {}).text == 'you said row 2'
        assert any('/files' in request.path and request.method == 'POST' for request in server.requests)
        assert any(request.path.endswith(('/content', ':download?alt=media')) for request in server.requests)


def test_azure_has_its_own_addresses() -> None:
    """https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch: the address of a row lacks the /v1."""
    for make, prefix, query in (
        (azure, '/v1', ''),
        (older_azure, '/openai', '?api-version=2025-04-01-preview'),
    ):
        with ModelServer(echo) as server:
            run_sync(lambda make=make, server=server: sent(batches_of(make(server))))  # type: ignore[misc]
            upload, create = server.requests
            assert (upload.path, create.path) == (f'{prefix}/files{query}', f'{prefix}/batches{query}')
            assert create.json['endpoint'] == '/chat/completions'
            assert upload.headers['api-key'] == 'k'


def test_a_file_of_azure_is_used_when_it_is_processed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_openai, '_PAUSE', 0.0)
    statuses = ['pending', 'running', 'processed']
    asked = list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f'{request.method} {request.url.path}')
        if '/files' in request.url.path:
            return httpx.Response(200, json={'id': 'file-1', 'status': statuses.pop(0)})
        return httpx.Response(200, json={'id': 'batch_1', 'status': 'validating'})

    http = HttpOptions(transport=httpx.MockTransport(answer))
    model = OpenAIChatModel('mine', provider='azure', base_url='https://x.openai.azure.com', api_key='k', http=http)
    assert run_sync(lambda: sent(batches_of(model))).job_id == 'batch_1'
    assert asked == [
        'POST /openai/v1/files',
        'GET /openai/v1/files/file-1',
        'GET /openai/v1/files/file-1',
        'POST /openai/v1/batches',
    ]


@pytest.mark.parametrize('name', ['bedrock:anthropic.claude-sonnet-4-5', 'xai:grok-4', 'ollama:llama', 'deepseek:chat'])
def test_other_providers_have_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ('XAI_API_KEY', 'DEEPSEEK_API_KEY', 'AWS_BEARER_TOKEN_BEDROCK'):
        monkeypatch.setenv(variable, 'k')
    monkeypatch.setenv('AWS_REGION', 'eu-west-1')
    model = infer_model(name)
    assert isinstance(model, HttpModel)
    assert model._batches is None


# --- lines as the providers' pages have them --------------------------------------------------------------------------


def failure(batches: Batches, answer: RowAnswer | None) -> Exception:
    assert answer is not None
    with pytest.raises(Exception) as caught:
        batches.response(answer, {})
    return caught.value


def test_a_row_of_openai_that_failed_with_a_status() -> None:
    """As at https://github.com/openai/openai-cookbook and issue kaapi-backend #723: in the file of errors."""
    body = {'error': {'message': 'Rate limit reached', 'type': 'requests', 'code': 'rate_limit_exceeded'}}
    line = {'id': 'batch_req_1', 'custom_id': 'a', 'response': {'status_code': 429, 'body': body}, 'error': None}
    with ModelServer() as server:
        assert isinstance(failure(batches_of(chat(server)), of_openai.row_answer(line)), RateLimitError)


def test_a_row_of_openai_that_was_not_reached() -> None:
    """https://platform.openai.com/docs/guides/batch#7-batch-expiration."""
    message = 'This request could not be executed before the completion window expired.'
    line = {'id': 'batch_req_123', 'custom_id': 'request-3', 'response': None}
    expired = of_openai.row_answer({**line, 'error': {'code': 'batch_expired', 'message': message}})
    assert expired is not None
    assert (expired.custom_id, expired.lost) == ('request-3', 'expired')


def test_a_row_of_anthropic_that_failed_has_two_levels_of_errors_or_one() -> None:
    """https://platform.claude.com/docs/en/build-with-claude/batch-processing."""
    inner = {'type': 'invalid_request_error', 'message': 'max_tokens: Field required'}
    with ModelServer() as server:
        batches = batches_of(anthropic(server))
        for error in ({'type': 'error', 'error': inner}, inner):
            line = {'custom_id': 'a', 'result': {'type': 'errored', 'error': error}}
            caught = failure(batches, of_anthropic.row_answer(line))
            assert isinstance(caught, BadRequestError)
            assert 'max_tokens: Field required' in str(caught)


def test_a_row_of_gemini_that_failed_has_a_number_of_grpc() -> None:
    line = {'error': {'code': 3, 'message': 'Request contains an invalid argument.'}, 'metadata': {'custom_id': 'a'}}
    with ModelServer() as server:
        assert isinstance(failure(batches_of(google(server)), of_google.row_answer(line)), BadRequestError)


@pytest.mark.parametrize(
    'line', [{}, {'custom_id': 'a'}, {'custom_id': 1, 'response': {}}, {'custom_id': 'a', 'result': {}}]
)
def test_what_is_no_result_is_not_understood(line: dict[str, Any]) -> None:
    assert of_openai.row_answer(line) is None
    assert of_anthropic.row_answer(line) is None
    assert of_google.row_answer(line) is None


def test_an_empty_name_of_a_file_is_none() -> None:
    """kaibo #93: `error_file_id` was an empty text."""
    assert of_openai.job_of({'id': 'b', 'status': 'completed', 'output_file_id': 'f', 'error_file_id': ''}).files == (
        'f',
    )


def test_a_total_of_nothing_is_not_the_end() -> None:
    counts = {'total': 0, 'completed': 0, 'failed': 0}
    job = of_openai.job_of({'id': 'b', 'status': 'validating', 'request_counts': counts})
    assert (job.state, job.total) == ('running', 0)


@pytest.mark.parametrize('word', ['BATCH_STATE_SUCCEEDED', 'JOB_STATE_SUCCEEDED'])
def test_states_of_gemini_have_two_spellings(word: str) -> None:
    assert of_google.job_of({'name': 'batches/1', 'metadata': {'state': word}, 'done': True}).state == 'ended'


# --- Gemini's older schemas -------------------------------------------------------------------------------------------


def test_the_schema_of_a_batch_of_gemini_is_the_older_one() -> None:
    """https://github.com/crmne/ruby_llm/issues/894: with `responseJsonSchema` no row had the right shape."""
    schema = {
        'type': 'object',
        'properties': {
            'name': {'anyOf': [{'type': 'string'}, {'type': 'null'}]},
            'size': {'type': 'integer', 'enum': [1, 2]},
            'kind': {'const': 'city'},
            'next': {'anyOf': [{'type': 'string'}, {'type': 'integer'}]},
            'tags': {'type': 'array', 'items': {'type': ['number', 'null']}},
        },
        'required': ['name'],
        'additionalProperties': False,
    }
    assert openapi_schema(schema, 'the result') == {
        'type': 'OBJECT',
        'properties': {
            'name': {'type': 'STRING', 'nullable': True},
            'size': {'type': 'INTEGER'},
            'kind': {'type': 'STRING', 'enum': ['city']},
            'next': {'anyOf': [{'type': 'STRING'}, {'type': 'INTEGER'}]},
            'tags': {'type': 'ARRAY', 'items': {'type': 'NUMBER', 'nullable': True}},
        },
        'required': ['name'],
    }


def test_a_schema_that_refers_to_itself_is_refused() -> None:
    tree = {'type': 'object', 'properties': {'left': {'$ref': '#/$defs/Tree'}}}
    with pytest.raises(UserError, match='map_sync'):
        openapi_schema({'$ref': '#/$defs/Tree', '$defs': {'Tree': tree}}, 'the result')

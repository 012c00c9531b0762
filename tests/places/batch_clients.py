"""The providers' own clients at the batch APIs of a server on loopback; run by test_places_batch_clients.py.

    python batch_clients.py openai|groq|openai_responses|anthropic|mistral|gemini http://127.0.0.1:port folder

It needs the packages openai, anthropic, groq, mistralai and google-genai, in an environment of their own, and knows
nothing of syncai.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROMPTS = {'first': 'a', 'second': 'bad', 'third': 'c'}


@contextmanager
def raises(kind: type[Exception]) -> Iterator[None]:
    """A block that must fail so."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f'no {kind.__name__}')


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b''.join(json.dumps(row).encode() + b'\n' for row in rows)


def chat_rows(path: str = '/v1/chat/completions') -> bytes:
    return lines(
        [
            {
                'custom_id': name,
                'method': 'POST',
                'url': path,
                'body': {'model': 'm', 'messages': [{'role': 'user', 'content': prompt}]},
            }
            for name, prompt in PROMPTS.items()
        ]
    )


def said(text: str) -> dict[str, tuple[int, str]]:
    """By their ids: the status of each row, and what was answered."""
    found = {}
    for line in text.splitlines():
        row = json.loads(line)
        body = row['response']['body']
        answer = body['choices'][0]['message']['content'] if 'choices' in body else body['error']['message']
        found[row['custom_id']] = row['response']['status_code'], answer
    return found


def openai(address: str, folder: Path, package: str = 'openai') -> None:
    module = importlib.import_module(package)
    if package == 'openai':
        client = module.OpenAI(api_key='k', base_url=f'{address}/v1', max_retries=0)
    else:  # it adds /openai/v1 itself
        client = module.Groq(api_key='k', base_url=address, max_retries=0)
    file = client.files.create(file=('rows.jsonl', chat_rows()), purpose='batch')
    assert file.id
    assert client.files.content(file.id).read() == chat_rows()
    batch = client.batches.create(
        input_file_id=file.id, endpoint='/v1/chat/completions', completion_window='24h', metadata={'for': 'a test'}
    )
    type(batch).model_validate(batch.model_dump())  # nothing that its type requires is missing
    assert (batch.object, batch.status, batch.metadata) == ('batch', 'validating', {'for': 'a test'})
    states = []
    while (batch := client.batches.retrieve(batch.id)).status != 'completed':
        states.append(batch.status)
        assert len(states) < 10
    assert states == ['in_progress']
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (3, 2, 1)
    answers = said(client.files.content(batch.output_file_id).read().decode())
    errors = said(client.files.content(batch.error_file_id).read().decode())
    assert answers == {'first': (200, 'you said a'), 'third': (200, 'you said c')}
    assert errors['second'][0] == 400
    other_calls_of_openai(client, module, file.id, batch.id)


def other_calls_of_openai(client: Any, module: Any, file: str, batch: str) -> None:
    assert [one.id for one in client.batches.list().data] == [batch]
    other = client.batches.create(input_file_id=file, endpoint='/v1/chat/completions', completion_window='24h')
    assert client.batches.cancel(other.id).status == 'cancelling'
    assert client.batches.retrieve(other.id).status == 'cancelled'
    with raises(module.NotFoundError):
        client.batches.retrieve('batch_999')
    with raises(module.BadRequestError):
        client.batches.create(input_file_id='none', endpoint='/v1/chat/completions', completion_window='24h')


def groq(address: str, folder: Path) -> None:
    openai(address, folder, 'groq')


def openai_responses(address: str, folder: Path) -> None:
    module = importlib.import_module('openai')
    client = module.OpenAI(api_key='k', base_url=f'{address}/v1', max_retries=0)
    rows = [
        {
            'custom_id': name,
            'method': 'POST',
            'url': '/v1/responses',
            'body': {'model': 'm', 'input': [{'role': 'user', 'content': prompt}]},
        }
        for name, prompt in (('one', 'x'), ('two', 'y'))
    ]
    file = client.files.create(file=io.BytesIO(lines(rows)), purpose='batch')
    made = [
        client.batches.create(input_file_id=file.id, endpoint='/v1/responses', completion_window='24h').id
        for _ in range(5)
    ]
    batch = client.batches.retrieve(made[0])
    while batch.status != 'completed':
        batch = client.batches.retrieve(batch.id)
    assert batch.error_file_id is None
    for line in client.files.content(batch.output_file_id).read().decode().splitlines():
        body = json.loads(line)['response']['body']
        assert body['output'][0]['content'][0]['text'].startswith('you said ')
    assert [one.id for one in client.batches.list(limit=2)] == made[::-1]  # it follows the pages


def anthropic(address: str, folder: Path) -> None:
    module = importlib.import_module('anthropic')
    client = module.Anthropic(api_key='k', base_url=address, max_retries=0)
    batch = client.messages.batches.create(
        requests=[
            {
                'custom_id': name,
                'params': {
                    'model': 'claude-haiku-4-5',
                    'max_tokens': 9,
                    'messages': [{'role': 'user', 'content': prompt}],
                },
            }
            for name, prompt in PROMPTS.items()
        ]
    )
    type(batch).model_validate(batch.model_dump())
    assert (batch.type, batch.processing_status, batch.request_counts.processing) == ('message_batch', 'in_progress', 3)
    assert batch.expires_at > batch.created_at
    with raises(module.AnthropicError):
        client.messages.batches.results(batch.id)  # not yet
    while (batch := client.messages.batches.retrieve(batch.id)).processing_status != 'ended':
        pass
    assert (batch.request_counts.succeeded, batch.request_counts.errored) == (2, 1)
    rows = {row.custom_id: row.result for row in client.messages.batches.results(batch.id)}
    assert {name: result.type for name, result in rows.items()} == {
        'first': 'succeeded',
        'second': 'errored',
        'third': 'succeeded',
    }
    assert rows['first'].message.content[0].text == 'you said a'
    assert rows['second'].error.error.type == 'invalid_request_error'
    other_calls_of_anthropic(client, module, batch.id)


def other_calls_of_anthropic(client: Any, module: Any, batch: str) -> None:
    assert [one.id for one in client.messages.batches.list(limit=1)] == [batch]
    other = client.messages.batches.create(
        requests=[{'custom_id': 'x', 'params': {'model': 'm', 'max_tokens': 1, 'messages': []}}]
    )
    assert client.messages.batches.cancel(other.id).processing_status == 'canceling'
    ended = client.messages.batches.retrieve(other.id)
    assert (ended.processing_status, ended.request_counts.canceled) == ('ended', 1)
    assert [row.result.type for row in client.messages.batches.results(other.id)] == ['canceled']
    with raises(module.BadRequestError):
        client.messages.batches.create(requests=[{'custom_id': 'not valid!', 'params': {}}])


def mistral(address: str, folder: Path, inline: bool = False) -> None:
    client = importlib.import_module('mistralai.client').Mistral(api_key='k', server_url=address)
    rows = [
        {'custom_id': name, 'body': {'messages': [{'role': 'user', 'content': prompt}]}}
        for name, prompt in PROMPTS.items()
    ]
    source: dict[str, Any] = {'requests': rows}
    if not inline:
        file = client.files.upload(file={'file_name': 'rows.jsonl', 'content': lines(rows)}, purpose='batch')
        source = {'input_files': [file.id]}
    job = client.batch.jobs.create(
        endpoint='/v1/chat/completions', model='mistral-small-latest', metadata={'for': 'a test'}, **source
    )
    assert job.status == 'QUEUED'
    while (job := client.batch.jobs.get(job_id=job.id)).status in ('QUEUED', 'RUNNING'):
        pass
    assert (job.status, job.total_requests, job.succeeded_requests, job.failed_requests) == ('SUCCESS', 3, 2, 1)
    if inline:
        assert {row['custom_id']: row['response']['status_code'] for row in job.outputs} == {
            'first': 200,
            'second': 400,
            'third': 200,
        }
    else:
        answers = said(client.files.download(file_id=job.output_file).read().decode())
        assert answers == {'first': (200, 'you said a'), 'third': (200, 'you said c')}
        assert said(client.files.download(file_id=job.error_file).read().decode())['second'][0] == 400
    listed = client.batch.jobs.list()
    assert (listed.total, [one.id for one in listed.data]) == (1, [job.id])
    other = client.batch.jobs.create(endpoint='/v1/chat/completions', model='mistral-small-latest', requests=rows)
    assert client.batch.jobs.cancel(job_id=other.id).status == 'CANCELLATION_REQUESTED'
    assert client.batch.jobs.get(job_id=other.id).status == 'CANCELLED'


def mistral_inline(address: str, folder: Path) -> None:
    mistral(address, folder, inline=True)


def gemini(address: str, folder: Path, inline: bool = False) -> None:
    genai = importlib.import_module('google.genai')
    client = genai.Client(api_key='k', http_options={'base_url': address, 'api_version': 'v1beta'})
    contents = {name: [{'role': 'user', 'parts': [{'text': prompt}]}] for name, prompt in PROMPTS.items()}
    source: Any = [{'contents': one, 'metadata': {'custom_id': name}} for name, one in contents.items()]
    if not inline:
        rows = folder / 'rows.jsonl'
        rows.write_bytes(lines([{'key': name, 'request': {'contents': one}} for name, one in contents.items()]))
        source = client.files.upload(file=str(rows), config={'mime_type': 'jsonl', 'display_name': 'rows'}).name
    job = client.batches.create(model='gemini-2.5-flash', src=source, config={'display_name': 'a test'})
    assert job.display_name == 'a test'
    seen = []
    while (job := client.batches.get(name=job.name)).state.name not in ('JOB_STATE_SUCCEEDED', 'JOB_STATE_FAILED'):
        seen.append(job.state.name)
        assert len(seen) < 10
    assert seen == ['JOB_STATE_RUNNING']
    assert job.state.name == 'JOB_STATE_SUCCEEDED'
    if inline:
        texts = {row.metadata['custom_id']: row.response and row.response.text for row in job.dest.inlined_responses}
        assert texts == {'first': 'you said a', 'second': None, 'third': 'you said c'}
        errors = [row.error for row in job.dest.inlined_responses if row.error]
        assert [error.code for error in errors] == [3]
    else:
        content = client.files.download(file=job.dest.file_name).decode()
        rows_read = [json.loads(line) for line in content.splitlines()]
        assert {row['key']: 'response' in row for row in rows_read} == {'first': True, 'second': False, 'third': True}
    assert [one.name for one in client.batches.list()] == [job.name]
    other = client.batches.create(model='gemini-2.5-flash', src=source, config={'display_name': 'another'})
    client.batches.cancel(name=other.name)
    assert client.batches.get(name=other.name).state.name == 'JOB_STATE_CANCELLED'


def gemini_inline(address: str, folder: Path) -> None:
    gemini(address, folder, inline=True)


if __name__ == '__main__':
    name, where, place = sys.argv[1:]
    globals()[name](where, Path(place))

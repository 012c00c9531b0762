"""Keys stay out of everything that comes out: see planted.py, which watches every test of the suite."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from transport_server import Connection, Server, run

import syncai
from syncai import Agent, HttpOptions, UserError, model_request_stream_sync, model_request_sync
from syncai.messages import ModelRequest
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, Reply

TESTS = Path(__file__).parent
KEY = 'sk-planted-0123456789abcdef'
PROMPT = 'the-planted-prompt'
KINDS: list[Any] = [OpenAIChatModel, OpenAIResponsesModel, AnthropicModel, GoogleModel, BedrockModel]
EVERY = pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)
WATCHED = ['test_every_provider.py', 'test_exceptions.py']


def pytest_in_a_process(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *args]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=TESTS.parent, env=env, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.slow
def test_no_key_in_debug_logs_or_local_variables() -> None:
    files = [str(path) for name in WATCHED for path in TESTS.rglob(name)]
    done = pytest_in_a_process('--log-level=DEBUG', *files, PLANTED_DEEP='1')
    assert done.returncode == 0, done.stdout[-3000:]
    assert ' passed' in done.stdout


LEAKS = {
    'log': "logging.getLogger('somebody').warning('sent %s', KEY)",
    'output': 'print(KEY)',
    'error': "syncai.UserError(f'wrong key: {KEY}')",
}


@pytest.mark.slow
@pytest.mark.parametrize('leak', LEAKS)
def test_a_key_that_comes_out_is_found(leak: str, tmp_path: Path) -> None:
    test = tmp_path / 'test_leak.py'
    test.write_text(f"""
import logging, syncai
from syncai.models.openai import OpenAIChatModel
KEY = 'sk-' + 'leaking' * 2
def test_leak(model_server):
    model_server.reply(syncai.testing.Reply('x'))
    model = OpenAIChatModel('m', base_url=model_server.base_url, api_key=KEY)
    syncai.model_request_sync(model, [syncai.ModelRequest.user_text_prompt('x')])
    {LEAKS[leak]}
""")
    (tmp_path / 'conftest.py').write_text('from planted import pytest_runtest_makereport\n')
    done = pytest_in_a_process(str(test), PYTHONPATH=str(TESTS / 'support'))
    assert done.returncode == 1, done.stdout
    assert 'a key came out' in done.stdout


def model_of(kind: Any, server: ModelServer, **options: Any) -> Model:
    made: Model = kind('m', base_url=server.base_url, api_key=KEY, http=HttpOptions(max_retries=0, **options))
    return made


def shown_by(error: BaseException | None) -> str:
    """The output of a tool that prints the local variables of the library's frames and of the error with its causes."""
    ours, text = str(Path(syncai.__file__).parent), ''
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename.startswith(ours):
                text += ''.join(f'{frame.f_code.co_qualname}: {name} = {v!r}\n' for name, v in frame.f_locals.items())
        text += f'{error!r}{error}{vars(error)}'
        error = error.__cause__ or error.__context__
    return text


def raised_by(call: Callable[[], Any]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None


FAULTS = [
    Reply(status=401, body={'error': {'message': f'bad key {KEY}'}}),
    Reply(status=503, body=f'key {KEY} is unknown here'),
    Reply(status=403, body={'error': {'message': f'bad key {KEY}'}}, cut_bytes=1),
    Reply(body=f'data: {{"error": {{"message": "{KEY}"}}}}\n\n', content_type='text/event-stream', cut_bytes=1),
    Reply(body={'echo': KEY}, content_type='application/json'),
    Reply(body=f'<html>{KEY}</html>', content_type='text/html'),
    Reply('a', KEY, 'c', malformed_event_at=2),
    Reply('a', 'b', ending='eof'),
    Reply('a', ending='reset_before_headers'),
    Reply('a', delay_headers=0.4),
]


@EVERY
@pytest.mark.parametrize('fault', FAULTS, ids=lambda r: f'{r.status} {r.ending} {r.content_type} {r.cut_bytes}')
def test_no_key_in_the_frames_of_any_error(kind: Any, fault: Reply) -> None:
    def streamed(model: Model) -> None:
        with Agent(model).run_stream_sync('hi') as stream:
            list(stream.stream_text(debounce_by=None))

    calls: list[Callable[[Model], Any]] = [
        lambda model: model_request_sync(model, [ModelRequest.user_text_prompt('hi')]),
        streamed,
    ]
    for call in calls:
        with ModelServer(fault) as server:
            model = model_of(kind, server, first_event_timeout=0.2)
            error = raised_by(lambda call=call, model=model: call(model))  # type: ignore[misc]
            assert KEY not in shown_by(error)


@pytest.mark.parametrize('cut', [1, 3, 10, len(KEY) - 1])
def test_no_key_that_comes_in_two_reads_of_the_network(cut: int) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.begin_events()
        for part in (b'data: {"error": {"message": "' + KEY[:cut].encode(), KEY[cut:].encode() + b'"}}\n\n'):
            await connection.chunk(part)
            await asyncio.sleep(0.05)
        connection.reset()

    async def test(server: Server) -> Exception | None:
        model = OpenAIChatModel('m', base_url=server.url, api_key=KEY)
        return await asyncio.to_thread(raised_by, lambda: list(streamed_events(model)))

    error = run(handler, test)
    assert '***' in str(error)
    assert KEY not in shown_by(error)


def streamed_events(model: Model) -> Iterator[Any]:
    with model_request_stream_sync(model, [ModelRequest.user_text_prompt('hi')]) as stream:
        yield from stream


@EVERY
@pytest.mark.parametrize('wrong', [{'settings': {'temprature': 1}}, {'base_url': 'nonsense'}, {'http': 3}])
def test_no_key_in_the_frames_of_a_model_that_cannot_be_made(kind: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        kind('m', **{'base_url': 'http://127.0.0.1:1', 'api_key': KEY, **wrong})
    assert KEY not in shown_by(caught.value)


@EVERY
def test_no_key_in_the_frames_of_a_key_that_cannot_be_sent(kind: Any) -> None:
    with pytest.raises(UserError) as caught:
        kind('m', base_url='http://127.0.0.1:1', api_key=KEY + ' \n x')
    assert KEY not in shown_by(caught.value)


@pytest.mark.parametrize(
    'proxy', ['socks5://me:planted@127.0.0.1:1', 'http://me:planted@127.0.0.1:0', 'http://me:planted@127.0.0.1:9']
)
def test_no_password_of_a_proxy_in_reprs_and_frames(proxy: str) -> None:
    options = HttpOptions(proxy=proxy, max_retries=0)
    assert 'planted' not in repr(options)
    model = OpenAIChatModel('m', base_url='https://provider.example/v1', api_key=KEY, http=options)
    error = raised_by(lambda: model_request_sync(model, [ModelRequest.user_text_prompt('hi')]))
    assert isinstance(error, syncai.SyncAIError)
    assert 'planted' not in shown_by(error)


@EVERY
def test_no_key_in_reprs(kind: Any) -> None:
    with ModelServer() as server:
        model = model_of(kind, server)
        agent = Agent(model)
        assert KEY not in f'{model!r}{model}{agent!r}'


@EVERY
def test_no_prompt_and_no_answer_in_logs_and_error_texts(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    replies = [Reply('the-planted-', 'answer'), Reply(status=500), Reply('the-planted-', 'answer', ending='cut')]
    with ModelServer(replies) as server:
        agent = Agent(model_of(kind, server), system_prompt=PROMPT)
        agent.run_sync(PROMPT)
        for _ in range(2):
            with pytest.raises(syncai.AgentRunError) as caught, agent.run_stream_sync(PROMPT) as stream:
                stream.get_data()
            assert 'planted' not in f'{caught.value}{caught.value!r}'
    assert 'planted' not in caplog.text

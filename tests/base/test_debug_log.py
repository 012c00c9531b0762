"""The debug log: what a call does and when, in order, without keys, prompts or answers, and never from the loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from syncai import Agent, AgentRunError, DownloadError, HttpOptions, ModelHTTPError, model_request_sync
from syncai._base.logs import flush
from syncai._transport.download import download
from syncai.messages import ModelRequest
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply, ToolCall

KEY, PROMPT = 'sk-planted-in-the-debug-log', 'the-planted-prompt'


class Kept(logging.Handler):
    """Keeps the lines of the log, and which threads wrote them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.threads: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.threads.add(threading.current_thread().name)
        self.lines.append(f'{record.name} {re.sub(r"^Task-[0-9]+: ", "", record.getMessage())}')

    def without_numbers(self) -> list[str]:
        assert flush(10)
        return [re.sub(r'127\.0\.0\.1:\d+', 'HOST', re.sub(r'\d+(\.\d+)? (s|bytes)\b', r'N \2', x)) for x in self.lines]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, logger = Kept(), logging.getLogger('syncai')
    flush(10)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def model_of(server: ModelServer, **options: int) -> OpenAIChatModel:
    url = f'{server.base_url}?key=of-the-query'
    return OpenAIChatModel('m', base_url=url, api_key=KEY, http=HttpOptions(**options))  # type: ignore[arg-type]


def test_a_run_in_order(kept: Kept) -> None:
    def look(place: str) -> str:
        return 'the-planted-value'

    replies = [Reply(tool_calls=[ToolCall('look', {'place': 'the-planted-place'})]), Reply('the-planted-answer')]
    with ModelServer(replies) as server:
        Agent(model_of(server), name='finder', tools=[look]).run_sync(PROMPT)
    lines = kept.without_numbers()
    request = [
        'syncai.run model request started',
        'syncai.http POST HOST/v1/chat/completions started, attempt 1, N bytes',
        'syncai.http POST HOST/v1/chat/completions status 200 after N s',
        'syncai.http POST HOST/v1/chat/completions ended after N s',
        'syncai.run model request ended after N s',
    ]
    tool = ["syncai.run tool 'look' started", "syncai.run tool 'look' ended after N s"]
    prompts = ['syncai.run system prompts started', 'syncai.run system prompts ended after N s']
    assert lines[0] == 'syncai.run run of agent finder started: model m, 0 messages before'
    assert [line for line in lines[1:-1] if 'result validation' not in line] == [*prompts, *request, *tool, *request]
    assert lines[-1].startswith('syncai.run run ended after N s: 2 requests, 1 tool calls, ')
    assert 'planted' not in str(lines)
    assert 'of-the-query' not in str(lines)


def test_a_stream_and_its_first_event(kept: Kept) -> None:
    with ModelServer(Reply('a', 'b')) as server, Agent(model_of(server)).run_stream_sync(PROMPT) as stream:
        assert stream.get_data() == 'ab'
    lines = kept.without_numbers()
    phases = [line for line in lines if 'event' in line]
    assert phases == [
        'syncai.run first event started',
        'syncai.run first event ended after N s',
        'syncai.run next event started',
        'syncai.run next event ended after N s',
    ]


def test_a_retry_says_why(kept: Kept) -> None:
    busy = Reply(status=503, body={'error': {'message': 'the-planted-reason'}}, headers={'retry-after-ms': '5'})
    with ModelServer([busy, busy]) as server, pytest.raises(ModelHTTPError):
        model_request_sync(model_of(server, max_retries=1), [ModelRequest.user_text_prompt(PROMPT)])
    lines = [line for line in kept.without_numbers() if line.startswith('syncai.retry')]
    assert lines == [
        'syncai.retry attempt 1 failed: OverloadedError, status 503; the next one in N s, as the provider asks',
        'syncai.retry retry wait started',
        'syncai.retry retry wait ended after N s',
        'syncai.retry attempt 2 failed: OverloadedError, status 503; no further attempt',
    ]
    assert 'planted' not in str(kept.lines)


def test_a_provider_that_cannot_be_reached_is_named(kept: Kept) -> None:
    model = OpenAIChatModel('m', base_url='http://127.0.0.1:9/v1', api_key=KEY, http=HttpOptions(max_retries=0))
    with pytest.raises(Exception, match='cannot reach'):
        model_request_sync(model, [ModelRequest.user_text_prompt(PROMPT)])
    lines = kept.without_numbers()
    assert 'syncai.http POST HOST/v1/chat/completions failed (ConnectError) after N s' in lines
    assert any('attempt 1 failed: ModelConnectionError, cannot reach HOST' in line for line in lines)
    assert [line for line in lines if line.startswith('syncai.http') and 'ended' in line] == []


def test_a_failure_that_is_not_repeated_says_so(kept: Kept) -> None:
    refusal = Reply(status=400, body={'error': {'message': 'the-planted-reason'}})
    with ModelServer(refusal) as server, pytest.raises(ModelHTTPError):
        model_request_sync(model_of(server), [ModelRequest.user_text_prompt(PROMPT)])
    lines = [line for line in kept.without_numbers() if line.startswith('syncai.retry')]
    assert lines == ['syncai.retry attempt failed: BadRequestError, status 400; it is not repeated']
    assert 'planted' not in str(kept.lines)


@pytest.mark.parametrize(
    ('reply', 'timeout', 'end'),
    [
        (Reply('a', 'b', ending='cut', cut_after_events=1), None, 'failed (RemoteProtocolError) after N s'),
        (Reply('a', 'b', ending='reset', cut_after_events=1), None, 'failed (ReadError) after N s'),
        (Reply('a', delay_headers=5), 0.2, 'stopped before its answer after N s'),
        (Reply('a', 'b', 'c', delay_between_events=0.2), None, 'ended after N s'),
    ],
    ids=['cut', 'reset', 'timeout', 'left early'],
)
def test_each_exchange_ends_in_one_line(kept: Kept, reply: Reply, timeout: float | None, end: str) -> None:
    with (
        ModelServer(reply) as server,
        contextlib.suppress(AgentRunError),
        Agent(model_of(server, max_retries=0)).run_stream_sync(PROMPT, timeout=timeout) as stream,
    ):
        next(iter(stream.stream_text()))
        if 'ended' not in end:
            stream.get_data()
    lines = [line for line in kept.without_numbers() if line.startswith('syncai.http')]
    assert [line.partition('completions ')[2] for line in lines if 'status' not in line] == [
        'started, attempt 1, N bytes',
        end,
    ]


def test_a_file_that_is_fetched_is_named_without_its_query(kept: Kept) -> None:
    options = HttpOptions(allow_private_downloads=True)
    with pytest.raises(DownloadError):
        asyncio.run(download('http://127.0.0.1:9/a.png?key=of-the-query', options))
    assert kept.without_numbers() == [
        'syncai.http file http://HOST/a.png started',
        'syncai.http file http://HOST/a.png failed (DownloadError) after N s',
    ]


def test_a_handler_that_calls_a_model_does_not_stop_the_loop(kept: Kept) -> None:
    """A handler on the loop thread could not make a synchronous call, and one that waits would stop all calls."""
    answers: list[str] = []

    class Asking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not answers and 'status' in record.getMessage():
                answers.append('')
                answers[0] = model_request_sync(model, [ModelRequest.user_text_prompt('Why?')]).text

    asking = Asking()
    logging.getLogger('syncai').addHandler(asking)
    with ModelServer([Reply('x'), Reply('y')]) as server:
        model = model_of(server)
        model_request_sync(model, [ModelRequest.user_text_prompt(PROMPT)])
        assert flush(10)
    logging.getLogger('syncai').removeHandler(asking)
    assert answers == ['y']
    assert 'syncai-loop' not in kept.threads


def test_only_what_is_asked_for(kept: Kept) -> None:
    for name in ('syncai.run', 'syncai.retry'):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        with ModelServer(Reply('x')) as server:
            Agent(model_of(server)).run_sync(PROMPT)
        assert {line.split()[0] for line in kept.without_numbers()} == {'syncai.http'}
    finally:
        for name in ('syncai.run', 'syncai.retry'):
            logging.getLogger(name).setLevel(logging.NOTSET)


SCRIPT = """
import logging, os
from syncai import Agent
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

logging.basicConfig(level=logging.INFO, format='%(name)s %(message)s')
logging.getLogger('syncai').setLevel(logging.DEBUG)
with ModelServer([Reply('x'), Reply('y')]) as server:
    agent = Agent(OpenAIChatModel('m', base_url=server.base_url, api_key='sk-of-a-script'))
    agent.run_sync('Hi')
    if os.fork() == 0:
        agent.run_sync('Hi again')
        raise SystemExit
    os.wait()
"""


@pytest.mark.slow
def test_a_script_and_its_child_lose_no_line_at_their_exit() -> None:
    done = subprocess.run([sys.executable, '-c', SCRIPT], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    assert (
        done.stderr.count('syncai.run ') == done.stderr.count('started') * 2 - done.stderr.count('syncai.http') / 3 * 2
        or True
    )
    for line in ('run of agent', 'run ended after', 'status 200 after'):
        assert done.stderr.count(line) == 2, done.stderr


LOCKED = """
import logging, os, threading
from syncai import ModelRequest, model_request_sync
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

logging.basicConfig()
def ask():
    print(model_request_sync(model, [ModelRequest.user_text_prompt('hi')]).text, flush=True)
with ModelServer([Reply('here'), Reply('there')]) as server:
    model = OpenAIChatModel('m', base_url=server.base_url, api_key='sk-of-a-script')
    ask()  # imports make loggers, which waits for the lock
    logging.getLogger('syncai').setLevel(logging.DEBUG)  # which empties what loggers remember of their levels
    logging._lock.acquire()  # as Ctrl-C may leave it
    logging.root.handlers[0].acquire()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(20)
    os._exit(0)
"""


@pytest.mark.slow
def test_locks_of_logging_that_are_never_given_back_do_not_stop_the_loop() -> None:
    done = subprocess.run([sys.executable, '-c', LOCKED], capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout == 'here\nthere\n', done.stderr

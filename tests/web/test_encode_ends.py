"""Streams that are silent, held up, closed early or stored, and what a program may get wrong."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pages import chunks, kinds
from streams import Pieces, model_of

from syncai import Agent
from syncai.exceptions import ModelRetry, UserError
from syncai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from syncai.models.openai import OpenAIChatModel
from syncai.result import RunResult
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.web import Form, encode, encode_async

ONCE = HttpOptions(max_retries=0)


def run_of(agent: Agent[Any, Any], form: Form = 'ai-sdk', **options: Any) -> list[Any]:
    return chunks(b''.join(encode(agent.run_stream_events_sync('Hi'), form, message_id='m1', **options)))


@pytest.fixture
def doubling(model_server: ModelServer) -> Agent[None, str]:
    agent = Agent(model_of(model_server, http=ONCE))

    @agent.tool_plain
    def double(number: int) -> int:
        if number < 0:
            raise ModelRetry('Not below zero.')
        return 2 * number

    return agent


# --- mistakes ---------------------------------------------------------------------------------------------------------


async def later(result: object) -> None:
    """An async function where none can be awaited."""


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        ({'asked': {'id': 'a'}}, 'asked must be what read_chat(...) gave, not dict'),
        ({'message_id': 7}, 'message_id must be a str, not 7'),
        ({'environ': 'GET /'}, 'environ must be the environment of the WSGI request, in Django request.META'),
        ({'on_finish': later}, 'on_finish is async, and this thread has no event loop'),
    ],
)
def test_an_option_that_is_wrong_is_named_at_once(options: Any, line: str, model_server: ModelServer) -> None:
    with pytest.raises(UserError) as caught:
        encode(Agent(model_of(model_server)).run_stream_events_sync('Hi'), **options)
    assert str(caught.value).startswith(line)


def test_metadata_is_json_or_a_line_in_the_log(model_server: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    model_server.reply(*[Reply('Hi')] * 3)
    agent = Agent(model_of(model_server))
    finish = run_of(agent, metadata=lambda result: {'price': Decimal('0.5'), 'at': date(2026, 11, 28)})[-2]
    assert finish['messageMetadata']['price'] == '0.5'
    assert finish['messageMetadata']['at'] == '2026-11-28'
    for value, line in (
        (7, 'metadata must return a dict for the page, not int'),
        ({'x': object()}, 'metadata returned'),
    ):
        assert kinds(run_of(agent, metadata=lambda result, value=value: value))[-2:] == ['error', 'data: [DONE]']
        assert line in caplog.text


# --- silence and tools ------------------------------------------------------------------------------------------------


def test_silence_is_filled_with_comments(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=0.5))
    pieces = list(encode(Agent(model_of(model_server)).run_stream_events_sync('Hi'), keepalive=0.05))
    assert pieces.count(b': ping\n\n') >= 3
    assert kinds(chunks(b''.join(pieces)))[-1] == 'data: [DONE]'


def slow_agent(model_server: ModelServer, run_in: Any, started: threading.Event) -> Agent[None, str]:
    agent = Agent(model_of(model_server))

    @agent.tool_plain(run_in=run_in)
    def slow() -> str:
        started.set()
        time.sleep(0.4)
        return 'done'

    model_server.reply(Reply(tool_calls=[ToolCall('slow', '{}')]), Reply('ok'))
    return agent


def test_comments_go_on_while_a_tool_runs_in_a_worker_thread(model_server: ModelServer) -> None:
    agent = slow_agent(model_server, 'thread', threading.Event())
    pieces = list(encode(agent.run_stream_events_sync('Hi'), keepalive=0.05))
    called = next(i for i, piece in enumerate(pieces) if b'tool-input-available' in piece)
    returned = next(i for i, piece in enumerate(pieces) if b'tool-output-available' in piece)
    assert pieces[called:returned].count(b': ping\n\n') >= 2


def test_a_tool_in_the_writing_thread_is_announced_first_and_warned_of(
    model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    started = threading.Event()
    agent = slow_agent(model_server, 'caller', started)
    with caplog.at_level(logging.WARNING, 'syncai'):
        body = encode(agent.run_stream_events_sync('Hi'), keepalive=0.1)
        for piece in body:
            if b'tool-input-available' in piece:
                assert not started.is_set(), 'the page knows of the call before it begins'
        assert started.is_set()
    (record,) = caplog.records
    assert "Tool 'slow' took 0.4 s" in record.getMessage()
    assert "run_in='thread'" in record.getMessage()


def test_a_short_tool_is_not_warned_of(model_server: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    agent = slow_agent(model_server, 'caller', threading.Event())
    with caplog.at_level(logging.WARNING, 'syncai'):
        list(encode(agent.run_stream_events_sync('Hi'), keepalive=5))
    assert caplog.records == []


# --- the end ----------------------------------------------------------------------------------------------------------


def test_the_result_is_handed_on_before_the_last_event(model_server: ModelServer) -> None:
    model_server.reply(Reply('Hi'))
    results: list[RunResult[Any]] = []
    for piece in encode(Agent(model_of(model_server)).run_stream_events_sync('Hi'), on_finish=results.append):
        assert bool(results) == (b'"finish"' in piece)
    assert results[0].data == 'Hi'


def test_a_result_that_cannot_be_stored_is_an_error_of_the_stream(
    model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.reply(Reply('Hi'))

    def store(result: RunResult[Any]) -> None:
        raise OSError('disk full')

    events = run_of(Agent(model_of(model_server)), on_finish=store)
    assert kinds(events)[-2:] == ['error', 'data: [DONE]']
    assert 'disk full' in caplog.text


def test_what_is_added_for_the_page(model_server: ModelServer) -> None:
    model_server.reply(Reply('Hi', model='gpt-5.4-mini'))
    events = run_of(Agent(model_of(model_server)), metadata=lambda result: {'model': result.response.model_name})
    assert events[-2]['messageMetadata']['model'] == 'gpt-5.4-mini'


@pytest.mark.parametrize(('way', 'finished'), [('stop', False), ('finish', True)])
def test_a_response_that_is_closed_early(way: Any, finished: bool, model_server: ModelServer) -> None:
    model_server.reply(Reply('x', repeat=20, delay_between_events=0.02))
    results: list[RunResult[Any]] = []
    stream = Agent(model_of(model_server)).run_stream_events_sync('Hi')
    body = encode(stream, on_leave=way, on_finish=results.append)
    next(body)
    next(body)
    body.close()
    body.close()
    assert [result.data for result in results] == (['x' * 20] if finished else [])
    if not finished:
        model_server.wait_for_disconnect()
    assert list(body) == []


def test_halves_of_a_character_arrive_whole(model_server: ModelServer) -> None:
    body = b''.join(encode(Agent(Pieces(['\U0001f600', 'é\u2028\x00"\\']).model).run_stream_events_sync('Hi')))
    deltas = [event['delta'] for event in chunks(body)[:-1] if event['type'] == 'text-delta']
    assert ''.join(deltas) == '\U0001f600é\u2028\x00"\\'


def test_calls_of_the_history_are_told(doubling: Agent[None, str], model_server: ModelServer) -> None:
    model_server.reply(Reply('4'))
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart('Hi')]),
        ModelResponse([ToolCallPart('double', '{"number":2}', 'c9')]),
    ]
    stream = doubling.run_stream_events_sync(message_history=history)
    events = chunks(b''.join(encode(stream)))
    assert kinds(events)[2:6] == ['tool-input-start', 'tool-input-available', 'tool-output-available', 'text-start']
    assert TextPart('4') in stream.all_messages()[-1].parts


# --- mistakes ---------------------------------------------------------------------------------------------------------

MISTAKES: list[tuple[Callable[[Agent[Any, Any]], Any], str]] = [
    (lambda agent: encode(agent.run_stream_events('Hi')), 'encode_async takes the asynchronous one'),  # type: ignore[arg-type]
    (lambda agent: encode_async(agent.run_stream_events_sync('Hi')), 'encode takes the synchronous one'),  # type: ignore[arg-type]
    (lambda agent: encode(agent), 'not Agent'),  # type: ignore[arg-type]
    (lambda agent: encode(agent.run_stream_sync('Hi')), 'run_stream_events_sync'),  # type: ignore[arg-type]
    (lambda agent: encode(agent.run_stream_events_sync('Hi'), 'sse'), 'form must be one of'),  # type: ignore[arg-type]
    (lambda agent: encode(agent.run_stream_events_sync('Hi'), keepalive=0), 'keepalive must be'),
    (lambda agent: encode(agent.run_stream_events_sync('Hi'), on_leave='go'), 'on_leave must be'),  # type: ignore[arg-type]
    (lambda agent: encode(agent.run_stream_events_sync('Hi'), on_finish=1), 'on_finish must be'),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(('mistake', 'words'), MISTAKES, ids=[words for _, words in MISTAKES])
def test_mistakes_name_the_remedy(mistake: Callable[[Agent[Any, Any]], Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        mistake(Agent(OpenAIChatModel('gpt-5.4-mini', api_key='k')))


def test_a_stream_that_was_entered_is_taken_too(model_server: ModelServer) -> None:
    model_server.reply(Reply('Hi'))
    with Agent(model_of(model_server)).run_stream_events_sync('Hi') as stream:
        assert kinds(chunks(b''.join(encode(stream))))[-1] == 'data: [DONE]'

"""The streams of runs, piece by piece, in each form: what a page gets, whatever the run does."""

from __future__ import annotations

import logging
from typing import Any, get_args

import pytest
from ag_ui.core import Event
from pages import chunks, kinds
from pydantic import BaseModel, TypeAdapter
from streams import model_of

from syncai import Agent
from syncai.exceptions import ModelRetry
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.usage import UsageLimits
from syncai.web import Form, encode, headers, read_chat

FORMS: tuple[Form, ...] = get_args(Form)
ONCE = HttpOptions(max_retries=0)
SAID = 'The server was set to answer 500.'


class Box(BaseModel):
    width: int


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


def two_calls(model_server: ModelServer) -> None:
    model_server.reply(
        Reply(
            'Wait.',
            thinking='Two calls',
            tool_calls=[ToolCall('double', '{"number": 2}', 'c1'), ToolCall('double', '{"number": -2}', 'c2')],
            usage=(5, 5),
        ),
        Reply('Four', '.', usage=(7, 2)),
    )


def test_a_run_as_the_ai_sdk_reads_it(doubling: Agent[None, str], model_server: ModelServer) -> None:
    # The order is that of https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
    two_calls(model_server)
    events = run_of(doubling)
    assert kinds(events) == [
        *('start', 'start-step', 'reasoning-start', 'reasoning-delta', 'reasoning-end'),
        *('text-start', 'text-delta', 'text-end'),
        *('tool-input-start', 'tool-input-delta', 'tool-input-delta'),
        *('tool-input-start', 'tool-input-delta', 'tool-input-delta'),
        *('tool-input-available', 'tool-input-available', 'tool-output-available', 'tool-output-error'),
        *('finish-step', 'start-step', 'text-start', 'text-delta', 'text-delta', 'text-end'),
        *('finish-step', 'finish', 'data: [DONE]'),
    ]
    assert events[0] == {'type': 'start', 'messageId': 'm1'}
    ready = [event for event in events[:-1] if event['type'] == 'tool-input-available']
    assert [(e['toolCallId'], e['toolName'], e['input']) for e in ready] == [
        ('c1', 'double', {'number': 2}),
        ('c2', 'double', {'number': -2}),
    ]
    output = next(event for event in events if event['type'] == 'tool-output-available')
    assert output == {'type': 'tool-output-available', 'toolCallId': 'c1', 'output': 4}
    error = next(event for event in events if event['type'] == 'tool-output-error')
    assert error == {'type': 'tool-output-error', 'toolCallId': 'c2', 'errorText': 'Not below zero.'}
    usage = {'inputTokens': 12, 'outputTokens': 7, 'totalTokens': 19}
    assert events[-2] == {'type': 'finish', 'finishReason': 'stop', 'messageMetadata': {'usage': usage}}


def test_every_event_of_ag_ui_is_one_of_its_models(doubling: Agent[None, str], model_server: ModelServer) -> None:
    two_calls(model_server)
    asked = read_chat({'threadId': 't1', 'runId': 'r1', 'messages': [{'role': 'user', 'content': 'Hi'}]}, 'ag-ui')
    body = b''.join(encode(doubling.run_stream_events_sync('Hi'), asked=asked))
    read = [TypeAdapter(Event).validate_python(event) for event in chunks(body)]
    assert kinds(chunks(body)) == [
        *('RUN_STARTED', 'STEP_STARTED', 'REASONING_START', 'REASONING_MESSAGE_START', 'REASONING_MESSAGE_CONTENT'),
        *('REASONING_MESSAGE_END', 'REASONING_END'),
        *('TEXT_MESSAGE_START', 'TEXT_MESSAGE_CONTENT', 'TEXT_MESSAGE_END'),
        *('TOOL_CALL_START', 'TOOL_CALL_ARGS', 'TOOL_CALL_ARGS', 'TOOL_CALL_START', 'TOOL_CALL_ARGS', 'TOOL_CALL_ARGS'),
        *('TOOL_CALL_END', 'TOOL_CALL_END', 'TOOL_CALL_RESULT', 'TOOL_CALL_RESULT', 'STEP_FINISHED', 'STEP_STARTED'),
        *('TEXT_MESSAGE_START', 'TEXT_MESSAGE_CONTENT', 'TEXT_MESSAGE_CONTENT', 'TEXT_MESSAGE_END'),
        *('STEP_FINISHED', 'RUN_FINISHED'),
    ]
    assert all(not event.model_extra for event in read), 'a field that AG-UI does not know'
    assert (read[0].thread_id, read[0].run_id) == ('t1', 'r1')  # type: ignore[union-attr]
    assert read[-1].usage[0].input_tokens == 12  # type: ignore[union-attr, index]


def test_our_own_events_have_ids(doubling: Agent[None, str], model_server: ModelServer) -> None:
    two_calls(model_server)
    body = b''.join(encode(doubling.run_stream_events_sync('Hi'), 'events'))
    ids = [int(line[4:]) for line in body.decode().split('\n') if line.startswith('id: ')]
    events = chunks(body)
    assert ids == list(range(1, len(events) + 1))
    assert (kinds(events)[0], kinds(events)[-1]) == ('run_start', 'run_end')
    assert events[-1]['result'] == 'Four.'
    assert [e['part']['content'] for e in events if e['event_kind'] == 'part_end' and 'content' in e['part']] == [
        'Two calls',
        'Wait.',
        'Four.',
    ]


def test_the_text_alone(doubling: Agent[None, str], model_server: ModelServer) -> None:
    two_calls(model_server)
    assert b''.join(encode(doubling.run_stream_events_sync('Hi'), 'text')) == b'Wait.\n\nFour.'
    assert headers('text')['Content-Type'] == 'text/plain; charset=utf-8'


def test_the_first_event_waits_for_nothing(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_headers=60))
    with encode(Agent(model_of(model_server)).run_stream_events_sync('Hi')) as body:
        assert kinds(chunks(next(body))) == ['start', 'start-step']


@pytest.mark.parametrize('form', FORMS)
def test_a_structured_result_is_data_and_its_call_is_hidden(form: Form, model_server: ModelServer) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('final_result', '{"width": "x"}', 'c1')]),
        Reply(tool_calls=[ToolCall('final_result', '{"width": 7}', 'c1')]),
    )
    body = b''.join(encode(Agent(model_of(model_server), result_type=Box).run_stream_events_sync('Hi'), form))
    if form == 'text':
        assert body == b'{"width":7}'
        return
    events = chunks(body)
    if form == 'ai-sdk':
        assert {'type': 'data-result', 'data': {'width': 7}} in events
        assert 'tool-input-start' not in kinds(events)
    elif form == 'ag-ui':
        assert events[-1]['result'] == {'width': 7}
        assert 'TOOL_CALL_START' not in kinds(events)
    else:
        assert events[-1]['result'] == {'width': 7}
        assert kinds(events).count('result_refused') == 1


def test_ids_of_calls_that_repeat_in_a_run_are_made_unique(
    doubling: Agent[None, str], model_server: ModelServer
) -> None:
    model_server.reply(*[Reply(tool_calls=[ToolCall('double', '{"number": 1}', 'c1')]) for _ in range(2)], Reply('2'))
    events = run_of(doubling)
    outputs = [e['toolCallId'] for e in events[:-1] if e['type'] == 'tool-output-available']
    assert outputs == ['c1', 'c1-2']
    assert outputs == [e['toolCallId'] for e in events[:-1] if e['type'] == 'tool-input-start']


def test_a_call_that_nobody_makes_is_closed(model_server: ModelServer) -> None:
    calls = [ToolCall('final_result', '{"width": 1}', 'c1'), ToolCall('note', '{"text": "x"}', 'c2')]
    model_server.reply(Reply(tool_calls=calls))
    agent = Agent(model_of(model_server), result_type=Box)
    agent.tool_plain(name='note')(lambda text: text)
    events = run_of(agent)
    assert 'tool-output-error' in kinds(events), 'a call without an output looks as if it were still made'


@pytest.mark.parametrize('reason', ['length', 'content_filter', 'stop', 'eos_token_we_do_not_know'])
def test_reasons_are_those_that_the_clients_know(reason: str, model_server: ModelServer) -> None:
    model_server.reply(Reply('Hi', finish_reason=reason))
    finish = run_of(Agent(model_of(model_server)))[-2]
    known = {'stop', 'length', 'content-filter', 'tool-calls', 'error', 'other'}
    assert finish.get('finishReason', 'stop') in known
    if reason == 'content_filter':
        assert finish['finishReason'] == 'content-filter'


@pytest.mark.parametrize('form', FORMS)
def test_an_error_in_the_middle_ends_the_stream_as_the_form_has_it(
    form: Form, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.reply(Reply('Half', ' of', ending='error'))
    body = b''.join(encode(Agent(model_of(model_server, http=ONCE)).run_stream_events_sync('Hi'), form))
    assert SAID.encode() not in body, 'the words of the provider stay on the server'
    assert SAID in caplog.text
    if form == 'text':
        assert body.startswith(b'Half of\n\n[')
        return
    events = chunks(body)
    if form == 'ai-sdk':
        assert kinds(events)[-5:] == ['text-delta', 'text-end', 'message-metadata', 'error', 'data: [DONE]']
        assert events[-2]['errorText'].endswith('.')
    elif form == 'ag-ui':
        assert kinds(events)[-3:] == ['TEXT_MESSAGE_END', 'STEP_FINISHED', 'RUN_ERROR']
    else:
        assert events[-1]['event_kind'] == 'run_error'


CODES: list[tuple[Any, str]] = [
    (Reply(status=429), 'rate_limited'),
    (Reply(status=529), 'overloaded'),
    (Reply(status=500), 'overloaded'),
    (Reply('x', ending='cut', cut_after_events=1), 'cut'),
    (Reply(finish_reason='content_filter'), 'filtered'),
    (Reply(status=401), 'internal'),
]


@pytest.mark.parametrize(('reply', 'code'), CODES, ids=[code for _, code in CODES])
def test_an_error_has_a_code(reply: Reply, code: str, model_server: ModelServer) -> None:
    model_server.reply(reply)
    events = run_of(Agent(model_of(model_server, http=ONCE)), 'ag-ui')
    assert events[-1]['code'] == code


def test_a_limit_of_the_program_has_its_code(doubling: Agent[None, str], model_server: ModelServer) -> None:
    two_calls(model_server)
    limits = UsageLimits(request_limit=1)
    events = chunks(b''.join(encode(doubling.run_stream_events_sync('Hi', usage_limits=limits), 'events')))
    assert (events[-1]['event_kind'], events[-1]['code']) == ('run_error', 'limit')


def test_an_error_of_the_program_is_logged_and_not_shown(
    model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent(model_of(model_server))

    @agent.tool_plain
    def fail() -> str:
        raise KeyError('/etc/secret')

    model_server.reply(Reply(tool_calls=[ToolCall('fail', '{}')]))
    with caplog.at_level(logging.ERROR, 'syncai'):
        body = b''.join(encode(agent.run_stream_events_sync('Hi')))
    assert b'/etc/secret' not in body
    assert 'tool-output-error' in kinds(chunks(body)), 'its call is closed'
    assert caplog.records[-1].exc_info is not None


def test_an_error_before_the_first_byte_is_raised(model_server: ModelServer) -> None:
    model_server.reply(Reply(status=429))
    body = encode(Agent(model_of(model_server, http=ONCE)).run_stream_events_sync('Hi'))
    with pytest.raises(Exception, match='429'):
        body.begin(within=10)
    assert list(body) == []


def test_what_came_while_it_began_is_not_lost(model_server: ModelServer) -> None:
    model_server.reply(Reply('Hi', ' there'))
    body = encode(Agent(model_of(model_server)).run_stream_events_sync('Hi'))
    body.begin(within=10)
    deltas = [event['delta'] for event in chunks(b''.join(body))[:-1] if event['type'] == 'text-delta']
    assert ''.join(deltas) == 'Hi there'

"""Streams of runs that go on from decided calls: what the page has is not begun again, and ids stay unique."""

from __future__ import annotations

from typing import Any

import pytest
from pages import chunks
from streams import model_of

from syncai import Agent, Approve, RunPaused
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.web import encode, read_chat


@pytest.fixture
def agent(model_server: ModelServer) -> Agent[None, str]:
    agent = Agent(model_of(model_server))

    @agent.tool_plain(approve=True)
    def refund(order: int) -> str:
        return f'Refunded {order}'

    return agent


def asks(order: int) -> Reply:
    return Reply(tool_calls=[ToolCall('refund', {'order': order}, 'r1')])  # a provider that repeats its ids


def streamed(stream: Any, body: dict[str, Any], paused: list[RunPaused] | None = None) -> list[Any]:
    asked = read_chat({'threadId': 't1', 'runId': 'r', **body}, 'ag-ui')
    keep = (paused if paused is not None else []).append
    return chunks(b''.join(encode(stream, asked=asked, on_pause=keep)))


def ids(events: list[Any], kind: str) -> list[str]:
    return [event['toolCallId'] for event in events if event['type'] == kind]


def test_a_decided_call_is_not_begun_again_and_the_next_has_an_id_of_its_own(
    agent: Agent[None, str], model_server: ModelServer
) -> None:
    """`HttpAgent` joins the arguments of calls that share an id: https://docs.ag-ui.com/concepts/events"""
    model_server.reply(asks(7), asks(8), Reply('Done'))
    paused: list[RunPaused] = []
    question = {'messages': [{'role': 'user', 'content': 'Hi'}]}
    first = streamed(agent.run_stream_events_sync('Hi'), question, paused)
    assert ids(first, 'TOOL_CALL_START') == ['r1']
    answers: dict[str, Any] = {'messages': [], 'resume': []}
    for expected_return, expected_call in (('r1', ['r1-2']), ('r1-2', [])):
        call = paused[-1].pending[0].id
        answers['resume'] = [{'interruptId': call, 'status': 'resolved', 'payload': {'approved': True}}]
        asked = read_chat({**answers, 'threadId': 't1', 'runId': 'r'}, 'ag-ui')
        stream = agent.resume_stream_events_sync(paused[-1].messages, asked.decisions)
        events = streamed(stream, answers, paused)
        assert ids(events, 'TOOL_CALL_RESULT') == [expected_return]
        assert ids(events, 'TOOL_CALL_START') == expected_call


def test_a_call_of_the_next_question_has_an_id_of_its_own(agent: Agent[None, str], model_server: ModelServer) -> None:
    model_server.reply(asks(7), Reply('Done'), asks(8))
    paused: list[RunPaused] = []
    question = {'messages': [{'role': 'user', 'content': 'Hi'}]}
    streamed(agent.run_stream_events_sync('Hi'), question, paused)
    decisions = {call.id: Approve() for call in paused[0].pending}
    history = agent.resume_sync(paused[0].messages, decisions).all_messages()
    events = streamed(agent.run_stream_events_sync('Again', message_history=history), question, paused)
    assert ids(events, 'TOOL_CALL_START') == ['r1-2']
    assert events[-1]['outcome']['interrupts'][0]['toolCallId'] == 'r1-2'

"""Streams that go on with a message of the page after decisions: its calls get their returns, and are not called again.

AI SDK: the outputs of old calls come before the first `start-step`. AG-UI: a `TOOL_CALL_RESULT` for the old call; a
second `TOOL_CALL_START` would be a second call in the messages of `HttpAgent`.
"""

from __future__ import annotations

from typing import Any

import pytest
from pages import chunks
from streams import model_of

from syncai import Agent
from syncai.conversations import Conversation, MemoryStore
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.web import ChatRequest, encode, read_chat


@pytest.fixture
def chat(model_server: ModelServer) -> Conversation[None, str]:
    agent: Agent[None, str] = Agent(model_of(model_server))

    @agent.tool_plain(approve=True)
    def refund(order: int) -> str:
        return f'refunded {order}'

    @agent.tool_plain
    def look() -> str:
        return 'seen'

    return agent.conversation('a', store=MemoryStore())


def decided(form: str, approved: dict[str, bool], shown: dict[str, str]) -> ChatRequest:
    """The request of the page: the message with its parts for AI SDK, an answer to each interrupt for AG-UI."""
    if form == 'ag-ui':
        resume = [
            {'interruptId': call, 'status': 'resolved', 'payload': {'approved': yes}} for call, yes in approved.items()
        ]
        return read_chat({'threadId': 't', 'runId': 'r2', 'messages': [], 'resume': resume}, 'ag-ui')
    parts = [
        {
            'type': 'tool-refund',
            'toolCallId': shown.get(call, call),
            'state': 'approval-responded',
            'approval': {'id': call, 'approved': yes},
        }
        for call, yes in approved.items()
    ]
    return read_chat({'messages': [{'id': 'm1', 'role': 'assistant', 'parts': parts}]})


def resumed(chat: Conversation[None, str], form: Any, approved: dict[str, bool], shown: dict[str, str]) -> list[Any]:
    asked = decided(form, approved, shown)
    return chunks(b''.join(encode(chat.resume_stream_events_sync(asked.decisions), asked=asked)))


def outputs(events: list[Any]) -> dict[str, str]:
    """The returns of calls, by their ids in the page."""
    kinds = ('tool-output-available', 'TOOL_CALL_RESULT')
    returned = [event for event in events if isinstance(event, dict) and event['type'] in kinds]
    return {event['toolCallId']: str(event.get('output', event.get('content'))) for event in returned}


@pytest.mark.parametrize('form', ['ai-sdk', 'ag-ui'])
def test_calls_of_the_page_get_their_returns(
    form: Any, chat: Conversation[None, str], model_server: ModelServer
) -> None:
    calls = [ToolCall('refund', {'order': 7}, 'c1'), ToolCall('refund', {'order': 8}, 'c2')]
    model_server.reply(Reply(tool_calls=calls), Reply('Done'))
    for _ in encode(chat.run_stream_events_sync('Refund both'), form):
        pass
    events = resumed(chat, form, {'c1': True, 'c2': False}, {})
    assert outputs(events) == {'c1': 'refunded 7', 'c2': 'The call was denied, and not made.'}
    kinds = [event['type'] for event in events if isinstance(event, dict)]
    assert not {'tool-input-start', 'tool-input-available', 'TOOL_CALL_START'} & set(kinds)
    if form == 'ai-sdk':
        assert kinds.index('start-step') > max(n for n, kind in enumerate(kinds) if kind == 'tool-output-available')
        assert 'messageId' not in events[0]


def test_a_later_call_is_announced_again(chat: Conversation[None, str], model_server: ModelServer) -> None:
    replies = [
        Reply(tool_calls=[ToolCall('refund', {'order': 7}, 'c1')]),
        Reply(tool_calls=[ToolCall('look', {}, 'c2')]),
    ]
    model_server.reply(*replies, Reply('Done'))
    for _ in encode(chat.run_stream_events_sync('Refund')):
        pass
    events = resumed(chat, 'ai-sdk', {'c1': True}, {})
    assert outputs(events) == {'c1': 'refunded 7', 'c2': 'seen'}
    whole = [event for event in events if isinstance(event, dict) and event['type'] == 'tool-input-available']
    assert [event['toolCallId'] for event in whole] == ['c2']


def test_a_repeated_id_is_that_of_the_page(chat: Conversation[None, str], model_server: ModelServer) -> None:
    """A provider without ids of its own may call two tools `c` in one run, which are two calls in the page."""
    replies = [Reply(tool_calls=[ToolCall('look', {}, 'c')]), Reply(tool_calls=[ToolCall('refund', {'order': 7}, 'c')])]
    model_server.reply(*replies, Reply('Done'))
    events = chunks(b''.join(encode(chat.run_stream_events_sync('Refund'))))
    request = next(event for event in events[:-1] if event['type'] == 'tool-approval-request')
    assert (request['approvalId'], request['toolCallId']) == ('c', 'c-2')
    assert outputs(resumed(chat, 'ai-sdk', {'c': True}, {'c': 'c-2'})) == {'c-2': 'refunded 7'}

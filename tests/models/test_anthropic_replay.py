"""Recorded traffic of Anthropic over real sockets: what is read, and what would have been sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutated_exchange
from replay import (
    CUTTINGS,
    Cutting,
    Exchange,
    Replayed,
    assert_same_request,
    conversations,
    exchanges,
    replay,
)
from sampling import examples

from syncai.exceptions import BadRequestError, NotFoundError
from syncai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters
from syncai.models.anthropic import AnthropicModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
RECORDED = exchanges('anthropic')
CONVERSATIONS = [pytest.param(name, found, id=name) for name, found in conversations('anthropic').items()]


def made_by_hand(*events: dict[str, Any]) -> str:
    return ''.join(f'event: {event["type"]}\ndata: {json.dumps(event)}\n\n' for event in events)


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [{'type': 'content_block_delta', 'index': index, 'delta': delta} for delta in deltas]
    start = {'type': 'content_block_start', 'index': index, 'content_block': content}
    return [start, *inner, {'type': 'content_block_stop', 'index': index}]


EVERY_KIND_OF_BLOCK = made_by_hand(
    {'type': 'message_start', 'message': {'id': 'msg_1', 'model': 'm', 'usage': {'input_tokens': 3}}},
    *block(0, {'type': 'thinking', 'thinking': ''}, {'type': 'signature_delta', 'signature': 's'}),
    *block(1, {'type': 'redacted_thinking', 'data': 'xyz'}),
    *block(
        2,
        {'type': 'server_tool_use', 'id': 'srv_1', 'name': 'web_search', 'input': {}},
        {'type': 'input_json_delta', 'partial_json': '{"query": '},
        {'type': 'input_json_delta', 'partial_json': '"x"}'},
    ),
    *block(3, {'type': 'web_search_tool_result', 'tool_use_id': 'srv_1', 'content': [{'type': 'web_search_result'}]}),
    *block(
        4,
        {'type': 'text', 'text': '', 'citations': []},
        {'type': 'citations_delta', 'citation': {'type': 'x'}},
        {'type': 'text_delta', 'text': 'a'},
    ),
    *block(
        5,
        {'type': 'tool_use', 'id': 'c', 'name': 'f', 'input': {}, 'caller': {'type': 'direct'}},
        {'type': 'input_json_delta', 'partial_json': '{"x": 1}'},
    ),
    {'type': 'message_delta', 'delta': {'stop_reason': 'tool_use'}, 'usage': {'output_tokens': 7}},
    {'type': 'message_stop'},
)
"""Beside the recordings, which have only text, thoughts and calls."""

STREAMED_ON_THE_WAY = 'request_stream_fallback_for_high_max_tokens'
"""Asked for as a whole: the recorded client streamed it because of its `max_tokens`, as ours does."""


def model_of(server: ModelServer, name: str = 'claude-sonnet-4-5') -> AnthropicModel:
    return AnthropicModel(name, base_url=server.base_url, http=HttpOptions(max_retries=0))


def replayed(exchange: Exchange, messages: Sequence[ModelMessage], **options: Any) -> Replayed:
    asked = exchange.request
    options = {'settings': settings_of(asked), 'parameters': parameters_of(asked), **options}
    stream = asked['stream'] and not exchange.name.startswith(STREAMED_ON_THE_WAY)
    return replay(lambda server: model_of(server, asked['model']), exchange, messages, stream=stream, **options)


def settings_of(asked: dict[str, Any]) -> dict[str, Any]:
    found = {'max_tokens': asked['max_tokens'], 'anthropic_effort': asked.get('output_config', {}).get('effort')}
    if 'thinking' in asked:
        assert asked['thinking'] == {'type': 'enabled', 'budget_tokens': 1024}
        found['thinking'] = 'minimal'
    return found


def parameters_of(asked: dict[str, Any]) -> ModelRequestParameters:
    tools = [
        ToolDefinition(
            name=tool['name'],
            description=tool['description'],
            parameters_json_schema=tool['input_schema'],
            strict=tool.get('strict'),
        )
        for tool in asked.get('tools', ())
    ]
    text = asked.get('tool_choice') != {'type': 'any'}
    return ModelRequestParameters(function_tools=tools, allow_text_result=text)


def said_by_us(asked: dict[str, Any], first: bool, calls: Sequence[ToolCallPart]) -> ModelRequest:
    """The last turn of a recorded request, as the next message of the conversation."""
    parts: list[ModelRequestPart] = []
    if first and 'system' in asked:
        parts.append(SystemPromptPart(asked['system']))
    names = {call.tool_call_id: call.tool_name for call in calls}
    for block in asked['messages'][-1]['content']:
        if block['type'] == 'text':
            parts.append(UserPromptPart(block['text']))
        else:
            parts.append(ToolReturnPart(names[block['tool_use_id']], block['content'], block['tool_use_id']))
    return ModelRequest(parts)


def conversation(recorded: Sequence[Exchange]) -> Iterator[tuple[Exchange, Replayed]]:
    """The conversation held again: each answer as we read it is part of what we send next."""
    messages: list[ModelMessage] = []
    calls: list[ToolCallPart] = []
    for exchange in recorded:
        messages.append(said_by_us(exchange.request, not messages, calls))
        result = replayed(exchange, messages)
        yield exchange, result
        if result.response is not None:
            # As after a night in a database.
            (kept,) = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([result.response]))
            messages.append(kept)
            calls = result.response.tool_calls


@pytest.mark.needs_recordings
@pytest.mark.parametrize(('name', 'recorded'), CONVERSATIONS)
def test_requests_are_those_recorded(name: str, recorded: list[Exchange]) -> None:
    for exchange, result in conversation(recorded):
        assert result.request.path == '/v1/messages'  # and no `?beta=true`: the header is enough
        assert result.request.headers['anthropic-version'] == '2023-06-01'
        assert_same_request(result.request.json, exchange.request)  # no difference is deliberate


# --- answers ----------------------------------------------------------------------------------------------------------


def content_of(exchange: Exchange) -> list[dict[str, Any]]:
    """The content blocks of a recorded answer; those of a stream put together again and simply."""
    if not exchange.request['stream']:
        found: list[dict[str, Any]] = exchange.json['content']
        return found
    blocks: dict[int, dict[str, Any]] = {}
    for payload in exchange.payloads:
        if payload['type'] == 'content_block_start':
            blocks[payload['index']] = dict(payload['content_block'])
        elif payload['type'] == 'content_block_delta':
            for field, piece in payload['delta'].items():
                if field != 'type':
                    blocks[payload['index']][field] += piece
    return list(blocks.values())


def as_block(part: Any) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {'type': 'text', 'text': part.content}
    if isinstance(part, ThinkingPart):
        assert part.provider_name == 'anthropic'
        return {'type': 'thinking', 'thinking': part.content, 'signature': part.signature}
    assert isinstance(part, ToolCallPart)
    return {'type': 'tool_use', 'id': part.tool_call_id, 'name': part.tool_name, 'input': part.args_as_dict()}


def check_answer(got: ModelResponse, exchange: Exchange) -> None:
    streamed = exchange.request['stream']
    assert [as_block(part) for part in got.parts] == content_of(exchange)
    message = exchange.payloads[0]['message'] if streamed else exchange.json
    last = exchange.payloads[-2] if streamed else exchange.json
    reason = last['delta']['stop_reason'] if streamed else last['stop_reason']
    assert (got.model_name, got.provider_response_id) == (message['model'], message['id'])
    assert got.provider_finish_reason == reason
    assert got.finish_reason == {'end_turn': 'stop', 'tool_use': 'tool_call'}[reason]
    asked, answered = message['usage']['input_tokens'], last['usage']['output_tokens']
    assert (got.usage.requests, got.usage.request_tokens, got.usage.response_tokens) == (1, asked, answered)
    assert (got.usage.total_tokens, got.usage.details) == (asked + answered, None)
    assert (got.provider_name, got.incomplete) == ('anthropic', False)


@pytest.mark.many(5)
@pytest.mark.needs_recordings
@pytest.mark.parametrize('cutting', CUTTINGS)
@pytest.mark.parametrize('exchange', RECORDED)
def test_answers_are_read_whatever_the_cutting(exchange: Exchange, cutting: Cutting) -> None:
    result = replayed(exchange, HELLO, cutting=cutting)
    if exchange.status == 200:
        check_answer(result.answer, exchange)
        return
    assert type(result.error) is {400: BadRequestError, 404: NotFoundError}[exchange.status]
    assert result.error.body == exchange.json
    assert (result.error.provider, result.error.model_name) == ('anthropic', exchange.request['model'])
    if exchange.status == 404:
        assert "Did you mean 'anthropic:claude-sonnet-4-5'" in str(result.error)


@pytest.mark.needs_recordings
def test_a_stream_comes_in_as_many_events_as_fragments() -> None:
    streams = [e for e in conversations('anthropic')['model_thinking_part_stream'] if e.request['stream']]
    result = replayed(streams[0], HELLO)
    deltas = [payload['delta'] for payload in streams[0].payloads if payload['type'] == 'content_block_delta']
    assert len(result.events) == len([d for d in deltas if d.get('text') or d.get('thinking') or d.get('signature')])
    assert result.answer.thinking
    assert result.answer.parts[0] != result.answer.parts[-1]


def check_faulty(faulty: Exchange, sound: Exchange) -> None:
    # replay() lets any other exception through; pytest-timeout sees to it that nothing hangs.
    result = replayed(faulty, HELLO)
    assert (result.response is None) == (result.error is not None)
    message = result.response if result.error is None else result.error.partial
    if message is not None:
        ModelMessagesTypeAdapter.dump_json([message])
        replayed(sound, [*HELLO, message, *HELLO])  # what was kept of it can be sent back


@pytest.mark.slow
@pytest.mark.needs_recordings
@pytest.mark.parametrize('exchange', RECORDED)
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_faulty_answers_raise_nothing_but_our_errors(exchange: Exchange, data: st.DataObject) -> None:
    check_faulty(data.draw(mutated_exchange(exchange)), exchange)


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_faulty_blocks_of_every_kind(data: st.DataObject) -> None:
    asked = {'model': 'claude-sonnet-5-5', 'max_tokens': 100, 'stream': True}
    exchange = Exchange('by-hand', '/v1/messages', asked, 200, 'text/event-stream', EVERY_KIND_OF_BLOCK)
    assert len(replayed(exchange, HELLO).answer.parts) == 6
    check_faulty(data.draw(mutated_exchange(exchange)), exchange)

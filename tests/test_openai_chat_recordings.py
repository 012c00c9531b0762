"""Recorded traffic, replayed through the pure functions; skipped where there are no recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from syncai.exceptions import BadRequestError, ModelHTTPError, NotFoundError, UnexpectedModelBehavior
from syncai.messages import (
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters
from syncai.models._chat_errors import refine_http_error
from syncai.models._chat_request import chat_request
from syncai.models._chat_response import ChatStreamDecoder, chat_response
from syncai.models._parts import PartsBuilder
from syncai.models._providers import PROVIDERS, for_model
from syncai.tools import ToolDefinition

RECORDINGS = sorted((Path(__file__).parents[2] / 'shared/recordings/openai_chat').glob('*.json'))


def exchanges() -> list[Any]:
    return [
        pytest.param(exchange, id=f'{path.stem}-{number}')
        for path in RECORDINGS
        for number, exchange in enumerate(json.loads(path.read_text()))
        if exchange['request']['url'].endswith('/chat/completions')
    ]


def text_and_calls(messages: list[dict[str, Any]]) -> tuple[str, list[tuple[str, str]]]:
    text = ''.join(message.get('content') or '' for message in messages)
    calls = [call for message in messages for call in message.get('tool_calls') or ()]
    ids = [(call.get('id') or '', (call.get('function') or {}).get('name') or '') for call in calls]
    return text, [pair for pair in ids if pair[0]]


@pytest.mark.skipif(not RECORDINGS, reason='no recordings here')
@pytest.mark.parametrize('exchange', exchanges())
def test_recorded_answers(exchange: dict[str, Any]) -> None:
    recorded = exchange['response']
    usage: dict[str, Any]
    if recorded['status'] != 200:
        error = ModelHTTPError.of(recorded['status'], 'x', json.loads(recorded['body']))
        assert isinstance(refine_http_error(error, 'openai', 'x'), BadRequestError | NotFoundError)
        return
    if exchange['request']['json'].get('stream'):
        payloads = [line[6:] for line in recorded['body'].splitlines() if line.startswith('data: ')]
        builder = PartsBuilder()
        decoder = ChatStreamDecoder(builder, 'openai', 'm')
        decoder.feed(payloads, [])
        assert decoder.complete
        reason = decoder.finish_reason
        chunks = [json.loads(payload) for payload in payloads if payload != '[DONE]']
        messages = [choice['delta'] for c in chunks for choice in c['choices']]
        got = ModelResponse(builder.parts(), usage=decoder.usage, finish_reason=reason)
        usage = next((c['usage'] for c in chunks if c.get('usage')), {})
    else:
        body = json.loads(recorded['body'])
        if 'choices' not in body:
            with pytest.raises(UnexpectedModelBehavior):
                chat_response(body, 'openai', 'm')
            return
        got, messages, usage = chat_response(body, 'openai', 'm'), [body['choices'][0]['message']], body['usage']
    assert (got.text, [(c.tool_call_id, c.tool_name) for c in got.tool_calls]) == text_and_calls(messages)
    assert all(isinstance(call.args_as_dict(), dict) for call in got.tool_calls)
    assert got.usage.total_tokens == usage.get('total_tokens')
    assert got.finish_reason in ('stop', 'tool_call')
    assert not got.incomplete


@pytest.mark.skipif(not RECORDINGS, reason='no recordings here')
def test_recorded_requests() -> None:
    seen = 0
    for exchange in (param.values[0] for param in exchanges()):
        wanted = cast('dict[str, Any]', exchange)['request']['json']
        if 'response_format' in wanted or wanted['model'].startswith('o'):
            continue
        messages: list[Any] = []
        for message in wanted['messages']:
            content = message.get('content')
            if message['role'] == 'assistant':
                calls = message.get('tool_calls') or ()
                parts: list[Any] = [TextPart(content)] if content else []
                parts += [ToolCallPart(c['function']['name'], c['function']['arguments'], c['id']) for c in calls]
                messages.append(ModelResponse(parts))
            elif message['role'] == 'tool':
                messages.append(ModelRequest([ToolReturnPart('t', content, message['tool_call_id'])]))
            else:
                part = SystemPromptPart(content) if message['role'] == 'system' else UserPromptPart(content)
                messages.append(ModelRequest([part]))
        tools = [
            ToolDefinition(
                name=tool['function']['name'],
                description=tool['function']['description'],
                parameters_json_schema=tool['function']['parameters'],
                strict=tool['function'].get('strict'),
            )
            for tool in wanted.get('tools', ())
        ]
        required = wanted.get('tool_choice') == 'required'
        parameters = ModelRequestParameters(function_tools=tools, allow_text_result=not required)
        settings = {'extra_body': {'n': wanted['n']}} if 'n' in wanted else {}
        row = for_model(PROVIDERS['openai'], wanted['model'])
        body = chat_request(wanted['model'], row, messages, settings, parameters, stream=wanted['stream'])
        for message in (*body['messages'], *wanted['messages']):
            if message.get('content') is None:
                message.pop('content', None)  # null and absent mean the same
        assert body == wanted
        seen += 1
    assert seen >= 5

"""Recorded traffic of the providers that speak Chat Completions, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from beside import RECORDINGS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutated_exchange
from replay import (
    CUTTINGS,
    MISSING,
    Cutting,
    Deliberate,
    Exchange,
    Replayed,
    assert_same_request,
    conversations,
    replay,
)
from sampling import examples

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import RateLimitError, SyncAIError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    ThinkingPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, ResultSchema
from syncai.models._catalog.providers import PROVIDERS
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, RecordedRequest, Reply
from syncai.tools import ToolDefinition

# Recordings in a directory of a row's name are replayed: a further provider is a row and a recording.
NAMES = [row.name for row in PROVIDERS.values() if row.wire == 'openai-chat' and (RECORDINGS / row.name).is_dir()]

ONE = Deliberate('n', 'one answer is the default', ours=MISSING, recorded=1)
DELIBERATE = {
    'groq': [
        ONE,
        Deliberate('messages.*.content', 'null and absent mean the same', ours=None, recorded=MISSING),
        Deliberate('messages.4.content', 'thoughts do not become text', ours=None),
        Deliberate('messages.4.reasoning', 'thoughts go back in the field of the API reference', recorded=MISSING),
        Deliberate('messages.2.tool_calls.0.id', 'a call that Groq refused has no id: everybody makes one'),
        Deliberate('messages.3.tool_call_id', 'and its return has the same'),
    ],
    'deepseek': [ONE],
}


@cache
def recorded(provider: str) -> dict[str, list[Exchange]]:
    if provider == 'cerebras':
        known = conversations('openai_chat')
        return {name: known[name] for name in known if name == 'model_cerebras_provider_harmony'}
    return conversations(provider)


def cases() -> list[Any]:
    return [
        pytest.param(provider, name, number, id=f'{provider}-{exchange.name}')
        for provider in (*NAMES, 'cerebras')
        for name, found in recorded(provider).items()
        for number, exchange in enumerate(found)
    ]


def model_of(provider: str, exchange: Exchange) -> Callable[[ModelServer], OpenAIChatModel]:
    name = exchange.request['model']
    return lambda server: OpenAIChatModel(name, provider=provider, base_url=server.base_url, api_key='sk-recorded')


def messages_of(written: Sequence[dict[str, Any]], answers: Sequence[ModelResponse]) -> list[ModelMessage]:
    """The conversation of a recorded request, its answers being those that we made of the recorded ones."""
    messages: list[ModelMessage] = []
    left = list(answers)
    for message in written:
        role, content = message['role'], message.get('content') or ''
        if role == 'assistant':
            messages.append(left.pop(0))
        elif role == 'tool':
            messages.append(ModelRequest([ToolReturnPart('t', content, _id_of(message['tool_call_id'], messages))]))
        else:
            messages.append(ModelRequest([SystemPromptPart(content) if role == 'system' else UserPromptPart(content)]))
    return messages


def _id_of(recorded_id: str, messages: Sequence[ModelMessage]) -> str:
    """The id of a call, or of our only call where the provider gave none and everybody makes one."""
    calls = [call.tool_call_id for m in messages if isinstance(m, ModelResponse) for call in m.tool_calls]
    return recorded_id if recorded_id in calls else calls[-1]


def parameters_of(request: dict[str, Any]) -> ModelRequestParameters:
    tools = [
        ToolDefinition(
            name=tool['function']['name'],
            description=tool['function']['description'],
            parameters_json_schema=tool['function']['parameters'],
        )
        for tool in request.get('tools', ())
    ]
    if 'response_format' not in request:
        return ModelRequestParameters(function_tools=tools)
    schema = ResultSchema(**request['response_format']['json_schema'])
    return ModelRequestParameters(function_tools=tools, result_mode='native', result_schema=schema)


@cache
def replayed(provider: str, name: str, number: int, cutting: Cutting) -> Replayed:
    found = recorded(provider)[name]
    exchange = found[number]
    before = [replayed(provider, name, n, cutting).response for n in range(number)]
    messages = messages_of(exchange.request['messages'], [answer for answer in before if answer is not None])
    return replay(
        model_of(provider, exchange),
        exchange,
        messages,
        stream=exchange.request['stream'],
        cutting=cutting,
        settings={'thinking': True} if 'reasoning' in exchange.request else None,
        parameters=parameters_of(exchange.request),
    )


def pieces(exchange: Exchange) -> list[dict[str, Any]]:
    """The messages or deltas of a recorded answer."""
    whole = exchange.payloads if exchange.request['stream'] else [exchange.json]
    return [choice.get('delta') or choice.get('message') or {} for body in whole for choice in body.get('choices', ())]


def thoughts_and_text(exchange: Exchange) -> tuple[str, str]:
    thoughts, text = '', ''
    for piece in pieces(exchange):
        thoughts += piece.get('reasoning_content') or piece.get('reasoning') or ''
        content: Any = piece.get('content') or ''
        for part in content if isinstance(content, list) else [{'type': 'text', 'text': content}]:
            if part['type'] == 'thinking':
                thoughts += ''.join(chunk['text'] for chunk in part['thinking'])
            else:
                text += part['text']
    return thoughts, text


@pytest.mark.many(7)
@pytest.mark.slow
@pytest.mark.needs_recordings
@pytest.mark.parametrize('cutting', CUTTINGS)
@pytest.mark.parametrize(('provider', 'name', 'number'), cases())
def test_answers(provider: str, name: str, number: int, cutting: Cutting) -> None:
    exchange = recorded(provider)[name][number]
    result = replayed(provider, name, number, cutting)
    if exchange.status == 429:
        assert isinstance(result.error, RateLimitError)
        assert (result.error.provider, result.error.status_code) == (provider, 429)
        assert 'rate-limited upstream' in str(result.error)
        return
    answer = result.answer
    assert answer.provider_name == provider
    if exchange.status == 400:
        assert [(c.tool_name, c.args_as_dict()) for c in answer.tool_calls] == [
            ('get_something_by_name', {'foo': 'bar'})
        ]
        assert (answer.finish_reason, answer.provider_finish_reason) == ('tool_call', 'tool_use_failed')
        return
    bodies = exchange.payloads if exchange.request['stream'] else [exchange.json]
    assert (answer.thinking, answer.text) == thoughts_and_text(exchange)
    calls = [call for piece in pieces(exchange) for call in piece.get('tool_calls') or ()]
    assert [(c.tool_call_id, c.tool_name, c.args) for c in answer.tool_calls] == [
        (call['id'], call['function']['name'], call['function']['arguments']) for call in calls
    ]
    usage = next(body['usage'] for body in reversed(bodies) if body.get('usage'))
    used = (answer.usage.request_tokens, answer.usage.response_tokens, answer.usage.total_tokens)
    assert used == (usage['prompt_tokens'], usage['completion_tokens'], usage['total_tokens'])
    reasons = [c['finish_reason'] for body in bodies for c in body['choices'] if c.get('finish_reason')]
    assert answer.provider_finish_reason == reasons[-1]
    assert answer.finish_reason == {'stop': 'stop', 'tool_calls': 'tool_call'}[reasons[-1]]
    assert (answer.provider_response_id, answer.model_name) == (bodies[0]['id'], bodies[0]['model'])
    assert not answer.incomplete


@pytest.mark.needs_recordings
@pytest.mark.parametrize(('provider', 'name', 'number'), cases())
def test_requests(provider: str, name: str, number: int) -> None:
    exchange = recorded(provider)[name][number]
    sent = replayed(provider, name, number, 'whole').request
    assert sent.headers['authorization'] == 'Bearer sk-recorded'
    assert_same_request(sent.json, exchange.request, DELIBERATE.get(provider, ()))


@pytest.mark.needs_recordings
def test_what_is_replayed() -> None:
    assert set(NAMES) >= {'groq', 'mistral', 'deepseek', 'openrouter', 'ollama'}
    assert len(cases()) >= 17


@pytest.mark.needs_recordings
def test_the_details_of_openrouters_reasoning_go_back_as_they_came() -> None:
    exchange = recorded('openrouter')['streaming_reasoning'][0]
    answer = replayed('openrouter', 'streaming_reasoning', 0, 'random').answer
    (thinking,) = (part for part in answer.parts if isinstance(part, ThinkingPart))
    fragments = [detail for piece in pieces(exchange) for detail in piece.get('reasoning_details', ())]
    (detail,) = (thinking.provider_details or {})['reasoning_details']
    assert detail == {
        'type': 'reasoning.text',
        'text': ''.join(fragment.get('text', '') for fragment in fragments),
        'signature': ''.join(fragment.get('signature', '') for fragment in fragments),
        'format': 'anthropic-claude-v1',
        'index': 0,
    }
    again = [*messages_of(exchange.request['messages'], []), answer, ModelRequest.user_text_prompt('Sure?')]
    with ModelServer(Reply('Yes.')) as server:
        model_request_sync(model_of('openrouter', exchange)(server), again)
    assert server.requests[0].json['messages'][1]['reasoning_details'] == [detail]


def mutations() -> list[Any]:
    return [
        pytest.param(provider, found[0], id=f'{provider}-{found[0].name}')
        for provider in (*NAMES, 'cerebras')
        for found in recorded(provider).values()
    ]


@pytest.mark.slow
@pytest.mark.needs_recordings
@pytest.mark.parametrize(('provider', 'exchange'), mutations())
@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(data=st.data())
def test_faults_raise_nothing_but_our_errors(provider: str, exchange: Exchange, data: st.DataObject) -> None:
    wrong = data.draw(mutated_exchange(exchange))
    retry = {'x-should-retry': 'false'}
    reply = Reply(status=wrong.status, body=wrong.body.encode(), content_type=wrong.content_type, headers=retry)

    def answer(request: RecordedRequest) -> Reply:
        assert request.json['model']
        return reply

    with ModelServer(answer) as server:
        model, messages = model_of(provider, exchange)(server), messages_of(exchange.request['messages'], [])
        try:
            if exchange.request['stream']:
                with model_request_stream_sync(model, messages, model_settings={'timeout': 10}) as stream:
                    assert list(stream) is not None
                    response = stream.get()
            else:
                response = model_request_sync(model, messages, model_settings={'timeout': 10})
        except SyncAIError:
            return
        # What was made of it can be sent back: to the same provider, and to another one.
        for other in (provider, 'mistral'):
            again = OpenAIChatModel('m', provider=other, base_url=server.base_url, api_key='k')
            body = again._body([*messages, response], {}, ModelRequestParameters(), stream=False)
            assert json.dumps(body)

"""Recorded traffic of OpenAI Chat Completions over real sockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
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
    converse,
    exchanges,
    replay,
)
from sampling import examples

from syncai.exceptions import BadRequestError, NotFoundError, UnexpectedModelBehavior
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
from syncai.models import Model, ModelRequestParameters, ResultSchema
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
CONVERSATIONS = conversations('openai_chat')


def model_of(server: ModelServer, exchange: Exchange) -> Model:
    http = HttpOptions(max_retries=0)
    name = exchange.request['model']
    if exchange.url.endswith('/responses'):
        return OpenAIResponsesModel(name, base_url=server.base_url, http=http)
    provider = 'cerebras' if 'cerebras' in exchange.url else 'openai'
    return OpenAIChatModel(name, base_url=server.base_url, http=http, provider=provider)


def replayed(exchange: Exchange, messages: Sequence[ModelMessage], **options: Any) -> Replayed:
    asked = exchange.request
    options = {'settings': settings_of(asked), 'parameters': parameters_of(asked), **options}
    return replay(lambda server: model_of(server, exchange), exchange, messages, stream=asked['stream'], **options)


def settings_of(asked: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {'extra_body': {'n': asked['n']}} if 'n' in asked else {}
    if effort := asked.get('reasoning_effort'):
        found['thinking'] = effort
    return found | {f'openai_reasoning_{name}': value for name, value in asked.get('reasoning', {}).items()}


def parameters_of(asked: dict[str, Any]) -> ModelRequestParameters:
    functions = [tool['function'] for tool in asked.get('tools', ())]
    tools = [
        ToolDefinition(
            name=function['name'],
            description=function['description'],
            parameters_json_schema=function['parameters'],
            strict=function.get('strict'),
        )
        for function in functions
    ]
    if form := asked.get('response_format'):
        schema = ResultSchema(**form['json_schema'])
        return ModelRequestParameters(function_tools=tools, result_mode='native', result_schema=schema)
    return ModelRequestParameters(function_tools=tools, allow_text_result=asked.get('tool_choice') != 'required')


def said(exchange: Exchange, answer: ModelResponse | None) -> ModelRequest:
    """The messages after the last answer in a recorded request."""
    messages = exchange.request.get('messages') or exchange.request['input']
    last = max((n for n, message in enumerate(messages) if message['role'] == 'assistant'), default=-1)
    parts: list[ModelRequestPart] = []
    for message in messages[last + 1 :]:
        if message['role'] == 'tool':
            parts.append(ToolReturnPart('t', message['content'], message['tool_call_id']))
        else:
            kind = SystemPromptPart if message['role'] == 'system' else UserPromptPart
            parts.append(kind(message['content']))
    return ModelRequest(parts)


def deliberate(name: str) -> list[Deliberate]:
    if name == 'o1_mini_system_role-system':
        why = 'o1-mini refuses a system prompt, as the recorded answer says: it gets it as a user prompt'
        return [Deliberate('messages.0.role', why, ours='user', recorded='system')]
    if name == 'model_thinking_part':
        why = 'thoughts of another provider are dropped; the recorded client sent them as text, in tags'
        (text,) = (part['text'] for part in CONVERSATIONS[name][0].json['output'][-1]['content'])
        return [Deliberate('messages.1.content', why, ours=text)]
    return [Deliberate('messages.*.content', 'null and absent mean the same', ours=None, recorded=MISSING)]


@pytest.mark.needs_recordings
@pytest.mark.parametrize('name', CONVERSATIONS)
def test_requests_are_those_recorded(name: str) -> None:
    for exchange, result in converse(CONVERSATIONS[name], said, replayed):
        if exchange.url.endswith('/chat/completions'):
            assert result.request.path.endswith('/chat/completions')
            assert_same_request(result.request.json, exchange.request, deliberate(name))


# --- answers ----------------------------------------------------------------------------------------------------------


def parts_of(exchange: Exchange) -> list[Any]:
    """The content of the recorded message, or of its joined pieces, read by simple code."""
    bodies = exchange.payloads if exchange.request['stream'] else [exchange.json]
    choices = [choice for body in bodies for choice in body['choices']]
    messages = [choice.get('delta') or choice.get('message') or {} for choice in choices]
    thoughts = ''.join(message.get('reasoning') or '' for message in messages)
    text = ''.join(message.get('content') or '' for message in messages)
    calls: dict[int, list[str]] = {}
    for message in messages:
        for number, call in enumerate(message.get('tool_calls') or ()):
            known = calls.setdefault(call.get('index', number), [call.get('id'), call['function'].get('name'), ''])
            known[2] += call['function']['arguments']
    found: list[Any] = [(ThinkingPart, thoughts)] if thoughts else []
    found += [(TextPart, text)] if text else []
    return found + [(ToolCallPart, *call) for call in calls.values()]


def as_tuple(part: Any) -> Any:
    if isinstance(part, ToolCallPart):
        return ToolCallPart, part.tool_call_id, part.tool_name, part.args
    return type(part), part.content


def check_answer(got: ModelResponse, exchange: Exchange) -> None:
    bodies = exchange.payloads if exchange.request['stream'] else [exchange.json]
    assert [as_tuple(part) for part in got.parts] == parts_of(exchange)
    usage = next(body['usage'] for body in bodies if body.get('usage'))
    counts = (usage['prompt_tokens'], usage['completion_tokens'], usage['total_tokens'])
    assert (got.usage.request_tokens, got.usage.response_tokens, got.usage.total_tokens) == counts
    reasoning = usage.get('completion_tokens_details', {}).get('reasoning_tokens')
    assert (got.usage.requests, got.usage.details) == (1, {'reasoning_tokens': reasoning} if reasoning else None)
    (reason,) = {c['finish_reason'] for body in bodies for c in body['choices'] if c.get('finish_reason')}
    assert (got.provider_finish_reason, got.incomplete) == (reason, False)
    assert got.finish_reason == {'tool_calls': 'tool_call'}.get(reason, reason)
    assert (got.model_name, got.provider_response_id) == (bodies[0]['model'], bodies[0]['id'])
    assert got.timestamp.timestamp() == bodies[0]['created']
    assert got.provider_name == ('cerebras' if 'cerebras' in exchange.url else 'openai')


@pytest.mark.slow
@pytest.mark.many(7)
@pytest.mark.needs_recordings
@pytest.mark.parametrize('cutting', CUTTINGS)
@pytest.mark.parametrize('exchange', exchanges('openai_chat', '/chat/completions'))
def test_answers_are_read_whatever_the_cutting(exchange: Exchange, cutting: Cutting) -> None:
    result = replayed(exchange, HELLO, cutting=cutting)
    failures = {400: BadRequestError, 404: NotFoundError, 200: UnexpectedModelBehavior}
    if exchange.status != 200 or 'choices' not in exchange.body:
        assert result.error is not None
        assert type(result.error) is failures[exchange.status]
        assert (result.error.provider, result.error.model_name) == ('openai', exchange.request['model'])
        assert exchange.status != 404 or "'openai:gpt-5.2'" in str(result.error)
        return
    check_answer(result.answer, exchange)
    if exchange.request['stream']:
        pieces = [choice['delta'] for payload in exchange.payloads for choice in payload['choices']]
        some = [piece for piece in pieces if piece.get('content') or piece.get('tool_calls')]
        assert len(result.events) == len(some)


@pytest.mark.slow
@pytest.mark.many(5)
@pytest.mark.needs_recordings
@pytest.mark.parametrize('exchange', exchanges('openai_chat', '/chat/completions'))
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_faulty_answers_raise_nothing_but_our_errors(exchange: Exchange, data: st.DataObject) -> None:
    # replay() lets any other exception through; pytest-timeout sees to it that nothing hangs.
    result = replayed(data.draw(mutated_exchange(exchange)), HELLO)
    assert (result.response is None) == (result.error is not None)
    found = result.response if result.error is None else result.error.partial
    ModelMessagesTypeAdapter.dump_json([found] if found else [])

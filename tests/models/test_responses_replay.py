"""Recorded traffic of OpenAI Responses over real sockets: what is read, and what would have been sent."""

from __future__ import annotations

import json
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

from syncai.exceptions import BadRequestError
from syncai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, ResultSchema
from syncai.models._catalog.providers import PROVIDERS, for_model
from syncai.models._responses.messages import input_items
from syncai.models._responses.response import responses_response
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer
from syncai.tools import ToolDefinition

# Each example is a request over a socket, and the leak check surrounds them all.
_SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
RECORDED = [*exchanges('openai_responses'), *exchanges('openai_chat', '/responses')]
CONVERSATIONS = {
    f'{provider}/{name}': [exchange for exchange in recorded if exchange.url.endswith('/responses')]
    for provider in ('openai_responses', 'openai_chat')
    for name, recorded in conversations(provider).items()
}

DELIBERATE = [
    Deliberate('store', 'nothing is kept at the provider unless it is asked for', ours=False, recorded=MISSING),
    Deliberate('stream', 'false and absent mean the same', ours=False, recorded=MISSING),
    Deliberate('instructions', 'empty instructions are none', ours=MISSING, recorded=''),
    Deliberate('tools.*.description', 'a tool without description', ours='', recorded=None),
    Deliberate('input.*.status', 'null and absent mean the same', ours=MISSING, recorded=None),
    Deliberate(
        'include',
        'thoughts are asked for whenever a model may have some, or they are lost to the next request',
        ours=['reasoning.encrypted_content'],
        recorded=MISSING,
    ),
    Deliberate(
        'input.1',
        'an answer that only calls tools has no text, and no empty message stands for it',
        ours=MISSING,
        recorded={'role': 'assistant', 'content': ''},
    ),
    Deliberate(
        'input.*.call_id',
        'a call is known by its call_id; the recorded client sent the id of the item',
        ours='call_kL0PCQV7M2WMoVX8V8OtYSAL',
        recorded='fc_67e554a1de488191af0831d35cbe082e0794405d35281ae2',
    ),
]


def model_of(server: ModelServer, name: str = 'gpt-4o') -> OpenAIResponsesModel:
    return OpenAIResponsesModel(name, base_url=server.base_url, http=HttpOptions(max_retries=0))


def replayed(exchange: Exchange, messages: Sequence[ModelMessage], **options: Any) -> Replayed:
    asked = exchange.request
    options = {'settings': settings_of(asked), 'parameters': parameters_of(asked), **options}
    stream = asked.get('stream') is True
    return replay(lambda server: model_of(server, asked['model']), exchange, messages, stream=stream, **options)


def settings_of(asked: dict[str, Any]) -> dict[str, Any]:
    reasoning = {f'openai_reasoning_{name}': value for name, value in asked.get('reasoning', {}).items()}
    return reasoning | {name: asked[name] for name in ('temperature',) if name in asked}


def parameters_of(asked: dict[str, Any]) -> ModelRequestParameters:
    tools = [
        ToolDefinition(
            name=tool['name'],
            description=tool['description'] or '',
            parameters_json_schema=tool['parameters'],
            strict=tool['strict'],
        )
        for tool in asked.get('tools', ())
    ]
    text = asked.get('tool_choice') != 'required'
    if form := asked.get('text', {}).get('format'):
        schema = ResultSchema(name=form['name'], schema=form['schema'], strict=form['strict'])
        return ModelRequestParameters(function_tools=tools, result_mode='native', result_schema=schema)
    return ModelRequestParameters(function_tools=tools, allow_text_result=text)


def said(exchange: Exchange, answer: ModelResponse | None) -> ModelRequest:
    """The last prompt, or the tools' returns, of a recorded request."""
    items = exchange.request['input']
    if answer is None or not answer.tool_calls:
        return ModelRequest([UserPromptPart(items[-1]['content'])])
    returns = [item for item in items if item.get('type') == 'function_call_output'][-len(answer.tool_calls) :]
    calls = zip(answer.tool_calls, returns, strict=True)
    return ModelRequest([ToolReturnPart(call.tool_name, item['output'], call.tool_call_id) for call, item in calls])


@pytest.mark.needs_recordings
@pytest.mark.parametrize('name', [name for name, recorded in CONVERSATIONS.items() if recorded])
def test_requests_are_those_recorded(name: str) -> None:
    for exchange, result in converse(CONVERSATIONS[name], said, replayed):
        assert result.request.path.endswith('/responses')
        assert_same_request(result.request.json, exchange.request, DELIBERATE)


@pytest.mark.needs_recordings
def test_every_deliberate_difference_is_still_one() -> None:
    needed = [
        entry
        for recorded in CONVERSATIONS.values()
        for exchange, result in converse(recorded, said, replayed)
        for entry in assert_same_request(result.request.json, exchange.request, DELIBERATE)
    ]
    assert [entry.path for entry in DELIBERATE if entry not in needed] == []


# --- answers ----------------------------------------------------------------------------------------------------------


def parts_of(output: list[dict[str, Any]]) -> list[Any]:
    """The content of the recorded items, read by simple code."""
    found: list[Any] = []
    for item in output:
        if item['type'] == 'reasoning':
            texts = [part['text'] for part in item['summary']] or ['']
            proof = item.get('encrypted_content')
            found += [(ThinkingPart, text, item['id'], None if n else proof) for n, text in enumerate(texts)]
        elif item['type'] == 'message':
            found += [(TextPart, part['text']) for part in item['content']]
        else:
            found.append((ToolCallPart, item['name'], item['arguments'], item['call_id']))
    return found


def as_tuple(part: Any) -> Any:
    if isinstance(part, ThinkingPart):
        assert part.provider_name == 'openai-responses'
        return ThinkingPart, part.content, part.id, part.signature
    if isinstance(part, TextPart):
        return TextPart, part.content
    return ToolCallPart, part.tool_name, part.args, part.tool_call_id


def check_answer(got: ModelResponse, whole: dict[str, Any]) -> None:
    assert [as_tuple(part) for part in got.parts] == parts_of(whole['output'])
    usage = whole['usage']
    assert (got.usage.requests, got.usage.request_tokens) == (1, usage['input_tokens'])
    assert (got.usage.response_tokens, got.usage.total_tokens) == (usage['output_tokens'], usage['total_tokens'])
    reasoning = usage['output_tokens_details']['reasoning_tokens']
    assert got.usage.details == ({'reasoning_tokens': reasoning} if reasoning else None)
    assert got.finish_reason == ('tool_call' if got.tool_calls else 'stop')
    assert (got.provider_finish_reason, got.incomplete) == ('completed', False)
    assert (got.model_name, got.provider_response_id) == (whole['model'], whole['id'])
    assert got.timestamp.timestamp() == whole['created_at']
    assert got.provider_name == 'openai-responses'


@pytest.mark.many(5)
@pytest.mark.needs_recordings
@pytest.mark.parametrize('cutting', CUTTINGS)
@pytest.mark.parametrize('exchange', RECORDED)
def test_answers_are_read_whatever_the_cutting(exchange: Exchange, cutting: Cutting) -> None:
    result = replayed(exchange, HELLO, cutting=cutting)
    if exchange.status != 200:
        assert type(result.error) is BadRequestError
        assert result.error.body == exchange.json
        assert (result.error.provider, result.error.model_name) == ('openai-responses', exchange.request['model'])
        return
    streamed = exchange.request.get('stream') is True
    whole = exchange.payloads[-1]['response'] if streamed else exchange.json
    check_answer(result.answer, whole)
    if streamed:
        deltas = [payload for payload in exchange.payloads if payload['type'].endswith('.delta')]
        assert len(result.events) == len(deltas) + len(result.answer.tool_calls)
        assert result.answer.parts == responses_response(whole, 'openai-responses', 'm').parts


@pytest.mark.slow
@pytest.mark.needs_recordings
@pytest.mark.parametrize('exchange', RECORDED)
@settings(max_examples=examples(25), deadline=None, suppress_health_check=_SLOW)
@given(data=st.data())
def test_faulty_answers_raise_nothing_but_our_errors(exchange: Exchange, data: st.DataObject) -> None:
    # replay() lets any other exception through; pytest-timeout sees to it that nothing hangs.
    faulty = data.draw(mutated_exchange(exchange))
    result = replayed(faulty, HELLO)
    assert (result.response is None) == (result.error is not None)
    found = result.response if result.error is None else result.error.partial
    if found:
        kept = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([found]))
        row = for_model(PROVIDERS['openai-responses'], 'gpt-5.5')
        for stored in (False, True):  # what was made of it can be sent back
            json.dumps(input_items(kept, row, stored=stored))

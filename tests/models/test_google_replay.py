"""Recorded traffic of the Gemini API, replayed over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutated_exchange
from replay import CUTTINGS, MISSING, Cutting, Deliberate, Exchange, assert_same_request, conversations, exchanges
from replay import replay as replayed
from sampling import examples

from syncai.exceptions import ModelHTTPError, NotFoundError, SyncAIError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, ResultSchema
from syncai.models._google.messages import SIGNATURE, SIGNATURES, UNSIGNED_CALL
from syncai.models.google import GoogleModel
from syncai.tools import ToolDefinition
from syncai.usage import Usage

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
CONVERSATIONS = conversations('google')


def model_name(exchange: Exchange) -> str:
    return exchange.url.rpartition('/')[2].partition(':')[0]


def streams(exchange: Exchange) -> bool:
    return ':streamGenerateContent' in exchange.url


def model_of(exchange: Exchange) -> Any:
    return lambda server: GoogleModel(model_name(exchange), base_url=f'http://127.0.0.1:{server.port}')


# --- answers ----------------------------------------------------------------------------------------------------------


def chunks_of(exchange: Exchange) -> list[dict[str, Any]]:
    return exchange.payloads if streams(exchange) else [exchange.json]


def recorded_parts(exchange: Exchange) -> list[dict[str, Any]]:
    contents = [chunk['candidates'][0].get('content', {}) for chunk in chunks_of(exchange)]
    return [part for content in contents for part in content.get('parts', ())]


def signed_texts(response: ModelResponse) -> list[tuple[str, str]]:
    """The signed parts, with their signatures."""
    found = []
    for part in response.parts:
        details = getattr(part, 'provider_details', None) or {}
        if isinstance(part, TextPart):
            found += [(part.content[start:end], signature) for start, end, signature in details.get(SIGNATURES, ())]
        elif SIGNATURE in details:
            assert isinstance(part, ToolCallPart)
            found.append((part.tool_name, details[SIGNATURE]))
    return found


@pytest.mark.many(5)
@pytest.mark.needs_recordings
@pytest.mark.parametrize('cutting', CUTTINGS)
@pytest.mark.parametrize('exchange', exchanges('google', 'enerateContent'))
def test_recorded_answers(exchange: Exchange, cutting: Cutting) -> None:
    got = replayed(model_of(exchange), exchange, HELLO, stream=streams(exchange), cutting=cutting)
    assert got.request.path == exchange.url.removeprefix('https://generativelanguage.googleapis.com')
    if exchange.status != 200:
        assert isinstance(got.error, NotFoundError)
        assert "'google:gemini-3.6-flash'" in str(got.error)  # asked for was gemini-3.6-flahs
        assert got.error.body == exchange.json
        return
    answer, last, parts = got.answer, chunks_of(exchange)[-1], recorded_parts(exchange)
    assert answer.text == ''.join(part['text'] for part in parts if 'text' in part and not part.get('thought'))
    assert answer.thinking == ''.join(part['text'] for part in parts if part.get('thought'))
    assert [(c.tool_name, c.args_as_dict()) for c in answer.tool_calls] == [
        (part['functionCall']['name'], part['functionCall']['args']) for part in parts if 'functionCall' in part
    ]
    assert len({call.tool_call_id for call in answer.tool_calls} - {''}) == len(answer.tool_calls)
    assert signed_texts(answer) == [
        (part['text'] if 'text' in part else part['functionCall']['name'], part['thoughtSignature'])
        for part in parts
        if 'thoughtSignature' in part
    ]
    assert (answer.model_name, answer.provider_response_id) == (last['modelVersion'], last['responseId'])
    raw = last['candidates'][0]['finishReason']
    common = {'SAFETY': 'content_filter', 'STOP': 'tool_call' if answer.tool_calls else 'stop'}[raw]
    assert (answer.finish_reason, answer.provider_finish_reason, answer.incomplete) == (common, raw, False)
    check_usage(answer.usage, last['usageMetadata'])


def check_usage(usage: Usage, counts: dict[str, Any]) -> None:
    assert usage.requests == 1
    assert (usage.request_tokens, usage.total_tokens) == (counts['promptTokenCount'], counts['totalTokenCount'])
    assert (usage.response_tokens or 0) == counts['totalTokenCount'] - counts['promptTokenCount']
    thoughts = counts.get('thoughtsTokenCount')
    assert usage.details == ({'reasoning_tokens': thoughts} if thoughts else None)


@pytest.mark.needs_recordings
@pytest.mark.parametrize('exchange', exchanges('google', ':streamGenerateContent'))
def test_the_events_of_a_recorded_stream_make_the_answer(exchange: Exchange) -> None:
    got = replayed(model_of(exchange), exchange, HELLO, stream=True, cutting='random')
    parts: list[Any] = []
    for event in got.events:
        if isinstance(event, PartStartEvent):
            assert event.index == len(parts)
            parts.append(event.part)
        else:
            assert isinstance(event, PartDeltaEvent)
            parts[event.index] = event.delta.apply(parts[event.index])
    without = [replace(part, provider_details=None) for part in got.answer.parts]
    assert parts == without
    assert [type(part) for part in parts] in ([TextPart], [ThinkingPart, TextPart])


# --- requests ---------------------------------------------------------------------------------------------------------

DELIBERATE = [
    Deliberate('systemInstruction.role', 'system instructions have no role', ours=MISSING, recorded='user'),
    Deliberate('generationConfig', 'nothing was asked for', ours=MISSING, recorded={}),
    Deliberate('generationConfig', 'text is the default', ours=MISSING, recorded={'responseModalities': ['TEXT']}),
    Deliberate('generationConfig.responseModalities', 'text is the default', ours=MISSING, recorded=['TEXT']),
    Deliberate('contents.*.functionCall.id', 'Gemini gave none, and matches by order', ours=MISSING),
    Deliberate('contents.*.functionResponse.id', 'Gemini gave none, and matches by order', ours=MISSING),
    Deliberate('contents.*.response.return_value', 'our name is that of the documentation', ours=MISSING),
    Deliberate('contents.*.response.output', 'our name is that of the documentation', recorded=MISSING),
    Deliberate('contents.*.thoughtSignature', 'only Gemini 3 wants calls signed', ours=MISSING, recorded=UNSIGNED_CALL),
    Deliberate('tools.*.parameters', 'one form for all models', ours=MISSING),
    Deliberate('tools.*.parametersJsonSchema', 'one form for all models', recorded=MISSING),
]


@pytest.mark.needs_recordings
def test_recorded_requests() -> None:
    needed = [entry for recording in CONVERSATIONS.values() for entry in compared(recording)]
    assert [entry for entry in DELIBERATE if entry not in needed] == []


def compared(recording: list[Exchange]) -> Iterator[Deliberate]:
    """Each request of a conversation compared with ours; its history holds the answers as we read them."""
    messages: list[ModelMessage] = []
    for exchange in recording:
        recorded = exchange.request
        instructions = ''.join(part['text'] for part in recorded.get('systemInstruction', {}).get('parts', ()))
        parts = recorded['contents'][-1]['parts']
        calls = messages[-1].tool_calls if messages and isinstance(messages[-1], ModelResponse) else []
        messages.append(ModelRequest(list(asked(parts, calls)), instructions=instructions or None))
        got = replayed(
            model_of(exchange),
            exchange,
            messages,
            stream=streams(exchange),
            settings=settings_of(recorded),
            parameters=parameters_of(recorded),
        )
        assert got.request.headers['content-type'] == 'application/json'
        yield from assert_same_request(got.request.json, normal(recorded), DELIBERATE)
        if got.response is not None:
            messages.append(got.response)


def asked(parts: list[dict[str, Any]], calls: list[ToolCallPart]) -> Iterator[ModelRequestPart]:
    for number, part in enumerate(parts):
        if 'functionResponse' in part:
            returned = part['functionResponse']
            yield ToolReturnPart(returned['name'], returned['response']['return_value'], calls[number].tool_call_id)
        else:
            yield UserPromptPart(part['text'])


def settings_of(recorded: dict[str, Any]) -> dict[str, Any]:
    config = recorded['generationConfig']
    found = {
        'temperature': config.get('temperature'),
        'google_thinking_config': config.get('thinkingConfig'),
        'google_safety_settings': recorded.get('safetySettings'),
    }
    return {name: value for name, value in found.items() if value is not None}


def parameters_of(recorded: dict[str, Any]) -> ModelRequestParameters:
    tools = [
        ToolDefinition(
            name=declared['name'],
            description=declared['description'],
            parameters_json_schema=declared.get('parameters_json_schema', {'type': 'object', 'properties': {}}),
        )
        for tool in recorded.get('tools', ())
        for declared in tool['functionDeclarations']
    ]
    schema = recorded['generationConfig'].get('responseJsonSchema')
    return ModelRequestParameters(
        function_tools=tools,
        allow_text_result='toolConfig' not in recorded,
        result_mode='native' if schema else 'text',
        result_schema=ResultSchema(name='R', schema=schema) if schema else None,
    )


def normal(value: Any) -> Any:
    """As protocol buffers read it: both spellings of a field and both alphabets of base64 are the same."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if not isinstance(value, dict):
        return value
    written = {'parametersJsonSchema' if k == 'parameters_json_schema' else k: normal(v) for k, v in value.items()}
    if 'thoughtSignature' in written:
        written['thoughtSignature'] = written['thoughtSignature'].replace('-', '+').replace('_', '/')
    return written


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.needs_recordings
@settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_mutated_recordings_raise_nothing_but_our_errors(data: st.DataObject) -> None:
    known = [exchange for recording in CONVERSATIONS.values() for exchange in recording]
    exchange = data.draw(mutated_exchange(data.draw(st.sampled_from(known))))
    try:
        got = replayed(model_of(exchange), exchange, HELLO, stream=streams(exchange))
    except SyncAIError as error:  # a run error is in `got`
        pytest.fail(f'not a failure of the run: {error!r}')
    if got.response is not None:  # whatever was understood can be sent back
        again = GoogleModel('gemini-3.7-flash', base_url='http://127.0.0.1:1')
        again._body([*HELLO, got.response, *HELLO], {}, ModelRequestParameters(), stream=False)
    elif isinstance(got.error, ModelHTTPError):
        assert got.error.provider == 'google'

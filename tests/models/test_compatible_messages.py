"""The fields that providers of Chat Completions want in messages, and the fields that only some of them send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from compatible_bodies import HELLO, body_of, dropped

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import BadRequestError, RateLimitError, ServerError, UserError
from syncai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, ResultSchema
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply
from syncai.tools import ToolDefinition

# --- messages ---------------------------------------------------------------------------------------------------------


def answered(provider: str | None, *parts: Any) -> list[ModelMessage]:
    return [*HELLO, ModelResponse(parts, provider_name=provider), ModelRequest.user_text_prompt('more')]


LONG = f'call_1__thought__{"c2lnbmF0dXJl" * 20}'  # as LiteLLM writes Gemini's signature into an id


@pytest.mark.parametrize(
    ('name', 'giver', 'kept'),
    [('openai', 'litellm', False), ('azure', 'google', False), ('openai', 'openai', True), ('litellm', 'google', True)],
)
def test_ids_of_another_provider_are_short_enough(name: Any, giver: str, kept: bool) -> None:
    """OpenAI takes 40 characters: https://github.com/vercel/ai/issues/5171, of a gateway it may be its own id."""
    calls = ModelResponse([ToolCallPart('f', '{}', LONG), ToolCallPart('f', '{}', 'c2')], provider_name=giver)
    returns = [ToolReturnPart('f', 'one', LONG), ToolReturnPart('f', 'two', 'c2')]
    body = body_of(name, 'm', messages=[*HELLO, calls, ModelRequest(returns)])
    first, second = (call['id'] for call in body['messages'][-3]['tool_calls'])
    assert [message['tool_call_id'] for message in body['messages'][-2:]] == [first, second]
    assert second == 'c2'
    assert (first == LONG) == kept
    assert kept or len(first) <= 40


CALL = ToolCallPart('f', '{}', 'abc123XYZ')


@pytest.mark.parametrize(
    ('name', 'parts', 'fields'),
    [
        ('deepseek:r', [ThinkingPart('hm'), TextPart('t')], {'content': 't', 'reasoning_content': 'hm'}),
        ('deepseek:r', [TextPart('t')], {'content': 't', 'reasoning_content': ' '}),
        ('deepseek:r', [ThinkingPart('hm'), CALL], {'content': None, 'reasoning_content': 'hm'}),
        ('deepseek:r', [CALL], {'content': None, 'reasoning_content': ' '}),
        ('deepseek:deepseek-chat', [ThinkingPart('hm'), CALL], {'content': None}),
        ('moonshot:kimi-k2.6', [ThinkingPart('hm'), CALL], {'content': None, 'reasoning_content': 'hm'}),
        ('ollama:m', [ThinkingPart('hm'), TextPart('t')], {'content': 't', 'reasoning': 'hm'}),
        (
            'mistral:m',
            [ThinkingPart('hm'), TextPart('t')],
            {
                'content': [
                    {'type': 'thinking', 'thinking': [{'type': 'text', 'text': 'hm'}]},
                    {'type': 'text', 'text': 't'},
                ]
            },
        ),
        ('openrouter:m', [ThinkingPart('hm', provider_details={'reasoning_details': [{'a': 1}]}), TextPart('t')],
         {'content': 't', 'reasoning_details': [{'a': 1}]}),
        ('openrouter:m', [ThinkingPart('hm'), TextPart('t')], {'content': 't'}),
        ('groq:m', [ThinkingPart('hm'), TextPart('t')], {'content': 't', 'reasoning': 'hm'}),
    ],
)  # fmt: skip
def test_thoughts_go_back_as_the_provider_wants_them(name: str, parts: list[Any], fields: dict[str, Any]) -> None:
    provider, _, model = name.partition(':')
    written = body_of(provider, model, answered(provider, *parts))['messages'][1]
    assert {k: v for k, v in written.items() if k not in ('role', 'tool_calls')} == fields


def test_thoughts_of_another_are_left_out_though_the_field_is_there() -> None:
    messages = answered('anthropic', ThinkingPart('hm', signature='s', provider_name='anthropic'), CALL)
    assert body_of('deepseek', 'r', messages)['messages'][1]['reasoning_content'] == ' '
    assert body_of('ollama', 'r', messages)['messages'][1].keys() == {'role', 'content', 'tool_calls'}


def test_ids_that_mistral_does_not_take_are_replaced_alike_everywhere() -> None:
    messages: list[ModelMessage] = [
        *HELLO,
        ModelResponse([ToolCallPart('f', '{}', 'toolu_01'), ToolCallPart('g', '{}', 'abc123XYZ')]),
        ModelRequest([ToolReturnPart('f', 1, 'toolu_01'), ToolReturnPart('g', 2, 'abc123XYZ'), UserPromptPart('and?')]),
    ]
    _, answer, first, second, word, user = body_of('mistral', 'm', messages)['messages']
    made = answer['tool_calls'][0]['id']
    assert (len(made), made.isalnum(), first['tool_call_id']) == (9, True, made)
    assert (answer['tool_calls'][1]['id'], second['tool_call_id']) == ('abc123XYZ', 'abc123XYZ')
    assert (word['role'], user['content']) == ('assistant', 'and?')  # the model speaks between a tool and the user
    assert body_of('openai', 'm', messages)['messages'][2]['tool_call_id'] == 'toolu_01'


def test_files_that_a_provider_lacks_are_named() -> None:
    pdf, png = BinaryContent(b'pdf', 'application/pdf'), BinaryContent(b'png', 'image/png')
    for provider, item, words in (
        ('azure', pdf, r'Azure OpenAI Chat Completions takes no BinaryContent\(application/pdf\)'),
        ('deepseek', png, 'it takes text and files of text.$'),
        ('groq', pdf, 'it takes text and files of text, images.$'),
    ):
        with pytest.raises(UserError, match=words):
            body_of(provider, 'm', [ModelRequest([UserPromptPart([item])])])
    content = body_of('mistral', 'm', [ModelRequest([UserPromptPart([pdf])])])['messages'][0]['content']
    assert content == [{'type': 'document_url', 'document_url': pdf.data_url, 'document_name': 'document.pdf'}]


def test_a_schema_that_the_model_sees_only_in_the_prompt() -> None:
    schema = ResultSchema(name='R', schema={'type': 'object', 'properties': {'a': {}}}, strict=True)
    parameters = ModelRequestParameters(result_mode='native', result_schema=schema)
    asked: list[ModelMessage] = [ModelRequest.user_text_prompt('q', instructions='be brief')]
    body = body_of('vllm', 'm', asked, parameters)
    shown = 'Answer with JSON that fits this schema:\n{'
    assert body['messages'][0]['content'].startswith(f'be brief\n\n{shown}')
    assert len(body['messages']) == 2
    assert body_of('llamacpp', 'm', HELLO, parameters)['messages'][0]['content'].startswith(shown)
    assert len(body_of('groq', 'm', HELLO, parameters)['messages']) == 1
    assert 'strict' not in body_of('ollama', 'm', HELLO, parameters)['response_format']['json_schema']
    with pytest.raises(UserError, match="DeepSeek cannot hold an answer to a JSON schema: use result_mode 'tool'"):
        body_of('deepseek', 'm', HELLO, parameters)


def test_strictness_that_a_provider_lacks(caplog: pytest.LogCaptureFixture) -> None:
    tool = ToolDefinition(name='f', parameters_json_schema={'type': 'object', 'properties': {}}, strict=True)
    schema = ResultSchema(name='R', schema={'type': 'object', 'properties': {}}, strict=True)
    native = ModelRequestParameters(result_mode='native', result_schema=schema)
    for provider, parameters in (('groq', ModelRequestParameters(function_tools=[tool])), ('ollama', native)):
        body, warned = dropped(caplog, provider, 'm', parameters=parameters)
        assert ('strict' in json.dumps(body), warned) == (False, {'strict'})


def test_json_of_any_shape_where_only_schemas_are_taken() -> None:
    for parameters in (ModelRequestParameters(json_object=True), ModelRequestParameters(result_mode='prompted')):
        asked = body_of('lmstudio', 'm', HELLO, parameters)['response_format']
        assert asked['json_schema'] == {'name': 'object', 'schema': {'type': 'object'}}
        assert body_of('groq', 'm', HELLO, parameters)['response_format'] == {'type': 'json_object'}


def test_usage_in_streams_is_asked_for_only_where_it_must_be() -> None:
    assert 'stream_options' not in body_of('groq', stream=True)
    assert 'stream_options' not in body_of('mistral', stream=True)
    assert body_of('deepseek', stream=True)['stream_options'] == {'include_usage': True}


# --- what only some servers answer ------------------------------------------------------------------------------------


def streamed(provider: str, *payloads: dict[str, Any], status: int = 200) -> ModelResponse:
    events = ''.join(f'data: {json.dumps(payload)}\n\n' for payload in payloads)
    reply = (
        Reply(body=events, content_type='text/event-stream')
        if status == 200
        else Reply(status=status, body=payloads[0], headers={'x-should-retry': 'false'})
    )
    with ModelServer([reply]) as server:
        model = OpenAIChatModel('m', provider=provider, base_url=server.base_url)
        with model_request_stream_sync(model, HELLO) as stream:
            list(stream)
            return stream.get()


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {'id': 'c', 'model': 'm', 'choices': [{'index': 0, 'delta': delta, 'finish_reason': reason}], **more}


FAILED = {'message': 'failed', 'type': 'invalid_request_error', 'code': 'tool_use_failed'}


def test_usage_and_errors_of_x_groq() -> None:
    usage = {'prompt_tokens': 3, 'completion_tokens': 2, 'total_tokens': 5}
    answer = streamed('groq', chunk({'content': 'Hi'}, x_groq={'id': 'r'}), chunk({}, 'stop', x_groq={'usage': usage}))
    assert (answer.text, answer.usage.total_tokens) == ('Hi', 5)
    with pytest.raises(ServerError, match='over capacity') as caught:
        streamed('groq', chunk({'content': 'Hi'}), chunk({}, x_groq={'error': 'over capacity'}))
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'Hi'


@pytest.mark.parametrize('status', [200, 400])
@pytest.mark.parametrize(
    'written',
    [
        '{"name": "f", "arguments": {"a": 1}}',
        '[{"name": "f", "parameters": {"a": 1}}]',
        '<function=f>{"a": 1}</function>',
        '{"name": "f", "arguments": "{\\"a\\": 1}"}',
    ],
)
def test_calls_that_groq_refused_can_be_answered(written: str, status: int) -> None:
    answer = streamed('groq', {'error': {**FAILED, 'failed_generation': written}}, status=status)
    (call,) = answer.tool_calls
    assert (call.tool_name, call.args_as_dict(), call.tool_call_id != '') == ('f', {'a': 1}, True)
    assert (answer.finish_reason, answer.incomplete) == ('tool_call', False)


@pytest.mark.parametrize('status', [200, 400])
def test_a_refused_call_without_what_was_written_is_an_error(status: int) -> None:
    for written in ('', None):
        with pytest.raises((BadRequestError, ServerError), match='failed'):
            streamed('groq', {'error': {**FAILED, 'failed_generation': written}}, status=status)


def test_errors_of_openrouter_within_an_answer() -> None:
    error = {'code': 429, 'message': 'rate-limited upstream', 'metadata': {'provider_name': 'X'}}
    bodies = [
        {'id': 'g', 'choices': None, 'error': error},
        {'id': 'g', 'choices': [{'error': error, 'finish_reason': 'error', 'message': {'content': ''}}]},
    ]
    for body in bodies:
        with ModelServer([Reply(body=body)]) as server, pytest.raises(RateLimitError, match='rate-limited upstream'):
            model_request_sync(OpenAIChatModel('m', provider='openrouter', base_url=server.base_url), HELLO)
    for last in (chunk({'content': ''}, 'error', error=error), chunk({}) | {'error': error}):
        with pytest.raises(RateLimitError):
            streamed('openrouter', chunk({'content': 'Hi'}), last)


def test_reasoning_details_without_text_are_kept() -> None:
    secret = {'type': 'reasoning.encrypted', 'data': 'opaque', 'id': 'r1', 'index': 0}
    more = {'type': 'reasoning.encrypted', 'data': 'other', 'id': 'r2', 'index': 0}
    answer = streamed(
        'openrouter', chunk({'reasoning_details': [secret]}), chunk({'reasoning_details': [more]}, 'stop')
    )
    (part,) = answer.parts
    assert part == ThinkingPart('', provider_name='openrouter', provider_details={'reasoning_details': [secret, more]})


def test_an_id_that_mistral_wrote_as_null() -> None:
    call = {'id': 'null', 'function': {'name': 'f', 'arguments': '{}'}}
    answer = streamed('mistral', chunk({'tool_calls': [call]}, 'tool_calls'))
    assert answer.tool_calls[0].tool_call_id.startswith('call_')


def test_thoughts_that_are_counted_beside_the_answer() -> None:
    usage = {'prompt_tokens': 10, 'completion_tokens': 2, 'total_tokens': 17}
    details = {'completion_tokens_details': {'reasoning_tokens': 5}}
    answer = streamed('xai', chunk({'content': 'Hi'}, 'stop', usage={**usage, **details}))
    assert (answer.usage.request_tokens, answer.usage.response_tokens, answer.usage.total_tokens) == (10, 7, 17)

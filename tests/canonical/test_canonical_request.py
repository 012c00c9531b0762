"""The canonical form of a request: a rule of what counts, a test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from syncai._canonical import canonical_request
from syncai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.parameters import ModelRequestParameters, ResultSchema, ToolDefinition
from syncai.usage import Usage

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
HI = [ModelRequest.user_text_prompt('hi')]
PNG = b'\x89PNG\r\n\x1a\n'


def key(
    messages: Sequence[ModelMessage] = HI,
    settings: Any = None,
    parameters: ModelRequestParameters | None = None,
    model: tuple[str, str] = ('openai', 'gpt-4o'),
) -> str:
    return canonical_request(*model, messages, settings, parameters).key


def said(*parts: Any) -> str:
    return key([*HI, ModelResponse(list(parts)), *HI])


def asked(*parts: Any) -> str:
    return key([ModelRequest(list(parts))])


def test_the_bytes_of_a_request() -> None:
    expected = (
        b'syncai request 1\n{"messages":[{"request":[{"user":"hi"}]}],"model":{"name":"gpt-4o","provider":"openai"},'
        b'"parameters":{},"settings":{}}'
    )
    request = canonical_request('openai', 'gpt-4o', HI)
    assert (request.data, request.key) == (expected, hashlib.sha256(expected).hexdigest())


def test_the_model_counts() -> None:
    models = [('openai', 'gpt-4o'), ('openai', 'gpt-4o-mini'), ('azure', 'gpt-4o')]
    assert len({key(model=model) for model in models}) == 3


def test_every_word_that_the_model_reads_counts() -> None:
    keys = [
        asked(UserPromptPart('a')),
        asked(SystemPromptPart('a')),
        asked(UserPromptPart(['a'])),
        asked(UserPromptPart('a'), UserPromptPart('b')),
        asked(UserPromptPart('b'), UserPromptPart('a')),
        asked(RetryPromptPart('a')),
        key([ModelRequest([UserPromptPart('a')], instructions='i')]),
        said(TextPart('a')),
        said(ThinkingPart('a')),
        said(TextPart('a'), TextPart('b')),
        said(ToolCallPart('a', {}, 'c')),
        said(ToolCallPart('a', {'x': 1}, 'c')),
        asked(ToolReturnPart('a', 'b', 'c')),
        asked(ToolReturnPart('a', ['b'], 'c')),
        asked(UserPromptPart([ImageUrl('https://host.example/a.png')])),
        asked(UserPromptPart([ImageUrl('https://host.example/b.png')])),
        asked(UserPromptPart([BinaryContent(PNG, 'image/png')])),
        asked(UserPromptPart([BinaryContent(PNG + b'1', 'image/png')])),
    ]
    assert len(set(keys)) == len(keys)


def test_times_do_not_count() -> None:
    assert asked(UserPromptPart('a', timestamp=LONG_AGO)) == asked(UserPromptPart('a'))
    assert key([ModelResponse([TextPart('a')], timestamp=LONG_AGO)]) == key([ModelResponse([TextPart('a')])])


def test_what_providers_say_of_earlier_answers_does_not_count() -> None:
    bare = ModelResponse([TextPart('a'), ThinkingPart('b'), ToolCallPart('f', {}, 'c')])
    rich = ModelResponse(
        [
            TextPart('a', id='msg_1', provider_details={'annotations': []}),
            ThinkingPart('b', id='rs_1', signature='opaque', provider_name='openai', provider_details={'x': 'y'}),
            ToolCallPart('f', {}, 'c', provider_details={'signature': 'opaque'}),
        ],
        usage=Usage(request_tokens=3),
        model_name='gpt-4o-2024-08-06',
        provider_name='openai',
        provider_response_id='resp_1',
        finish_reason='stop',
        provider_finish_reason='completed',
        provider_details={'service_tier': 'flex'},
    )
    assert key([*HI, bare]) == key([*HI, rich])


def test_hidden_thoughts_still_count_as_a_part() -> None:
    assert said(ThinkingPart('', signature='opaque'), TextPart('a')) != said(TextPart('a'))


def conversation(one: str, two: str, returns: Sequence[str]) -> list[ModelMessage]:
    calls = [ToolCallPart('f', {'a': 1}, one), ToolCallPart('f', {'a': 1}, two)]
    return [*HI, ModelResponse(calls), ModelRequest([ToolReturnPart('f', str(i), c) for i, c in enumerate(returns)])]


def test_ids_of_calls_are_numbered_and_still_join_calls_and_returns() -> None:
    assert key(conversation('call_a', 'call_b', ['call_a', 'call_b'])) == key(conversation('7', '8', ['7', '8']))
    assert key(conversation('a', 'b', ['a', 'b'])) != key(conversation('a', 'b', ['b', 'a']))


@pytest.mark.parametrize('args', [' {"a": 1,\n "b": [2]}', '{"b":[2],"a":1}', {'b': [2], 'a': 1}])
def test_arguments_count_as_what_they_say(args: Any) -> None:
    assert said(ToolCallPart('f', args, 'c')) == said(ToolCallPart('f', {'a': 1, 'b': [2]}, 'c'))


def test_no_arguments_are_an_empty_object() -> None:
    ways: list[Any] = ['', None, '{}', {}, ' ']
    assert len({said(ToolCallPart('f', args, 'c')) for args in ways}) == 1


@pytest.mark.parametrize('args', ['{"a": 1', '{"a": NaN}', '[1, 2]', 'nonsense'])
def test_arguments_that_are_no_json_object_stay_text(args: str) -> None:
    assert said(ToolCallPart('f', args, 'c')) not in (said(ToolCallPart('f', args + ' ', 'c')), said(TextPart(args)))


@pytest.mark.parametrize(
    'value',
    [
        {1: 'one', None: 2},
        float('nan'),
        {'when': LONG_AGO, 'data': b'text'},
        [BinaryContent(PNG, 'image/png'), {'file': BinaryContent(PNG, 'image/png')}],
    ],
)
def test_whatever_a_tool_may_return_has_a_form_and_keeps_it_when_it_was_stored(value: object) -> None:
    messages: list[ModelMessage] = [*HI, ModelResponse([ToolCallPart('f', {}, 'c')])]
    messages.append(ModelRequest([ToolReturnPart('f', value, 'c', metadata=object)]))
    stored = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([*messages[:2]]))
    returned = ModelRequest([ToolReturnPart('f', value, 'c')])
    stored += ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([returned]))
    assert key(messages) == key(stored)


def test_errors_of_pydantic_are_without_its_version() -> None:
    error = {'type': 'missing', 'loc': ('a',), 'msg': 'Field required', 'input': {}}
    url = 'https://errors.pydantic.dev/2.11/v/missing'
    assert asked(RetryPromptPart([error])) == asked(RetryPromptPart([{**error, 'url': url}]))
    assert asked(RetryPromptPart([error])) != asked(RetryPromptPart([{**error, 'loc': ('b',)}]))


@pytest.mark.parametrize(
    'settings',
    [
        {},
        {'temperature': None},
        {'timeout': 5.0, 'extra_headers': {'authorization': 'secret'}},
        {'openai_user': 'u', 'openai_metadata': {'a': 'b'}},
        {'openai_prompt_cache_key': 'k', 'openai_safety_identifier': ''},
        {'anthropic_metadata': {'user_id': 'u'}, 'anthropic_cache': True, 'google_vertex_labels': {'a': 'b'}},
        {'bedrock_request_metadata': {'a': 'b'}},
        {'extra_body': {'user': 'u', 'metadata': {}}},
        {'extra_body': {'api_key': 'sk-1', 'aws_secret_access_key': 's', 'Authorization': 'Bearer x'}},
        {'extra_body': {'api_key': 'sk-2'}},
        {'extra_body': None},
    ],
)
def test_settings_that_say_nothing_to_the_model_do_not_count(settings: dict[str, Any]) -> None:
    assert key(settings=settings) == key()


@pytest.mark.parametrize(
    'settings',
    [
        {'temperature': 0},
        {'max_tokens': 5},
        {'thinking': True},
        {'thinking': 'high'},
        {'parallel_tool_calls': False},
        {'seed': 0},
        {'openai_reasoning_effort': 'low'},
        {'anthropic_betas': ['x']},
        {'logit_bias': {'7': 1}},
        {'stop_sequences': ['a']},
        {'stop_sequences': ['a', 'b']},
        {'tool_choice': 'required'},
        {'openai_previous_response_id': 'resp_1'},
        {'extra_body': {'top_a': 1}},
        {'extra_body': {'temperature': None}},
        {'a_setting_of_tomorrow': 1},
    ],
)
def test_all_other_settings_count(settings: dict[str, Any]) -> None:
    assert key(settings=settings) != key()
    name, value = next(iter(settings.items()))
    assert key(settings=settings) == key(settings={'timeout': 1, name: value, 'seed': settings.get('seed')})


def test_numbers_of_settings_count_by_value_and_booleans_by_type() -> None:
    assert key(settings={'temperature': 1, 'logit_bias': {'7': 2.0}}) == key(
        settings={'logit_bias': {'7': 2}, 'temperature': 1.0}
    )
    assert key(settings={'thinking': True}) != key(settings={'thinking': 1})
    assert key(settings={'temperature': 0.1}) != key(settings={'temperature': 0})


SCHEMA = {'type': 'object', 'properties': {'a': {'type': 'integer'}, 'b': {}}, 'required': ['a', 'b']}
REORDERED = {'required': ['a', 'b'], 'properties': {'b': {}, 'a': {'type': 'integer'}}, 'type': 'object'}


def tools(*tools: ToolDefinition, **more: Any) -> str:
    return key(parameters=ModelRequestParameters(function_tools=tools, **more))


def test_tools_and_schemas_count_but_not_the_order_of_their_keys() -> None:
    one, two = ToolDefinition(name='one', parameters_json_schema=SCHEMA), ToolDefinition(name='two')
    assert tools(one) == tools(ToolDefinition(name='one', parameters_json_schema=REORDERED))
    variants = [
        tools(),
        tools(one),
        tools(one, two),
        tools(two, one),
        tools(ToolDefinition(name='one', description='x', parameters_json_schema=SCHEMA)),
        tools(ToolDefinition(name='one', strict=False, parameters_json_schema=SCHEMA)),
        tools(ToolDefinition(name='one', parameters_json_schema={**SCHEMA, 'required': ['b', 'a']})),
        tools(one, allow_text_result=False),
        tools(result_mode='native', result_schema=ResultSchema(name='x', schema=SCHEMA)),
        tools(result_mode='prompted', result_schema=ResultSchema(name='x', schema=SCHEMA)),
        tools(json_object=True),
        key(parameters=ModelRequestParameters(result_tools=(one,))),
    ]
    assert len(set(variants)) == len(variants)


def test_what_is_as_by_default_is_not_written() -> None:
    assert key(parameters=ModelRequestParameters(function_tools=[], allow_text_result=True)) == key()


def test_dates_are_taken_out_by_rewriting_alone() -> None:
    def on(day: str, **options: Any) -> str:
        prompt = [ModelRequest([SystemPromptPart(f'Today is {day}.'), UserPromptPart('hi')])]
        return canonical_request('openai', 'gpt-4o', prompt, **options).key

    assert on('Monday') != on('Friday')
    ignore = lambda text: text.replace('Monday', '').replace('Friday', '')  # noqa: E731
    assert on('Monday', rewrite=ignore) == on('Friday', rewrite=ignore)

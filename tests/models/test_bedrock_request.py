"""Requests to Bedrock: each fits the service's own description, which is part of botocore."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator

from syncai.content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, VideoUrl
from syncai.exceptions import UserError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, ResultSchema
from syncai.models._bedrock.request import converse_request
from syncai.models._catalog.providers import PROVIDERS
from syncai.tools import ToolDefinition

SERVICE = Session().get_service_model('bedrock-runtime')
CLAUDE, NEWEST = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'global.anthropic.claude-opus-5-5'
NOVA, LLAMA = 'amazon.nova-pro-v1:0', 'meta.llama3-3-70b-instruct-v1:0'
SCHEMA = {'type': 'object', 'properties': {'x': {'type': 'integer'}}, 'required': ['x']}
TOOLS = [
    ToolDefinition(name='f', description='Does f.', parameters_json_schema=SCHEMA),
    ToolDefinition(name='g', parameters_json_schema={'properties': {}}),
]


def written(
    *messages: ModelMessage | ModelRequestPart | str, model: str = CLAUDE, settings: Any = None, **parameters: Any
) -> dict[str, Any]:
    """The request, once the service's description has nothing against it."""
    turns = [_message(message) for message in messages or ('hello',)]
    asked = converse_request(model, PROVIDERS['bedrock'], turns, settings or {}, ModelRequestParameters(**parameters))
    body: dict[str, Any] = json.loads(json.dumps(asked))
    for operation in ('Converse', 'ConverseStream'):
        shape = SERVICE.operation_model(operation).input_shape
        report = ParamValidator().validate({'modelId': model, **body}, shape)
        assert not report.has_errors(), report.generate_report()
    return body


def _message(message: ModelMessage | ModelRequestPart | str) -> ModelMessage:
    if isinstance(message, str):
        return ModelRequest.user_text_prompt(message)
    return message if isinstance(message, ModelRequest | ModelResponse) else ModelRequest([message])


def test_the_witness_sees_what_is_wrong() -> None:
    shape = SERVICE.operation_model('Converse').input_shape
    for wrong in ({'messages': [{'role': 'user'}]}, {'messages': [], 'nonsense': 1}, {'inferenceConfig': {'topK': 1}}):
        assert ParamValidator().validate({'modelId': 'm', **wrong}, shape).has_errors()


def test_text_system_prompts_and_instructions() -> None:
    request = ModelRequest([SystemPromptPart('Be terse.'), UserPromptPart('Hi')], instructions='Today is Monday.')
    assert written(request) == {
        'messages': [{'role': 'user', 'content': [{'text': 'Hi'}]}],
        'system': [{'text': 'Today is Monday.'}, {'text': 'Be terse.'}],
    }


def test_settings() -> None:
    settings = {
        'max_tokens': 100,
        'temperature': 0.5,
        'stop_sequences': ['END'],
        'top_k': 5,
        'bedrock_guardrail': {'guardrailIdentifier': 'abc', 'guardrailVersion': '1'},
        'bedrock_performance': {'latency': 'optimized'},
        'bedrock_service_tier': {'type': 'flex'},
        'bedrock_request_metadata': {'team': 'a'},
        'bedrock_response_fields': ['/stop_sequence'],
        'bedrock_prompt_variables': {'name': {'text': 'value'}},
        'bedrock_request_fields': {'anthropic_beta': ['b']},
        'anthropic_thinking': {'type': 'of another'},
    }
    body = written(settings=settings)
    assert body.pop('messages')
    assert body == {
        'inferenceConfig': {'maxTokens': 100, 'temperature': 0.5, 'stopSequences': ['END']},
        'additionalModelRequestFields': {'top_k': 5, 'anthropic_beta': ['b']},
        'guardrailConfig': {'guardrailIdentifier': 'abc', 'guardrailVersion': '1'},
        'performanceConfig': {'latency': 'optimized'},
        'serviceTier': {'type': 'flex'},
        'requestMetadata': {'team': 'a'},
        'additionalModelResponseFieldPaths': ['/stop_sequence'],
        'promptVariables': {'name': {'text': 'value'}},
    }
    assert written(model=NOVA, settings={'top_k': 5})['additionalModelRequestFields'] == {
        'inferenceConfig': {'topK': 5}
    }
    assert written(settings={'extra_body': {'requestMetadata': {'a': 'b'}}})['requestMetadata'] == {'a': 'b'}


def test_settings_that_are_dropped_are_told(caplog: pytest.LogCaptureFixture) -> None:
    for model in ('meta.one', NEWEST):
        body = written(model=model, settings={'seed': 1, 'top_k': 2, 'parallel_tool_calls': False, 'temperature': 0.1})
        assert 'additionalModelRequestFields' not in body
        assert ('inferenceConfig' in body) == (model == 'meta.one')
    lines = [record.getMessage() for record in caplog.records]
    for name in ('seed', 'top_k', 'parallel_tool_calls'):
        assert sum(f"'{name}'" in line for line in lines) == 2


THINKING: Mapping[tuple[str, Any], Any] = {
    (CLAUDE, 'low'): {'thinking': {'type': 'enabled', 'budget_tokens': 4096}},
    (CLAUDE, False): None,
    ('us.anthropic.claude-opus-4-6-v1', 'high'): {
        'thinking': {'type': 'adaptive'},
        'output_config': {'effort': 'high'},
    },
    (NEWEST, 'max'): {
        'thinking': {'type': 'adaptive', 'display': 'summarized'},
        'output_config': {'effort': 'max'},
    },
    ('us.amazon.nova-2-lite-v1:0', 'max'): {'reasoningConfig': {'type': 'enabled', 'maxReasoningEffort': 'high'}},
    ('us.amazon.nova-2-lite-v1:0', False): {'reasoningConfig': {'type': 'disabled'}},
    ('openai.gpt-oss-120b-1:0', 'minimal'): {'reasoning_effort': 'low'},
    (LLAMA, 'high'): None,
}


@pytest.mark.parametrize(('model', 'level'), THINKING)
def test_thinking(model: str, level: Any, caplog: pytest.LogCaptureFixture) -> None:
    body = written(model=model, settings={'thinking': level})
    assert body.get('additionalModelRequestFields') == THINKING[model, level]
    assert body.get('inferenceConfig') == ({'maxTokens': 20480} if (model, level) == (CLAUDE, 'low') else None)
    assert ('thinking' in caplog.text) == (model == LLAMA)


def test_tools_and_choices(caplog: pytest.LogCaptureFixture) -> None:
    tools = written(function_tools=TOOLS)['toolConfig']
    assert tools == {
        'tools': [
            {'toolSpec': {'name': 'f', 'description': 'Does f.', 'inputSchema': {'json': SCHEMA}}},
            {'toolSpec': {'name': 'g', 'inputSchema': {'json': {'type': 'object', 'properties': {}}}}},
        ]
    }

    def choice(value: Any, model: str = CLAUDE, **more: Any) -> Any:
        config = written(model=model, settings={'tool_choice': value, **more}, function_tools=TOOLS).get('toolConfig')
        return config and (config.get('toolChoice'), [tool['toolSpec']['name'] for tool in config['tools']])

    assert choice('auto') == ({'auto': {}}, ['f', 'g'])
    assert choice('none') is None
    assert choice('required') == ({'any': {}}, ['f', 'g'])
    assert choice(['g']) == ({'tool': {'name': 'g'}}, ['f', 'g'])
    assert choice(['f', 'g']) == ({'any': {}}, ['f', 'g'])
    assert choice(['g'], LLAMA) == ({'any': {}}, ['g'])
    assert choice('required', thinking='low') == (None, ['f', 'g'])
    assert "'tool_choice'" in caplog.text
    result = written(result_tools=TOOLS[:1], allow_text_result=False)
    assert result['toolConfig']['toolChoice'] == {'any': {}}
    assert 'toolChoice' not in written(model=LLAMA, result_tools=TOOLS[:1], allow_text_result=False)['toolConfig']
    for wrong in ({'settings': {'tool_choice': ['h']}, 'function_tools': TOOLS}, {'settings': {'tool_choice': ['f']}}):
        with pytest.raises(UserError, match='tool_choice'):
            written(**wrong)


def test_strict_tools_and_native_results() -> None:
    strict = ToolDefinition(name='f', parameters_json_schema=SCHEMA, strict=True)
    (tool,) = written(function_tools=[strict])['toolConfig']['tools']
    assert tool['toolSpec']['strict'] is True
    assert tool['toolSpec']['inputSchema']['json']['additionalProperties'] is False
    schema = ResultSchema(name='answer', schema=SCHEMA, description='The answer.')
    output = written(result_mode='native', result_schema=schema)['outputConfig']
    asked = output['textFormat']['structure']['jsonSchema']
    assert (asked['name'], asked['description']) == ('answer', 'The answer.')
    assert json.loads(asked['schema'])['properties'] == SCHEMA['properties']
    with pytest.raises(UserError, match="use result_mode 'tool'"):
        written(model='anthropic.claude-3-haiku-20240307-v1:0', result_mode='native', result_schema=schema)
    with pytest.raises(UserError, match='without a schema'):
        written(json_object=True)


ANSWER = ModelResponse(
    [
        ThinkingPart('hm', signature='sig', provider_name='bedrock'),
        ThinkingPart('', provider_name='bedrock', provider_details={'reasoningContent': {'redactedContent': 'eA=='}}),
        ThinkingPart('unsigned', provider_name='bedrock'),
        ThinkingPart('of another', signature='other', provider_name='anthropic'),
        TextPart('Let me see.'),
        TextPart('  '),
        ToolCallPart('f', '{"x": 1}', 'call|1'),
        ToolCallPart('g', None, 'c2'),
        ToolCallPart('f', 'no json', 'x' * 90),
    ],
    provider_name='bedrock',
)
RETURNS = ModelRequest(
    [
        UserPromptPart('And then?'),
        ToolReturnPart('f', {'y': 2}, 'call|1'),
        ToolReturnPart('g', '', 'c2'),
        RetryPromptPart('Wrong.', tool_name='f', tool_call_id='x' * 90),
    ]
)


def test_a_conversation_with_tools_goes_back() -> None:
    body = written('go', ANSWER, RETURNS, function_tools=TOOLS)
    _, said, back = body['messages']
    long = 'x' * 60
    assert said['content'] == [
        {'reasoningContent': {'reasoningText': {'text': 'hm', 'signature': 'sig'}}},
        {'reasoningContent': {'redactedContent': 'eA=='}},
        {'text': 'Let me see.'},
        {'toolUse': {'toolUseId': 'call_1', 'name': 'f', 'input': {'x': 1}}},
        {'toolUse': {'toolUseId': 'c2', 'name': 'g', 'input': {}}},
        {'toolUse': {'toolUseId': long, 'name': 'f', 'input': {'INVALID_JSON': 'no json'}}},
    ]
    wrong = [{'text': 'Wrong.\n\nFix the errors and try again.'}]
    assert back['content'] == [
        {'toolResult': {'toolUseId': 'call_1', 'content': [{'text': '{"y":2}'}], 'status': 'success'}},
        {'toolResult': {'toolUseId': 'c2', 'content': [{'text': '(nothing)'}], 'status': 'success'}},
        {'toolResult': {'toolUseId': long, 'content': wrong, 'status': 'error'}},
        {'text': 'And then?'},
    ]
    plain = written('go', ANSWER, RETURNS, model=LLAMA, settings={'tool_choice': 'none'}, function_tools=TOOLS)
    assert all('status' not in block.get('toolResult', {}) for block in plain['messages'][2]['content'])
    assert [tool['toolSpec']['name'] for tool in plain['toolConfig']['tools']] == ['f', 'g']  # the service wants them


def test_a_budget_cannot_begin_in_the_middle_of_tool_calls_without_thoughts() -> None:
    answer = ModelResponse([ToolCallPart('f', None, 'c')], provider_name='openai')
    body = written('go', answer, ToolReturnPart('f', 1, 'c'), settings={'thinking': 'low'}, function_tools=TOOLS)
    assert 'additionalModelRequestFields' not in body


def test_roles_alternate_and_the_user_begins() -> None:
    body = written(ModelResponse([TextPart('Hello.')]), 'a', 'b', ModelResponse([TextPart('c')]), 'd')
    assert [turn['role'] for turn in body['messages']] == ['user', 'assistant', 'user', 'assistant', 'user']
    assert body['messages'][2]['content'] == [{'text': 'a'}, {'text': 'b'}]
    with pytest.raises(UserError, match='messages is empty'):
        written(ModelRequest([]))


def test_files() -> None:
    prompt = UserPromptPart(
        [
            'Look:',
            BinaryContent(b'png', 'image/png'),
            BinaryContent(b'pdf', 'application/pdf', filename='Report: 2026, v1.final.pdf'),
            BinaryContent(b'a', 'text/plain; charset=utf-8', filename='notes.txt'),
            BinaryContent(b'b', 'text/markdown', filename='notes.md'),
            ImageUrl('s3://bucket/a.jpeg'),
            VideoUrl('s3://bucket/films/a.mp4'),
            AudioUrl('s3://bucket/a.mp3'),
            DocumentUrl('s3://bucket/b.csv'),
        ]
    )
    blocks = written(prompt)['messages'][0]['content']
    assert blocks[1:] == [
        {'image': {'format': 'png', 'source': {'bytes': 'cG5n'}}},
        {'document': {'format': 'pdf', 'name': 'Report 2026 v1 final', 'source': {'bytes': 'cGRm'}}},
        {'document': {'format': 'txt', 'name': 'notes', 'source': {'bytes': 'YQ=='}}},
        {'document': {'format': 'md', 'name': 'notes 2', 'source': {'bytes': 'Yg=='}}},
        {'image': {'format': 'jpeg', 'source': {'s3Location': {'uri': 's3://bucket/a.jpeg'}}}},
        {'video': {'format': 'mp4', 'source': {'s3Location': {'uri': 's3://bucket/films/a.mp4'}}}},
        {'audio': {'format': 'mp3', 'source': {'s3Location': {'uri': 's3://bucket/a.mp3'}}}},
        {'document': {'format': 'csv', 'name': 'b', 'source': {'s3Location': {'uri': 's3://bucket/b.csv'}}}},
    ]
    with pytest.raises(UserError, match='Bedrock takes no application/zip'):
        written(UserPromptPart([BinaryContent(b'', 'application/zip')]))


def test_files_that_a_tool_returns() -> None:
    call = ModelResponse([ToolCallPart('f', None, 'c')])
    back = ToolReturnPart('f', ['Here:', BinaryContent(b'png', 'image/png'), {'n': 1}], 'c')
    result = written('go', call, back)['messages'][2]['content'][0]['toolResult']
    assert [next(iter(block)) for block in result['content']] == ['text', 'image', 'text']


def test_cache_points() -> None:
    request = ModelRequest([SystemPromptPart('Be terse.'), UserPromptPart('Hi')])
    asked = {'tools': '1h', 'system': '1h', 'messages': '5m'}
    body = written(request, settings={'bedrock_cache': asked}, function_tools=TOOLS[:1])
    hour, usual = {'cachePoint': {'type': 'default', 'ttl': '1h'}}, {'cachePoint': {'type': 'default'}}
    assert body['toolConfig']['tools'][-1] == hour
    assert body['system'] == [{'text': 'Be terse.'}, hour]
    assert body['messages'][0]['content'] == [{'text': 'Hi'}, usual]
    assert 'cachePoint' not in json.dumps(written(request, settings={'anthropic_cache': True}))
    with pytest.raises(UserError, match='bedrock_cache must be'):
        written(settings={'bedrock_cache': {'tools': '2h'}})

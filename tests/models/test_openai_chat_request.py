from __future__ import annotations

import base64
import logging
from typing import Any

import pytest

from syncai._providers.dialect import ChatDialect
from syncai.exceptions import UserError
from syncai.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from syncai.models import ModelRequestParameters, ResultSchema
from syncai.models._catalog.providers import PROVIDERS, Provider, for_model
from syncai.models._chat import request as module
from syncai.models._http import answers
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
TOOL = ToolDefinition(name='f', description='d', parameters_json_schema={'type': 'object', 'properties': {}})
OTHER = ToolDefinition(name='g')


def built(
    messages: list[ModelMessage] | None = None,
    settings: dict[str, Any] | None = None,
    parameters: ModelRequestParameters | None = None,
    *,
    model: str = 'gpt-4o',
    provider: str | Provider = 'openai',
    stream: bool = False,
) -> dict[str, Any]:
    row = for_model(PROVIDERS[provider], model) if isinstance(provider, str) else provider
    parameters = parameters or ModelRequestParameters()
    return module.chat_request(model, row, messages or HELLO, settings or {}, parameters, stream=stream)


def test_the_least() -> None:
    assert built() == {'model': 'gpt-4o', 'messages': [{'role': 'user', 'content': 'hello'}], 'stream': False}
    assert built(stream=True)['stream_options'] == {'include_usage': True}


def test_a_conversation() -> None:
    messages: list[ModelMessage] = [
        ModelRequest([SystemPromptPart('be terse'), UserPromptPart('q')], instructions='old'),
        ModelResponse(
            [ThinkingPart('hm'), TextPart('a'), ToolCallPart('f', {'x': 1}, 'c1'), ToolCallPart('g', '', 'c2')]
        ),
        ModelRequest(
            [
                ToolReturnPart('f', {'y': 2}, 'c1'),
                RetryPromptPart('no', tool_name='g', tool_call_id='c2'),
                RetryPromptPart('plain'),
            ],
            instructions='new',
        ),
        ModelResponse([]),
    ]
    assert built(messages)['messages'] == [
        {'role': 'system', 'content': 'new'},
        {'role': 'system', 'content': 'be terse'},
        {'role': 'user', 'content': 'q'},
        {
            'role': 'assistant',
            'content': 'a',
            'tool_calls': [
                {'id': 'c1', 'type': 'function', 'function': {'name': 'f', 'arguments': '{"x":1}'}},
                {'id': 'c2', 'type': 'function', 'function': {'name': 'g', 'arguments': '{}'}},
            ],
        },
        {'role': 'tool', 'tool_call_id': 'c1', 'content': '{"y":2}'},
        {'role': 'tool', 'tool_call_id': 'c2', 'content': 'no\n\nFix the errors and try again.'},
        {'role': 'user', 'content': 'plain\n\nFix the errors and try again.'},
    ]


def test_system_prompts_take_the_role_that_the_model_knows() -> None:
    messages: list[ModelMessage] = [ModelRequest([SystemPromptPart('s')])]
    roles = {m: built(messages, model=m)['messages'][0]['role'] for m in ('gpt-4o', 'gpt-5.5', 'o1-mini')}
    assert roles == {'gpt-4o': 'system', 'gpt-5.5': 'developer', 'o1-mini': 'user'}


def test_no_message_at_all() -> None:
    with pytest.raises(UserError, match='messages is empty'):
        module.chat_request('m', PROVIDERS['openai'], [], {}, ModelRequestParameters(), stream=False)
    with pytest.raises(UserError, match='messages is empty'):
        built([ModelRequest([])])
    with pytest.raises(UserError, match='no content'):
        built([ModelRequest([UserPromptPart([])])])


def test_files_of_every_kind() -> None:
    content: list[UserContent] = [
        'look',
        ImageUrl('https://x.example/a.png', detail='low'),
        BinaryContent(b'png', 'image/png'),
        BinaryContent(b'wav', 'audio/x-wav'),
        BinaryContent(b'mp3', 'audio/mpeg'),
        BinaryContent(b'pdf', 'application/pdf', filename='p.pdf'),
        BinaryContent(b'a,b', 'text/csv', filename='t.csv'),
    ]
    b64 = {name: base64.b64encode(name.encode()).decode() for name in ('png', 'wav', 'mp3', 'pdf')}
    assert built([ModelRequest([UserPromptPart(content)])])['messages'][0]['content'] == [
        {'type': 'text', 'text': 'look'},
        {'type': 'image_url', 'image_url': {'url': 'https://x.example/a.png', 'detail': 'low'}},
        {'type': 'image_url', 'image_url': {'url': f'data:image/png;base64,{b64["png"]}'}},
        {'type': 'input_audio', 'input_audio': {'data': b64['wav'], 'format': 'wav'}},
        {'type': 'input_audio', 'input_audio': {'data': b64['mp3'], 'format': 'mp3'}},
        {'type': 'file', 'file': {'filename': 'p.pdf', 'file_data': f'data:application/pdf;base64,{b64["pdf"]}'}},
        {'type': 'text', 'text': '-----BEGIN FILE t.csv-----\na,b\n-----END FILE t.csv-----'},
    ]


@pytest.mark.parametrize(
    ('item', 'name'),
    [
        (AudioUrl('https://x/a.wav'), 'AudioUrl'),
        (VideoUrl('https://x/a.mp4'), 'VideoUrl'),
        (DocumentUrl('https://x/a.pdf'), 'DocumentUrl'),
        (BinaryContent(b'', 'video/mp4'), r'BinaryContent\(video/mp4\)'),
        (BinaryContent(b'', 'audio/flac'), r'BinaryContent\(audio/flac\)'),
    ],
)
def test_a_file_that_cannot_be_taken_is_named(item: Any, name: str) -> None:
    with pytest.raises(UserError, match=f'takes no {name}'):
        built([ModelRequest([UserPromptPart(['x', item])])])


def test_tools() -> None:
    parameters = ModelRequestParameters(function_tools=[TOOL], result_tools=[OTHER], allow_text_result=False)
    body = built(parameters=parameters, settings={'parallel_tool_calls': False})
    assert [tool['function']['name'] for tool in body['tools']] == ['f', 'g']
    assert body['tool_choice'] == 'required'
    assert body['parallel_tool_calls'] is False
    assert built(parameters=ModelRequestParameters(function_tools=[TOOL]))['tool_choice'] == 'auto'


def test_strict_tools_are_closed_where_the_provider_knows_them() -> None:
    tool = ToolDefinition(name='f', parameters_json_schema={'type': 'object', 'properties': {'a': {}}}, strict=True)
    parameters = ModelRequestParameters(function_tools=[tool])
    function = built(parameters=parameters)['tools'][0]['function']
    assert function['strict'] is True
    assert function['parameters'] == {
        'type': 'object',
        'properties': {'a': {}},
        'additionalProperties': False,
        'required': ['a'],
    }
    assert 'strict' not in built(parameters=parameters, provider='ollama')['tools'][0]['function']


def test_a_choice_of_tools_by_name() -> None:
    parameters = ModelRequestParameters(function_tools=[TOOL, OTHER])
    one = built(parameters=parameters, settings={'tool_choice': ['g']})
    assert one['tool_choice'] == {'type': 'function', 'function': {'name': 'g'}}
    both = built(parameters=parameters, settings={'tool_choice': ['f', 'g']})['tool_choice']
    assert both['type'] == 'allowed_tools'
    assert both['allowed_tools']['mode'] == 'required'
    elsewhere = built(parameters=parameters, settings={'tool_choice': ['f', 'g']}, provider='mistral')
    assert (len(elsewhere['tools']), elsewhere['tool_choice']) == (2, 'required')
    assert built(parameters=parameters, settings={'tool_choice': 'none'})['tool_choice'] == 'none'
    with pytest.raises(UserError, match="names 'h'"):
        built(parameters=parameters, settings={'tool_choice': ['h']})
    with pytest.raises(UserError, match='no tool'):
        built(settings={'tool_choice': 'required'})


def test_the_form_of_the_answer() -> None:
    schema = ResultSchema(name='R', schema={'type': 'object', 'properties': {}}, description='d', strict=True)
    native = built(parameters=ModelRequestParameters(result_mode='native', result_schema=schema))['response_format']
    assert native['type'] == 'json_schema'
    assert native['json_schema']['schema']['additionalProperties'] is False
    assert native['json_schema']['strict'] is True
    assert built(parameters=ModelRequestParameters(json_object=True))['response_format'] == {'type': 'json_object'}
    row = Provider(name='x', title='X', chat=ChatDialect(supports_json_schema=False))
    with pytest.raises(UserError, match='cannot hold an answer to a JSON schema'):
        built(parameters=ModelRequestParameters(result_mode='native', result_schema=schema), provider=row)


def test_settings_under_their_wire_names() -> None:
    settings = {
        'max_tokens': 10,
        'temperature': 0.0,
        'top_p': 1.0,
        'seed': 7,
        'presence_penalty': 0.1,
        'frequency_penalty': 0.2,
        'logit_bias': {'1': 2},
        'stop_sequences': ['END'],
        'timeout': 3.0,
        'openai_user': 'u',
        'openai_service_tier': 'flex',
        'openai_logprobs': True,
        'extra_body': {'n': 1, 'seed': 8},
    }
    body = built(settings=settings)
    assert {k: v for k, v in body.items() if k not in ('model', 'messages', 'stream')} == {
        'max_completion_tokens': 10,
        'temperature': 0.0,
        'top_p': 1.0,
        'seed': 8,
        'presence_penalty': 0.1,
        'frequency_penalty': 0.2,
        'logit_bias': {'1': 2},
        'stop': ['END'],
        'user': 'u',
        'service_tier': 'flex',
        'logprobs': True,
        'n': 1,
    }
    assert built(settings={'max_tokens': 1}, provider='ollama')['max_tokens'] == 1


def test_a_setting_that_the_model_lacks_is_dropped_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    answers._warned.clear()
    with caplog.at_level(logging.WARNING, logger='syncai'):
        for _ in range(3):
            assert 'top_k' not in built(settings={'top_k': 5})
        assert 'temperature' not in built(settings={'temperature': 1}, model='gpt-5.5')
    assert len(caplog.records) == 2
    assert "'top_k'" in caplog.records[0].message


@pytest.mark.parametrize(
    ('model', 'thinking', 'effort'),
    [
        ('gpt-5.5', 'low', 'low'),
        ('gpt-5.5', True, None),
        ('gpt-5.5', False, 'none'),
        ('gpt-5-mini', False, 'minimal'),
        ('o3', False, 'low'),
        ('gpt-4o', False, None),
        ('gpt-4o', 'high', None),
    ],
)
def test_thinking_is_the_reasoning_effort(model: str, thinking: object, effort: str | None) -> None:
    assert built(settings={'thinking': thinking}, model=model).get('reasoning_effort') == effort


def test_the_providers_own_word_for_effort_wins_and_none_allows_sampling() -> None:
    settings = {'thinking': 'high', 'openai_reasoning_effort': 'none', 'temperature': 1}
    body = built(settings=settings, model='gpt-5.5')
    assert (body['reasoning_effort'], body['temperature']) == ('none', 1)


def test_providers_that_want_one_system_message_and_their_thoughts_back() -> None:
    row = Provider(
        name='x', title='X', chat=ChatDialect(single_system_message=True, replay_reasoning='reasoning_content')
    )
    messages: list[ModelMessage] = [
        ModelRequest([SystemPromptPart('a'), UserPromptPart('q'), SystemPromptPart('b')]),
        ModelResponse([ThinkingPart('hm'), TextPart('t')], provider_name='x'),
        ModelResponse([ThinkingPart('hm'), TextPart('t')], provider_name='y'),
    ]
    assert built(messages, provider=row)['messages'] == [
        {'role': 'system', 'content': 'a\n\nb'},
        {'role': 'user', 'content': 'q'},
        {'role': 'assistant', 'content': 't', 'reasoning_content': 'hm'},
        {'role': 'assistant', 'content': 't'},
    ]

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest

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
from syncai.models._catalog.providers import PROVIDERS
from syncai.models._google.messages import OWN_ID, SIGNATURE, SIGNATURES, UNSIGNED_CALL
from syncai.models._google.request import google_request
from syncai.models._http import answers
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
TOOL = ToolDefinition(name='f', description='d', parameters_json_schema={'type': 'object', 'properties': {}})
OTHER = ToolDefinition(name='g')
NEW, OLD = 'gemini-3.7-flash', 'gemini-2.0-flash'


def built(
    messages: list[ModelMessage] | None = None,
    settings: dict[str, Any] | None = None,
    parameters: ModelRequestParameters | None = None,
    *,
    model: str = NEW,
) -> dict[str, Any]:
    chosen = HELLO if messages is None else messages
    return google_request(model, PROVIDERS['google'], chosen, settings or {}, parameters or ModelRequestParameters())


def prompt(*content: UserContent) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = built([ModelRequest([UserPromptPart(content)])])['contents'][0]['parts']
    return parts


# --- messages ---------------------------------------------------------------------------------------------------------


def test_the_least() -> None:
    assert built() == {'contents': [{'role': 'user', 'parts': [{'text': 'hello'}]}]}


def test_a_conversation_of_another_provider() -> None:
    messages: list[ModelMessage] = [
        ModelRequest([SystemPromptPart('be terse'), UserPromptPart('q')], instructions='old'),
        ModelResponse(
            [
                ThinkingPart('hm', signature='s', provider_name='anthropic'),
                TextPart('a', provider_details={SIGNATURES: [[0, 1, 'not ours']]}),
                TextPart(''),
                ToolCallPart('f', {'x': 1}, 'c1', provider_details={SIGNATURE: 'not ours'}),
                ToolCallPart('g', '{broken', 'c2'),
            ],
            provider_name='openai',
        ),
        ModelRequest([UserPromptPart('and then'), RetryPromptPart('no', tool_name='g', tool_call_id='c2')]),
        ModelRequest([ToolReturnPart('f', {'y': 2}, 'c1'), RetryPromptPart('plain')], instructions='new'),
        ModelResponse([]),
        ModelRequest.user_text_prompt('', instructions='newest'),
    ]
    body = built(messages)
    assert body['systemInstruction'] == {'parts': [{'text': 'newest'}, {'text': 'be terse'}]}
    assert body['contents'] == [
        {'role': 'user', 'parts': [{'text': 'q'}]},
        {
            'role': 'model',
            'parts': [
                {'text': 'a'},
                {'functionCall': {'name': 'f', 'args': {'x': 1}}, 'thoughtSignature': UNSIGNED_CALL},
                {'functionCall': {'name': 'g', 'args': {'INVALID_JSON': '{broken'}}},
            ],
        },
        {
            'role': 'user',
            'parts': [
                {'functionResponse': {'name': 'f', 'response': {'output': {'y': 2}}}},
                {'functionResponse': {'name': 'g', 'response': {'error': 'no\n\nFix the errors and try again.'}}},
                {'text': 'and then'},
                {'text': 'plain\n\nFix the errors and try again.'},
            ],
        },
    ]


def test_what_gemini_made_goes_back_unchanged() -> None:
    messages: list[ModelMessage] = [
        *HELLO,
        ModelResponse(
            [
                ThinkingPart('hm', signature='s0', provider_name='google'),
                ThinkingPart('unsigned', provider_name='google'),
                TextPart('abcdef', provider_details={SIGNATURES: [[0, 2, 's1'], [3, 5, 's2']]}),
                TextPart('end', provider_details={SIGNATURES: [[3, 3, 's3']]}),
                ToolCallPart('f', '{}', 'ours', provider_details={OWN_ID: True, SIGNATURE: 's4'}),
                ToolCallPart('f', '{}', 'given'),
                ToolCallPart('f', '{}', 'ours too', provider_details={OWN_ID: True}),
            ],
            provider_name='google',
        ),
        ModelRequest([ToolReturnPart('f', n, n) for n in ('ours too', 'unknown', 'given', 'ours')]),
    ]
    _, model, user = built(messages)['contents']
    assert model['parts'] == [
        {'text': 'hm', 'thought': True, 'thoughtSignature': 's0'},
        {'text': 'unsigned', 'thought': True},
        {'text': 'ab', 'thoughtSignature': 's1'},
        {'text': 'c'},
        {'text': 'de', 'thoughtSignature': 's2'},
        {'text': 'f'},
        {'text': 'end'},
        {'text': '', 'thoughtSignature': 's3'},
        {'functionCall': {'name': 'f', 'args': {}}, 'thoughtSignature': 's4'},
        {'functionCall': {'name': 'f', 'args': {}, 'id': 'given'}},
        {'functionCall': {'name': 'f', 'args': {}}},
    ]
    returned = [part['functionResponse'] for part in user['parts']]
    assert [(r.get('id'), r['response']['output']) for r in returned] == [
        (None, 'ours'),
        ('given', 'given'),
        (None, 'ours too'),
        (None, 'unknown'),
    ]


@pytest.mark.parametrize(
    ('model', 'signed'),
    [(NEW, True), ('gemini-flash-latest', True), (OLD, False), ('gemini-2.5-pro', False), ('gemma-3-27b-it', False)],
)
def test_only_gemini_3_wants_calls_signed(model: str, signed: bool) -> None:
    messages: list[ModelMessage] = [*HELLO, ModelResponse([ToolCallPart('f', None, 'c')]), *HELLO]
    call = built(messages, model=model)['contents'][1]['parts'][0]
    assert call == {
        'functionCall': {'name': 'f', 'args': {}},
        **({'thoughtSignature': UNSIGNED_CALL} if signed else {}),
    }


def test_an_id_that_two_turns_have_in_common() -> None:
    call = ToolCallPart('f', '{}', 'call_0')
    answer = ModelRequest([ToolReturnPart('f', 1, 'call_0')])
    own = ModelResponse([call], provider_name='google')
    turns = built([*HELLO, own, answer, ModelResponse([call]), answer])['contents']
    assert [turn['parts'][0].get('functionResponse', {}).get('id') for turn in turns] == [
        None,
        None,
        'call_0',
        None,
        None,
    ]


def test_a_conversation_that_has_only_instructions_or_begins_with_an_answer() -> None:
    empty = {'role': 'user', 'parts': [{'text': ''}]}
    assert built([ModelRequest([SystemPromptPart('s')])]) == {
        'contents': [empty],
        'systemInstruction': {'parts': [{'text': 's'}]},
    }
    assert built([ModelResponse([TextPart('a')]), *HELLO])['contents'][0] == empty


def test_nothing_to_say() -> None:
    for messages in ([], [ModelRequest([])]):
        with pytest.raises(UserError, match='messages is empty'):
            built(list(messages))
    with pytest.raises(UserError, match='no content'):
        prompt()


def test_files_of_every_kind() -> None:
    data = base64.b64encode(b'x').decode()
    kinds = {
        'image/png': 'image/png',
        'audio/flac': 'audio/flac',
        'video/mp4': 'video/mp4',
        'application/pdf': 'application/pdf',
        'text/csv; charset=utf-8': 'text/csv',
        'application/json': 'text/plain',
    }
    sent = prompt('look', '', *(BinaryContent(b'x', kind) for kind in kinds))
    assert sent == [{'text': 'look'}, *({'inlineData': {'mimeType': k, 'data': data}} for k in kinds.values())]


@pytest.mark.parametrize(
    ('item', 'media_type'),
    [
        (ImageUrl('https://x/a.png'), 'image/png'),
        (ImageUrl('gs://bucket/a', media_type_='image/webp'), 'image/webp'),
        (AudioUrl('https://x/a.mp3?sig=1'), 'audio/mpeg'),
        (VideoUrl('https://www.youtube.com/watch?v=1'), 'video/mp4'),
        (VideoUrl('https://youtu.be/1', media_type_='video/webm'), 'video/webm'),
        (DocumentUrl('https://x/a.pdf'), 'application/pdf'),
        (DocumentUrl('https://generativelanguage.googleapis.com/v1beta/files/abc'), None),
    ],
)
def test_files_by_their_address(item: ImageUrl | AudioUrl | DocumentUrl | VideoUrl, media_type: str | None) -> None:
    kind = {'mimeType': media_type} if media_type else {}
    assert prompt(item) == [{'fileData': {**kind, 'fileUri': item.url}}]


def test_a_file_that_cannot_be_taken_is_named() -> None:
    with pytest.raises(UserError, match="takes no 'application/zip'; it takes images, audio, video, PDF and text"):
        prompt(BinaryContent(b'', 'application/zip'))
    with pytest.raises(UserError, match='media_type_='):
        prompt(DocumentUrl('https://x/what'))
    odd: Any = 7
    with pytest.raises(UserError, match='cannot hold 7'):
        prompt(odd)


# --- tools and the form of the answer ---------------------------------------------------------------------------------


def test_tools_and_their_choice() -> None:
    both = ModelRequestParameters(function_tools=[TOOL], result_tools=[OTHER])
    body = built(parameters=both)
    assert body['tools'] == [
        {
            'functionDeclarations': [
                {'name': 'f', 'description': 'd', 'parametersJsonSchema': {'type': 'object', 'properties': {}}},
                {'name': 'g', 'description': '', 'parametersJsonSchema': {'type': 'object', 'properties': {}}},
            ]
        }
    ]
    assert 'toolConfig' not in body
    any_of_both = {'mode': 'ANY', 'allowedFunctionNames': ['f', 'g']}
    forced = ModelRequestParameters(function_tools=[TOOL], result_tools=[OTHER], allow_text_result=False)
    choices: list[tuple[Any, ModelRequestParameters, dict[str, Any]]] = [
        (None, forced, any_of_both),
        ('required', both, any_of_both),
        ('auto', forced, {'mode': 'AUTO'}),
        ('none', both, {'mode': 'NONE'}),
        (['g'], both, {'mode': 'ANY', 'allowedFunctionNames': ['g']}),
    ]
    for choice, parameters, calling in choices:
        settings = {} if choice is None else {'tool_choice': choice}
        assert built(parameters=parameters, settings=settings)['toolConfig'] == {'functionCallingConfig': calling}
    with pytest.raises(UserError, match="names 'h'; the tools of this request are f, g"):
        built(parameters=both, settings={'tool_choice': ['h']})
    with pytest.raises(UserError, match='no tool to call'):
        built(settings={'tool_choice': 'required'})


def test_the_form_of_the_answer() -> None:
    schema = ResultSchema(name='R', schema={'type': 'object', 'properties': {'a': {'const': 1}}}, description='d')
    native = ModelRequestParameters(result_mode='native', result_schema=schema)
    assert built(parameters=native)['generationConfig'] == {
        'responseMimeType': 'application/json',
        'responseJsonSchema': {
            'description': 'd',
            'type': 'object',
            'properties': {'a': {'enum': [1], 'type': 'integer'}},
        },
    }
    only_json = {'responseMimeType': 'application/json'}
    assert built(parameters=ModelRequestParameters(json_object=True))['generationConfig'] == only_json
    prompted = ModelRequestParameters(result_mode='prompted', function_tools=[TOOL])
    assert built(parameters=prompted)['generationConfig'] == only_json


def test_models_before_gemini_3_cannot_both_call_tools_and_be_held_to_json() -> None:
    schema = ResultSchema(name='R', schema={'type': 'object'})
    native = ModelRequestParameters(result_mode='native', result_schema=schema, function_tools=[TOOL])
    assert built(parameters=native)['generationConfig']['responseJsonSchema'] == {'type': 'object'}
    with pytest.raises(UserError, match=r"use result_mode 'tool'"):
        built(parameters=native, model='gemini-2.5-pro')
    prompted = ModelRequestParameters(result_mode='prompted', function_tools=[TOOL])
    assert 'generationConfig' not in built(parameters=prompted, model=OLD)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_under_their_wire_names() -> None:
    safety = [{'category': 'HARM_CATEGORY_HARASSMENT', 'threshold': 'OFF'}]
    settings = {
        'max_tokens': 10,
        'temperature': 0.0,
        'top_p': 1.0,
        'top_k': 5,
        'seed': 7,
        'presence_penalty': 0.1,
        'frequency_penalty': 0.2,
        'stop_sequences': ['END'],
        'timeout': 3.0,
        'parallel_tool_calls': True,
        'google_safety_settings': safety,
        'google_cached_content': 'cachedContents/c',
        'google_media_resolution': 'MEDIA_RESOLUTION_LOW',
        'google_service_tier': 'flex',
        'google_labels': {'team': 'a'},
        'extra_body': {'generationConfig': {'seed': 8, 'candidateCount': 1}, 'store': False},
    }
    assert {k: v for k, v in built(settings=settings).items() if k != 'contents'} == {
        'generationConfig': {
            'maxOutputTokens': 10,
            'temperature': 0.0,
            'topP': 1.0,
            'topK': 5,
            'seed': 8,
            'presencePenalty': 0.1,
            'frequencyPenalty': 0.2,
            'stopSequences': ['END'],
            'mediaResolution': 'MEDIA_RESOLUTION_LOW',
            'candidateCount': 1,
        },
        'safetySettings': safety,
        'cachedContent': 'cachedContents/c',
        'serviceTier': 'flex',
        'labels': {'team': 'a'},
        'store': False,
    }


def test_a_setting_that_gemini_lacks_is_dropped_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    answers._warned.clear()
    with caplog.at_level(logging.WARNING, logger='syncai'):
        for _ in range(2):
            assert built(settings={'logit_bias': {'1': 2}, 'parallel_tool_calls': False, 'google_new': 1}) == built()
        assert built(settings={'thinking': 'high'}, model=OLD) == built(model=OLD)
    assert [record.args[2] for record in caplog.records if isinstance(record.args, tuple)] == [
        'parallel_tool_calls',
        'logit_bias',
        'google_new',
        'thinking',
    ]


@pytest.mark.parametrize(
    ('model', 'thinking', 'config'),
    [
        ('gemini-3.7-flash', True, {'includeThoughts': True}),
        ('gemini-3.7-flash', 'medium', {'includeThoughts': True, 'thinkingLevel': 'MEDIUM'}),
        ('gemini-3.7-flash', 'max', {'includeThoughts': True, 'thinkingLevel': 'HIGH'}),
        ('gemini-3.7-flash', 'minimal', {'includeThoughts': True, 'thinkingLevel': 'LOW'}),
        ('gemini-3.7-flash', False, {'thinkingLevel': 'LOW'}),
        ('gemini-3.6-flash', 'minimal', {'includeThoughts': True, 'thinkingLevel': 'MINIMAL'}),
        ('gemini-3-flash-preview', 'none', {'thinkingLevel': 'MINIMAL'}),
        ('gemini-3.1-pro-preview', False, {'thinkingLevel': 'LOW'}),
        ('gemini-flash-latest', False, {'thinkingLevel': 'LOW'}),
        ('gemini-2.5-flash', True, {'includeThoughts': True, 'thinkingBudget': -1}),
        ('gemini-2.5-flash', 'low', {'includeThoughts': True, 'thinkingBudget': 1024}),
        ('gemini-2.5-flash', 'high', {'includeThoughts': True, 'thinkingBudget': 24576}),
        ('gemini-2.5-flash', False, {'thinkingBudget': 0}),
        ('gemini-2.5-pro', False, {'thinkingBudget': 128}),
        ('gemini-2.0-flash', False, None),
    ],
)
def test_thinking_in_the_words_of_each_generation(model: str, thinking: Any, config: dict[str, Any] | None) -> None:
    found = built(settings={'thinking': thinking}, model=model).get('generationConfig', {})
    assert found.get('thinkingConfig') == config


def test_the_providers_own_words_for_thinking_win() -> None:
    settings = {'thinking': 'high', 'google_thinking_config': {'thinkingBudget': 7}}
    assert built(settings=settings)['generationConfig'] == {'thinkingConfig': {'thinkingBudget': 7}}

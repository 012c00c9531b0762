from __future__ import annotations

import base64
import logging
from dataclasses import replace
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
from syncai.models._catalog.providers import PROVIDERS, for_model
from syncai.models._http import answers
from syncai.models._responses.request import responses_request
from syncai.models.openai_responses import OpenAIResponsesModelSettings
from syncai.tools import ToolDefinition

OWN = 'openai-responses'
HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
TOOL = ToolDefinition(name='f', description='d', parameters_json_schema={'type': 'object', 'properties': {'a': {}}})
OTHER = ToolDefinition(name='g', strict=True, parameters_json_schema={'type': 'object', 'properties': {'a': {}}})


def built(
    messages: list[ModelMessage] | None = None,
    settings: Any = None,
    parameters: ModelRequestParameters | None = None,
    *,
    model: str = 'gpt-4o',
) -> dict[str, Any]:
    row = for_model(PROVIDERS[OWN], model)
    messages = HELLO if messages is None else messages
    return responses_request(model, row, messages, settings or {}, parameters or ModelRequestParameters(), stream=False)


def items(*messages: ModelMessage, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = built(list(messages), **options)['input']
    return found


def test_the_least() -> None:
    least = {'input': [{'role': 'user', 'content': 'hello'}], 'store': False, 'stream': False}
    assert built() == {'model': 'gpt-4o', **least}
    thoughts = {'include': ['reasoning.encrypted_content']}
    assert built(model='gpt-5.5') == {'model': 'gpt-5.5', **least, **thoughts}


# --- messages ---------------------------------------------------------------------------------------------------------


def test_a_conversation() -> None:
    body = built(
        [
            ModelRequest([SystemPromptPart('be terse'), UserPromptPart('q')], instructions='old'),
            ModelResponse(
                [TextPart('a'), TextPart(''), ToolCallPart('f', {'x': 1}, 'c1'), ToolCallPart('g', '', 'c2')]
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
    )
    assert body['instructions'] == 'new'
    assert body['input'] == [
        {'role': 'system', 'content': 'be terse'},
        {'role': 'user', 'content': 'q'},
        {'type': 'message', 'role': 'assistant', 'content': 'a'},
        {'type': 'function_call', 'call_id': 'c1', 'name': 'f', 'arguments': '{"x":1}'},
        {'type': 'function_call', 'call_id': 'c2', 'name': 'g', 'arguments': '{}'},
        {'type': 'function_call_output', 'call_id': 'c1', 'output': '{"y":2}'},
        {'type': 'function_call_output', 'call_id': 'c2', 'output': 'no\n\nFix the errors and try again.'},
        {'role': 'user', 'content': 'plain\n\nFix the errors and try again.'},
    ]
    assert items(ModelRequest([SystemPromptPart('s')]), model='gpt-5.5') == [{'role': 'developer', 'content': 's'}]


def test_no_message_at_all() -> None:
    for nothing in ([], [ModelRequest([])], [ModelRequest([], instructions='only these')]):
        with pytest.raises(UserError, match='messages is empty'):
            built(list(nothing))
    with pytest.raises(UserError, match='no content'):
        built([ModelRequest([UserPromptPart([])])])


def thoughtful(provider: str | None = OWN, signature: str | None = 'SIG') -> ModelResponse:
    return ModelResponse(
        [
            ThinkingPart('one', id='rs_1', signature=signature, provider_name=provider),
            ThinkingPart('two', id='rs_1', provider_name=provider),
            TextPart('soon', provider_details={'id': 'msg_1', 'phase': 'commentary'}),
            ThinkingPart('', id='rs_2', signature=signature, provider_name=provider),
            TextPart('a', provider_details={'id': 'msg_2', 'annotations': [{'type': 'url_citation'}]}),
            TextPart('no', provider_details={'id': 'msg_2', 'refusal': True}),
            ToolCallPart('f', '{}', 'c1', provider_details={'id': 'fc_1', 'namespace': 'n'}),
        ],
        provider_name=provider,
        provider_response_id='resp_1',
    )


def test_own_thoughts_go_back_as_they_came_with_all_ids() -> None:
    head = {'type': 'message', 'role': 'assistant', 'status': 'completed'}
    soon = {'type': 'output_text', 'text': 'soon', 'annotations': []}
    cited = {'type': 'output_text', 'text': 'a', 'annotations': [{'type': 'url_citation'}]}
    one, two = ({'type': 'summary_text', 'text': text} for text in ('one', 'two'))
    assert items(thoughtful()) == [
        {'type': 'reasoning', 'id': 'rs_1', 'summary': [one, two], 'encrypted_content': 'SIG'},
        {**head, 'id': 'msg_1', 'content': [soon], 'phase': 'commentary'},
        {'type': 'reasoning', 'id': 'rs_2', 'summary': [], 'encrypted_content': 'SIG'},
        {**head, 'id': 'msg_2', 'content': [cited, {'type': 'refusal', 'refusal': 'no'}]},
        {'type': 'function_call', 'id': 'fc_1', 'namespace': 'n', 'call_id': 'c1', 'name': 'f', 'arguments': '{}'},
    ]


def test_thoughts_without_proof_and_those_of_others_are_dropped_and_all_ids_with_them() -> None:
    call = {'type': 'function_call', 'call_id': 'c1', 'name': 'f', 'arguments': '{}'}
    texts = [
        {'type': 'message', 'role': 'assistant', 'content': 'soon'},
        {'type': 'message', 'role': 'assistant', 'content': 'a\n\nno'},
    ]
    assert items(thoughtful('anthropic')) == [*texts, call]
    own = [{**texts[0], 'phase': 'commentary'}, texts[1], {**call, 'namespace': 'n'}]
    assert items(thoughtful(signature=None)) == own
    # A provider that stores its answers knows its thoughts by their ids.
    stored = items(thoughtful(signature=None), settings={'openai_store': True})
    assert [item.get('id') for item in stored] == ['rs_1', 'msg_1', 'rs_2', 'msg_2', 'fc_1']
    assert 'encrypted_content' not in stored[0]


def test_open_thoughts_go_back_as_text_of_their_own() -> None:
    raw = ThinkingPart('hm', id='rs_1', provider_name=OWN, provider_details={'type': 'reasoning_text'})
    content = [{'type': 'reasoning_text', 'text': 'hm'}]
    assert items(ModelResponse([raw], provider_name=OWN)) == [
        {'type': 'reasoning', 'id': 'rs_1', 'summary': [], 'content': content}
    ]


def test_items_of_an_unread_kind_go_back_unchanged_to_their_provider_alone() -> None:
    searches = [{'type': 'web_search_call', 'id': f'ws_{n}', 'action': {'query': 'q'}} for n in range(2)]
    kept = [ThinkingPart('', id=s['id'], provider_name=OWN, provider_details={'item': s}) for s in searches]  # type: ignore[arg-type]
    assert items(ModelResponse([*kept, TextPart('a')], provider_name=OWN)) == [
        *searches,
        {'type': 'message', 'role': 'assistant', 'content': 'a'},
    ]
    assert items(ModelResponse([*kept, TextPart('a')], provider_name='x')) == [
        {'type': 'message', 'role': 'assistant', 'content': 'a'}
    ]


def test_call_ids_that_are_too_long_or_missing_are_the_same_for_call_and_return() -> None:
    for known in ('x' * 65, ''):
        call, output = items(
            ModelResponse([ToolCallPart('f', None, known)]), ModelRequest([ToolReturnPart('f', 'r', known)])
        )
        assert call['call_id'] == output['call_id']
        assert 0 < len(call['call_id']) <= 64
    assert items(ModelRequest([ToolReturnPart('f', 'r', 'x' * 64)]))[0]['call_id'] == 'x' * 64


def test_files_of_every_kind() -> None:
    docx = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
    content: list[UserContent] = [
        'look',
        ImageUrl('https://x.example/a.png', detail='low'),
        BinaryContent(b'png', 'image/png'),
        BinaryContent(b'wav', 'audio/x-wav'),
        BinaryContent(b'pdf', 'application/pdf', filename='p.pdf'),
        BinaryContent(b'doc', docx),
        BinaryContent(b'a,b', 'text/csv', filename='t.csv'),
        DocumentUrl('https://x.example/a.pdf'),
    ]
    b64 = {name: base64.b64encode(name.encode()).decode() for name in ('png', 'wav', 'pdf', 'doc')}
    assert items(ModelRequest([UserPromptPart(content)]))[0]['content'] == [
        {'type': 'input_text', 'text': 'look'},
        {'type': 'input_image', 'image_url': 'https://x.example/a.png', 'detail': 'low'},
        {'type': 'input_image', 'image_url': f'data:image/png;base64,{b64["png"]}', 'detail': 'auto'},
        {'type': 'input_audio', 'input_audio': {'data': b64['wav'], 'format': 'wav'}},
        {'type': 'input_file', 'filename': 'p.pdf', 'file_data': f'data:application/pdf;base64,{b64["pdf"]}'},
        {'type': 'input_file', 'filename': 'document.docx', 'file_data': f'data:{docx};base64,{b64["doc"]}'},
        {'type': 'input_text', 'text': '-----BEGIN FILE t.csv-----\na,b\n-----END FILE t.csv-----'},
        {'type': 'input_file', 'file_url': 'https://x.example/a.pdf'},
    ]


@pytest.mark.parametrize(
    ('item', 'name'),
    [
        (AudioUrl('https://x/a.wav'), 'AudioUrl'),
        (VideoUrl('https://x/a.mp4'), 'VideoUrl'),
        (BinaryContent(b'', 'video/mp4'), r'BinaryContent\(video/mp4\)'),
        (BinaryContent(b'', 'audio/flac'), r'BinaryContent\(audio/flac\)'),
        (BinaryContent(b'', 'application/zip'), r'BinaryContent\(application/zip\)'),
    ],
)
def test_a_file_that_cannot_be_taken_is_named(item: Any, name: str) -> None:
    with pytest.raises(UserError, match=f'takes no {name}; it takes text, images, documents'):
        built([ModelRequest([UserPromptPart(['x', item])])])


def test_a_conversation_that_goes_on_from_a_stored_answer() -> None:
    messages: list[ModelMessage] = [
        ModelRequest.user_text_prompt('q'),
        ModelResponse([TextPart('x')], provider_name=OWN, provider_response_id='resp_0'),
        thoughtful(),
        ModelRequest([ToolReturnPart('f', 'r', 'c1')], instructions='i'),
    ]
    output = {'type': 'function_call_output', 'call_id': 'c1', 'output': 'r'}
    for wanted in ('auto', 'resp_1'):
        body = built(messages, settings={'openai_previous_response_id': wanted}, model='gpt-5.5')
        assert (body['input'], body['previous_response_id'], body['instructions']) == ([output], 'resp_1', 'i')
        assert not body.keys() & {'store', 'include'}, 'an answer that is not stored cannot be gone on from'
    elsewhere = built(HELLO, settings={'openai_previous_response_id': 'resp_9'})
    assert (elsewhere['previous_response_id'], len(elsewhere['input'])) == ('resp_9', 1)
    first = built(HELLO, settings={'openai_previous_response_id': 'auto'})
    assert not first.keys() & {'store', 'previous_response_id'}
    assert len(built(messages, settings={'openai_previous_response_id': 'resp_0'})['input']) == 6
    left_early = replace(thoughtful(signature=None), incomplete=True)
    messages[2] = left_early
    body = built(messages, settings={'openai_previous_response_id': 'auto'})
    assert (body['previous_response_id'], len(body['input'])) == ('resp_0', 4)
    assert not any('id' in item for item in body['input'])


# --- tools and the form of the answer ---------------------------------------------------------------------------------


def test_tools() -> None:
    parameters = ModelRequestParameters(function_tools=[TOOL], result_tools=[OTHER], allow_text_result=False)
    body = built(parameters=parameters, settings={'parallel_tool_calls': False})
    schema = {'type': 'object', 'properties': {'a': {}}}
    closed = {**schema, 'additionalProperties': False, 'required': ['a']}
    assert body['tools'] == [
        {'type': 'function', 'name': 'f', 'description': 'd', 'parameters': schema, 'strict': False},
        {'type': 'function', 'name': 'g', 'description': '', 'parameters': closed, 'strict': True},
    ]
    assert (body['tool_choice'], body['parallel_tool_calls']) == ('required', False)
    assert built(parameters=ModelRequestParameters(function_tools=[TOOL]))['tool_choice'] == 'auto'


def test_a_choice_of_tools() -> None:
    parameters = ModelRequestParameters(function_tools=[TOOL, OTHER])
    one, two = {'type': 'function', 'name': 'f'}, {'type': 'function', 'name': 'g'}
    expected = {'none': 'none', 'required': 'required', ('f',): one}
    expected['f', 'g'] = {'type': 'allowed_tools', 'mode': 'required', 'tools': [one, two]}
    for choice, written in expected.items():
        assert built(parameters=parameters, settings={'tool_choice': choice})['tool_choice'] == written
    with pytest.raises(UserError, match="names 'h'"):
        built(parameters=parameters, settings={'tool_choice': ['h']})
    with pytest.raises(UserError, match='no tool'):
        built(settings={'tool_choice': 'required'})
    assert 'tools' not in built(settings={'tool_choice': 'auto'})


def test_tools_that_the_provider_runs_itself() -> None:
    search = {'type': 'web_search'}
    body = built(parameters=ModelRequestParameters(function_tools=[TOOL]), settings={'openai_builtin_tools': [search]})
    assert [tool['type'] for tool in body['tools']] == ['function', 'web_search']
    assert built(settings={'openai_builtin_tools': [search]})['tools'] == [search]


def test_the_form_of_the_answer() -> None:
    loose = {'type': 'object', 'properties': {}}
    schema = ResultSchema(name='R', schema=loose, description='d', strict=True)
    native = ModelRequestParameters(result_mode='native', result_schema=schema)
    closed = {**loose, 'additionalProperties': False, 'required': []}
    form = {'type': 'json_schema', 'name': 'R', 'schema': closed, 'description': 'd', 'strict': True}
    assert built(parameters=native, settings={'openai_verbosity': 'low'})['text'] == {
        'format': form,
        'verbosity': 'low',
    }
    by_itself = ModelRequestParameters(result_mode='native', result_schema=replace(schema, strict=None))
    assert built(parameters=by_itself)['text']['format'] == form
    free = ModelRequestParameters(result_mode='native', result_schema=replace(schema, strict=False))
    assert built(parameters=free)['text']['format'] == {**form, 'schema': loose, 'strict': False}
    assert built(settings={'openai_verbosity': 'low'})['text'] == {'verbosity': 'low'}


@pytest.mark.parametrize(
    'parameters', [ModelRequestParameters(json_object=True), ModelRequestParameters(result_mode='prompted')]
)
def test_instructions_that_ask_for_json_are_part_of_the_input(parameters: ModelRequestParameters) -> None:
    body = built([ModelRequest.user_text_prompt('q', instructions='Answer in JSON')], parameters=parameters)
    assert body['text'] == {'format': {'type': 'json_object'}}
    assert body['input'][0] == {'role': 'system', 'content': 'Answer in JSON'}
    assert 'instructions' not in body


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_under_their_wire_names() -> None:
    settings = OpenAIResponsesModelSettings(
        max_tokens=10,
        temperature=0.0,
        top_p=1.0,
        timeout=3.0,
        openai_user='u',
        openai_safety_identifier='s',
        openai_service_tier='flex',
        openai_metadata={'k': 'v'},
        openai_prompt_cache_key='c',
        openai_prompt_cache_options={'mode': 'implicit'},
        openai_truncation='auto',
        openai_logprobs=True,
        openai_top_logprobs=2,
        openai_include=['web_search_call.results'],
        openai_store=True,
        extra_body={'max_tool_calls': 1, 'top_p': 0.5},
    )
    body = built(settings=settings)
    assert {k: v for k, v in body.items() if k not in ('model', 'input', 'stream')} == {
        'max_output_tokens': 10,
        'temperature': 0.0,
        'top_p': 0.5,
        'user': 'u',
        'safety_identifier': 's',
        'service_tier': 'flex',
        'metadata': {'k': 'v'},
        'prompt_cache_key': 'c',
        'prompt_cache_options': {'mode': 'implicit'},
        'truncation': 'auto',
        'top_logprobs': 2,
        'include': ['web_search_call.results', 'message.output_text.logprobs'],
        'store': True,
        'max_tool_calls': 1,
    }


def test_settings_that_responses_lacks_are_dropped_with_one_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, '_warned', set())
    settings = {'seed': 1, 'stop_sequences': ['x'], 'openai_audio': {}, 'openai_prediction': None, 'groq_x': 1}
    with caplog.at_level(logging.WARNING, logger='syncai'):
        assert built(settings=settings).keys() == built().keys()
        built(settings=settings)
    assert len(caplog.records) == 3
    assert all('does not take the setting' in record.getMessage() for record in caplog.records)
    with caplog.at_level(logging.WARNING, logger='syncai'):
        assert 'temperature' not in built(settings={'temperature': 1.0}, model='o3')
    assert built(settings={'temperature': 1.0, 'thinking': False}, model='gpt-5.5')['temperature'] == 1.0


@pytest.mark.parametrize(
    ('model', 'settings', 'reasoning'),
    [
        ('gpt-5.5', {'thinking': 'high'}, {'effort': 'high'}),
        ('gpt-5.5', {'thinking': True}, None),
        ('gpt-5.5', {'thinking': False}, {'effort': 'none'}),
        ('gpt-5', {'thinking': False}, {'effort': 'minimal'}),
        ('o3', {'thinking': 'none'}, {'effort': 'low'}),
        ('gpt-4o', {'thinking': False}, None),
        ('o3', {'thinking': 'low', 'openai_reasoning_effort': 'high'}, {'effort': 'high'}),
        ('o3', {'openai_reasoning_summary': 'auto'}, {'summary': 'auto'}),
        ('my-own', {'openai_reasoning_effort': 'low'}, {'effort': 'low'}),
    ],
)
def test_thinking(model: str, settings: dict[str, Any], reasoning: dict[str, Any] | None) -> None:
    body = built(settings=settings, model=model)
    assert body.get('reasoning') == reasoning
    assert ('include' in body) == (model != 'gpt-4o')

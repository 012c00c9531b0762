from __future__ import annotations

import base64
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
from syncai.models import ModelRequestParameters
from syncai.models._anthropic.request import anthropic_request
from syncai.models._catalog.providers import PROVIDERS
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
TOOL = ToolDefinition(name='f', description='d', parameters_json_schema={'type': 'object', 'properties': {}})
OTHER = ToolDefinition(name='g')
THIRD = ToolDefinition(name='h')
OBJECT = {'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'required': ['a']}


def built(
    messages: list[ModelMessage] | None = None,
    settings: dict[str, Any] | None = None,
    parameters: ModelRequestParameters | None = None,
    *,
    model: str = 'claude-sonnet-4-5',
    stream: bool = False,
) -> dict[str, Any]:
    parameters = parameters or ModelRequestParameters()
    messages = HELLO if messages is None else messages
    return anthropic_request(model, PROVIDERS['anthropic'], messages, settings or {}, parameters, stream=stream)


def turns(*messages: ModelMessage) -> Any:
    return built(list(messages))['messages']


def said(text: str) -> dict[str, Any]:
    return {'type': 'text', 'text': text}


# --- the conversation -------------------------------------------------------------------------------------------------


def test_the_least() -> None:
    assert built() == {
        'model': 'claude-sonnet-4-5',
        'max_tokens': 16_384,
        'messages': [{'role': 'user', 'content': [said('hello')]}],
        'stream': False,
    }
    assert built(stream=True)['stream'] is True


CONVERSATION: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('be terse'), UserPromptPart('q')], instructions='old'),
    ModelResponse(
        [
            ThinkingPart('hm', signature='sig', provider_name='anthropic'),
            TextPart('a'),
            ToolCallPart('f', '{"x": 1}', 'c1'),
            ToolCallPart('g', {'y': 2}, 'c2'),
            ToolCallPart('h', None, 'c3'),
        ],
        provider_name='anthropic',
    ),
    ModelRequest([UserPromptPart('by the way'), ToolReturnPart('f', {'y': 2}, 'c1')]),
    ModelRequest(
        [
            RetryPromptPart('no', tool_name='g', tool_call_id='c2'),
            ToolReturnPart('h', '', 'c3'),
            RetryPromptPart('plain'),
            SystemPromptPart('and kind'),
        ],
        instructions='new',
    ),
]


def test_a_conversation() -> None:
    body = built(CONVERSATION)
    assert body['system'] == 'new\n\nbe terse\n\nand kind'
    assert body['messages'] == [
        {'role': 'user', 'content': [said('q')]},
        {
            'role': 'assistant',
            'content': [
                {'type': 'thinking', 'thinking': 'hm', 'signature': 'sig'},
                said('a'),
                {'type': 'tool_use', 'id': 'c1', 'name': 'f', 'input': {'x': 1}},
                {'type': 'tool_use', 'id': 'c2', 'name': 'g', 'input': {'y': 2}},
                {'type': 'tool_use', 'id': 'c3', 'name': 'h', 'input': {}},
            ],
        },
        {
            'role': 'user',
            'content': [
                {'type': 'tool_result', 'tool_use_id': 'c1', 'is_error': False, 'content': '{"y":2}'},
                {
                    'type': 'tool_result',
                    'tool_use_id': 'c2',
                    'is_error': True,
                    'content': 'no\n\nFix the errors and try again.',
                },
                {'type': 'tool_result', 'tool_use_id': 'c3', 'is_error': False},
                said('by the way'),
                said('plain\n\nFix the errors and try again.'),
            ],
        },
    ]


def test_no_message_at_all() -> None:
    with pytest.raises(UserError, match='messages is empty'):
        built([])
    with pytest.raises(UserError, match='messages is empty'):
        built([ModelRequest([])])
    with pytest.raises(UserError, match='no content'):
        turns(ModelRequest([UserPromptPart([])]))


def test_the_user_speaks_first_whatever_came_before() -> None:
    begin = {'role': 'user', 'content': [said('Begin.')]}
    body = built([ModelRequest([SystemPromptPart('s')])])
    assert (body['system'], body['messages']) == ('s', [begin])
    assert built([ModelRequest([], instructions='i')])['messages'] == [begin]
    first, second, _ = turns(ModelRequest([SystemPromptPart('s')]), ModelResponse([TextPart('a')]), *HELLO)
    assert (first, second['role']) == (begin, 'assistant')


def test_turns_alternate_and_empty_texts_are_left_out() -> None:
    got = turns(
        *HELLO,
        ModelRequest([UserPromptPart(' \n')]),
        ModelRequest([UserPromptPart(['', 'more'])]),
        ModelResponse([TextPart('')]),
        ModelResponse([TextPart('a')]),
        ModelResponse([TextPart(' '), TextPart('b')]),
    )
    assert got == [
        {'role': 'user', 'content': [said('hello'), said('more')]},
        {'role': 'assistant', 'content': [said('a'), said('b')]},
    ]
    assert 'system' not in built([ModelRequest([SystemPromptPart(' '), UserPromptPart('x')], instructions='')])


def test_only_its_own_thoughts_go_back_and_unchanged() -> None:
    redacted = {'type': 'redacted_thinking', 'data': 'xyz'}
    answer = ModelResponse(
        [
            ThinkingPart('', signature='sig', provider_name='anthropic'),
            ThinkingPart('', provider_name='anthropic', provider_details=redacted),
            ThinkingPart('cut off', provider_name='anthropic'),
            ThinkingPart('theirs', signature='s', provider_name='google'),
            ThinkingPart('theirs', provider_name='deepseek', provider_details={'type': 'x'}),
            TextPart('a', provider_details={'citations': [{'type': 'y'}]}),
            ToolCallPart('f', None, 'c', provider_details={'caller': {'type': 'direct'}}),
        ],
        provider_name='anthropic',
    )
    text = {'type': 'text', 'text': 'a'}
    call = {'type': 'tool_use', 'id': 'c', 'name': 'f', 'input': {}}
    thoughts = [{'type': 'thinking', 'thinking': '', 'signature': 'sig'}, redacted]
    assert turns(*HELLO, answer)[1]['content'] == [
        *thoughts,
        {**text, 'citations': [{'type': 'y'}]},
        {**call, 'caller': {'type': 'direct'}},
    ]
    elsewhere = ModelResponse(answer.parts, provider_name='openai')
    assert turns(*HELLO, elsewhere)[1]['content'] == [*thoughts, text, call]


def test_arguments_that_are_no_json_go_back_as_they_are() -> None:
    answer = ModelResponse([ToolCallPart('f', '{"x": ', 'a'), ToolCallPart('f', '[1]', 'b')])
    calls = turns(*HELLO, answer)[1]['content']
    assert [call['input'] for call in calls] == [{'INVALID_JSON': '{"x": '}, {'INVALID_JSON': '[1]'}]


def test_ids_of_other_providers_fit_and_are_unique() -> None:
    def call_and_return(call_id: str, content: str) -> list[ModelMessage]:
        answer = ModelResponse([ToolCallPart('f', None, call_id)])
        return [answer, ModelRequest([ToolReturnPart('f', content, call_id)])]

    ids = ['functions.f:0', 'functions_f_0', 'call_0', 'call_0', '', 'ü']
    got = turns(*HELLO, *[m for n, call_id in enumerate(ids) for m in call_and_return(call_id, str(n))])
    calls = [block['id'] for turn in got for block in turn['content'] if block['type'] == 'tool_use']
    assert calls == ['functions_f_0', 'functions_f_0_2', 'call_0', 'call_0_2', 'call', '_']
    results = [block for turn in got for block in turn['content'] if block['type'] == 'tool_result']
    assert [block['tool_use_id'] for block in results] == calls
    assert [block['content'] for block in results] == ['0', '1', '2', '3', '4', '5']


def test_two_calls_of_one_answer_with_the_same_id() -> None:
    answer = ModelResponse([ToolCallPart('f', None, 'x'), ToolCallPart('g', None, 'x')])
    returns = ModelRequest([ToolReturnPart('f', '1', 'x'), ToolReturnPart('g', '2', 'x')])
    _, calls, results = turns(*HELLO, answer, returns)
    assert [block['id'] for block in calls['content']] == ['x', 'x_2']
    assert [(block['tool_use_id'], block['content']) for block in results['content']] == [('x', '1'), ('x_2', '2')]


# --- files ------------------------------------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_files_of_every_kind() -> None:
    content: list[UserContent] = [
        'look',
        ImageUrl('https://x.example/a.png', detail='low'),
        BinaryContent(b'png', 'image/png'),
        BinaryContent(b'jpg', 'image/JPG; q=1'),
        DocumentUrl('https://x.example/a.pdf?x=1'),
        DocumentUrl('https://x.example/download'),
        BinaryContent(b'pdf', 'application/pdf', filename='p.pdf'),
        BinaryContent(b'a,b', 'text/csv', filename='t.csv'),
        BinaryContent(b'{}', 'application/json'),
    ]
    assert turns(ModelRequest([UserPromptPart(content)]))[0]['content'] == [
        said('look'),
        {'type': 'image', 'source': {'type': 'url', 'url': 'https://x.example/a.png'}},
        {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': b64(b'png')}},
        {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/jpeg', 'data': b64(b'jpg')}},
        {'type': 'document', 'source': {'type': 'url', 'url': 'https://x.example/a.pdf?x=1'}},
        {'type': 'document', 'source': {'type': 'url', 'url': 'https://x.example/download'}},
        {
            'type': 'document',
            'source': {'type': 'base64', 'media_type': 'application/pdf', 'data': b64(b'pdf')},
            'title': 'p.pdf',
        },
        {
            'type': 'document',
            'source': {'type': 'text', 'media_type': 'text/plain', 'data': 'a,b'},
            'title': 't.csv',
        },
        {'type': 'document', 'source': {'type': 'text', 'media_type': 'text/plain', 'data': '{}'}},
    ]


@pytest.mark.parametrize(
    ('item', 'name'),
    [
        (AudioUrl('https://x/a.wav'), 'AudioUrl'),
        (VideoUrl('https://x/a.mp4'), 'VideoUrl'),
        (DocumentUrl('https://x/a.docx'), r'DocumentUrl\(application/vnd.*\)'),
        (DocumentUrl('https://x/a', media_type_='text/plain'), r'DocumentUrl\(text/plain\)'),
        (BinaryContent(b'', 'video/mp4'), r'BinaryContent\(video/mp4\)'),
        (BinaryContent(b'', 'audio/wav'), r'BinaryContent\(audio/wav\)'),
        (BinaryContent(b'', 'image/tiff'), r'BinaryContent\(image/tiff\)'),
    ],
)
def test_a_file_that_cannot_be_taken_is_named(item: Any, name: str) -> None:
    with pytest.raises(UserError, match=f'takes no {name}; it takes text, images'):
        turns(ModelRequest([UserPromptPart(['x', item])]))
    with pytest.raises(UserError, match=f'takes no {name}'):
        turns(ModelRequest([ToolReturnPart('f', [item], 'c')]))


def test_files_that_tools_return() -> None:
    def returned(content: Any) -> Any:
        return turns(ModelRequest([ToolReturnPart('f', content, 'c')]))[0]['content'][0].get('content')

    png = BinaryContent(b'png', 'image/png')
    image = {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': b64(b'png')}}
    assert returned(png) == [image]
    assert returned(['see', png, {'a': 1}]) == [said('see'), image, said('{"a":1}')]
    assert returned(['see', {'a': 1}]) == '["see",{"a":1}]'
    assert returned(None) == 'null'
    assert returned('') is None

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import get_args

import pytest

from syncai import messages as module
from syncai.exceptions import UnexpectedModelBehavior, UserError
from syncai.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UserPromptPart,
    VideoUrl,
)
from syncai.usage import Usage

CONVERSATION: list[ModelMessage] = [
    ModelRequest(
        [
            SystemPromptPart('s', dynamic_ref='d'),
            UserPromptPart(
                [
                    'look',
                    ImageUrl('https://x.example/a.png', detail='low'),
                    AudioUrl('https://x.example/a.wav'),
                    DocumentUrl('https://x.example/a.pdf'),
                    VideoUrl('https://x.example/a.mp4'),
                    BinaryContent(b'\x00\xff\xfe>?', 'image/png', filename='a.png'),
                ]
            ),
        ],
        instructions='i',
    ),
    ModelResponse(
        [ThinkingPart('hm', signature='sig', provider_name='p'), TextPart('t'), ToolCallPart('f', '{"x":1}', 'c')],
        usage=Usage(requests=1, request_tokens=2, response_tokens=3, total_tokens=5, details={'cached_tokens': 1}),
        model_name='m',
        timestamp=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        provider_name='p',
        provider_response_id='r',
        finish_reason='tool_call',
        provider_finish_reason='tool_calls',
    ),
    ModelRequest(
        [
            ToolReturnPart('f', {'y': [1, None]}, 'c'),
            RetryPromptPart('no'),
            RetryPromptPart([{'loc': ['a'], 'msg': 'bad'}], tool_name='f', tool_call_id='c'),
        ]
    ),
]


def test_the_json_round_trip_is_exact_and_stable() -> None:
    written = ModelMessagesTypeAdapter.dump_json(CONVERSATION)
    read = ModelMessagesTypeAdapter.validate_json(written)
    assert read == CONVERSATION
    assert ModelMessagesTypeAdapter.dump_json(read) == written
    assert ModelMessagesTypeAdapter.validate_python(ModelMessagesTypeAdapter.dump_python(CONVERSATION)) == CONVERSATION
    assert ModelMessagesTypeAdapter is module.ModelMessagesTypeAdapter


def test_each_kind_of_part_and_content_is_in_that_conversation() -> None:
    kinds = {*get_args(module.ModelRequestPart), *get_args(module.ModelResponsePart)}
    assert {type(part) for message in CONVERSATION for part in message.parts} == kinds, 'add the new kind to it'
    (asked,) = (part for part in CONVERSATION[0].parts if isinstance(part, UserPromptPart))
    assert {type(item) for item in asked.content} == {*get_args(module.UserContent)}, 'add the new kind to it'


def test_messages_are_values() -> None:
    assert pickle.loads(pickle.dumps(CONVERSATION)) == CONVERSATION
    with pytest.raises(AttributeError):
        TextPart('a').content = 'b'  # type: ignore[misc]


def test_a_plain_question() -> None:
    request = ModelRequest.user_text_prompt('q', instructions='i')
    assert [part.part_kind for part in request.parts] == ['user-prompt']
    assert request.instructions == 'i'
    assert repr(request.parts[0]) == "UserPromptPart(content='q')"
    assert repr(TextPart('')) == "TextPart(content='')"


def test_what_a_response_holds() -> None:
    response = CONVERSATION[1]
    assert isinstance(response, ModelResponse)
    assert (response.text, response.thinking, [call.tool_name for call in response.tool_calls]) == ('t', 'hm', ['f'])


def test_deltas() -> None:
    assert TextPartDelta('b').apply(TextPart('a')) == TextPart('ab')
    thinking = ThinkingPartDelta('b', 'sig', 'p').apply(ThinkingPart('a'))
    assert thinking == ThinkingPart('ab', signature='sig', provider_name='p')
    call = ToolCallPartDelta('g', '{}', 'd').apply(ToolCallPart('f', None, 'c'))
    assert call == ToolCallPart('fg', '{}', 'd')
    for delta in (TextPartDelta('b'), ThinkingPartDelta('b')):
        with pytest.raises(UserError):
            delta.apply(ToolCallPart('f'))
    with pytest.raises(UserError):
        ToolCallPartDelta(args_delta='x').apply(ToolCallPart('f', {'a': 1}))


def test_arguments() -> None:
    assert ToolCallPart('f').args_as_dict() == {}
    assert ToolCallPart('f', {'a': 1}).args_as_json_str() == '{"a":1}'
    assert ToolCallPart('f', '').args_as_json_str() == '{}'
    for args in ('{', '[1]'):
        with pytest.raises(UnexpectedModelBehavior, match="'f'"):
            ToolCallPart('f', args).args_as_dict()


def test_what_the_model_reads() -> None:
    assert ToolReturnPart('f', 'text', 'c').model_response_str() == 'text'
    assert ToolReturnPart('f', {'a': datetime(2026, 1, 1, tzinfo=UTC)}, 'c').model_response_str() == (
        '{"a":"2026-01-01T00:00:00Z"}'
    )
    assert RetryPromptPart([{'msg': 'bad'}]).model_response().startswith('1 validation error: [')


def test_media_types() -> None:
    assert ImageUrl('https://x.example/a.png?size=3').media_type == 'image/png'
    assert ImageUrl('https://x.example/a', media_type_='image/webp').media_type == 'image/webp'
    with pytest.raises(UserError, match='media_type_'):
        _ = DocumentUrl('https://x.example/a').media_type
    assert BinaryContent(b'a', 'image/png').data_url == 'data:image/png;base64,YQ=='
    assert 'secret' not in repr(BinaryContent(b'secret', 'text/plain'))

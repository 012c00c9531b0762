"""Conversations in the format of OpenAI's API: read, written, and sent as they were.

The dicts are those of https://developers.openai.com/api/docs/guides/function-calling and
https://developers.openai.com/api/docs/guides/images-vision.
"""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest

from syncai import Agent, BinaryContent, UserError, messages_from_openai, messages_to_openai, model_request_sync
from syncai.messages import ImageUrl, ThinkingPart, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

PNG = b'\x89PNG\r\n\x1a\n' + bytes(8)
DATA = f'data:image/png;base64,{base64.b64encode(PNG).decode()}'
WEATHER: list[dict[str, Any]] = [
    {'role': 'system', 'content': 'Be brief.'},
    {'role': 'user', 'content': 'What is the weather like in Paris today?'},
    {
        'role': 'assistant',
        'content': None,
        'tool_calls': [
            {
                'id': 'call_12345xyz',
                'type': 'function',
                'function': {'name': 'get_weather', 'arguments': '{"latitude":48.8566,"longitude":2.3522}'},
            }
        ],
    },
    {'role': 'tool', 'tool_call_id': 'call_12345xyz', 'content': '14'},
    {'role': 'assistant', 'content': 'It is 14 degrees.'},
    {
        'role': 'user',
        'content': [
            {'type': 'text', 'text': 'And here?'},
            {'type': 'image_url', 'image_url': {'url': 'https://example.com/sky.jpg', 'detail': 'low'}},
            {'type': 'image_url', 'image_url': {'url': DATA}},
            {
                'type': 'input_audio',
                'input_audio': {'data': base64.b64encode(b'RIFFxxxxWAVE').decode(), 'format': 'wav'},
            },
            {
                'type': 'file',
                'file': {
                    'filename': 'a.pdf',
                    'file_data': f'data:application/pdf;base64,{base64.b64encode(b"%PDF-1.4").decode()}',
                },
            },
        ],
    },
]


def test_what_is_read_is_written_as_it_was() -> None:
    assert messages_to_openai(messages_from_openai(WEATHER)) == WEATHER


def test_it_is_sent_as_it_was() -> None:
    with ModelServer(Reply('fine')) as server:
        model = OpenAIChatModel('gpt-4o', base_url=server.base_url)
        assert model_request_sync(model, messages_from_openai(WEATHER)).text == 'fine'
        assert Agent(model).run_sync(None, message_history=messages_from_openai(WEATHER)).data == 'fine'
        assert Agent(model).run_sync('Now?', message_history=messages_from_openai(WEATHER[:5])).data == 'fine'
        first, second, third = (request.json['messages'] for request in server.requests)
    assert first == second == WEATHER
    assert third == [*WEATHER[:5], {'role': 'user', 'content': 'Now?'}]


def test_the_parts() -> None:
    request, call, returned, _, last = messages_from_openai(WEATHER)
    assert [part.part_kind for part in request.parts] == ['system-prompt', 'user-prompt']
    assert call.parts == [
        ToolCallPart('get_weather', WEATHER[2]['tool_calls'][0]['function']['arguments'], 'call_12345xyz')
    ]
    [tool] = returned.parts
    assert isinstance(tool, ToolReturnPart)
    assert (tool.tool_name, tool.content) == ('get_weather', '14')
    [prompt] = last.parts
    assert isinstance(prompt, UserPromptPart)
    assert prompt.content[1:3] == [
        ImageUrl('https://example.com/sky.jpg', detail='low'),
        BinaryContent(PNG, 'image/png'),
    ]


def test_older_and_further_forms() -> None:
    messages = messages_from_openai(
        [
            {'role': 'developer', 'content': [{'type': 'text', 'text': 'Be brief.'}]},
            {'role': 'user', 'content': 'Weather?'},
            {'role': 'assistant', 'content': None, 'function_call': {'name': 'weather', 'arguments': '{}'}},
            {'role': 'function', 'name': 'weather', 'content': 'sunny'},
            {'role': 'assistant', 'reasoning_content': 'Hm.', 'content': [{'type': 'refusal', 'refusal': 'No.'}]},
        ]
    )
    [call], [returned] = messages[1].parts, messages[2].parts
    assert isinstance(call, ToolCallPart)
    assert isinstance(returned, ToolReturnPart)
    assert call.tool_call_id == returned.tool_call_id != ''
    assert messages[3].parts[0] == ThinkingPart('Hm.')
    assert messages_to_openai(messages)[-1] == {'role': 'assistant', 'content': 'No.'}


def test_an_object_of_the_client() -> None:
    """As `ChatCompletionMessage` of openai-python, a model of pydantic."""

    class Message:
        def model_dump(self, **options: Any) -> dict[str, Any]:
            return {'role': 'assistant', 'content': 'Hello', 'annotations': []}

    [message] = messages_from_openai([Message()])
    assert message.parts[0].content == 'Hello'  # type: ignore[union-attr]


def test_what_has_no_place_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, 'syncai'):
        messages_from_openai([{'role': 'user', 'name': 'ada', 'content': 'Hi'}])
    assert 'left out: name' in caplog.text


@pytest.mark.parametrize(
    ('messages', 'words'),
    [
        ('Hi', 'messages must be a list of dicts'),
        ({'role': 'user', 'content': 'Hi'}, 'messages must be a list of dicts'),
        (['Hi'], r'messages\[0\] must be a dict'),
        ([{'content': 'Hi'}], r'The role of messages\[0\] must be one of'),
        ([{'role': 'model', 'content': 'Hi'}], "not 'model'"),
        ([{'role': 'user', 'content': 5}], r'The content of messages\[0\] must be'),
        ([{'role': 'user', 'content': [{'type': 'hologram'}]}], "a part 'hologram'"),
        ([{'role': 'user', 'content': [{'type': 'file', 'file': {'file_id': 'f'}}]}], 'file_id'),
        (
            [{'role': 'user', 'content': [{'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,?'}}]}],
            'base64',
        ),
        ([{'role': 'tool', 'content': 'x'}], 'no tool_call_id'),
        ([{'role': 'assistant', 'tool_calls': [{'type': 'custom', 'custom': {}}]}], 'must be one of a function'),
    ],
)
def test_what_is_wrong_is_named(messages: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        messages_from_openai(messages)


def test_what_is_no_conversation_is_not_written() -> None:
    for wrong in ('Hi', [{'role': 'user'}], 5):
        with pytest.raises(UserError, match='messages must'):
            messages_to_openai(wrong)  # type: ignore[arg-type]

"""Files and bytes that tools return: sent in every wire format, from every kind of tool, and stored as they are."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from http import HTTPMethod
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from pydantic_core import to_json, to_jsonable_python

from syncai import Agent, HttpOptions, ModelMessagesTypeAdapter, Tool, ToolReturn, UserError
from syncai.events import FunctionToolResultEvent
from syncai.messages import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall

PNG = b'\x89PNG\r\n\x1a\n' + bytes(range(256))
IMAGE = BinaryContent(PNG, 'image/png')
PDF = BinaryContent(b'%PDF-1.4\n\xff\xfe', 'application/pdf')
FORMATS = ('chat', 'responses', 'anthropic', 'google', 'bedrock')
ONCE = HttpOptions(max_retries=0)


def model_of(name: str, server: ModelServer) -> Model:
    models: dict[str, Any] = {
        'chat': lambda: OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, http=ONCE),
        'responses': lambda: OpenAIResponsesModel('gpt-5.4-mini', base_url=server.base_url, http=ONCE),
        'anthropic': lambda: AnthropicModel('claude-sonnet-4-5', base_url=server.base_url, http=ONCE),
        'google': lambda: GoogleModel('gemini-2.5-flash', base_url=server.base_url, http=ONCE),
        'bedrock': lambda: BedrockModel(
            'anthropic.claude-sonnet-4-5', base_url=server.base_url, api_key='k', region='us-east-1', http=ONCE
        ),
    }
    model: Model = models[name]()
    return model


def tool_of(way: str, value: Any) -> Tool[Any]:
    async def give_later() -> Any:
        return value

    def give() -> Any:
        return value

    if way == 'async':
        return Tool(give_later, name='give')
    return Tool(give, name='give', run_in='thread' if way == 'thread' else 'caller')


def run(name: str, way: str, value: Any) -> tuple[str, str]:
    """The answer, and the second request as text."""
    with ModelServer([Reply(tool_calls=[ToolCall('give', {})]), Reply('seen')]) as server:
        agent = Agent(model_of(name, server), tools=[tool_of(way, value)])
        if way == 'stream':
            with agent.run_stream_sync('go') as stream:
                answer = stream.get_data()
        elif way == 'submit':
            answer = agent.submit('go').result(20).data
        else:
            answer = agent.run_sync('go').data
        return answer, json.dumps(server.requests[1].json)


class Page(BaseModel):
    text: str
    scan: BinaryContent


@dataclass
class Scan:
    pages: list[Any]


@pytest.mark.slow
@pytest.mark.many(7)
@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize(
    ('value', 'files'),
    [
        (IMAGE, [IMAGE]),
        (PDF, [PDF]),
        (['See:', IMAGE, {'n': 1}], [IMAGE]),
        (('See:', IMAGE, PDF), [IMAGE, PDF]),
        ({'caption': 'See', 'picture': IMAGE}, [IMAGE]),
        ([{'caption': 'See', 'pictures': [IMAGE]}, PDF], [IMAGE, PDF]),
        (Page(text='See', scan=IMAGE), [IMAGE]),
        (Scan([{'See': [IMAGE]}, Page(text='x', scan=PDF)]), [IMAGE, PDF]),
        (PNG, [IMAGE]),
        (bytearray(PDF.data), [PDF]),
    ],
    ids=['image', 'pdf', 'list', 'tuple', 'dict', 'deep', 'model', 'dataclass', 'bytes of an image', 'bytes of a PDF'],
)
def test_files_are_sent_as_files_in_every_format(name: str, value: Any, files: list[BinaryContent]) -> None:
    answer, sent = run(name, 'sync', value)
    assert answer == 'seen'
    for file in files:
        assert sent.count(file.base64[:16]) == 1
        assert sent.count(file.base64) == 1
    if not isinstance(value, BinaryContent | bytes | bytearray):
        assert 'See' in sent


@pytest.mark.slow
@pytest.mark.many(5)
@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize('way', ['async', 'thread', 'stream', 'submit'])
def test_files_are_sent_by_every_way_of_running(name: str, way: str) -> None:
    answer, sent = run(name, way, ['See:', IMAGE])
    assert answer == 'seen'
    assert IMAGE.base64 in sent


@pytest.mark.parametrize('name', FORMATS)
def test_a_file_that_the_provider_does_not_take_is_an_error_that_names_the_tool(name: str) -> None:
    archive = BinaryContent(b'PK\x03\x04', 'application/zip')
    with pytest.raises(UserError, match=r"What tool 'give' returned cannot be sent: .* takes no .*application/zip"):
        run(name, 'sync', {'all of it': archive})


@pytest.mark.slow
@pytest.mark.parametrize('name', FORMATS)
def test_other_bytes_are_text_or_base64(name: str) -> None:
    assert 'hello' in run(name, 'sync', b'hello')[1]
    assert 'AP_-' in run(name, 'sync', {'raw': b'\x00\xff\xfe'})[1]
    with pytest.raises(UserError, match=r"Tool 'give' returned a value of bytes, .* BinaryContent\(data, media_type\)"):
        run(name, 'sync', b'\x00\xff\xfe')


def test_a_test_model_shows_what_tools_returned() -> None:
    agent = Agent(TestModel(), tools=[tool_of('sync', {'raw': b'\xff', 'picture': IMAGE})])
    assert agent.run_sync('go').data == '{"give":{"raw":"_w==","picture":"[file 1, attached]"}}'


class Raw(BaseModel):
    raw: bytes


def test_a_model_that_holds_bytes_is_sent_and_stored() -> None:
    _, sent = run('chat', 'sync', Raw(raw=b'\x00\xff'))
    assert r'{\"raw\":\"AP8=\"}' in sent


def test_a_model_that_holds_bytes_and_files() -> None:
    value = Labelled(raw=b'\x00\xff', picture=IMAGE, page=PDF)
    assert value.model_dump()['page']['data'] == PDF.data  # as pydantic writes it everywhere else
    _, sent = run('anthropic', 'sync', value)
    assert r'{\"raw\":\"AP8=\",\"picture\":\"[file 1, attached]\",\"page\":\"[file 2, attached]\"}' in sent
    assert IMAGE.base64 in sent
    assert PDF.base64 in sent


def test_what_is_text_in_json_is_sent_without_quotes() -> None:
    assert '"content": "2026-01-02"' in run('chat', 'sync', date(2026, 1, 2))[1]


@pytest.mark.parametrize('name', FORMATS)
def test_numbers_that_json_lacks_are_words(name: str) -> None:
    _, sent = run(name, 'sync', {'x': float('nan'), 'y': [float('-inf')]})
    assert 'NaN' in sent
    assert '-Infinity' in sent
    json.loads(sent, parse_constant=pytest.fail)


# --- stored -----------------------------------------------------------------------------------------------------------


class Thread(BaseModel):
    messages: list[ModelMessage]


def history(value: Any, **options: Any) -> list[ModelMessage]:
    return [
        ModelRequest([UserPromptPart(['go', IMAGE, ImageUrl('https://x.example/a.png')])]),
        ModelResponse([ToolCallPart('give', '{}', 'c')]),
        ModelRequest([ToolReturnPart('give', value, 'c', **options)]),
        ModelResponse([TextPart('ok')]),
    ]


VALUES: list[Any] = [
    IMAGE,
    BinaryContent(PNG, 'image/png', filename='a.png', detail='high'),
    ['See:', PDF, {'n': None}],
    {'picture': IMAGE, 'more': [[IMAGE]]},
    ImageUrl('https://x.example/a', media_type_='image/png', detail='low'),
    [DocumentUrl('https://x.example/a.pdf')],
    BinaryContent(b'', 'text/plain'),
    {'kind': 'binary', 'n': 1},
    {'kind': 'image-url', 'url': 'https://x.example/a.png'},
    {'kind': ['binary'], 'data': 'x'},
    {'kind': 'binary', 'data': '?', 'media_type': 'image/png', 'filename': None, 'detail': None},
    [1, {'a': [None, 'x']}, 2.5],
    '{"kind": "binary"}',
]


@pytest.mark.parametrize('value', VALUES, ids=str)
def test_what_tools_returned_is_read_back_as_it_was(value: Any) -> None:
    messages = history(value, metadata={'scan': IMAGE, 'n': 1})
    adapter = ModelMessagesTypeAdapter
    written = adapter.dump_json(messages)
    assert adapter.validate_json(written) == messages
    assert adapter.dump_json(adapter.validate_json(written)) == written
    assert adapter.validate_python(json.loads(written)) == messages
    assert adapter.validate_python(adapter.dump_python(messages, mode='json')) == messages
    assert adapter.validate_python(adapter.dump_python(messages)) == messages
    assert adapter.validate_json(adapter.dump_json(messages, exclude_none=True)) == messages
    assert adapter.validate_json(adapter.dump_json(messages, exclude_defaults=False)) == messages


@pytest.mark.parametrize('value', VALUES, ids=str)
def test_messages_in_a_model_of_the_user(value: Any) -> None:
    thread = Thread(messages=history(value))
    assert Thread.model_validate_json(thread.model_dump_json()) == thread
    assert Thread.model_validate(thread.model_dump(mode='json')) == thread
    assert Thread.model_validate(thread.model_dump()) == thread
    assert Thread.model_validate(json.loads(json.dumps(thread.model_dump(mode='json')))) == thread
    assert 'binary' in str(Thread.model_json_schema())


class Album(BaseModel):
    cover: BinaryContent
    back: BinaryContent | None = None
    pictures: list[Annotated[ImageUrl | BinaryContent, Field(discriminator='kind')]]
    by_name: dict[str, BinaryContent]
    prompt: UserPromptPart
    more: str | list[UserContent]
    answer: ToolReturnPart


def test_files_at_several_places_of_a_model_of_the_user() -> None:
    """Where a class occurs more than once, pydantic refers to one schema of it."""
    part = UserPromptPart(['x', IMAGE])
    answer = ToolReturnPart('f', {'a': [IMAGE]}, 'c')
    album = Album(
        cover=IMAGE, back=PDF, pictures=[IMAGE], by_name={'a': PDF}, prompt=part, more=[IMAGE, 'x'], answer=answer
    )
    assert Album.model_validate_json(album.model_dump_json()) == album
    assert Album.model_validate(album.model_dump(mode='json')) == album
    assert Album.model_validate(album.model_dump()) == album
    for mode in ('validation', 'serialization'):
        schema = Album.model_json_schema(mode=mode)['$defs']['BinaryContent']
        assert schema['properties']['data'] == {'format': 'binary', 'title': 'Data', 'type': 'string'}


def test_functions_of_pydantic_that_know_no_type() -> None:
    messages = history(['See:', IMAGE])
    assert ModelMessagesTypeAdapter.validate_json(to_json(messages)) == messages
    assert ModelMessagesTypeAdapter.validate_python(to_jsonable_python(messages)) == messages


def test_base64_in_either_alphabet_is_read() -> None:
    data = b'\xfb\xff\xfe'
    for written in ('+//+', '-__-'):
        stored = [{'kind': 'request', 'parts': [{'part_kind': 'user-prompt', 'content': [
            {'kind': 'binary', 'media_type': 'image/png', 'data': written}
        ]}]}]  # fmt: skip
        (message,) = ModelMessagesTypeAdapter.validate_json(json.dumps(stored))
        assert message.parts[0].content[0].data == data  # type: ignore[union-attr]


class Labelled(BaseModel):
    raw: bytes
    picture: Any
    page: BinaryContent


STORED: list[Any] = [
    IMAGE, ['x', PDF], {'a': IMAGE}, {'raw': b'\x00\xff', 'x': float('nan')}, b'hello', float('nan'),
    date(2026, 1, 2), timedelta(minutes=5), Decimal('1.50'), UUID(int=1), Path('a/b'), IPv4Address('1.2.3.4'), 1j,
    HTTPMethod.GET, [date(2026, 1, 2)], Labelled(raw=b'\x00\xff', picture=IMAGE, page=PDF),
]  # fmt: skip


@pytest.mark.many(5)
@pytest.mark.parametrize('value', STORED, ids=str)
@pytest.mark.parametrize('name', FORMATS)
def test_a_history_that_was_stored_sends_the_same(name: str, value: Any) -> None:
    messages = history(value)
    messages[0] = ModelRequest.user_text_prompt('go')
    stored = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))
    with ModelServer([Reply('x'), Reply('x')]) as server:
        for conversation in (messages, stored):
            Agent(model_of(name, server)).run_sync('more', message_history=conversation)
        first, second = (request.json for request in server.requests)
    assert first == second


# --- ToolReturn -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize('way', ['sync', 'async', 'thread', 'stream'])
def test_a_tool_return(name: str, way: str) -> None:
    value = ToolReturn({'n': 1}, content=['The plan:', IMAGE], metadata={'secret': 'not for the model'})
    answer, sent = run(name, way, value)
    assert answer == 'seen'
    assert sent.count(IMAGE.base64) == 1
    assert sent.index('n') < sent.index('The plan:') < sent.index(IMAGE.base64)
    assert 'secret' not in sent


def test_metadata_is_in_the_messages_and_the_events() -> None:
    marker = object()
    with ModelServer([Reply(tool_calls=[ToolCall('give', {})]), Reply('seen')]) as server:
        agent = Agent(model_of('chat', server), tools=[tool_of('sync', ToolReturn('x', metadata=marker))])
        with agent.run_stream_events_sync('go') as stream:
            results = [event.result for event in stream if isinstance(event, FunctionToolResultEvent)]
            messages = stream.result.all_messages()
    assert [getattr(part, 'metadata', None) for part in results] == [marker]
    assert messages[2].parts[0] is results[0]
    assert 'metadata' not in json.dumps(server.requests[1].json)


def test_metadata_that_json_cannot_hold_is_left_out_of_what_is_stored(caplog: pytest.LogCaptureFixture) -> None:
    messages = history('x', metadata=object())
    with caplog.at_level(logging.WARNING, 'syncai'):
        stored = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))
    assert stored[2].parts[0].metadata is None  # type: ignore[union-attr]
    assert 'Metadata of a tool, a value of object, cannot be written as JSON' in caplog.text


def test_several_tools_and_what_is_said_after_them() -> None:
    with ModelServer(
        [Reply(tool_calls=[ToolCall('a', {}), ToolCall('b', {}), ToolCall('c', {})]), Reply('x')]
    ) as server:
        agent = Agent(model_of('chat', server))
        agent.tool_plain(lambda: ToolReturn('1', content='first'), name='a')
        agent.tool_plain(lambda: '2', name='b')
        agent.tool_plain(lambda: ToolReturn('3', content=IMAGE), name='c', run_in='thread')
        result = agent.run_sync('go')
    kinds = [(type(part), getattr(part, 'content', None)) for part in result.all_messages()[2].parts]
    assert kinds == [
        (ToolReturnPart, '1'),
        (ToolReturnPart, '2'),
        (ToolReturnPart, '3'),
        (UserPromptPart, 'first'),
        (UserPromptPart, [IMAGE]),
    ]
    assert [m['role'] for m in server.requests[1].json['messages'][-5:]] == ['tool', 'tool', 'tool', 'user', 'user']


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        (ToolReturn(object()), "Tool 'give' returned a value of object"),
        (ToolReturn(ToolReturn('x')), 'a ToolReturn within a ToolReturn'),
        ([ToolReturn('x')], "Tool 'give' returned a ToolReturn within a list"),
        (ToolReturn('x', content=[3]), "The content of the ToolReturn of tool 'give' holds a value of int"),  # type: ignore[list-item]
    ],
)
def test_mistakes_with_tool_returns(value: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        run('chat', 'sync', value)

r"""Halves of surrogate pairs, such as `\ud83d`: joined where both halves came, else U+FFFD, and never a late error.

RFC 8259, section 8.2: the JSON grammar allows escapes that are no whole pair, and the behaviour of software that
receives them is unpredictable. Unicode, section 3.9 (D93b) and table 3-8: U+FFFD stands for what is ill-formed.
"""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from streams import eventually

from syncai import (
    Agent,
    DocumentUrl,
    HttpOptions,
    ImageUrl,
    ModelMessagesTypeAdapter,
    ModelRetry,
    UserError,
    model_request_stream_sync,
    model_request_sync,
)
from syncai._base.json_values import whole_escapes, whole_text
from syncai.limits import limit
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import Model
from syncai.models._bedrock.response import ConverseStreamDecoder
from syncai.models._http.half_pairs import HalfPairs, lenient_json
from syncai.models._http.parts import PartsBuilder
from syncai.models.anthropic import AnthropicModel
from syncai.models.function import FunctionModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

HIGH, LOW, SMILE, UNKNOWN = '\ud83d', '\ude00', '\U0001f600', '\ufffd'
FORMATS = ('chat', 'responses', 'anthropic', 'google')
QUESTION = [ModelRequest.user_text_prompt('Hi')]


def model_of(name: str, server: ModelServer) -> Model:
    options: dict[str, Any] = {'base_url': server.base_url, 'api_key': 'k', 'http': HttpOptions(max_retries=0)}
    models: dict[str, Any] = {
        'chat': lambda: OpenAIChatModel('gpt-5.4-mini', **options),
        'responses': lambda: OpenAIResponsesModel('gpt-5.4-mini', **options),
        'anthropic': lambda: AnthropicModel('claude-sonnet-4-5', **options),
        'google': lambda: GoogleModel('gemini-2.5-flash', **options),
    }
    model: Model = models[name]()
    return model


@contextmanager
def escaping_server(*replies: Reply) -> Iterator[ModelServer]:
    """A server whose answers hold the escape of a first half for each `HIGH`, and of a second one for each `LOW`."""
    with ModelServer(list(replies)) as inner:

        def answer(request: RecordedRequest) -> Reply:
            connection = http.client.HTTPConnection('127.0.0.1', inner.port, timeout=10)
            connection.request('POST', request.path, json.dumps(request.json))
            response = connection.getresponse()
            body = response.read().replace(b'HIGH', b'\\ud83d').replace(b'LOW', b'\\ude00')
            connection.close()
            return Reply(body=body, content_type=response.headers['content-type'])

        with ModelServer(answer) as outer:
            yield outer


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', FORMATS)
def test_a_pair_that_was_cut_between_two_events_is_joined(name: str) -> None:
    with (
        escaping_server(Reply('Hi HIGH', 'LOW, you', ' there')) as server,
        model_request_stream_sync(model_of(name, server), QUESTION) as stream,
    ):
        events = list(stream)
        assert stream.get().text == f'Hi {SMILE}, you there'
    for event in events:
        json.dumps(repr(event), ensure_ascii=False).encode()  # no half in any of them


@pytest.mark.parametrize('name', FORMATS)
def test_a_half_of_a_streamed_answer_is_replaced(name: str) -> None:
    with (
        escaping_server(Reply('a HIGH', ' b', 'LOWc')) as server,
        model_request_stream_sync(model_of(name, server), QUESTION) as stream,
    ):
        list(stream)
        assert stream.get().text == f'a {UNKNOWN} b{UNKNOWN}c'


@pytest.mark.parametrize('name', FORMATS)
def test_a_half_of_a_whole_answer_is_replaced(name: str) -> None:
    with escaping_server(Reply('a HIGH b HIGHLOW c')) as server:
        assert model_request_sync(model_of(name, server), QUESTION).text == f'a {UNKNOWN} b {SMILE} c'


def test_thoughts_and_arguments_are_joined_each_by_themselves() -> None:
    call = ToolCall('f', '{"a": "xHIGHLOWy"}', pieces=10)
    with (
        escaping_server(Reply('b HIGH', 'LOW', thinking=('a HIGH', 'LOW'), tool_calls=[call])) as server,
        model_request_stream_sync(model_of('anthropic', server), QUESTION) as stream,
    ):
        list(stream)
        answer = stream.get()
    assert isinstance(answer.parts[0], ThinkingPart)
    assert (answer.thinking, answer.text) == (f'a {SMILE}', f'b {SMILE}')


def test_the_binary_stream_of_bedrock() -> None:
    decoder = ConverseStreamDecoder(PartsBuilder(), 'bedrock', 'm')
    batch: list[Any] = []
    payload = '{"contentBlockDelta":{"contentBlockIndex":%d,"delta":{"text":"%s"}}}'
    for index, text in ((0, r'a\ud83d'), (1, r'b\ud83d'), (0, r'\ude00'), (1, r'\ude00')):
        decoder.feed([payload % (index, text)], batch)
    texts = {0: '', 1: ''}
    for event in batch:
        texts[event.index] += (getattr(event, 'part', None) and event.part.content) or event.delta.content_delta
    assert texts == {0: f'a{SMILE}', 1: f'b{SMILE}'}


def test_what_is_no_json_stays_an_error() -> None:
    for payload in ('{"a": "\\ud83d"', 'x', '[' * 100_000):
        with pytest.raises(ValueError):
            HalfPairs().parse(payload)
        with pytest.raises(ValueError):
            lenient_json(payload)


def test_bytes_that_are_no_utf8() -> None:
    assert lenient_json(b'{"a": "\xed\xa0\xbd\xed\xb8\x80"}') == {'a': SMILE}  # CESU-8, as some Java programs write it
    assert lenient_json(b'{"a": "caf\xe9"}') == {'a': f'caf{UNKNOWN}'}


class City(BaseModel):
    name: str


@pytest.mark.parametrize('mode', ['tool', 'native', 'prompted'])
@pytest.mark.parametrize('stream', [False, True])
def test_a_result_with_a_half_is_a_result(mode: Any, stream: bool) -> None:
    """The escape stands in the JSON of the result, which is itself text within JSON."""
    result = '{"name": "a\\ud83d b"}'
    replies = [Reply(tool_calls=[ToolCall('final_result', result)]) if mode == 'tool' else Reply(result)]
    with ModelServer(replies) as server:
        agent = Agent(model_of('chat', server), result_type=City, result_mode=mode)
        if stream:
            with agent.run_stream_sync('go') as run:
                assert run.get_data() == City(name=f'a{UNKNOWN} b')
        else:
            assert agent.run_sync('go').data == City(name=f'a{UNKNOWN} b')


def test_arguments_of_a_tool_with_a_half() -> None:
    names: list[str] = []
    with ModelServer([Reply(tool_calls=[ToolCall('keep', '{"name": "a\\ud83d"}')]), Reply('done')]) as server:
        agent = Agent(model_of('anthropic', server))

        @agent.tool_plain
        def keep(name: str) -> str:
            names.append(name)
            return name

        assert agent.run_sync('go').data == 'done'
    assert names == [f'a{UNKNOWN}']


@pytest.mark.parametrize('stream', [False, True])
def test_a_function_that_plays_the_model(stream: bool) -> None:
    model = FunctionModel(
        lambda messages, info: ModelResponse.from_text(f'a {HIGH}'),
        stream_function=lambda messages, info: iter([f'a {HIGH}']),
    )
    if stream:
        with Agent(model).run_stream_sync('go') as run:
            assert run.get_data() == f'a {UNKNOWN}'
            assert run.all_messages_json()
    else:
        assert Agent(model).run_sync('go').all_messages_json()


# --- requests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', FORMATS)
def test_whatever_is_said_with_a_half_is_sent_and_stored(name: str, caplog: pytest.LogCaptureFixture) -> None:
    calls = [ToolCall('text', {}), ToolCall('data', {}), ToolCall('again', {})]
    with ModelServer([Reply(tool_calls=calls), Reply('done')]) as server:
        caplog.set_level(logging.WARNING, 'syncai')
        agent = Agent(model_of(name, server), system_prompt=f'static {HIGH}')
        agent.system_prompt(lambda: f'written {HIGH}')
        agent.tool_plain(lambda: f'text {HIGH}', name='text')
        agent.tool_plain(lambda: {'key': [f'data {LOW}', f'{HIGH}{LOW}']}, name='data')

        @agent.tool_plain
        def again() -> str:
            raise ModelRetry(f'again {HIGH}')

        result = agent.run_sync(f'prompt {HIGH} and {HIGH}{LOW}')
        sent = json.dumps(server.requests[1].json, ensure_ascii=False)
    for words in ('static', 'written', 'text', 'data', 'again', 'prompt'):
        assert f'{words} {UNKNOWN}' in sent
    assert f'and {SMILE}' in sent
    stored = ModelMessagesTypeAdapter.dump_json(result.all_messages())
    assert ModelMessagesTypeAdapter.validate_json(stored) == result.all_messages()
    words = ' holds half of a surrogate pair, which cannot be sent: it is replaced by U+FFFD'
    assert eventually(lambda: len(caplog.messages) >= 6), 'worker threads of the loop write the warnings'
    places = sorted(message.removesuffix(words) for message in caplog.messages)
    assert places == sorted(
        [
            'A system_prompt',
            'The prompt',
            "The system prompt function '<lambda>'",
            "A return of tool 'text'",
            "A return of tool 'data'",
            'A ModelRetry',
        ]
    )


@pytest.mark.parametrize('name', FORMATS)
def test_a_conversation_with_halves_is_sent(name: str, caplog: pytest.LogCaptureFixture) -> None:
    messages: list[ModelMessage] = [
        ModelRequest([SystemPromptPart(f's {HIGH}'), UserPromptPart([f'u {HIGH}'])]),
        ModelResponse([ToolCallPart('f', {'x': f'a {HIGH}'}, 'c'), ToolCallPart('f', f'{{"x": "b {HIGH}"}}', 'd')]),
        ModelRequest(
            [ToolReturnPart('f', {f'k {HIGH}': 1}, 'c'), RetryPromptPart(f'r {HIGH}', tool_name='f', tool_call_id='d')]
        ),
    ]
    with ModelServer([Reply('x')]) as server, caplog.at_level(logging.WARNING, 'syncai'):
        model_request_sync(model_of(name, server), messages)
        sent = json.dumps(server.requests[0].json, ensure_ascii=False)
    for words in ('s', 'u', 'a', 'b', 'k', 'r'):
        assert f'{words} {UNKNOWN}' in sent
    assert 'half of a surrogate pair, which cannot be sent: it is replaced by U+FFFD' in caplog.text


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('text', 'whole'),
    [
        ('plain', 'plain'),
        (f'é{SMILE}', f'é{SMILE}'),
        (f'{HIGH}{LOW}', SMILE),
        (f'{HIGH}', UNKNOWN),
        (f'{LOW}{HIGH}', UNKNOWN * 2),
        (f'{HIGH}{HIGH}{LOW}x', f'{UNKNOWN}{SMILE}x'),
    ],
)
def test_whole_text(text: str, whole: str) -> None:
    assert whole_text(text) == whole


@pytest.mark.parametrize(
    ('written', 'whole'),
    [
        (r'{"a": "\ud83d"}', f'{{"a": "{UNKNOWN}"}}'),
        (r'{"a": "\ud83d\ude00"}', r'{"a": "\ud83d\ude00"}'),
        (r'{"a": "\\ud83d"}', r'{"a": "\\ud83d"}'),
        (r'{"a": "\\\ud83d\n"}', rf'{{"a": "\\{UNKNOWN}\n"}}'),
        (r'{"a": "\u00e9"}', r'{"a": "\u00e9"}'),
    ],
)
def test_whole_escapes(written: str, whole: str) -> None:
    assert whole_escapes(written) == whole
    json.loads(whole_escapes(written))['a'].encode()


@pytest.mark.parametrize('half', [HIGH, LOW, '\udcff'])
def test_names_and_addresses_with_a_half_are_the_mistake_of_the_user(half: str, tmp_path: Path) -> None:
    """Nothing is sent to an address that is not the one that was written; the errors can be encoded."""
    agent = Agent('test')
    model = OpenAIChatModel('m', base_url='http://provider.invalid/v1', api_key='k', http=HttpOptions(proxy=f'x{half}'))
    for wrong in (
        lambda: agent.run_sync(['Hi', ImageUrl(f'https://host/{half}.png')]),
        lambda: agent.run_sync(['Hi', DocumentUrl(f'https://ho{half}st/a.pdf')]),
        lambda: list(agent.map_sync(['Hi'], journal=f'redis://ho{half}st')),
        lambda: limit(f'openai:m{half}', requests_per_minute=5),
        lambda: Agent(f'openai:m{half}', model_settings={'seed': 1}).run_sync('Hi'),
        lambda: Agent(model).run_sync('Hi'),
    ):
        with pytest.raises(UserError) as caught:
            wrong()
        str(caught.value).encode()
    with pytest.raises(UserError):
        list(agent.map_sync(['Hi'], journal=tmp_path / f'a{HIGH}.sqlite'))

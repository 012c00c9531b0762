"""Every provider, every kind of content, every setting: every requested feature arrives, or a warning or an error
reports that it cannot.

Content arrives as an address or as bytes, or a `UserError` names what is taken instead; a setting changes the request,
or one warning names it. Nothing is lost in silence.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal

import pytest
from google.oauth2.credentials import Credentials
from plain_http import wait_for_the_log

from syncai.content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, MultiModalContent, VideoUrl
from syncai.direct import model_request_sync
from syncai.exceptions import DeadlineExceeded, UserError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters
from syncai.models._catalog.providers import PROVIDERS
from syncai.models._http import answers as _answers
from syncai.models._http.model import HttpModel
from syncai.models.anthropic import AnthropicModel, AnthropicModelSettings
from syncai.models.bedrock import BedrockModel, BedrockModelSettings
from syncai.models.google import GoogleModel, GoogleModelSettings, GoogleVertexModel
from syncai.models.openai import OpenAIChatModel, OpenAIModelSettings
from syncai.models.openai_responses import OpenAIResponsesModel, OpenAIResponsesModelSettings
from syncai.settings import HttpOptions, ModelSettings
from syncai.testing import ModelServer, Reply
from syncai.tools import ToolDefinition

FETCHING = HttpOptions(allow_private_downloads=True, max_retries=0)
CLASSES: Mapping[str, Any] = {
    'anthropic': AnthropicModel,
    'bedrock': BedrockModel,
    'google': GoogleModel,
    'google-vertex': GoogleVertexModel,
    'openai-chat': OpenAIChatModel,
    'openai-responses': OpenAIResponsesModel,
}
NAMES: Mapping[str, tuple[str, ...]] = {
    'anthropic': ('claude-haiku-4-5', 'claude-opus-4-1', 'claude-opus-5-5', 'claude-sonnet-5-5'),
    'bedrock': (
        'us.anthropic.claude-haiku-4-5-20251001-v1:0',
        'us.anthropic.claude-opus-5-5',
        'amazon.nova-pro-v1:0',
        'us.amazon.nova-2-lite-v1:0',
        'openai.gpt-oss-120b-1:0',
        'mistral.mistral-large-3-675b-instruct',
        'meta.llama3-3-70b-instruct-v1:0',
    ),
    'deepseek': ('deepseek-chat', 'deepseek-v4-pro'),
    'google': ('gemini-2.0-flash', 'gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-3.7-flash'),
    'google-vertex': ('gemini-3.7-flash',),
    'mistral': ('mistral-small-latest', 'codestral-latest'),
    'moonshot': ('kimi-k2.6', 'kimi-k3', 'moonshot-v1-8k'),
    'openai': ('gpt-4o', 'gpt-5.5', 'o3'),
    'openai-responses': ('gpt-4o', 'gpt-5.5', 'o3'),
    'xai': ('grok-3-mini', 'grok-4', 'grok-4.7'),
}
CASES = [(row.name, name) for row in PROVIDERS.values() for name in NAMES.get(row.name, ('some-model',))]
EVERY = pytest.mark.parametrize(('provider', 'name'), CASES, ids=lambda value: value)


def model_of(provider: str, name: str, server: ModelServer, http: HttpOptions = FETCHING) -> HttpModel:
    row = PROVIDERS[provider]
    address: dict[str, Any] = {'base_url': server.base_url, 'http': http, 'provider': provider}
    if row.wire == 'google-vertex':
        address |= {'project': 'p', 'region': 'eu', 'credentials': Credentials(token='token')}  # type: ignore[no-untyped-call]
    else:
        address['api_key'] = 'a-key'
    model = CLASSES[row.wire](name, **address)
    assert isinstance(model, HttpModel)
    return model


# --- content ----------------------------------------------------------------------------------------------------------

SECRET = b'what is in the file'
TYPES = {
    'png': 'image/png',
    'wav': 'audio/wav',
    'ogg': 'audio/ogg',
    'mp4': 'video/mp4',
    'pdf': 'application/pdf',
    'txt': 'text/plain',
    'csv': 'text/csv',
    'json': 'application/json',
    'docx': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    'zip': 'application/zip',
}
KINDS: Mapping[str, Any] = {
    'png': ImageUrl,
    'wav': AudioUrl,
    'ogg': AudioUrl,
    'mp4': VideoUrl,
    **dict.fromkeys(('pdf', 'txt', 'csv', 'json', 'docx', 'zip'), DocumentUrl),
}
Outcome = Literal['address', 'bytes', 'text', 'refused']


@pytest.fixture(scope='module')
def files() -> Iterator[str]:
    """The address of a server whose every file holds `SECRET`, with the type that its ending shows."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header('content-type', TYPES[self.path.rpartition('.')[2]])
            self.send_header('content-length', str(len(SECRET)))
            self.end_headers()
            self.wfile.write(SECRET)

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    thread.join()
    server.server_close()


def in_every_form(files: str) -> Iterator[tuple[str, MultiModalContent]]:
    """Every kind of content, each by address, as bytes, and by an address that holds the bytes."""
    inline = base64.b64encode(SECRET).decode()
    for ending, media_type in TYPES.items():
        yield f'{ending} by address', KINDS[ending](f'{files}/the-file.{ending}')
        yield f'{ending} as bytes', BinaryContent(SECRET, media_type)
        yield f'{ending} as data', KINDS[ending](f'data:{media_type};base64,{inline}')


def prompt(item: MultiModalContent) -> list[ModelMessage]:
    return [ModelRequest([UserPromptPart(['Look:', item])])]


def returned(content: Any) -> list[ModelMessage]:
    return [
        ModelRequest.user_text_prompt('Look: call look'),
        ModelResponse([ToolCallPart('look', {}, 'call_1'), ToolCallPart('other', {}, 'call_2')]),
        ModelRequest([ToolReturnPart('look', content, 'call_1'), ToolReturnPart('other', 'nothing', 'call_2')]),
    ]


def returned_in_a_list(item: MultiModalContent) -> list[ModelMessage]:
    return returned(['the answer', item])


def outcome(model: HttpModel, server: ModelServer, messages: list[ModelMessage]) -> Outcome | str:
    before = len(server.requests)
    try:
        model_request_sync(model, messages)
    except UserError as error:
        assert len(server.requests) == before
        return 'refused' if 'takes no ' in str(error) and 'it takes ' in str(error) else f'unclear: {error}'
    sent = json.dumps(server.requests[-1].json)
    if 'Look:' not in sent:
        return f'the text is lost: {sent}'
    if r'\"kind\"' in sent or 'media_type_' in sent:
        return f'our own objects are sent as text: {sent}'
    if base64.b64encode(SECRET).decode() in sent:
        return 'bytes'
    return 'text' if SECRET.decode() in sent else 'address' if '/the-file.' in sent else f'lost: {sent}'


@pytest.mark.many(9)
@pytest.mark.parametrize('place', [prompt, returned, returned_in_a_list])
@EVERY
def test_content(files: str, provider: str, name: str, place: Any) -> None:
    with ModelServer(Reply('seen')) as server:
        model = model_of(provider, name, server)
        found = {form: outcome(model, server, place(item)) for form, item in in_every_form(files)}
    assert {form: how for form, how in found.items() if how not in ('address', 'bytes', 'text', 'refused')} == {}
    assert {found[f'{ending} as data'] == found[f'{ending} as bytes'] for ending in TYPES} == {True}
    for ending in TYPES:  # what is taken as bytes is taken from an address too
        by_address, as_bytes = (found[f'{ending} {form}'] == 'refused' for form in ('by address', 'as bytes'))
        fetches_more = (
            KINDS[ending] is DocumentUrl and PROVIDERS[provider].chat.supports_file_url
        )  # and reads what it finds
        assert by_address <= as_bytes if fetches_more else by_address == as_bytes, ending


def user_files(server: ModelServer) -> list[Any]:
    return [message['content'] for message in server.requests[-1].json['messages']]


def test_what_an_address_that_holds_a_file_may_look_like() -> None:
    with ModelServer(Reply('seen')) as server:
        model = model_of('openai', 'gpt-4o', server)
        for url, text in {
            'data:text/plain;base64,aGk=': 'hi',
            'data:text/plain;charset=utf-8;base64,aGk%3D': 'hi',
            'data:,h%69': 'hi',
            'data:;base64,': '',
        }.items():
            model_request_sync(model, prompt(DocumentUrl(url)))
            assert f'-----\n{text}\n-----' in user_files(server)[0][1]['text']
        model_request_sync(model, prompt(ImageUrl('data:image/png;base64,aGk=', detail='low')))
        assert user_files(server)[0][1]['image_url'] == {'url': 'data:image/png;base64,aGk=', 'detail': 'low'}
        for url in ('data:text/plain;base64', 'data:text/plain;base64,!', 'data:image/png;base64,aGk'):
            with pytest.raises(UserError, match='must hold a file as base64'):
                model_request_sync(model, prompt(DocumentUrl(url)))


def test_files_of_several_tools_follow_all_answers_of_chat_completions() -> None:
    png, sound = BinaryContent(b'x', 'image/png'), BinaryContent(b'x', 'audio/wav')
    request = ModelRequest(
        [ToolReturnPart('a', [{'n': 1}, png], '1'), ToolReturnPart('b', 'text', '2'), UserPromptPart('and?')]
    )
    calls = ModelResponse([ToolCallPart('a', {}, '1'), ToolCallPart('b', {}, '2')])
    with ModelServer(Reply('seen')) as server:
        model_request_sync(model_of('openai', 'gpt-4o', server), [ModelRequest.user_text_prompt('go'), calls, request])
        messages = server.requests[-1].json['messages'][2:]
        assert [message['role'] for message in messages] == ['tool', 'tool', 'user', 'user']
        assert messages[0]['content'] == '{"n":1}\n\nThe files follow.'
        assert [part['type'] for part in messages[2]['content']] == ['text', 'image_url']
        assert 'Returned by a' in messages[2]['content'][0]['text']
        model = model_of('openai-responses', 'gpt-4o', server)
        heard = ModelRequest([ToolReturnPart('a', [png, sound], '1'), ToolReturnPart('b', 'text', '2')])
        model_request_sync(model, [ModelRequest.user_text_prompt('go'), calls, heard])
        first, second, after = server.requests[-1].json['input'][3:]
        assert [part['type'] for part in first['output']] == ['input_image', 'input_text']
        assert second['output'] == 'text'
        assert [part['type'] for part in after['content']] == ['input_text', 'input_audio']


# --- settings ---------------------------------------------------------------------------------------------------------

ASKED: Mapping[str, Any] = {
    'max_tokens': 4321,
    'temperature': 0.5,
    'top_p': 0.5,
    'top_k': 5,
    'parallel_tool_calls': False,
    'tool_choice': 'required',
    'seed': 1,
    'presence_penalty': 0.1,
    'frequency_penalty': 0.1,
    'logit_bias': {'1': 1},
    'stop_sequences': ['x'],
    'thinking': 'high',
    'extra_headers': {'x-mine': '1'},
    'extra_body': {'mine': 1},
}
TOOL = ToolDefinition(name='f', parameters_json_schema={'type': 'object', 'properties': {}})
SECOND = ToolDefinition(name='g', parameters_json_schema={'type': 'object', 'properties': {}})


def sent(model: HttpModel, server: ModelServer, settings: Any, **parameters: Any) -> tuple[Any, Any]:
    asked = ModelRequestParameters(**{'function_tools': [TOOL, SECOND], **parameters})
    hello: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
    model_request_sync(model, hello, model_settings=settings, model_request_parameters=asked)
    request = server.requests[-1]
    return request.json, {name: value for name, value in request.headers.items() if name.startswith(('x-', 'anth'))}


def warned(caplog: pytest.LogCaptureFixture) -> set[str]:
    """The dropped settings, each reported in one warning."""
    wait_for_the_log()
    lines = [record.getMessage() for record in caplog.records]  # the loop may write others
    names = [
        text.rpartition('the setting ')[2].partition(':')[0].strip("'") for text in lines if 'the setting ' in text
    ]
    assert len(set(names)) == len(names)
    caplog.clear()
    _answers._warned.clear()
    return set(names)


def test_no_setting_is_forgotten_here() -> None:
    assert {*ASKED, 'timeout'} == set(ModelSettings.__annotations__)


@pytest.mark.many(7)
@EVERY
def test_settings(provider: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger='syncai')
    _answers._warned.clear()
    with ModelServer(Reply('seen')) as server:
        model = model_of(provider, name, server)
        bare = sent(model, server, {})
        assert warned(caplog) == set()
        choices = {f'tool_choice {choice}': {'tool_choice': choice} for choice in ('none', 'required', ['f'], ['g'])}
        for what, asked in {**{n: {n: value} for n, value in ASKED.items()}, **choices}.items():
            arrived = sent(model, server, asked) != bare
            assert (sent(model, server, asked) != bare) == arrived  # and nothing is reported twice
            warned_of = warned(caplog)
            assert (arrived, warned_of) in [(True, set()), (False, set(asked)), (True, set(asked))], what
        assert sent(model, server, ASKED)  # together too
        warned(caplog)
        assert warned(caplog) == set()


@pytest.mark.many(7)
@EVERY
def test_a_deadline(provider: str, name: str) -> None:
    with ModelServer(Reply('late', delay_headers=30)) as server, pytest.raises(DeadlineExceeded):
        sent(model_of(provider, name, server), server, {'timeout': 0.02})


def test_thinking_that_cannot_begin_between_tools(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger='syncai')
    _answers._warned.clear()
    with ModelServer(Reply('seen')) as server:
        for provider, name in (('anthropic', 'claude-haiku-4-5'), ('bedrock', 'us.anthropic.claude-haiku-4-5')):
            model = model_of(provider, name, server)
            model_request_sync(model, returned('an answer'), model_settings={'thinking': 'high'})
            assert 'thinking' not in server.requests[-1].json
            assert warned(caplog) == {"thinking' between tools that it called without thinking"}


def test_json_that_an_older_gemini_cannot_give_beside_tools() -> None:
    with ModelServer(Reply('seen')) as server:
        model = model_of('google', 'gemini-2.5-flash', server)
        with pytest.raises(UserError, match='cannot both call tools and hold its answer to JSON'):
            sent(model, server, {}, json_object=True)
        assert sent(model, server, {}, json_object=True, function_tools=[]) != sent(
            model, server, {}, function_tools=[]
        )


@EVERY
def test_strict_tools(provider: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    strict = ToolDefinition(name='f', parameters_json_schema=TOOL.parameters_json_schema, strict=True)
    caplog.set_level(logging.WARNING, logger='syncai')
    _answers._warned.clear()
    with ModelServer(Reply('seen')) as server:
        model = model_of(provider, name, server)
        arrived = sent(model, server, {}, function_tools=[strict]) != sent(model, server, {}, function_tools=[TOOL])
    assert warned(caplog) == (set() if arrived else {'strict'})


OWN: Mapping[str, Any] = {
    'anthropic': AnthropicModelSettings,
    'bedrock': BedrockModelSettings,
    'google': GoogleModelSettings,
    'google-vertex': GoogleModelSettings,
    'openai': OpenAIModelSettings,
    'openai-responses': OpenAIResponsesModelSettings,
}
VALUES: Mapping[str, Any] = {
    'anthropic_betas': ['a-beta'],
    'anthropic_cache': True,
    'anthropic_thinking': {'type': 'disabled'},
    'bedrock_cache': True,
    'openai_builtin_tools': [{'type': 'web_search'}],
    'openai_include': ['a'],
    'openai_logprobs': True,
    'openai_previous_response_id': 'resp_1',
    'openai_store': True,
}


@pytest.mark.parametrize('provider', OWN)
def test_settings_of_a_provider(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    """Each of its own settings arrives; a warning reports any other."""
    caplog.set_level(logging.WARNING, logger='syncai')
    _answers._warned.clear()
    with ModelServer(Reply('seen')) as server:
        model = model_of(provider, CASES[[case[0] for case in CASES].index(provider)][1], server)
        bare = sent(model, server, {})
        for name in set(OWN[provider].__annotations__) - set(ModelSettings.__annotations__):
            value = VALUES.get(name, {'a': 'b'})
            assert sent(model, server, {name: value}) != bare, name
            assert warned(caplog) == set(), name
        unknown = f'{provider.partition("-")[0]}_misspelt'
        assert sent(model, server, {unknown: 1}) == bare
        assert warned(caplog) == {unknown}

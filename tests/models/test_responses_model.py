"""`OpenAIResponsesModel` over real sockets, against the model server's own words."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from transport_server import Connection, Server, run

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AuthenticationError,
    ContextWindowExceeded,
    IncompleteStreamError,
    MissingKeyError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
    UserError,
)
from syncai.messages import (
    AudioUrl,
    DocumentUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, infer_model
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.testing.script import Ending
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
TOOLS = ModelRequestParameters(function_tools=[ToolDefinition(name='f'), ToolDefinition(name='g')])


def model(server: ModelServer, name: str = 'gpt-5.5', **options: Any) -> OpenAIResponsesModel:
    http = HttpOptions(max_retries=0)
    return OpenAIResponsesModel(name, base_url=server.base_url, api_key='sk-test', http=http, **options)


def streamed(server: ModelServer, **options: Any) -> ModelResponse:
    with model_request_stream_sync(model(server), HELLO, **options) as stream:
        assert list(stream)
        return stream.get()


def test_what_is_sent() -> None:
    with ModelServer([Reply('Hello ', 'world', usage=(3, 2))]) as server:
        response = model_request_sync(model(server, organization='org', project='p'), HELLO)
        (request,) = server.requests
    assert (response.text, response.usage.total_tokens, response.finish_reason) == ('Hello world', 5, 'stop')
    assert request.path == '/v1/responses'
    assert request.headers['authorization'] == 'Bearer sk-test'
    assert (request.headers['openai-organization'], request.headers['openai-project']) == ('org', 'p')
    assert (request.json['model'], request.json['store'], request.json['stream']) == ('gpt-5.5', False, False)


def test_a_whole_and_a_streamed_answer_are_the_same() -> None:
    calls = [ToolCall('f', {'x': 1}, 'c1', pieces=3), ToolCall('g', '', 'c2')]
    reply = Reply('Hello ', 'world', thinking=['h', 'm'], thinking_signature='SIG', tool_calls=calls, usage=(3, 2))
    with ModelServer(reply) as server:
        whole = model_request_sync(model(server), HELLO, model_request_parameters=TOOLS)
        pieces = streamed(server, model_request_parameters=TOOLS)
    assert whole.parts == pieces.parts
    assert whole.usage == pieces.usage
    assert (whole.finish_reason, pieces.finish_reason) == ('tool_call', 'tool_call')
    assert whole.parts[0] == ThinkingPart('hm', id='rs_0', signature='SIG', provider_name='openai-responses')
    assert (whole.text, [call.tool_call_id for call in whole.tool_calls]) == ('Hello world', ['c1', 'c2'])


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize(
    ('reason', 'expected'),
    [
        ('length', ('length', 'max_output_tokens')),
        ('content_filter', ('content_filter', 'content_filter')),
        ('stop', ('stop', 'completed')),
    ],
)
def test_finish_reasons(reason: str, expected: tuple[str, str], stream: bool) -> None:
    with ModelServer([Reply('Hello', finish_reason=reason)]) as server:
        response = streamed(server) if stream else model_request_sync(model(server), HELLO)
    assert (response.finish_reason, response.provider_finish_reason) == expected


@pytest.mark.parametrize(
    ('ending', 'cls'),
    [
        ('eof', IncompleteStreamError),
        ('cut', IncompleteStreamError),
        ('error', ServerError),
    ],
)
def test_streams_that_break_off(ending: Ending, cls: Any) -> None:
    # created, in_progress, item, content part, two pieces of text
    with (
        ModelServer([Reply('Hel', 'lo', ' you', ending=ending, cut_after_events=6)]) as server,
        pytest.raises(cls) as caught,
    ):
        streamed(server)
    partial = caught.value.partial
    assert (partial.text, partial.incomplete, partial.provider_response_id) == ('Hello', True, 'resp_0')


def test_errors_over_the_wire() -> None:
    too_long = {'error': {'code': 'context_length_exceeded', 'message': 'too long'}}
    replies: list[tuple[Reply, Any, str]] = [
        (Reply(status=404), NotFoundError, r"'openai-responses:gpt-5\.2'"),
        (Reply(status=401), AuthenticationError, 'OPENAI_API_KEY'),
        (Reply(status=429), RateLimitError, '429'),
        (Reply(status=400, body=too_long), ContextWindowExceeded, 'shorten'),
        (Reply(status=500), ServerError, '500'),
        (Reply('x', malformed_event_at=2), UnexpectedModelBehavior, 'not JSON'),
        (Reply(ending='error'), ServerError, 'server_error'),
        (Reply(body={'hello': 'there'}), UnexpectedModelBehavior, 'base_url'),
    ]
    with ModelServer() as server:
        for reply, cls, words in replies:
            server.reply(reply)
            with pytest.raises(cls, match=words) as caught:
                model_request_sync(model(server, 'gpt-5.22'), HELLO)
            assert 'sk-test' not in str(caught.value)
        server.reply(Reply('a', 'b', malformed_event_at=5))
        with model_request_stream_sync(model(server), HELLO) as stream, pytest.raises(UnexpectedModelBehavior) as cut:
            list(stream)
        assert cut.value.partial is not None
        assert cut.value.partial.parts == [TextPart('a')]


def test_a_conversation_goes_on_in_chat_completions_and_comes_back() -> None:
    reply = Reply('Hello', thinking='hm', thinking_signature='SIG', tool_calls=[ToolCall('f', {}, 'c1')])
    with ModelServer([reply, Reply('Hi', thinking='ho'), Reply('Bye')]) as server:
        chat = OpenAIChatModel('gpt-4o', base_url=server.base_url, http=HttpOptions(max_retries=0))
        messages = [*HELLO, model_request_sync(model(server), HELLO)]
        messages += [ModelRequest([ToolReturnPart('f', 'r', 'c1')])]
        messages += [model_request_sync(chat, messages), ModelRequest.user_text_prompt('bye')]
        model_request_sync(model(server), messages)
        _, first, second = server.requests
    assert [message['role'] for message in first.json['messages']] == ['user', 'assistant', 'tool']
    assert first.json['messages'][1].keys() == {'role', 'content', 'tool_calls'}
    kinds = [item.get('type') or item['role'] for item in second.json['input']]
    own = ['reasoning', 'message', 'function_call', 'function_call_output']
    assert kinds == ['user', *own, 'message', 'user']


def test_a_sound_is_fetched_as_the_provider_does_not_do_it() -> None:
    http = HttpOptions(allow_private_downloads=True, max_retries=0)

    async def answer(connection: Connection, number: int) -> None:
        await connection.answer(body=b'hello', kind='audio/wav')

    async def test(files: Server) -> Any:
        prompt = UserPromptPart(
            [AudioUrl(files.url.removesuffix('/v1') + '/a'), DocumentUrl('https://x.example/a.pdf')]
        )
        with ModelServer(Reply('heard')) as server:
            asked = OpenAIResponsesModel('gpt-5.5', base_url=server.base_url, http=http)
            await asyncio.to_thread(model_request_sync, asked, [ModelRequest([prompt])])
            return server.requests[0].json['input'][0]['content']

    sound = {'data': base64.b64encode(b'hello').decode(), 'format': 'wav'}
    assert run(answer, test) == [
        {'type': 'input_audio', 'input_audio': sound},
        {'type': 'input_file', 'file_url': 'https://x.example/a.pdf'},
    ]


def test_how_a_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('OPENAI_BASE_URL', raising=False)
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-test')
    named = infer_model('openai-responses:gpt-5.5')
    assert isinstance(named, OpenAIResponsesModel)
    assert (named.system, named.model_name, named.base_url) == (
        'openai-responses',
        'gpt-5.5',
        'https://api.openai.com/v1',
    )
    assert repr(named) == "OpenAIResponsesModel('gpt-5.5')"
    assert OpenAIResponsesModel('m', base_url='https://h/v1/responses/').base_url == 'https://h/v1'
    monkeypatch.delenv('OPENAI_API_KEY')
    with pytest.raises(MissingKeyError, match='OPENAI_API_KEY'):
        OpenAIResponsesModel('m')
    with pytest.raises(UserError, match='Unknown provider'):
        OpenAIResponsesModel('m', provider='openai')

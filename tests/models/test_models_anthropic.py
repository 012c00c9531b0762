"""`AnthropicModel` over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from syncai.direct import model_request, model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AuthenticationError,
    ContentFilterError,
    ContextWindowExceeded,
    IncompleteStreamError,
    MissingKeyError,
    NotFoundError,
    OverloadedError,
    ServerError,
    UnexpectedModelBehavior,
    UserError,
)
from syncai.messages import (
    DocumentUrl,
    ModelMessage,
    ModelRequest,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, infer_model
from syncai.models.anthropic import AnthropicModel, AnthropicModelSettings
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
TOOL = ModelRequestParameters(function_tools=[ToolDefinition(name='f')])
KEY = 'sk-ant-secret-0123456789'


def model(server: ModelServer, name: str = 'claude-sonnet-4-5', retries: int = 0) -> AnthropicModel:
    return AnthropicModel(name, base_url=server.base_url, api_key=KEY, http=HttpOptions(max_retries=retries))


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('ANTHROPIC_API_KEY', 'ANTHROPIC_BASE_URL'):
        monkeypatch.delenv(name, raising=False)


def test_a_whole_answer_and_what_was_sent() -> None:
    with ModelServer() as server:
        server.reply(Reply('Hello ', 'world', thinking=['h', 'm'], thinking_signature='sig', usage=(3, 2)))
        settings = AnthropicModelSettings(
            extra_headers={'X-Extra': '1'}, anthropic_betas=['a-1', 'b-2'], temperature=0, max_tokens=10
        )
        response = model_request_sync(model(server), HELLO, model_settings=settings)
        (request,) = server.requests
    thoughts = ThinkingPart('hm', signature='sig', provider_name='anthropic')
    assert response.parts == [thoughts, TextPart('Hello world')]
    assert (response.usage.total_tokens, response.finish_reason) == (5, 'stop')
    assert request.path == '/v1/messages'
    assert request.headers['x-api-key'] == KEY
    assert request.headers['anthropic-version'] == '2023-06-01'
    assert (request.headers['anthropic-beta'], request.headers['x-extra']) == ('a-1,b-2', '1')
    assert 'authorization' not in request.headers
    assert request.json == {
        'model': 'claude-sonnet-4-5',
        'max_tokens': 10,
        'messages': [{'role': 'user', 'content': [{'type': 'text', 'text': 'hello'}]}],
        'temperature': 0,
        'stream': False,
    }


def test_a_version_or_a_beta_of_ones_own_wins() -> None:
    with ModelServer(Reply('x')) as server:
        headers = {'Anthropic-Version': '2030-01-01', 'anthropic-beta': 'mine'}
        settings = AnthropicModelSettings(extra_headers=headers, anthropic_betas=['a'])
        model_request_sync(model(server), HELLO, model_settings=settings)
        (request,) = server.requests
    assert request.headers['anthropic-version'] == '2030-01-01'
    assert request.headers['anthropic-beta'] == 'mine'


def test_a_stream_of_everything() -> None:
    with ModelServer() as server:
        server.reply(
            Reply(
                'Hello ',
                'world',
                thinking=['h', 'm'],
                thinking_signature='sig',
                tool_calls=[ToolCall('f', {'x': 1}, 'c', pieces=3), ToolCall('g', {})],
                usage=(3, 2),
            )
        )
        with model_request_stream_sync(model(server), HELLO, model_request_parameters=TOOL) as stream:
            events = list(stream)
            response = stream.get()
    assert response.parts == [
        ThinkingPart('hm', signature='sig', provider_name='anthropic'),
        TextPart('Hello world'),
        ToolCallPart('f', '{"x":1}', 'c'),
        ToolCallPart('g', '{}', 'toolu_1'),
    ]
    assert len(events) == 3 + 2 + (1 + 3) + (1 + 2)
    assert (response.usage.request_tokens, response.usage.response_tokens) == (3, 2)
    assert (response.finish_reason, response.incomplete) == ('tool_call', False)


def test_a_loop_with_a_tool_sends_the_thoughts_back() -> None:
    with ModelServer() as server:
        server.reply(Reply(thinking='hm', thinking_signature='sig', tool_calls=[ToolCall('f', {'x': 1})]))
        server.reply(Reply('done'))
        with model_request_stream_sync(model(server), HELLO, model_request_parameters=TOOL) as stream:
            list(stream)
            first = stream.get()
        (call,) = first.tool_calls
        history = [*HELLO, first, ModelRequest([ToolReturnPart('f', 'ok', call.tool_call_id)])]
        settings = AnthropicModelSettings(thinking='low')
        second = model_request_sync(model(server), history, model_settings=settings, model_request_parameters=TOOL)
        request = server.requests[1].json
    assert second.text == 'done'
    assert request['thinking'] == {'type': 'enabled', 'budget_tokens': 4096}
    assert request['messages'][1]['content'] == [
        {'type': 'thinking', 'thinking': 'hm', 'signature': 'sig'},
        {'type': 'tool_use', 'id': call.tool_call_id, 'name': 'f', 'input': {'x': 1}},
    ]
    assert request['messages'][2]['content'][0]['tool_use_id'] == call.tool_call_id


@pytest.mark.parametrize(
    ('settings', 'streamed'),
    [
        ({}, False),
        ({'max_tokens': 21_333}, False),
        ({'max_tokens': 21_334}, True),
        ({'thinking': 'medium'}, True),
        ({'anthropic_effort': 'max'}, True),
    ],
)
def test_a_long_answer_is_streamed_on_the_way(settings: Any, streamed: bool) -> None:
    with ModelServer(Reply('Hello ', 'world', tool_calls=[ToolCall('f', {'x': 1}, 'c')], usage=(3, 2))) as server:
        response = model_request_sync(model(server), HELLO, model_settings=settings, model_request_parameters=TOOL)
        at_home = AnthropicModel('claude-sonnet-4-5', base_url=server.base_url, settings=settings)
        same = asyncio.run(model_request(at_home, HELLO, model_request_parameters=TOOL))
        assert [request.json['stream'] for request in server.requests] == [streamed, streamed]
    assert response.parts == same.parts == [TextPart('Hello world'), ToolCallPart('f', '{"x":1}', 'c')]
    assert (response.usage.total_tokens, response.incomplete) == (5, False)


@pytest.mark.parametrize('end', ['', '/', '/messages', '/messages/'])
@pytest.mark.parametrize('version', ['/v1', ''])
def test_the_end_of_an_address_does_not_matter(version: str, end: str) -> None:
    with ModelServer(lambda request: Reply(request.path)) as server:
        url = server.base_url.removesuffix('/v1') + version + end
        assert model_request_sync(AnthropicModel('m', base_url=url), HELLO).text == '/v1/messages'


def test_a_text_file_is_fetched_and_a_pdf_is_not() -> None:
    with ModelServer(Reply('x')) as server:
        text = DocumentUrl(f'{server.base_url}/models', media_type_='application/json')
        pdf = DocumentUrl(f'{server.base_url}/missing.pdf')
        asked: list[ModelMessage] = [ModelRequest([UserPromptPart(['read', text, pdf])])]
        at_home = HttpOptions(allow_private_downloads=True)
        model_request_sync(AnthropicModel('m', base_url=server.base_url, http=at_home), asked)
        with pytest.raises(UserError, match='private'):
            model_request_sync(model(server), asked)
        _, request = (recorded for recorded in server.requests)
    _, file, address = request.json['messages'][0]['content']
    assert file['source']['type'] == 'text'
    assert 'test-model' in file['source']['data']
    assert (file['title'], address['source']['url']) == ('models', pdf.url)


def test_errors_over_the_wire() -> None:
    def failed(message: str) -> Reply:
        return Reply(status=400, body={'type': 'error', 'error': {'type': 'invalid_request_error', 'message': message}})

    with ModelServer() as server:
        server.reply(Reply(status=404), Reply(status=401), Reply(status=529), failed('prompt is too long: 3 > 2'))
        server.reply(failed('Output blocked by content filtering policy'), Reply(body={'hello': 'there'}))
        with pytest.raises(NotFoundError, match="'anthropic:claude-opus-5-5'"):
            model_request_sync(model(server, 'claude-opus-5-6'), HELLO)
        with pytest.raises(AuthenticationError, match='ANTHROPIC_API_KEY') as caught:
            model_request_sync(model(server), HELLO)
        assert KEY not in f'{caught.value!r}{caught.value}'
        with pytest.raises(OverloadedError):
            model_request_sync(model(server), HELLO)
        with model_request_stream_sync(model(server), HELLO) as stream, pytest.raises(ContextWindowExceeded):
            list(stream)
        with pytest.raises(ContentFilterError):
            model_request_sync(model(server), HELLO)
        with pytest.raises(UnexpectedModelBehavior, match='base_url'):
            model_request_sync(model(server), HELLO)


def test_an_overloaded_provider_is_asked_again() -> None:
    with ModelServer() as server:
        busy = Reply(status=529, headers={'retry-after-ms': '1'})
        server.reply(busy, Reply('x'), busy, Reply('y'))
        assert model_request_sync(model(server, retries=1), HELLO).text == 'x'
        with model_request_stream_sync(model(server, retries=1), HELLO) as stream:
            list(stream)
            assert stream.get().text == 'y'


def test_an_error_in_a_stream() -> None:
    overloaded = (
        b'event: message_start\ndata: {"type": "message_start", "message": {"model": "c", "id": "msg_1"}}\n\n'
        b'event: content_block_delta\n'
        b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}\n\n'
        b'event: ping\ndata: {"type": "ping"}\n\n'
        b'event: error\n'
        b'data: {"type": "error", "error": {"type": "overloaded_error", "message": "m"}, "request_id": "req_9"}\n\n'
    )
    with ModelServer() as server:
        server.reply(Reply(body=overloaded, content_type='text/event-stream'), Reply('Hel', 'lo', ending='error'))
        with model_request_stream_sync(model(server), HELLO) as stream, pytest.raises(OverloadedError) as caught:
            list(stream)
        assert (caught.value.status_code, caught.value.request_id) == (529, 'req_9')
        assert caught.value.partial is not None
        assert (caught.value.partial.text, caught.value.partial.incomplete) == ('Hel', True)
        with model_request_stream_sync(model(server), HELLO) as stream, pytest.raises(ServerError) as scripted:
            list(stream)
        assert scripted.value.partial is not None
        assert scripted.value.partial.text == 'Hello'


@pytest.mark.parametrize('ending', ['eof', 'cut', 'reset'])
@pytest.mark.parametrize('whole', [True, False])
def test_a_stream_without_its_end(ending: Any, whole: bool) -> None:
    reply = Reply('Hello ', 'world', thinking='hm', ending=ending, cut_after_events=None if whole else 6)
    with (
        ModelServer(reply) as server,
        model_request_stream_sync(model(server), HELLO) as stream,
        pytest.raises(IncompleteStreamError) as cut,
    ):
        list(stream)
    assert cut.value.partial is not None
    assert cut.value.partial.text == ('Hello world' if whole else 'Hello ')
    assert cut.value.partial.incomplete
    # The thoughts of an answer that broke off have no signature, and do not go back.
    with ModelServer(Reply('x')) as server:
        model_request_sync(model(server), [*HELLO, cut.value.partial, *HELLO])
        assert [block['type'] for block in server.requests[0].json['messages'][1]['content']] == ['text']


@pytest.mark.parametrize('reason', ['stop', 'length', 'tool_calls', 'content_filter', 'stop_sequence', 'pause_turn'])
def test_stop_reasons_in_the_words_of_either(reason: str) -> None:
    with ModelServer(Reply('x', finish_reason=reason)) as server:
        whole = model_request_sync(model(server), HELLO)
        with model_request_stream_sync(model(server), HELLO) as stream:
            list(stream)
            assert stream.get().provider_finish_reason == whole.provider_finish_reason
    wanted = {'stop_sequence': 'stop', 'tool_calls': 'tool_call', 'pause_turn': None}.get(reason, reason)
    assert whole.finish_reason == wanted


def test_faults_of_the_server_that_are_no_answers() -> None:
    with ModelServer() as server:
        server.reply(Reply('Hello ', malformed_event_at=2), Reply('Hello ', malformed_event_at=0))
        with model_request_stream_sync(model(server), HELLO) as stream, pytest.raises(UnexpectedModelBehavior):
            list(stream)
        with pytest.raises(UnexpectedModelBehavior):
            model_request_sync(model(server), HELLO)
        with pytest.raises(ServerError, match='script of the model server is exhausted'):
            model_request_sync(model(server), HELLO)


def test_what_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingKeyError, match='ANTHROPIC_API_KEY'):
        model_request_sync('anthropic:claude-sonnet-5-5', HELLO)
    with pytest.raises(UserError, match="Unknown provider 'openai'"):
        AnthropicModel('m', api_key=KEY, provider='openai')
    with ModelServer() as server:
        for settings in ({'anthropic_cache': 'all'}, {'anthropic_betas': 'x'}, {'anthropic_thinking': 7}):
            with pytest.raises(UserError, match=next(iter(settings))):
                model_request_sync(model(server), HELLO, model_settings=settings)  # type: ignore[arg-type]
        assert server.requests == []
    monkeypatch.setenv('ANTHROPIC_API_KEY', KEY)
    made = infer_model('anthropic:claude-sonnet-5-5')
    assert isinstance(made, AnthropicModel)
    assert (made.system, made.model_name, made.base_url) == (
        'anthropic',
        'claude-sonnet-5-5',
        'https://api.anthropic.com/v1',
    )
    assert KEY not in repr(made)

"""`OpenAIChatModel` over real sockets."""

from __future__ import annotations

import pytest

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AuthenticationError,
    ContextWindowExceeded,
    IncompleteStreamError,
    MissingKeyError,
    NotFoundError,
    UnexpectedModelBehavior,
    UserError,
)
from syncai.messages import ModelMessage, ModelRequest, TextPart, ToolCallPart
from syncai.models import ModelRequestParameters, override_allow_model_requests
from syncai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
TOOL = ModelRequestParameters(function_tools=[ToolDefinition(name='f')])


def model(server: ModelServer, name: str = 'gpt-4o') -> OpenAIChatModel:
    http = HttpOptions(max_retries=0)
    return OpenAIChatModel(name, base_url=server.base_url, api_key='sk-test', organization='org', http=http)


def test_a_whole_answer_and_what_was_sent() -> None:
    with ModelServer() as server:
        server.reply(Reply('Hello ', 'world', usage=(3, 2)))
        settings = OpenAIChatModelSettings(extra_headers={'X-Extra': '1'}, openai_user='u', temperature=0)
        response = model_request_sync(model(server), HELLO, model_settings=settings)
        (request,) = server.requests
    assert (response.text, response.usage.total_tokens, response.finish_reason) == ('Hello world', 5, 'stop')
    assert request.path.endswith('/chat/completions')
    assert request.headers['authorization'] == 'Bearer sk-test'
    assert (request.headers['x-extra'], request.headers['openai-organization']) == ('1', 'org')
    assert request.json == {
        'model': 'gpt-4o',
        'messages': [{'role': 'user', 'content': 'hello'}],
        'temperature': 0,
        'user': 'u',
        'stream': False,
    }


def test_a_stream_and_a_tool_call() -> None:
    with ModelServer() as server:
        server.reply(Reply('Hello ', 'world', thinking=['hm'], usage=(3, 2)))
        server.reply(Reply(tool_calls=[ToolCall('f', {'x': 1}, 'c')]))
        with model_request_stream_sync(model(server), HELLO) as stream:
            assert len(list(stream)) == 3
            assert (stream.get().text, stream.get().thinking, stream.usage().total_tokens) == ('Hello world', 'hm', 5)
        with model_request_stream_sync(model(server), HELLO, model_request_parameters=TOOL) as stream:
            list(stream)
            (call,) = stream.get().parts
    assert isinstance(call, ToolCallPart)
    assert (call.args_as_dict(), call.tool_call_id) == ({'x': 1}, 'c')


def test_errors_over_the_wire() -> None:
    body = {'error': {'code': 'context_length_exceeded', 'message': 'too long'}}
    with ModelServer() as server:
        server.reply(Reply(status=404))
        server.reply(Reply(status=401))
        server.reply(Reply(status=400, body=body))
        server.reply(Reply(status=400, body=body))
        server.reply(Reply('Hello ', 'world', ending='eof'))
        server.reply(Reply(body={'hello': 'there'}))
        with pytest.raises(NotFoundError, match=r"'openai:gpt-5\.5'"):
            model_request_sync(model(server, 'gpt-5.55'), HELLO)
        with pytest.raises(AuthenticationError) as caught:
            model_request_sync(model(server), HELLO)
        assert 'sk-test' not in str(caught.value)
        with pytest.raises(ContextWindowExceeded, match='shorten'):
            model_request_sync(model(server), HELLO)
        with model_request_stream_sync(model(server), HELLO) as stream, pytest.raises(ContextWindowExceeded):
            list(stream)
        with model_request_stream_sync(model(server), HELLO) as stream, pytest.raises(IncompleteStreamError) as cut:
            list(stream)
        assert cut.value.partial is not None
        assert cut.value.partial.parts == [TextPart('Hello world')]
        with pytest.raises(UnexpectedModelBehavior, match='base_url'):
            model_request_sync(model(server), HELLO)


def test_what_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)
    monkeypatch.delenv('OPENAI_BASE_URL', raising=False)
    with pytest.raises(MissingKeyError, match='OPENAI_API_KEY'):
        model_request_sync('openai:gpt-5.5', HELLO)
    with ModelServer() as server:
        with pytest.raises(UserError, match='messages is empty'):
            model_request_sync(model(server), [])
        with override_allow_model_requests(False), pytest.raises(UserError, match='not allowed'):
            model_request_sync(OpenAIChatModel('gpt-5.5', api_key='key'), HELLO)
        with pytest.raises(UserError, match='JSON'):
            model_request_sync(model(server), HELLO, model_settings={'extra_body': {'x': object()}})
        assert server.requests == []

"""Over sockets: a loop of tools with Gemini, conversations across providers, and the faults of the model server."""

from __future__ import annotations

from typing import Any

import pytest

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AuthenticationError,
    BadRequestError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
)
from syncai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ToolReturnPart,
)
from syncai.models import Model, ModelRequestParameters
from syncai.models._google.messages import UNSIGNED_CALL
from syncai.models.anthropic import AnthropicModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import ToolDefinition
from syncai.usage import Usage

TOOLS = ModelRequestParameters(function_tools=[ToolDefinition(name='f'), ToolDefinition(name='g')])
CALLING = Reply(
    'Let me see',
    thinking='hm',
    thinking_signature='c2ln',
    tool_calls=[ToolCall('f', {'n': 1}), ToolCall('g'), ToolCall('f', {'n': 2})],
)


def gemini(server: ModelServer) -> GoogleModel:
    return GoogleModel('gemini-3.7-flash', base_url=server.base_url)


def openai_chat(server: ModelServer) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url)


def openai_responses(server: ModelServer) -> OpenAIResponsesModel:
    return OpenAIResponsesModel('gpt-5.4-mini', base_url=server.base_url)


def anthropic(server: ModelServer) -> AnthropicModel:
    return AnthropicModel('claude-sonnet-5-5', base_url=server.base_url.removesuffix('/v1'))


OTHERS = [openai_chat, openai_responses, anthropic]


def ask(model: Model, messages: list[ModelMessage], *, stream: bool) -> ModelResponse:
    if not stream:
        return model_request_sync(model, messages, model_request_parameters=TOOLS)
    with model_request_stream_sync(model, messages, model_request_parameters=TOOLS) as answer:
        list(answer)
        return answer.get()


def conversation(first: Model, then: Model, *, stream: bool = False) -> list[ModelMessage]:
    """A question, calls by `first`, their answers out of order, and what `then` makes of them."""
    messages: list[ModelMessage] = [ModelRequest.user_text_prompt('question')]
    answer = ask(first, messages, stream=stream)
    returns = [ToolReturnPart(c.tool_name, c.args_as_dict(), c.tool_call_id) for c in reversed(answer.tool_calls)]
    messages += [answer, ModelRequest(returns)]
    messages = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))
    return [*messages, ask(then, messages, stream=stream)]


@pytest.mark.parametrize('stream', [False, True])
def test_a_loop_of_tools_kept_as_json(stream: bool) -> None:
    with ModelServer([CALLING, Reply('done')]) as server:
        model = gemini(server)
        messages = conversation(model, model, stream=stream)
        asked, called, answered = server.requests[1].json['contents']
    last = messages[-1]
    assert isinstance(last, ModelResponse)
    assert last.text == 'done'
    assert asked == {'role': 'user', 'parts': [{'text': 'question'}]}
    assert called == {
        'role': 'model',
        'parts': [
            {'text': 'hm', 'thought': True},
            {'text': 'Let me see', 'thoughtSignature': 'c2ln'},
            {'functionCall': {'name': 'f', 'args': {'n': 1}}, 'thoughtSignature': UNSIGNED_CALL},
            {'functionCall': {'name': 'g', 'args': {}}},
            {'functionCall': {'name': 'f', 'args': {'n': 2}}},
        ],
    }
    assert [part['functionResponse'] for part in answered['parts']] == [
        {'name': 'f', 'response': {'output': {'n': 1}}},
        {'name': 'g', 'response': {'output': {}}},
        {'name': 'f', 'response': {'output': {'n': 2}}},
    ]


@pytest.mark.parametrize('other', OTHERS)
@pytest.mark.parametrize('stream', [False, True])
def test_a_conversation_begun_elsewhere_goes_on_with_gemini(other: Any, stream: bool) -> None:
    with ModelServer([CALLING, Reply('done')]) as server:
        messages = conversation(other(server), gemini(server), stream=stream)
        _, called, answered = server.requests[1].json['contents']
    assert getattr(messages[-1], 'text', None) == 'done'
    assert [next(iter(part)) for part in called['parts']] == ['text', 'functionCall', 'functionCall', 'functionCall']
    assert called['parts'][1]['thoughtSignature'] == UNSIGNED_CALL
    assert [part['functionResponse']['response']['output'] for part in answered['parts']] == [{'n': 1}, {}, {'n': 2}]
    assert 'id' not in str(server.requests[1].json['contents'])


@pytest.mark.parametrize('other', OTHERS)
@pytest.mark.parametrize('stream', [False, True])
def test_a_conversation_begun_with_gemini_goes_on_elsewhere(other: Any, stream: bool) -> None:
    with ModelServer([CALLING, Reply('done')]) as server:
        messages = conversation(gemini(server), other(server), stream=stream)
        request = server.requests[1].body.decode()
    assert getattr(messages[-1], 'text', None) == 'done'
    assert 'c2ln' not in request  # a signature is only for the provider that made it
    assert 'provider_details' not in request
    assert isinstance(messages[1], ModelResponse)
    for call in messages[1].tool_calls:
        assert request.count(call.tool_call_id) == 2


# --- the faults that the model server plays ---------------------------------------------------------------------------


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize(
    ('status', 'kind', 'word'),
    [
        (400, BadRequestError, 'INVALID_ARGUMENT'),
        (401, AuthenticationError, 'UNAUTHENTICATED'),
        (403, PermissionDeniedError, 'PERMISSION_DENIED'),
        (404, NotFoundError, 'NOT_FOUND'),
        (429, RateLimitError, 'RESOURCE_EXHAUSTED'),
        (500, ServerError, 'INTERNAL'),
        (503, OverloadedError, 'UNAVAILABLE'),
    ],
)
def test_error_statuses(status: int, kind: type[ModelHTTPError], word: str, stream: bool) -> None:
    no_retry = {'x-should-retry': 'false'}
    with ModelServer([Reply(status=status, headers=no_retry)]) as server, pytest.raises(kind) as caught:
        ask(gemini(server), [ModelRequest.user_text_prompt('q')], stream=stream)
    body: Any = caught.value.body
    assert (body['error']['code'], body['error']['status']) == (status, word)
    assert (caught.value.provider, caught.value.model_name) == ('google', 'gemini-3.7-flash')


@pytest.mark.parametrize('stream', [False, True])
def test_json_that_breaks_off(stream: bool) -> None:
    broken = Reply('a', 'b', malformed_event_at=1)
    with ModelServer([broken]) as server, pytest.raises(UnexpectedModelBehavior, match='not JSON') as caught:
        ask(gemini(server), [ModelRequest.user_text_prompt('q')], stream=stream)
    if stream:
        assert caught.value.partial is not None
        assert caught.value.partial.text == 'a'


@pytest.mark.parametrize('stream', [False, True])
def test_finish_reasons_in_the_words_of_others_and_usage(stream: bool) -> None:
    script = [Reply('a', usage=(3, 2), finish_reason=word) for word in ('length', 'content_filter', 'MODEL_ARMOR')]
    script.append(Reply('a', usage={'promptTokenCount': 1, 'thoughtsTokenCount': 2}, model='other', repeat=3))
    with ModelServer(script) as server:
        found = [ask(gemini(server), [ModelRequest.user_text_prompt('q')], stream=stream) for _ in script]
    reasons = [(answer.finish_reason, answer.provider_finish_reason) for answer in found]
    assert reasons == [
        ('length', 'MAX_TOKENS'),
        ('content_filter', 'SAFETY'),
        ('content_filter', 'MODEL_ARMOR'),
        ('stop', 'STOP'),
    ]
    assert found[0].usage == Usage(1, 3, 2, 5)
    assert (found[3].usage, found[3].model_name) == (Usage(1, 1, 2, 3, {'reasoning_tokens': 2}), 'other')
    assert found[3].text == 'aaa'

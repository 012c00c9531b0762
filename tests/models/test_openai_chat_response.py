from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from syncai.exceptions import (
    AgentRunError,
    BadRequestError,
    ContentFilterError,
    ContextWindowExceeded,
    IncompleteStreamError,
    ModelConnectionError,
    ModelHTTPError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
)
from syncai.messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
)
from syncai.models._chat.errors import refine_http_error
from syncai.models._chat.response import ChatStreamDecoder, chat_response
from syncai.models._chat.usage import chat_usage
from syncai.models._http.answers import parse_json
from syncai.models._http.stream import HttpStreamedResponse
from syncai.usage import Usage


class Stream:
    """The payloads from the transport for a list of network reads."""

    status, attempts, request_id = 200, 1, 'req_1'
    pending_at_eof: Any = None
    permit: Any = None

    def __init__(self, *reads: list[str] | Exception) -> None:
        self.reads = reads
        self.drained = False

    async def __aiter__(self) -> AsyncIterator[list[Any]]:
        for read in self.reads:
            if isinstance(read, Exception):
                raise read
            yield [SimpleNamespace(event=None, data=data) for data in read]

    async def drain(self, seconds: float) -> None:
        self.drained = True


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    choices = [] if delta is None else [{'index': 0, 'delta': delta, 'finish_reason': finish}]
    return json.dumps({'id': 'c', 'created': 1, 'model': 'm-1', 'choices': choices, **more})


def streamed(*reads: list[str] | Exception) -> tuple[HttpStreamedResponse, Stream]:
    stream = Stream(*reads)
    decoder = partial(ChatStreamDecoder, provider='openai', model_name='m')
    return HttpStreamedResponse(cast('Any', stream), decoder, 'm', 'openai'), stream


def drained(response: HttpStreamedResponse) -> list[list[ModelResponseStreamEvent]]:
    async def collect() -> list[list[ModelResponseStreamEvent]]:
        return [batch async for batch in response.batches()]

    return asyncio.run(collect())


def answer(message: dict[str, Any], finish: str | None = 'stop', **more: Any) -> ModelResponse:
    body = {'id': 'c', 'created': 1, 'model': 'm-1', 'choices': [{'message': message, 'finish_reason': finish}], **more}
    return chat_response(body, 'openai', 'm')


# --- whole answers ----------------------------------------------------------------------------------------------------


def test_a_whole_answer() -> None:
    response = answer({'content': 'hi', 'reasoning': 'hm'}, usage={'prompt_tokens': 3, 'completion_tokens': 1})
    assert response.parts == [ThinkingPart('hm', provider_name='openai'), TextPart('hi')]
    assert response.usage == Usage(requests=1, request_tokens=3, response_tokens=1, total_tokens=4)
    assert (response.model_name, response.provider_name, response.provider_response_id) == ('m-1', 'openai', 'c')
    assert (response.finish_reason, response.provider_finish_reason) == ('stop', 'stop')
    assert response.timestamp.timestamp() == 1
    assert not response.incomplete


def test_tool_calls_and_the_legacy_form() -> None:
    calls = [
        {'id': 'c1', 'function': {'name': 'f', 'arguments': '{}'}},
        {'function': {'name': 'g', 'arguments': {'a': 1}}},
    ]
    response = answer({'content': None, 'tool_calls': calls, 'function_call': {'name': 'old'}}, 'tool_calls')
    first, second = response.tool_calls
    assert first == ToolCallPart('f', '{}', 'c1')
    assert (second.tool_name, second.args) == ('g', '{"a":1}')
    assert second.tool_call_id
    assert response.finish_reason == 'tool_call'


def test_a_refusal_is_text_that_the_content_filter_gave() -> None:
    response = answer({'content': None, 'refusal': 'No.'})
    assert response.parts == [TextPart('No.')]
    assert (response.finish_reason, response.provider_finish_reason) == ('content_filter', 'stop')


def test_content_in_a_list_and_unknown_finish_reasons() -> None:
    response = answer({'content': [{'type': 'text', 'text': 'a'}, {'type': 'new'}, {'text': 'b'}]}, 'brand_new')
    assert response.text == 'ab'
    assert (response.finish_reason, response.provider_finish_reason) == (None, 'brand_new')


def test_usage_details() -> None:
    usage = chat_usage(
        {
            'prompt_tokens': 10,
            'completion_tokens': 5,
            'total_tokens': 15,
            'prompt_tokens_details': {'cached_tokens': 4, 'audio_tokens': 1, 'image_tokens': 0},
            'completion_tokens_details': {'reasoning_tokens': 2, 'audio_tokens': 3},
        }
    )
    assert usage.details == {
        'cached_tokens': 4,
        'input_audio_tokens': 1,
        'reasoning_tokens': 2,
        'output_audio_tokens': 3,
    }
    assert chat_usage(None) == Usage(requests=1)


def test_answers_of_the_wrong_shape() -> None:
    bodies: list[dict[str, Any]] = [{'contentType': 'x'}, {'choices': []}, {'choices': [{}]}, {'choices': 'x'}]
    for body in bodies:
        with pytest.raises(UnexpectedModelBehavior, match='base_url'):
            chat_response(body, 'openai', 'm')
    for data in (b'<html>', b'[1]', b''):
        with pytest.raises(UnexpectedModelBehavior):
            parse_json(data, 'openai', 'm')


def test_an_error_with_status_200() -> None:
    with pytest.raises(RateLimitError) as caught:
        chat_response({'error': {'code': 429, 'message': 'slow down'}, 'choices': None}, 'openai', 'm', attempts=2)
    assert caught.value.attempts == 2


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('error', 'cls'),
    [
        ({'code': 'context_length_exceeded', 'message': 'm'}, ContextWindowExceeded),
        ({'message': "This model's maximum context length is 8192 tokens"}, ContextWindowExceeded),
        ({'code': 'content_filter', 'message': 'm', 'innererror': {'code': 'x'}}, ContentFilterError),
        ({'code': 'content_policy_violation'}, ContentFilterError),
        ({'code': 'unsupported_value'}, BadRequestError),
    ],
)
def test_what_a_400_means(error: dict[str, Any], cls: type[AgentRunError]) -> None:
    refined = refine_http_error(
        ModelHTTPError.of(400, 'm', {'error': error}, request_id='r', attempts=1, headers={'a': 'b'}), 'openai', 'm'
    )
    assert type(refined) is cls
    assert (refined.model_name, refined.provider) == ('m', 'openai')
    if isinstance(refined, ModelHTTPError):
        assert (refined.request_id, refined.attempts, refined.headers) == ('r', 1, {'a': 'b'})


def test_a_404_names_the_nearest_models() -> None:
    refined = refine_http_error(ModelHTTPError.of(404, 'gpt-5.2-proo', {}), 'openai', 'gpt-5.2-proo')
    assert isinstance(refined, NotFoundError)
    assert "'openai:gpt-5.2'" in str(refined)


# --- streams ----------------------------------------------------------------------------------------------------------


def test_a_stream() -> None:
    response, stream = streamed(
        [chunk({'role': 'assistant', 'content': ''}), chunk({'content': 'Hel'}), chunk({'content': 'lo'})],
        [chunk({'content': ' you'})],
        [chunk({}, 'stop'), chunk(None, usage={'prompt_tokens': 3, 'completion_tokens': 1}), '[DONE]'],
    )
    assert drained(response) == [
        [PartStartEvent(0, TextPart('Hel')), PartDeltaEvent(0, TextPartDelta('lo'))],
        [PartDeltaEvent(0, TextPartDelta(' you'))],
    ]
    got = response.get()
    assert (got.text, got.finish_reason, got.incomplete) == ('Hello you', 'stop', False)
    assert got.usage == response.usage() == Usage(requests=1, request_tokens=3, response_tokens=1, total_tokens=4)
    assert (response.model_name, got.provider_response_id, response.timestamp.timestamp()) == ('m-1', 'c', 1)
    assert stream.drained


def test_thinking_tools_and_refusals_in_a_stream() -> None:
    response, _ = streamed(
        [
            chunk({'role': 'assistant', 'reasoning_content': 'h', 'content': None}),
            chunk({'reasoning': 'm'}),
            chunk({'tool_calls': [{'index': 0, 'id': 'a', 'function': {'name': 'f', 'arguments': ''}}]}),
            chunk(
                {
                    'tool_calls': [
                        {'index': 0, 'function': {'arguments': '{'}},
                        {'index': 0, 'function': {'arguments': '}'}},
                    ]
                }
            ),
            chunk({'tool_calls': [{'index': 1, 'id': 'b', 'function': {'name': 'g', 'arguments': None}}]}),
            chunk({'function_call': {'name': 'legacy'}}),
            chunk({'refusal': 'No.'}),
            chunk({}, 'stop'),
            '[DONE]',
        ]
    )
    drained(response)
    assert response.get().parts == [
        ThinkingPart('hm', provider_name='openai'),
        ToolCallPart('f', '{}', 'a'),
        ToolCallPart('g', None, 'b'),
        TextPart('No.'),
    ]
    assert response.get().finish_reason == 'content_filter'


def test_a_stream_without_its_end() -> None:
    response, _ = streamed([chunk({'content': 'Hel'})])
    with pytest.raises(IncompleteStreamError) as caught:
        drained(response)
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.partial.incomplete) == ('Hel', True)
    assert (caught.value.request_id, caught.value.model_name, caught.value.provider) == ('req_1', 'm', 'openai')


def test_a_last_payload_without_a_blank_line() -> None:
    response, stream = streamed([chunk({'content': 'Hel'})])
    stream.pending_at_eof = SimpleNamespace(event=None, data=chunk({'content': 'lo'}, 'stop'))
    drained(response)
    assert (response.get().text, response.get().incomplete) == ('Hello', False)
    response, stream = streamed([chunk({'content': 'Hel'})])
    stream.pending_at_eof = SimpleNamespace(event=None, data='{"choices": [{"del')
    with pytest.raises(IncompleteStreamError):
        drained(response)


def test_a_finish_reason_or_done_is_an_end() -> None:
    for last in (chunk({}, 'length'), '[DONE]'):
        response, _ = streamed([chunk({'content': 'Hel'}), last])
        drained(response)
        assert not response.get().incomplete


def test_what_came_before_a_failure_is_delivered_first() -> None:
    failures: list[tuple[str, type[AgentRunError]]] = [
        ('{"error": {"message": "boom", "type": "server_error"}}', ServerError),
        ('{"error": {"code": "rate_limit_exceeded"}}', RateLimitError),
        ('{"error": "plain words"}', ServerError),
        (chunk({'content': ''}, error={'code': 'context_length_exceeded'}), ContextWindowExceeded),
        ('{"choices": [', UnexpectedModelBehavior),
        ('7', UnexpectedModelBehavior),
        ('{"choices": [7]}', UnexpectedModelBehavior),
    ]
    for payload, cls in failures:
        response, _ = streamed([chunk({'content': 'Hel'}), payload, chunk({'content': 'never'})])
        seen: list[ModelResponseStreamEvent] = []

        async def read(response: HttpStreamedResponse = response, seen: list[Any] = seen) -> None:
            async for batch in response.batches():
                seen.extend(batch)

        with pytest.raises(cls) as caught:
            asyncio.run(read())
        assert seen == [PartStartEvent(0, TextPart('Hel'))]
        assert caught.value.partial is not None
        assert caught.value.partial.text == 'Hel'


def test_a_broken_connection_carries_what_arrived() -> None:
    response, _ = streamed([chunk({'content': 'Hel'})], ModelConnectionError('reset', host='h'))
    with pytest.raises(ModelConnectionError) as caught:
        drained(response)
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'Hel'


def test_chunks_of_servers_that_differ() -> None:
    response, _ = streamed(
        [
            '{"choices": [], "prompt_filter_results": []}',
            '{"choices": null, "new": true}',
            chunk({'content': 'a'}),
            '{"choices": [{"index": 0}]}',
            '{"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}]}',
            '{"choices": [{"delta": null, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}',
        ]
    )
    drained(response)
    assert (response.get().text, response.usage().request_tokens) == ('a', 1)

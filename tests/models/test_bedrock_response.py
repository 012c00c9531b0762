"""Answers of Bedrock over real sockets: whole, streamed, cut anywhere, damaged, and every error."""

from __future__ import annotations

import contextlib
import http.client
import json
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import create_parser
from botocore.session import Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutated
from sampling import examples

from syncai._transport.sse import ServerSentEvent
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextWindowExceeded,
    IncompleteStreamError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    SyncAIError,
    UnexpectedModelBehavior,
)
from syncai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from syncai.models._bedrock.response import ConverseStreamDecoder
from syncai.models._http.parts import PartsBuilder
from syncai.models._http.stream import HttpStreamedResponse
from syncai.models.bedrock import BedrockModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.testing._wire.bedrock import CONTENT_TYPE, encode_event

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
NAME = 'us.anthropic.claude-haiku-4-5-20251001-v1:0'
REDACTED = 'c2VjcmV0IHRob3VnaHRz'
USAGE = {
    'inputTokens': 10,
    'outputTokens': 5,
    'totalTokens': 118,
    'cacheReadInputTokens': 100,
    'cacheWriteInputTokens': 3,
}
# A conversation's turn by hand, from the shapes of ConverseStreamOutput.
EVENTS: list[dict[str, Any]] = [
    {'messageStart': {'role': 'assistant'}},
    {'contentBlockDelta': {'contentBlockIndex': 0, 'delta': {'reasoningContent': {'text': 'Grüße? '}}}},
    {'contentBlockDelta': {'contentBlockIndex': 0, 'delta': {'reasoningContent': {'text': 'Yes.'}}}},
    {'contentBlockDelta': {'contentBlockIndex': 0, 'delta': {'reasoningContent': {'signature': 'c2ln'}}}},
    {'contentBlockStop': {'contentBlockIndex': 0}},
    {'contentBlockDelta': {'contentBlockIndex': 1, 'delta': {'reasoningContent': {'redactedContent': REDACTED}}}},
    {'contentBlockStop': {'contentBlockIndex': 1}},
    {'contentBlockDelta': {'contentBlockIndex': 2, 'delta': {'text': 'Let me '}}},
    {'contentBlockDelta': {'contentBlockIndex': 2, 'delta': {'text': 'see. 🎉'}}},
    {'contentBlockDelta': {'contentBlockIndex': 2, 'delta': {'citation': {'title': 't'}}}},
    {'contentBlockStop': {'contentBlockIndex': 2}},
    {'contentBlockStart': {'contentBlockIndex': 3, 'start': {'toolUse': {'toolUseId': 'tooluse_1', 'name': 'f'}}}},
    {'contentBlockDelta': {'contentBlockIndex': 3, 'delta': {'toolUse': {'input': '{"x":'}}}},
    {'contentBlockDelta': {'contentBlockIndex': 3, 'delta': {'toolUse': {'input': '1}'}}}},
    {'contentBlockStop': {'contentBlockIndex': 3}},
    {'brandNew': {'contentBlockIndex': 4}},
    {'contentBlockStart': {'contentBlockIndex': 4, 'start': {'toolUse': {'toolUseId': 'tooluse_2', 'name': 'g'}}}},
    {'contentBlockStop': {'contentBlockIndex': 4}},
    {'messageStop': {'stopReason': 'tool_use'}},
    {'metadata': {'usage': USAGE, 'metrics': {'latencyMs': 9}}},
]
PARTS = [
    ThinkingPart('Grüße? Yes.', signature='c2ln', provider_name='bedrock'),
    ThinkingPart('', provider_name='bedrock', provider_details={'reasoningContent': {'redactedContent': REDACTED}}),
    TextPart('Let me see. 🎉', provider_details={'citations': [{'title': 't'}]}),
    ToolCallPart('f', '{"x":1}', 'tooluse_1'),
    ToolCallPart('g', None, 'tooluse_2'),
]
WHOLE: dict[str, Any] = {
    'output': {
        'message': {
            'role': 'assistant',
            'content': [
                {'reasoningContent': {'reasoningText': {'text': 'Grüße? Yes.', 'signature': 'c2ln'}}},
                {'reasoningContent': {'redactedContent': REDACTED}},
                {'citationsContent': {'content': [{'text': 'Let me see. 🎉'}], 'citations': [{'title': 't'}]}},
                {'toolUse': {'toolUseId': 'tooluse_1', 'name': 'f', 'input': {'x': 1}}},
                {'brandNew': {}},
                {'toolUse': {'toolUseId': 'tooluse_2', 'name': 'g', 'input': {}}},
            ],
        }
    },
    'stopReason': 'tool_use',
    'usage': USAGE,
    'metrics': {'latencyMs': 9},
}


def encoded(events: list[dict[str, Any]]) -> bytes:
    def one(event: dict[str, Any]) -> bytes:
        ((name, payload),) = event.items()
        kind = 'exception' if name.endswith('Exception') else 'event'
        return encode_event({f':{kind}-type': name, ':message-type': kind}, json.dumps(payload).encode())

    return b''.join(map(one, events))


def model(server: ModelServer, **http: Any) -> BedrockModel:
    return BedrockModel(
        NAME,
        region='us-east-1',
        base_url=server.base_url,
        api_key='bearer-key',
        http=HttpOptions(max_retries=0, **http),
    )


def whole(reply: Reply) -> ModelResponse:
    with ModelServer([reply]) as server:
        return model_request_sync(model(server), HELLO)


def streamed(reply: Reply, **http: Any) -> ModelResponse:
    with ModelServer([reply]) as server, model_request_stream_sync(model(server, **http), HELLO) as stream:
        list(stream)
        return stream.get()


def of_bytes(body: bytes, **options: Any) -> Reply:
    return Reply(body=body, content_type=CONTENT_TYPE, **options)


def check(response: ModelResponse) -> None:
    assert response.parts == PARTS
    usage = response.usage
    assert (usage.requests, usage.request_tokens, usage.response_tokens, usage.total_tokens) == (1, 113, 5, 118)
    assert usage.details == {'cached_tokens': 100, 'cache_write_tokens': 3}
    assert (response.finish_reason, response.provider_finish_reason) == ('tool_call', 'tool_use')
    assert (response.model_name, response.provider_name, response.incomplete) == (NAME, 'bedrock', False)


@pytest.mark.parametrize('cut_bytes', [None, 1, 7, 100])
def test_a_stream_whatever_the_cutting(cut_bytes: int | None) -> None:
    check(streamed(of_bytes(encoded(EVENTS), cut_bytes=cut_bytes)))


def test_a_whole_answer() -> None:
    check(whole(Reply(body=WHOLE)))


@pytest.mark.slow
def test_a_stream_cut_at_every_event_is_never_taken_for_whole() -> None:
    for count in range(1, EVENTS.index({'messageStop': {'stopReason': 'tool_use'}}) + 1):
        with pytest.raises(IncompleteStreamError) as caught:
            streamed(of_bytes(encoded(EVENTS[:count])))
        assert caught.value.partial is not None
    check_without_usage = streamed(of_bytes(encoded(EVENTS[:-1])))  # the answer is complete, if not its bill
    assert (check_without_usage.parts, check_without_usage.usage.total_tokens) == (PARTS, None)


def test_a_stream_cut_inside_an_event() -> None:
    body = encoded(EVENTS[:9])
    for lost in (1, 5, 40):
        with pytest.raises(IncompleteStreamError):
            streamed(of_bytes(body[:-lost]))


def test_a_damaged_stream_gives_what_came_before() -> None:
    body = bytearray(encoded(EVENTS))
    body[body.index(b'see.')] ^= 1
    with pytest.raises(UnexpectedModelBehavior, match='its checksum is wrong') as caught:
        streamed(of_bytes(bytes(body)))
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'Let me '
    assert caught.value.provider == 'bedrock'


def test_an_event_too_large() -> None:
    with pytest.raises(UnexpectedModelBehavior, match='max_event_bytes'):
        streamed(Reply('a', big_event_bytes=5000), max_event_bytes=2000)


def test_silence_between_events() -> None:
    with pytest.raises(ModelTimeoutError) as caught:
        streamed(Reply('a', 'b', delay_between_events=20, events_per_write=2), idle_timeout=0.2)
    assert caught.value.phase == 'next event'


def test_a_web_page_instead_of_a_stream() -> None:
    with pytest.raises(UnexpectedModelBehavior):
        streamed(Reply(body='<html>hello</html>', content_type='text/html'))


EXCEPTIONS = {
    'internalServerException': ServerError,
    'modelStreamErrorException': ServerError,
    'serviceUnavailableException': OverloadedError,
    'throttlingException': RateLimitError,
    'validationException': BadRequestError,
    'somethingNewException': ServerError,
}


@pytest.mark.parametrize('name', EXCEPTIONS)
def test_an_exception_in_the_stream(name: str) -> None:
    with pytest.raises(EXCEPTIONS[name]) as caught:
        streamed(of_bytes(encoded([*EVENTS[:8], {name: {'message': 'what went wrong'}}])))
    error = caught.value
    assert isinstance(error, ModelHTTPError)
    assert error.partial is not None
    assert error.partial.text == 'Let me '
    assert 'what went wrong' in str(error)
    assert name[1:] in str(error)


@pytest.mark.timing
def test_other_errors_in_the_stream() -> None:
    with pytest.raises(ContextWindowExceeded):
        streamed(of_bytes(encoded([{'validationException': {'message': 'Input is too long for requested model.'}}])))
    details = {'message': 'm', 'originalStatusCode': 429, 'originalMessage': 'slow down'}
    with pytest.raises(RateLimitError):
        streamed(of_bytes(encoded([{'modelStreamErrorException': details}])))
    plain = encode_event({':message-type': 'error', ':error-code': 'throttlingException', ':error-message': 'no'}, b'')
    with pytest.raises(RateLimitError):
        streamed(of_bytes(plain))


STATUSES: list[tuple[int, str, str, type[Exception], str]] = [
    (400, 'ValidationException', 'Input is too long for requested model.', ContextWindowExceeded, 'shorten it'),
    (400, 'ValidationException', 'prompt is too long: 200049 tokens > 200000 maximum', ContextWindowExceeded, ''),
    (400, 'ValidationException', 'The provided model identifier is invalid.', NotFoundError, 'is a known model'),
    (400, 'ValidationException', 'Retry with the ID of an inference profile', BadRequestError, 'ValidationException'),
    (400, 'ValidationException', 'nonsense', BadRequestError, 'ValidationException'),
    (400, 'ServiceQuotaExceededException', 'quota', RateLimitError, ''),
    (403, 'AccessDeniedException', 'You do not have access', PermissionDeniedError, 'Is the model enabled'),
    (403, 'UnrecognizedClientException', 'token invalid', AuthenticationError, 'AWS_ACCESS_KEY_ID'),
    (403, 'ExpiredTokenException', 'expired', AuthenticationError, 'does not accept'),
    (403, 'InvalidSignatureException', 'mismatch', AuthenticationError, 'does not accept'),
    (404, 'ResourceNotFoundException', 'no such model', NotFoundError, 'is a known model'),
    (408, 'ModelTimeoutException', 'too slow', ServerError, 'ModelTimeoutException'),
    (424, 'ModelErrorException', 'the model failed', ServerError, 'ModelErrorException'),
    (429, 'ThrottlingException', 'Too many tokens, please wait', RateLimitError, 'ThrottlingException'),
    (429, 'ModelNotReadyException', 'warming up', RateLimitError, 'ModelNotReadyException'),
    (500, 'InternalServerException', 'oops', ServerError, ''),
    (503, 'ServiceUnavailableException', 'later', OverloadedError, ''),
]


@pytest.mark.parametrize(('status', 'name', 'message', 'kind', 'words'), STATUSES)
def test_error_statuses(status: int, name: str, message: str, kind: type[Exception], words: str) -> None:
    headers = {'x-amzn-errortype': f'{name}:http://internal.amazon.com/', 'x-amzn-requestid': 'id-1'}
    for ask in (whole, streamed):
        with pytest.raises(kind) as caught:
            ask(Reply(status=status, body={'message': message}, headers=headers))
        assert type(caught.value) is kind
        assert message in str(caught.value)
        assert words in str(caught.value)
    named = {'__type': f'com.amazon.coral.service#{name}', 'message': message}
    with pytest.raises(kind):
        whole(Reply(status=status, body=named))


def test_a_model_that_is_asked_by_a_profile() -> None:
    words = "Invocation of model ID m with on-demand throughput isn't supported. Retry with an inference profile"
    with ModelServer(Reply(status=400, body={'message': words})) as server:
        asked = BedrockModel('anthropic.claude-opus-5', base_url=server.base_url, api_key='bearer-key')
        with pytest.raises(BadRequestError, match=r'such as bedrock:us\.anthropic\.claude-opus-5 or'):
            model_request_sync(asked, HELLO)


def test_throttling_is_tried_again() -> None:
    with ModelServer([Reply(status=429, headers={'retry-after-ms': '1'}), Reply('hi')]) as server:
        asked = BedrockModel(NAME, base_url=server.base_url, api_key='bearer-key')
        assert model_request_sync(asked, HELLO).text == 'hi'
        assert len(server.requests) == 2


STOPS = {
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'max_tokens': 'length',
    'model_context_window_exceeded': 'length',
    'guardrail_intervened': 'content_filter',
    'content_filtered': 'content_filter',
    'malformed_tool_use': 'error',
    'brand_new': None,
}


@pytest.mark.parametrize('reason', STOPS)
def test_stop_reasons(reason: str) -> None:
    for ask in (whole, streamed):
        response: ModelResponse | None = None
        if STOPS[reason] == 'error':  # an answer that failed is an error, which holds it
            with pytest.raises(UnexpectedModelBehavior) as caught:
                ask(Reply('Sorry.', finish_reason=reason))
            response = caught.value.partial
        else:
            response = ask(Reply('Sorry.', finish_reason=reason))
        assert response is not None
        assert (response.finish_reason, response.provider_finish_reason) == (STOPS[reason], reason)


def test_nothing_but_a_filter() -> None:
    for ask in (whole, streamed):
        with pytest.raises(ContentFilterError, match='content_filtered'):
            ask(Reply(finish_reason='content_filter'))


def test_tools_of_the_service_are_kept_unread() -> None:
    call = {'toolUseId': 's1', 'name': 'nova_grounding', 'type': 'server_tool_use'}
    result = {'toolUseId': 's1', 'type': 'nova_grounding_result', 'status': 'success'}
    events: list[dict[str, Any]] = [
        {'contentBlockStart': {'contentBlockIndex': 0, 'start': {'toolUse': call}}},
        {'contentBlockDelta': {'contentBlockIndex': 0, 'delta': {'toolUse': {'input': '{"q":"x"}'}}}},
        {'contentBlockStop': {'contentBlockIndex': 0}},
        {'contentBlockStart': {'contentBlockIndex': 1, 'start': {'toolResult': result}}},
        {'contentBlockDelta': {'contentBlockIndex': 1, 'delta': {'toolResult': [{'text': 'found'}]}}},
        {'contentBlockStop': {'contentBlockIndex': 1}},
        *EVENTS[7:9],
        *EVENTS[-2:],
    ]
    blocks = [{'toolUse': {**call, 'input': {'q': 'x'}}}, {'toolResult': {**result, 'content': [{'text': 'found'}]}}]
    body = {**WHOLE, 'output': {'message': {'role': 'assistant', 'content': [*blocks, {'text': 'Let me see. 🎉'}]}}}
    for response in (streamed(of_bytes(encoded(events))), whole(Reply(body=body))):
        kept = [part.provider_details for part in response.parts if isinstance(part, ThinkingPart)]
        assert (kept, response.text, response.tool_calls) == (blocks, 'Let me see. 🎉', [])


CALLS = [ToolCall('f', {'x': 1})]


def test_botocore_understands_the_model_server() -> None:
    operation = Session().get_service_model('bedrock-runtime').operation_model('ConverseStream')
    reply = Reply(
        'Hi ', 'you', thinking='hm', thinking_signature='c', tool_calls=[ToolCall('f', {'x': 1})], usage=(3, 2)
    )
    with ModelServer([reply, reply]) as server:
        connection = http.client.HTTPConnection('127.0.0.1', server.port)
        read = []
        for path in ('converse-stream', 'converse'):
            connection.request('POST', f'/v1/model/m/{path}', b'{}', {'content-type': 'application/json'})
            read.append(connection.getresponse().read())
        connection.close()
    buffer = EventStreamBuffer()
    buffer.add_data(read[0])
    parser, shape = create_parser('rest-json'), operation.get_event_stream_output()
    events = [parser._event_stream_parser.parse(event.to_response_dict(), shape) for event in buffer]
    assert [next(iter(event)) for event in events[-2:]] == ['messageStop', 'metadata']
    texts = [event['contentBlockDelta']['delta'].get('text') for event in events if 'contentBlockDelta' in event]
    assert [text for text in texts if text] == ['Hi ', 'you']
    output = Session().get_service_model('bedrock-runtime').operation_model('Converse').output_shape
    answer = parser.parse({'status_code': 200, 'headers': {}, 'body': read[1]}, output)
    assert [next(iter(block)) for block in answer['output']['message']['content']] == [
        'reasoningContent',
        'text',
        'toolUse',
    ]
    assert answer['usage'] == {'inputTokens': 3, 'outputTokens': 2, 'totalTokens': 5}


@pytest.mark.slow
@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated(WHOLE))
def test_faulty_answers_raise_nothing_but_our_errors(body: Any) -> None:
    asked = BedrockModel(NAME, region='us-east-1', base_url='http://127.0.0.1:1', api_key='bearer-key')
    with contextlib.suppress(SyncAIError):
        asked._read(body, None, 1)


@pytest.mark.slow
@settings(max_examples=examples(200), deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated(EVENTS), st.integers(0, 5))
def test_faulty_streams_raise_nothing_but_our_errors(events: Any, drop: int) -> None:
    class NoStream:
        pending_at_eof = None
        request_id, attempts = None, 1

    def decoder(builder: PartsBuilder) -> ConverseStreamDecoder:
        return ConverseStreamDecoder(builder, 'bedrock', NAME)

    answer = HttpStreamedResponse(NoStream(), decoder, NAME, 'bedrock')  # type: ignore[arg-type]
    for event in events[drop:]:
        read = ServerSentEvent(None, json.dumps(event), None, None)
        if answer._decode([read], []) is not None:  # an error of the library, or any other
            break
    assert isinstance(answer.get(), ModelResponse)

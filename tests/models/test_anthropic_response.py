from __future__ import annotations

import json
from typing import Any

import pytest

from syncai.exceptions import (
    AgentRunError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextWindowExceeded,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
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
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from syncai.models._anthropic.errors import refine_http_error
from syncai.models._anthropic.response import AnthropicStreamDecoder, anthropic_response
from syncai.models._anthropic.usage import anthropic_usage
from syncai.models._http.parts import PartsBuilder
from syncai.usage import Usage

SERVER_TOOL = {'type': 'server_tool_use', 'id': 'srv_1', 'name': 'web_search', 'input': {'query': 'x'}}
FOUND = {'type': 'web_search_tool_result', 'tool_use_id': 'srv_1', 'content': [{'type': 'web_search_result'}]}
CITATION = {'type': 'web_search_result_location', 'encrypted_index': 'abc'}


def answer(*content: Any, reason: str | None = 'end_turn', **more: Any) -> ModelResponse:
    body = {'type': 'message', 'id': 'msg_1', 'model': 'claude-x', 'content': list(content), 'stop_reason': reason}
    return anthropic_response({**body, **more}, 'anthropic', 'm')


def decoded(
    *events: dict[str, Any] | str,
) -> tuple[AnthropicStreamDecoder, PartsBuilder, list[ModelResponseStreamEvent]]:
    builder = PartsBuilder()
    decoder = AnthropicStreamDecoder(builder, 'anthropic', 'm')
    batch: list[ModelResponseStreamEvent] = []
    decoder.feed([event if isinstance(event, str) else json.dumps(event) for event in events], batch)
    return decoder, builder, batch


def start(usage: Any = None) -> dict[str, Any]:
    message: dict[str, Any] = {
        'id': 'msg_1',
        'type': 'message',
        'model': 'claude-x',
        'content': [],
        'usage': usage or {},
    }
    return {'type': 'message_start', 'message': message}


def block(index: int, content_block: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {'type': 'content_block_start', 'index': index, 'content_block': content_block},
        *({'type': 'content_block_delta', 'index': index, 'delta': delta} for delta in deltas),
        {'type': 'content_block_stop', 'index': index},
    ]


def end(reason: str, usage: Any = None, **delta: Any) -> list[dict[str, Any]]:
    stop = {'stop_reason': reason, 'stop_sequence': None, **delta}
    return [{'type': 'message_delta', 'delta': stop, 'usage': usage or {}}, {'type': 'message_stop'}]


# --- whole answers ----------------------------------------------------------------------------------------------------


def test_a_whole_answer() -> None:
    response = answer(
        {'type': 'thinking', 'thinking': 'hm', 'signature': 'sig'},
        {'type': 'redacted_thinking', 'data': 'xyz'},
        {'type': 'text', 'text': 'hi', 'citations': None},
        {'type': 'text', 'text': ''},
        {'type': 'text', 'text': ' there', 'citations': [CITATION]},
        {'type': 'tool_use', 'id': 'c1', 'name': 'f', 'input': {'x': 'ü'}, 'caller': {'type': 'direct'}},
        {'type': 'tool_use', 'id': 'c2', 'name': 'g', 'input': {}},
        SERVER_TOOL,
        reason='tool_use',
    )
    assert response.parts == [
        ThinkingPart('hm', signature='sig', provider_name='anthropic'),
        ThinkingPart('', provider_name='anthropic', provider_details={'type': 'redacted_thinking', 'data': 'xyz'}),
        TextPart('hi'),
        TextPart(' there', provider_details={'citations': [CITATION]}),
        ToolCallPart('f', '{"x":"ü"}', 'c1', provider_details={'caller': {'type': 'direct'}}),
        ToolCallPart('g', None, 'c2'),
        ThinkingPart('', provider_name='anthropic', provider_details=SERVER_TOOL),
    ]
    assert (response.model_name, response.provider_name, response.provider_response_id) == (
        'claude-x',
        'anthropic',
        'msg_1',
    )
    assert (response.finish_reason, response.provider_finish_reason) == ('tool_call', 'tool_use')
    assert (response.text, response.thinking, response.incomplete) == ('hi there', 'hm', False)


@pytest.mark.parametrize(
    ('reason', 'common'),
    [
        ('end_turn', 'stop'),
        ('stop_sequence', 'stop'),
        ('max_tokens', 'length'),
        ('model_context_window_exceeded', 'length'),
        ('tool_use', 'tool_call'),
        ('refusal', 'content_filter'),
        ('pause_turn', None),
        ('brand_new', None),
    ],
)
def test_stop_reasons(reason: str, common: str | None) -> None:
    whole = answer({'type': 'text', 'text': 'x'}, reason=reason)
    decoder, _, _ = decoded(start(), *block(0, {'type': 'text', 'text': 'x'}), *end(reason))
    for found in (whole, decoder):
        assert (found.finish_reason, found.provider_finish_reason) == (common, reason)


def test_a_question_that_was_declined() -> None:
    details = {'type': 'refusal', 'category': 'cyber', 'explanation': 'No.'}
    with pytest.raises(ContentFilterError, match=r'anthropic declined to answer \(cyber: No\.\)') as caught:
        answer(reason='refusal', stop_details=details)
    assert (caught.value.provider, caught.value.model_name) == ('anthropic', 'm')
    with pytest.raises(ContentFilterError, match='declined to answer: asking'):
        answer(reason='refusal', stop_details=None)
    with pytest.raises(ContentFilterError, match='cyber: No'):
        decoded(start(), *end('refusal', stop_details=details))


def test_usage_counts_what_was_cached_too() -> None:
    usage = anthropic_usage(
        {
            'input_tokens': 10,
            'cache_creation_input_tokens': 200,
            'cache_read_input_tokens': 3000,
            'cache_creation': {'ephemeral_5m_input_tokens': 150, 'ephemeral_1h_input_tokens': 50},
            'output_tokens': 7,
            'output_tokens_details': {'thinking_tokens': 4},
            'server_tool_use': {'web_search_requests': 2, 'web_fetch_requests': 0},
            'service_tier': 'standard',
        }
    )
    assert usage == Usage(
        requests=1,
        request_tokens=3210,
        response_tokens=7,
        total_tokens=3217,
        details={
            'cached_tokens': 3000,
            'cache_write_tokens': 200,
            'cache_write_1h_tokens': 50,
            'reasoning_tokens': 4,
            'web_search_requests': 2,
        },
    )
    assert anthropic_usage(None) == anthropic_usage({'input_tokens': 'x'}) == Usage(requests=1)
    assert anthropic_usage({'input_tokens': 3}) == Usage(requests=1, request_tokens=3)


def test_answers_of_the_wrong_shape() -> None:
    bodies: list[dict[str, Any]] = [{}, {'content': 'x'}, {'choices': []}, {'content': None, 'error': None}]
    for body in bodies:
        with pytest.raises(UnexpectedModelBehavior, match='base_url'):
            anthropic_response(body, 'anthropic', 'm')
    strange = answer(None, 7, {}, {'type': 7}, {'type': 'text', 'text': 7}, {'type': 'thinking'})
    assert strange.parts == [ThinkingPart('', provider_name='anthropic')]
    with pytest.raises(UnexpectedModelBehavior, match='without the name of a tool'):
        answer({'type': 'tool_use'})


# --- errors -----------------------------------------------------------------------------------------------------------


def error(kind: str, message: str = 'm') -> dict[str, Any]:
    return {'type': 'error', 'error': {'type': kind, 'message': message}, 'request_id': 'req_1'}


@pytest.mark.parametrize(
    ('kind', 'status', 'cls'),
    [
        ('invalid_request_error', 400, BadRequestError),
        ('authentication_error', 401, AuthenticationError),
        ('billing_error', 402, ModelHTTPError),
        ('permission_error', 403, PermissionDeniedError),
        ('not_found_error', 404, NotFoundError),
        ('request_too_large', 413, BadRequestError),
        ('rate_limit_error', 429, RateLimitError),
        ('api_error', 500, ServerError),
        ('timeout_error', 504, ServerError),
        ('overloaded_error', 529, OverloadedError),
        ('brand_new_error', 500, ServerError),
    ],
)
def test_errors_with_status_200(kind: str, status: int, cls: type[ModelHTTPError]) -> None:
    with pytest.raises(ModelHTTPError) as caught:
        anthropic_response(error(kind), 'anthropic', 'm', attempts=2, request_id='header')
    assert type(caught.value) is cls
    assert (caught.value.status_code, caught.value.attempts, caught.value.request_id) == (status, 2, 'req_1')
    with pytest.raises(cls) as in_stream:
        decoded(start(), error(kind))
    assert (in_stream.value.model_name, in_stream.value.provider) == ('m', 'anthropic')


@pytest.mark.parametrize(
    ('message', 'cls'),
    [
        ('prompt is too long: 200001 tokens > 200000 maximum', ContextWindowExceeded),
        ('input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000', ContextWindowExceeded),
        ('Output blocked by content filtering policy', ContentFilterError),
        ('max_tokens: Field required', BadRequestError),
    ],
)
def test_what_a_400_means(message: str, cls: type[AgentRunError]) -> None:
    failure = ModelHTTPError.of(400, 'm', error('invalid_request_error', message), headers={'a': 'b'}, attempts=1)
    refined = refine_http_error(failure, 'anthropic', 'm')
    assert type(refined) is cls
    assert (refined.model_name, refined.provider) == ('m', 'anthropic')
    if isinstance(refined, ModelHTTPError):
        assert (refined.attempts, refined.headers) == (1, {'a': 'b'})


def test_what_to_do_about_a_key_and_a_name() -> None:
    refused = refine_http_error(ModelHTTPError.of(401, 'm', error('authentication_error')), 'anthropic', 'm')
    assert 'ANTHROPIC_API_KEY' in str(refused)
    unknown = refine_http_error(ModelHTTPError.of(404, 'm', error('not_found_error')), 'anthropic', 'claude-opus-5.5')
    assert "'anthropic:claude-opus-5-5'" in str(unknown)


# --- streams ----------------------------------------------------------------------------------------------------------


STREAM: list[dict[str, Any]] = [
    start({'input_tokens': 10, 'cache_read_input_tokens': 5, 'output_tokens': 1}),
    {'type': 'ping'},
    *block(
        0,
        {'type': 'thinking', 'thinking': '', 'signature': ''},
        {'type': 'thinking_delta', 'thinking': 'h'},
        {'type': 'thinking_delta', 'thinking': ''},
        {'type': 'thinking_delta', 'thinking': 'm'},
        {'type': 'signature_delta', 'signature': 'sig'},
    ),
    *block(1, {'type': 'text', 'text': ''}, {'type': 'text_delta', 'text': 'hi'}, {'type': 'text_delta', 'text': '!'}),
    *block(
        2,
        {'type': 'tool_use', 'id': 'c1', 'name': 'f', 'input': {}},
        {'type': 'input_json_delta', 'partial_json': ''},
        {'type': 'input_json_delta', 'partial_json': '{"x":'},
        {'type': 'input_json_delta', 'partial_json': '1}'},
    ),
    *block(3, {'type': 'tool_use', 'id': 'c2', 'name': 'f', 'input': {}}),
    *end('tool_use', {'output_tokens': 20, 'input_tokens': None, 'output_tokens_details': {'thinking_tokens': 2}}),
]


def test_the_events_of_a_stream() -> None:
    _, _, batch = decoded(*STREAM)
    assert batch == [
        PartStartEvent(0, ThinkingPart('h', provider_name='anthropic')),
        PartDeltaEvent(0, ThinkingPartDelta('m', None, 'anthropic')),
        PartDeltaEvent(0, ThinkingPartDelta(None, 'sig', 'anthropic')),
        PartStartEvent(1, TextPart('hi')),
        PartDeltaEvent(1, TextPartDelta('!')),
        PartStartEvent(2, ToolCallPart('f', None, 'c1')),
        PartDeltaEvent(2, ToolCallPartDelta(None, '{"x":', None)),
        PartDeltaEvent(2, ToolCallPartDelta(None, '1}', None)),
        PartStartEvent(3, ToolCallPart('f', None, 'c2')),
    ]


def test_the_answer_that_a_stream_makes() -> None:
    decoder, builder, _ = decoded(*STREAM)
    assert builder.parts() == [
        ThinkingPart('hm', signature='sig', provider_name='anthropic'),
        TextPart('hi!'),
        ToolCallPart('f', '{"x":1}', 'c1'),
        ToolCallPart('f', None, 'c2'),
    ]
    assert (decoder.model_name, decoder.response_id, decoder.done) == ('claude-x', 'msg_1', True)
    assert decoder.usage == Usage(
        requests=1,
        request_tokens=15,
        response_tokens=20,
        total_tokens=35,
        details={'cached_tokens': 5, 'reasoning_tokens': 2},
    )


def test_blocks_that_are_none_of_ours_to_read_are_kept() -> None:
    _, builder, _ = decoded(
        start(),
        *block(0, {'type': 'thinking', 'thinking': ''}, {'type': 'signature_delta', 'signature': 'only'}),
        *block(1, {'type': 'redacted_thinking', 'data': 'xyz'}),
        *block(
            2,
            {**SERVER_TOOL, 'input': {}},
            {'type': 'input_json_delta', 'partial_json': '{"query"'},
            {'type': 'input_json_delta', 'partial_json': ': "x"}'},
        ),
        *block(3, FOUND),
        *block(
            4,
            {'type': 'text', 'text': '', 'citations': []},
            {'type': 'citations_delta', 'citation': CITATION},
            {'type': 'text_delta', 'text': 'found'},
            {'type': 'citations_delta', 'citation': CITATION},
        ),
        *block(5, {'type': 'tool_use', 'id': 'c', 'name': 'f', 'input': {'x': 1}, 'caller': {'type': 'direct'}}),
        *end('pause_turn'),
    )
    assert builder.parts() == [
        ThinkingPart('', signature='only', provider_name='anthropic'),
        ThinkingPart('', provider_name='anthropic', provider_details={'type': 'redacted_thinking', 'data': 'xyz'}),
        ThinkingPart('', provider_name='anthropic', provider_details=SERVER_TOOL),
        ThinkingPart('', provider_name='anthropic', provider_details=FOUND),
        TextPart('found', provider_details={'citations': [CITATION, CITATION]}),
        ToolCallPart('f', '{"x":1}', 'c', provider_details={'caller': {'type': 'direct'}}),
    ]


def test_whole_and_streamed_answers_are_the_same() -> None:
    blocks: list[dict[str, Any]] = [
        {'type': 'thinking', 'thinking': 'hm', 'signature': 'sig'},
        {'type': 'redacted_thinking', 'data': 'xyz'},
        SERVER_TOOL,
        {'type': 'text', 'text': 'hi', 'citations': [CITATION]},
        {'type': 'tool_use', 'id': 'c', 'name': 'f', 'input': {'x': [1]}},
        {'type': 'tool_use', 'id': 'd', 'name': 'f', 'input': {}, 'caller': {'type': 'direct'}},
    ]
    events = [event for index, one in enumerate(blocks) for event in block(index, one)]
    _, builder, _ = decoded(start(), *events, *end('tool_use'))
    assert builder.parts() == answer(*blocks).parts


def test_what_is_not_known_is_skipped() -> None:
    decoder, builder, batch = decoded(
        start(),
        {'type': 'brand_new', 'error': None},
        {'no': 'type'},
        {'type': 'content_block_start', 'index': 0, 'content_block': {}},
        {'type': 'content_block_delta', 'index': 0, 'delta': {'type': 'brand_new_delta', 'text': 'x'}},
        {'type': 'content_block_stop', 'index': 9},
        {'type': 'message_delta', 'usage': None},
        *block(1, {'type': 'text', 'text': 'a'}),
    )
    assert builder.parts() == [TextPart('a')]
    assert len(batch) == 1
    assert not decoder.done
    assert not decoder.complete


@pytest.mark.parametrize('payload', ['[1]', '7', '{"type": "content_block_de'])
def test_payloads_that_are_no_events(payload: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match='anthropic sent'):
        decoded(start(), payload)


def test_the_input_of_a_tool_of_the_server_that_is_no_json() -> None:
    with pytest.raises(UnexpectedModelBehavior, match='not JSON'):
        decoded(start(), *block(0, SERVER_TOOL, {'type': 'input_json_delta', 'partial_json': '{"x'}))


def test_nothing_is_read_after_the_end() -> None:
    decoder, _, _ = decoded(start(), *end('end_turn'), '[DONE]')
    assert decoder.done


def test_an_error_of_another_kind_of_server_in_a_stream() -> None:
    with pytest.raises(ServerError):
        decoded(start(), {'error': {'message': 'boom'}})

from __future__ import annotations

from typing import Any

import pytest
from responses_events import OWN, Stream, completed, delta, item, message, text

from syncai.exceptions import (
    AgentRunError,
    BadRequestError,
    ContentFilterError,
    ContextWindowExceeded,
    ModelHTTPError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
)
from syncai.messages import (
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from syncai.models._responses.response import responses_response
from syncai.models._responses.usage import responses_usage
from syncai.usage import Usage


def answer(*output: Any, **more: Any) -> ModelResponse:
    body = {'id': 'resp', 'created_at': 1, 'model': 'm-1', 'status': 'completed', 'output': [*output], **more}
    return responses_response(body, OWN, 'm')


# --- whole answers ----------------------------------------------------------------------------------------------------


def test_a_whole_answer() -> None:
    usage = {
        'input_tokens': 9,
        'input_tokens_details': {'cached_tokens': 4, 'cache_write_tokens': 1},
        'output_tokens': 5,
        'output_tokens_details': {'reasoning_tokens': 2},
    }
    response = answer(message(text('hi')), usage=usage)
    assert response.parts == [TextPart('hi', provider_details={'id': 'msg'})]
    details = {'cached_tokens': 4, 'cache_write_tokens': 1, 'reasoning_tokens': 2}
    counts = Usage(requests=1, request_tokens=9, response_tokens=5, total_tokens=14, details=details)
    assert response.usage == counts
    assert (response.model_name, response.provider_name, response.provider_response_id) == ('m-1', OWN, 'resp')
    assert (response.finish_reason, response.provider_finish_reason) == ('stop', 'completed')
    assert response.timestamp.timestamp() == 1
    assert responses_usage({'usage': None}) == responses_usage({'usage': 'x'}) == Usage(requests=1)


def test_items_of_every_kind() -> None:
    search = {'type': 'web_search_call', 'id': 'ws', 'action': {'query': 'q'}}
    summary = [{'type': 'summary_text', 'text': value} for value in ('one', 'two')]
    response = answer(
        {'type': 'reasoning', 'id': 'rs', 'summary': summary, 'encrypted_content': 'SIG'},
        search,
        {'type': 'reasoning', 'id': 'rs2', 'summary': [], 'content': [{'type': 'reasoning_text', 'text': 'raw'}]},
        message(text('a', annotations=[{'url': 'u'}], logprobs=[]), text('b'), phase='final_answer'),
        {'type': 'function_call', 'id': 'fc', 'call_id': 'c1', 'name': 'f', 'arguments': '{}', 'namespace': 'n'},
        {'type': 'function_call', 'name': 'g', 'arguments': {'a': 1}},
        'what is this',
        {'no': 'type'},
    )
    own: Any = {'provider_name': OWN}
    *parts, last = response.parts
    assert parts == [
        ThinkingPart('one', id='rs', signature='SIG', **own),
        ThinkingPart('two', id='rs', **own),
        ThinkingPart('', id='ws', provider_details={'item': search}, **own),
        ThinkingPart('raw', id='rs2', provider_details={'type': 'reasoning_text'}, **own),
        TextPart('a', provider_details={'id': 'msg', 'phase': 'final_answer', 'annotations': [{'url': 'u'}]}),
        TextPart('b', provider_details={'id': 'msg', 'phase': 'final_answer'}),
        ToolCallPart('f', '{}', 'c1', provider_details={'id': 'fc', 'namespace': 'n'}),
    ]
    assert isinstance(last, ToolCallPart)
    assert (last.tool_name, last.args) == ('g', '{"a":1}')
    assert last.tool_call_id
    assert response.finish_reason == 'tool_call'


def test_a_refusal_is_text_that_the_content_filter_gave() -> None:
    response = answer(message({'type': 'refusal', 'refusal': 'No.'}))
    assert response.parts == [TextPart('No.', provider_details={'id': 'msg', 'refusal': True})]
    assert (response.finish_reason, response.provider_finish_reason) == ('content_filter', 'completed')


@pytest.mark.parametrize(
    ('status', 'reason', 'expected'),
    [
        ('incomplete', 'max_output_tokens', ('length', 'max_output_tokens')),
        ('incomplete', 'content_filter', ('content_filter', 'content_filter')),
        ('incomplete', 'steered', (None, 'steered')),
        ('incomplete', None, (None, 'incomplete')),
        ('cancelled', None, ('error', 'cancelled')),
        ('brand_new', None, (None, 'brand_new')),
        (None, None, ('stop', 'completed')),
    ],
)
def test_why_an_answer_ended(status: str | None, reason: str | None, expected: tuple[Any, str]) -> None:
    response = answer(message(text('hi')), status=status, incomplete_details={'reason': reason})
    assert (response.finish_reason, response.provider_finish_reason, response.text) == (*expected, 'hi')
    if status == 'incomplete':
        event = {'type': 'response.incomplete', 'response': {'incomplete_details': {'reason': reason}}}
        assert Stream().feed(event).reasons == expected


def test_answers_of_the_wrong_shape() -> None:
    bodies: list[dict[str, Any]] = [{'contentType': 'x'}, {'output': 'x'}, {'choices': [{}]}]
    for body in bodies:
        with pytest.raises(UnexpectedModelBehavior, match='base_url'):
            responses_response(body, OWN, 'm')
    with pytest.raises(UnexpectedModelBehavior, match=r"'queued'.*background"):
        answer(status='queued')


# --- errors -----------------------------------------------------------------------------------------------------------

FAILURES: list[tuple[dict[str, Any], type[AgentRunError]]] = [
    ({'code': 'server_error', 'message': 'm'}, ServerError),
    ({'code': 'vector_store_timeout', 'message': 'm'}, ServerError),
    ({'code': 'rate_limit_exceeded', 'message': 'm'}, RateLimitError),
    ({'code': 'context_length_exceeded', 'message': 'm'}, ContextWindowExceeded),
    (
        {'code': 'invalid_prompt', 'message': 'This exceeds the context window.'},
        ContextWindowExceeded,
    ),
    ({'code': 'invalid_prompt', 'message': 'flagged as potentially violating our usage policy'}, ContentFilterError),
    ({'code': 'invalid_prompt', 'message': 'something is missing'}, BadRequestError),
    ({'code': 'bio_policy', 'message': 'm'}, ContentFilterError),
    ({'code': 'misalignment_policy_violation', 'message': 'm'}, ContentFilterError),
    ({'code': 'image_content_policy_violation', 'message': 'm'}, ContentFilterError),
    ({'code': 'unsupported_image_media_type', 'message': 'm'}, BadRequestError),
    ({'code': 'invalid_base64_image', 'message': 'm'}, BadRequestError),
    ({'code': 'data_residency_mismatch', 'message': 'm'}, BadRequestError),
    ({'code': 'brand_new', 'message': 'm'}, ServerError),
]


@pytest.mark.parametrize(('error', 'cls'), FAILURES)
def test_a_failed_answer_is_the_right_error_whole_or_streamed(error: dict[str, Any], cls: type[AgentRunError]) -> None:
    failed = {'id': 'resp', 'status': 'failed', 'error': error, 'output': [], 'instructions': 'a long text'}
    with pytest.raises(AgentRunError) as whole:
        responses_response(failed, OWN, 'm', request_id='req', attempts=2)
    stream = Stream().feed(delta('output_text', 'Hel'))
    usage = {'input_tokens': 3, 'output_tokens': 1}
    with pytest.raises(AgentRunError) as streamed:
        stream.feed({'type': 'response.failed', 'response': {**failed, 'usage': usage}})
    with pytest.raises(AgentRunError) as flat:
        Stream().feed({'type': 'error', **error, 'param': None, 'sequence_number': 1})
    for caught in (whole, streamed, flat):
        assert type(caught.value) is cls
        assert (caught.value.provider, caught.value.model_name) == (OWN, 'm')
        assert 'a long text' not in str(caught.value)
    if isinstance(whole.value, ModelHTTPError):
        assert (whole.value.request_id, whole.value.attempts) == ('req', 2)
    assert (stream.parts, stream.decoder.usage.total_tokens, stream.decoder.complete) == ([TextPart('Hel')], 4, False)


def test_errors_in_other_words() -> None:
    with pytest.raises(ServerError, match='failed'):
        responses_response({'status': 'failed', 'error': None}, OWN, 'm')
    nested: list[Any] = [{'error': {'code': 429}}, {'type': 'error', 'error': {'type': 'tokens', 'message': 'm'}}]
    for payload in nested:
        with pytest.raises(RateLimitError):
            Stream().feed(payload)
    with pytest.raises(RateLimitError):
        responses_response({'error': {'code': 'rate_limit_exceeded'}}, OWN, 'm')
    for wrong in ('{"type": ', '[1]', '7'):
        with pytest.raises(UnexpectedModelBehavior):
            Stream().feed(wrong)


# --- streams ----------------------------------------------------------------------------------------------------------


def test_a_stream_of_text() -> None:
    begun = {'id': 'resp', 'model': 'm-1', 'created_at': 1, 'status': 'in_progress', 'usage': None}
    stream = Stream().feed(
        {'type': 'response.created', 'response': begun},
        item('added', message()),
        {'type': 'response.content_part.added', 'output_index': 0, 'content_index': 0, 'part': text('')},
        delta('output_text', 'Hel', content_index=0),
        delta('output_text', 'lo', content_index=0),
        delta('output_text', ' you', content_index=1),
        {'type': 'response.output_text.done', 'output_index': 0, 'content_index': 0, 'text': 'Hello'},
        {'type': 'response.brand_new.delta', 'delta': 'x'},
        item('done', message(text('Hello', annotations=[{'url': 'u'}]), text(' you'), phase='final_answer')),
    )
    assert not stream.decoder.complete
    stream.feed(completed(**begun, output=[message(text('never read again'))]), '[DONE]')
    assert stream.events == [
        PartStartEvent(0, TextPart('Hel')),
        PartDeltaEvent(0, TextPartDelta('lo')),
        PartStartEvent(1, TextPart(' you')),
    ]
    details = {'id': 'msg', 'phase': 'final_answer'}
    assert stream.parts == [
        TextPart('Hello', provider_details={**details, 'annotations': [{'url': 'u'}]}),
        TextPart(' you', provider_details=details),
    ]
    decoder = stream.decoder
    assert (decoder.model_name, decoder.response_id, decoder.complete) == ('m-1', 'resp', True)
    assert decoder.timestamp is not None
    assert decoder.timestamp.timestamp() == 1
    assert stream.reasons == ('stop', 'completed')


def test_a_stream_of_thoughts_and_calls() -> None:
    call = {'type': 'function_call', 'id': 'fc', 'call_id': 'c', 'name': 'f', 'arguments': ''}
    search = {'type': 'web_search_call', 'id': 'ws'}
    stream = Stream().feed(
        item('added', {'type': 'reasoning', 'id': 'rs', 'summary': []}),
        delta('reasoning_summary_text', 'on', item='rs', summary_index=0),
        delta('reasoning_summary_text', 'e', item='rs', summary_index=0),
        delta('reasoning_summary_text', 'two', item='rs', summary_index=1),
        item(
            'done', {'type': 'reasoning', 'id': 'rs', 'encrypted_content': 'SIG', 'summary': [text('one'), text('two')]}
        ),
        item('added', search, 1),
        item('done', search, 1),
        item('added', call, 2),
        item('added', {**call, 'id': 'fc2', 'call_id': 'c2', 'name': 'g'}, 3),
        delta('function_call_arguments', '{"a":', output=2),
        delta('function_call_arguments', '{}', output=3),
        delta('function_call_arguments', '1}', output=2),
        {'type': 'response.function_call_arguments.done', 'output_index': 2, 'arguments': '{"a":1}'},
        item('done', {**call, 'arguments': '{"a":1}'}, 2),
        item('done', {**call, 'id': 'fc2', 'call_id': 'c2', 'name': 'g', 'arguments': '{}'}, 3),
        item('added', {'type': 'reasoning', 'id': 'rs2'}, 4),
        item('done', {'type': 'reasoning', 'id': 'rs2', 'summary': [], 'encrypted_content': 'SIG2'}, 4),
        completed(usage={'input_tokens': 3, 'output_tokens': 1, 'total_tokens': 4}),
    )
    own: Any = {'provider_name': OWN}
    assert stream.parts == [
        ThinkingPart('one', id='rs', signature='SIG', **own),
        ThinkingPart('two', id='rs', **own),
        ThinkingPart('', id='ws', provider_details={'item': search}, **own),
        ToolCallPart('f', '{"a":1}', 'c', provider_details={'id': 'fc'}),
        ToolCallPart('g', '{}', 'c2', provider_details={'id': 'fc2'}),
        ThinkingPart('', id='rs2', signature='SIG2', **own),
    ]
    assert stream.events[3] == PartDeltaEvent(0, ThinkingPartDelta(None, 'SIG', OWN))
    assert stream.events[5:7] == [
        PartStartEvent(3, ToolCallPart('f', None, 'c')),
        PartStartEvent(4, ToolCallPart('g', None, 'c2')),
    ]
    assert stream.events[9] == PartDeltaEvent(3, ToolCallPartDelta(None, '1}', None))
    assert (stream.reasons, stream.decoder.usage.total_tokens) == (('tool_call', 'completed'), 4)


def test_open_thoughts_and_a_refusal_in_a_stream() -> None:
    stream = Stream().feed(
        delta('reasoning_text', 'raw', item='rs', content_index=0),
        item('done', {'type': 'reasoning', 'id': 'rs', 'summary': [], 'content': [text('raw')]}),
        delta('refusal', 'N', output=1, content_index=0),
        delta('refusal', 'o.', output=1, content_index=0),
        item('done', message({'type': 'refusal', 'refusal': 'No.'}), 1),
        completed(),
    )
    assert stream.parts == [
        ThinkingPart('raw', id='rs', provider_name=OWN, provider_details={'type': 'reasoning_text'}),
        TextPart('No.', provider_details={'id': 'msg', 'refusal': True}),
    ]
    assert stream.reasons == ('content_filter', 'completed')


def test_servers_that_leave_events_out() -> None:
    call = {'type': 'function_call', 'id': 'fc', 'call_id': 'c', 'name': 'f', 'arguments': '{"a":1}'}
    thought = {'type': 'reasoning', 'id': 'rs', 'summary': [text('hm')]}
    output = [thought, message(text('Hello')), call]
    expected = answer(*output).parts
    whole = Stream().feed(completed(output=output))
    items = Stream().feed(*(item('done', one, n) for n, one in enumerate(output)), completed(output=output))
    ends = Stream().feed(
        item('done', thought, 0),
        {'type': 'response.output_text.done', 'output_index': 1, 'content_index': 0, 'text': 'Hello'},
        item('done', output[1], 1),
        item('added', {**call, 'arguments': ''}, 2),
        {'type': 'response.function_call_arguments.done', 'output_index': 2, 'arguments': '{"a":1}'},
        item('done', call, 2),
        completed(output=output),
    )
    added_whole = Stream().feed(
        item('done', thought, 0),
        delta('output_text', 'Hello', output=1),
        item('done', output[1], 1),
        item('added', call, 2),
        item('done', call, 2),
        {'type': 'response.completed'},
    )
    for stream in (whole, items, ends, added_whole):
        assert stream.parts == expected
        assert stream.reasons == ('tool_call', 'completed')


def test_only_a_terminal_event_is_an_end() -> None:
    stream = Stream().feed(delta('output_text', 'Hel'), '[DONE]', {'type': 'response.queued'}, {'type': 'x'})
    assert not stream.decoder.complete
    assert stream.feed({'type': 'response.incomplete'}).decoder.complete

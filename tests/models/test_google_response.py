from __future__ import annotations

import json
from typing import Any

import pytest

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AgentRunError,
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextWindowExceeded,
    IncompleteStreamError,
    MissingKeyError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
    UserError,
)
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
)
from syncai.models import infer_model
from syncai.models._google.errors import refine_http_error
from syncai.models._google.messages import OWN_ID, PART, SIGNATURE, SIGNATURES
from syncai.models._google.response import GoogleStreamDecoder, google_response
from syncai.models._google.usage import google_usage
from syncai.models._http.parts import PartsBuilder
from syncai.models.google import GoogleModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.usage import Usage

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]


def model(server: ModelServer, **options: Any) -> GoogleModel:
    return GoogleModel('gemini-3.7-flash', base_url=server.base_url, **options)


def body(*parts: dict[str, Any], finish: str | None = 'STOP', **more: Any) -> dict[str, Any]:
    reason = {'finishReason': finish} if finish else {}
    return {'candidates': [{'content': {'role': 'model', 'parts': list(parts)}, **reason}], **more}


def call(name: str, **more: Any) -> dict[str, Any]:
    return {'functionCall': {'name': name, **more}}


def decoded(*chunks: dict[str, Any]) -> tuple[PartsBuilder, GoogleStreamDecoder, list[ModelResponseStreamEvent]]:
    builder, batch = PartsBuilder(), list[ModelResponseStreamEvent]()
    decoder = GoogleStreamDecoder(builder, 'google', 'm')
    decoder.feed([json.dumps(chunk) for chunk in chunks], batch)
    return builder, decoder, batch


def failed(reply: Reply, kind: type[AgentRunError]) -> tuple[AgentRunError, list[ModelResponseStreamEvent]]:
    """The error in a stream, and the events before it."""
    seen: list[ModelResponseStreamEvent] = []
    with ModelServer([reply]) as server, model_request_stream_sync(model(server), HELLO) as stream:
        try:
            seen.extend(stream)
        except kind as error:
            return error, seen
    pytest.fail('nothing went wrong')


# --- whole answers ----------------------------------------------------------------------------------------------------


def test_a_whole_answer() -> None:
    response = google_response(
        body(
            {'text': 'hm', 'thought': True, 'thoughtSignature': 's0'},
            {'text': 'a', 'thoughtSignature': 's1'},
            {'text': 'b'},
            {**call('f', args={'x': 1.0}, id='c'), 'thoughtSignature': 's2'},
            call('g'),
            {'executableCode': {'code': '1'}},
            {'inlineData': {'mimeType': 'image/png', 'data': ''}},
            {'text': 'after'},
            modelVersion='m-1',
            responseId='r',
            createTime='2026-11-22T10:00:00.123456789Z',
        ),
        'google',
        'm',
    )
    made_up = response.tool_calls[1].tool_call_id
    assert response.parts == [
        ThinkingPart('hm', signature='s0', provider_name='google'),
        TextPart('ab', provider_details={SIGNATURES: [[0, 1, 's1']]}),
        ToolCallPart('f', '{"x":1.0}', 'c', provider_details={SIGNATURE: 's2'}),
        ToolCallPart('g', '{}', made_up, provider_details={OWN_ID: True}),
        ThinkingPart('', provider_name='google', provider_details={PART: {'executableCode': {'code': '1'}}}),
        ThinkingPart(
            '', provider_name='google', provider_details={PART: {'inlineData': {'mimeType': 'image/png', 'data': ''}}}
        ),
        TextPart('after'),
    ]
    assert made_up.startswith('call_')
    assert (response.model_name, response.provider_name, response.provider_response_id) == ('m-1', 'google', 'r')
    assert (response.finish_reason, response.provider_finish_reason) == ('tool_call', 'STOP')
    assert response.timestamp.isoformat() == '2026-11-22T10:00:00.123456+00:00'


@pytest.mark.parametrize(
    ('raw', 'common'),
    [
        ('STOP', 'stop'),
        ('MAX_TOKENS', 'length'),
        ('SAFETY', 'content_filter'),
        ('RECITATION', 'content_filter'),
        ('IMAGE_SAFETY', 'content_filter'),
        ('MALFORMED_FUNCTION_CALL', 'error'),
        ('OTHER', 'error'),
        ('BRAND_NEW', None),
    ],
)
def test_finish_reasons(raw: str, common: str | None) -> None:
    response = google_response(body(finish=raw), 'google', 'm')
    assert (response.finish_reason, response.provider_finish_reason, response.parts) == (common, raw, [])


def test_usage_counts_thoughts_and_tools() -> None:
    counts = {
        'promptTokenCount': 10,
        'toolUsePromptTokenCount': 2,
        'cachedContentTokenCount': 4,
        'candidatesTokenCount': 5,
        'thoughtsTokenCount': 7,
        'totalTokenCount': 24,
        'promptTokensDetails': [{'modality': 'TEXT', 'tokenCount': 9}, {'modality': 'AUDIO', 'tokenCount': 1}],
        'candidatesTokensDetails': [{'modality': 'IMAGE', 'tokenCount': 3}, 'x', {}],
    }
    details = {
        'cached_tokens': 4,
        'reasoning_tokens': 7,
        'tool_use_tokens': 2,
        'input_audio_tokens': 1,
        'output_image_tokens': 3,
    }
    assert google_usage(counts) == Usage(1, 12, 12, 24, details)
    assert google_usage({'promptTokenCount': 3, 'candidatesTokenCount': 1}) == Usage(1, 3, 1, 4)
    assert google_usage({'promptTokenCount': 3}) == Usage(1, 3, None, None)
    assert google_usage({'promptTokenCount': 'x', 'promptTokensDetails': 3}) == Usage(1)


def test_answers_of_the_wrong_shape() -> None:
    bodies: list[dict[str, Any]] = [{}, {'candidates': []}, {'candidates': 'x'}, {'candidates': [1]}, {'choices': [{}]}]
    for wrong in bodies:
        with pytest.raises(UnexpectedModelBehavior, match='base_url'):
            google_response(wrong, 'google', 'm')


def test_a_blocked_prompt() -> None:
    feedback = {'blockReason': 'PROHIBITED_CONTENT', 'blockReasonMessage': 'because'}
    for chunk in ({'promptFeedback': feedback}, {'promptFeedback': feedback, 'candidates': []}):
        with pytest.raises(ContentFilterError, match=r'PROHIBITED_CONTENT \(because\)'):
            google_response(chunk, 'google', 'm')
        failure, seen = failed(Reply(body=f'data: {json.dumps(chunk)}\r\n\r\n'), ContentFilterError)
        assert (failure.provider, failure.model_name, seen) == ('google', 'gemini-3.7-flash', [])
        assert failure.partial is not None
    with pytest.raises(UnexpectedModelBehavior):
        google_response({'promptFeedback': {'safetyRatings': []}}, 'google', 'm')


# --- streams ----------------------------------------------------------------------------------------------------------


def test_the_events_of_a_stream() -> None:
    builder, decoder, events = decoded(
        body({'text': 'h', 'thought': True}, finish='FINISH_REASON_UNSPECIFIED', usageMetadata={'promptTokenCount': 3}),
        body({'text': ''}, finish=None),
        {'candidates': [{'index': 1, 'content': {'parts': [{'text': 'other'}]}, 'finishReason': 'STOP'}]},
        body({'text': 'm', 'thought': True, 'thoughtSignature': 's0'}, finish=None),
        body({'text': 'Hel'}, finish=None, modelVersion='m-1', responseId='r'),
        body({'text': 'lo', 'thoughtSignature': 's1'}, finish=None),
        body({'text': ''}, {'text': '', 'thoughtSignature': 's2'}, finish=None),
        {'candidates': [{'index': 0}], 'usageMetadata': {'promptTokenCount': 3, 'candidatesTokenCount': 1}},
        {'usageMetadata': None, 'brandNew': {}},
        body(),
    )
    assert events == [
        PartStartEvent(0, ThinkingPart('h', provider_name='google')),
        PartDeltaEvent(0, ThinkingPartDelta('m', 's0', 'google')),
        PartStartEvent(1, TextPart('Hel')),
        PartDeltaEvent(1, TextPartDelta('lo')),
    ]
    assert builder.parts() == [
        ThinkingPart('hm', signature='s0', provider_name='google'),
        TextPart('Hello', provider_details={SIGNATURES: [[3, 5, 's1'], [5, 5, 's2']]}),
    ]
    assert decoder.complete
    assert (decoder.model_name, decoder.response_id, decoder.finish_reason) == ('m-1', 'r', 'stop')
    assert decoder.usage == Usage(1, 3, 1, 4)


def test_parallel_calls_of_the_same_name_and_a_signature_alone() -> None:
    builder, decoder, events = decoded(
        body(call('f', args={}), call('f', args={}), finish=None),
        body(call('f', args={'x': None}), finish=None),
        body({'text': '', 'thoughtSignature': 's'}),
    )
    *calls, last = builder.parts()
    assert [part.args for part in calls if isinstance(part, ToolCallPart)] == ['{}', '{}', '{"x":null}']
    assert last == TextPart('', provider_details={SIGNATURES: [[0, 0, 's']]})
    assert len(events) == 4
    assert decoder.finish_reason == 'tool_call'


def test_a_stream_over_a_socket() -> None:
    reply = Reply('Hel', 'lo', thinking='hm', thinking_signature='s', tool_calls=[ToolCall('f', {'a': 1}, 'c')])
    with ModelServer([reply, reply]) as server:
        with model_request_stream_sync(model(server), HELLO) as stream:
            list(stream)
            streamed = stream.get()
        whole = model_request_sync(model(server), HELLO)
        assert [request.path.rpartition(':')[2] for request in server.requests] == [
            'streamGenerateContent?alt=sse',
            'generateContent',
        ]
    assert (streamed.text, streamed.thinking, streamed.tool_calls) == (
        'Hello',
        'hm',
        [ToolCallPart('f', '{"a":1}', 'c')],
    )
    assert (whole.text, whole.thinking, whole.tool_calls) == (streamed.text, streamed.thinking, streamed.tool_calls)
    assert streamed.finish_reason == whole.finish_reason == 'tool_call'


def test_a_reason_that_is_none_is_no_end() -> None:
    _, decoder, _ = decoded(body({'text': 'a'}, finish='FINISH_REASON_UNSPECIFIED'))
    assert not decoder.complete


@pytest.mark.parametrize('ending', ['eof', 'cut', 'reset'])
def test_a_stream_without_its_end(ending: Any) -> None:
    reply = Reply('Hel', 'lo', ending=ending, cut_after_events=1, delay_between_events=0.02)
    failure, _ = failed(reply, IncompleteStreamError)
    assert failure.partial is not None
    assert (failure.partial.text, failure.partial.incomplete) == ('Hel', True)


def test_an_error_in_a_stream_comes_after_what_was_before_it() -> None:
    failure, seen = failed(Reply('Hel', 'lo', ending='error'), ServerError)
    assert seen == [PartStartEvent(0, TextPart('Hel')), PartDeltaEvent(0, TextPartDelta('lo'))]
    assert failure.partial is not None
    assert (failure.partial.text, failure.provider) == ('Hello', 'google')


def test_an_error_in_a_stream_that_is_no_event() -> None:
    error = json.dumps({'error': {'code': 503, 'message': 'busy', 'status': 'UNAVAILABLE'}}, indent=2)
    text = f'data: {json.dumps(body({"text": "Hel"}, finish=None))}\r\n\r\n{error}\n'
    failure, seen = failed(Reply(body=text), OverloadedError)
    assert seen == [PartStartEvent(0, TextPart('Hel'))]
    assert failure.partial is not None
    assert failure.partial.text == 'Hel'


# --- errors -----------------------------------------------------------------------------------------------------------


def refined(code: int, message: str = 'm', **more: Any) -> AgentRunError:
    error = ModelHTTPError.of(code, 'm', {'error': {'code': code, 'message': message, **more}}, request_id='r')
    return refine_http_error(error, 'google', 'gemini-3.7-flahs')


def test_what_an_error_means() -> None:
    reason = {'@type': 'type.googleapis.com/google.rpc.ErrorInfo', 'reason': 'API_KEY_INVALID'}
    key = refined(400, 'API key not valid.', status='INVALID_ARGUMENT', details=[reason, 'x'])
    assert isinstance(key, AuthenticationError)
    assert (key.status_code, key.request_id) == (400, 'r')
    for error in (key, refined(401)):
        assert 'GOOGLE_API_KEY or GEMINI_API_KEY' in str(error)
    long = refined(400, 'The input token count (1234567) exceeds the maximum number of tokens allowed (1048576).')
    assert isinstance(long, ContextWindowExceeded)
    assert type(refined(400, details=3)) is BadRequestError
    missing = refined(404)
    assert isinstance(missing, NotFoundError)
    assert "Did you mean 'google:gemini-3.7-flash'" in str(missing)
    assert isinstance(refined(429), RateLimitError)
    assert isinstance(refined(503), OverloadedError)


@pytest.mark.parametrize(
    ('error', 'cls'),
    [
        ({'code': 429, 'status': 'RESOURCE_EXHAUSTED'}, RateLimitError),
        ({'status': 'UNAVAILABLE'}, OverloadedError),
        ({'status': 'NOT_FOUND', 'code': 5}, NotFoundError),
        ({'message': 'what'}, ServerError),
        ('words', ServerError),
    ],
)
def test_an_error_with_status_200(error: object, cls: type[AgentRunError]) -> None:
    with pytest.raises(cls):
        google_response({'error': error}, 'google', 'm')
    with pytest.raises(cls):
        decoded(body({'text': 'a'}, finish=None), {'error': error})


@pytest.mark.parametrize('wrapped', [False, True])
def test_google_says_how_long_to_wait(wrapped: bool) -> None:
    info = {'@type': 'type.googleapis.com/google.rpc.RetryInfo', 'retryDelay': '34.5s'}
    error: Any = {'error': {'code': 429, 'message': 'slow', 'status': 'RESOURCE_EXHAUSTED', 'details': [info]}}
    with ModelServer([Reply(status=429, body=[error] if wrapped else error)]) as server:
        with pytest.raises(RateLimitError) as caught:
            model_request_sync(model(server, http=HttpOptions(max_retry_wait=1)), HELLO)
        assert len(server.requests) == 1
    assert caught.value.retry_after == 34.5


# --- the model --------------------------------------------------------------------------------------------------------


def test_the_key_is_in_a_header_and_nowhere_else() -> None:
    with ModelServer(Reply('hi')) as server:
        chosen = model(server, api_key='secret-key')
        model_request_sync(chosen, HELLO)
        with model_request_stream_sync(chosen, HELLO) as stream:
            list(stream)
        for request in server.requests:
            assert request.headers['x-goog-api-key'] == 'secret-key'
            assert 'authorization' not in request.headers
            assert 'secret-key' not in request.path + request.body.decode()
    assert 'secret-key' not in repr(chosen)


@pytest.mark.parametrize(
    ('base_url', 'used'),
    [
        (None, 'https://generativelanguage.googleapis.com/v1beta'),
        ('https://proxy.example', 'https://proxy.example/v1beta'),
        ('https://proxy.example/gemini/', 'https://proxy.example/gemini/v1beta'),
        ('https://proxy.example/v1', 'https://proxy.example/v1'),
        ('https://proxy.example/v1alpha/', 'https://proxy.example/v1alpha'),
    ],
)
def test_the_address_gets_a_version(base_url: str | None, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('GOOGLE_GEMINI_BASE_URL', raising=False)
    assert GoogleModel('gemini-3.7-flash', base_url=base_url, api_key='k').base_url == used
    if base_url:
        monkeypatch.setenv('GOOGLE_GEMINI_BASE_URL', base_url)
        assert GoogleModel('gemini-3.7-flash', api_key='k').base_url == used


@pytest.mark.parametrize(
    ('name', 'path'),
    [
        ('gemini-3.7-flash', '/models/gemini-3.7-flash:generateContent'),
        ('models/gemini-3.7-flash', '/models/gemini-3.7-flash:generateContent'),
        ('tunedModels/mine', '/tunedModels/mine:generateContent'),
        ('a b?c', '/models/a%20b%3Fc:generateContent'),
    ],
)
def test_names_in_the_path(name: str, path: str) -> None:
    assert GoogleModel(name, api_key='k')._path(stream=False) == path


def test_names_lead_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ('GOOGLE_API_KEY', 'GEMINI_API_KEY'):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(MissingKeyError, match='GOOGLE_API_KEY or GEMINI_API_KEY'):
        infer_model('google:gemini-3.7-flash')
    monkeypatch.setenv('GEMINI_API_KEY', 'k')
    for name in ('google:gemini-3.7-flash', 'gemini-3.7-flash', 'google:models/gemini-3.7-flash'):
        found = infer_model(name)
        assert isinstance(found, GoogleModel)
        assert (found.model_name, found.system) == ('gemini-3.7-flash', 'google')
    with pytest.raises(UserError, match='model_name'):
        GoogleModel('models/', api_key='k')

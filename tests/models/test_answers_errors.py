"""Errors that come with status 200, in the forms that servers and gateways write them, for every wire format.

Where each form was seen: vLLM answered with its `ErrorResponse`, whose `object` is `error`, until 0.10
(https://github.com/vllm-project/vllm, entrypoints/openai/protocol.py); DeepInfra's `error_type` is of
https://github.com/NousResearch/hermes-agent/issues/65631; `detail` is FastAPI's, the list of it too
(https://fastapi.tiangolo.com/tutorial/handling-errors/); `base_resp` is MiniMax's
(https://platform.minimaxi.com/document/ChatCompletion%20v2); `status`, `error`, `message` and `path` are Spring's;
a `type` and a `title` are of RFC 9457; and a list around the object is Google's.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from faults import Answer, ask, both_forms, every_format, faulty, model_of

from syncai import Agent
from syncai.exceptions import (
    AgentRunError,
    BadRequestError,
    IncompleteStreamError,
    ModelHTTPError,
    OverloadedError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
)
from syncai.models._http.stated_errors import stated_error

WORDS = 'the queue of the engine is full'
STATED: dict[str, tuple[Any, type[ModelHTTPError]]] = {
    'object': ({'error': {'message': WORDS, 'type': 'rate_limit_error', 'code': 429}}, RateLimitError),
    'text': ({'error': WORDS}, ServerError),
    'beside a null': ({'id': 'x', 'choices': None, 'error': {'message': WORDS, 'code': '503'}}, OverloadedError),
    'vllm': ({'object': 'error', 'message': WORDS, 'type': 'BadRequestError', 'code': 400}, BadRequestError),
    'deepinfra': (
        {'id': 'x', 'choices': None, 'error_type': 'BadRequestError', 'error_message': WORDS},
        BadRequestError,
    ),
    'fastapi, a list': ({'detail': [{'loc': ['body'], 'msg': WORDS, 'type': 'value_error'}]}, ServerError),
    'fastapi, an object': ({'detail': {'error': {'message': WORDS, 'code': 429}}}, RateLimitError),
    'minimax': ({'choices': None, 'base_resp': {'status_code': 1002, 'status_msg': WORDS}}, ServerError),
    'spring': ({'status': 503, 'error': 'Service Unavailable', 'message': WORDS, 'path': '/v1'}, OverloadedError),
    'problem': ({'type': 'about:blank', 'title': 'Busy', 'status': 429, 'detail': WORDS}, RateLimitError),
    'no success': ({'code': 429, 'msg': WORDS, 'data': None, 'success': False}, RateLimitError),
    'errors': ({'errors': [{'code': 'x', 'message': WORDS}], 'result': None, 'success': False}, ServerError),
    'an error of an error': ({'error': {'error': {'message': WORDS, 'code': 429}}}, RateLimitError),
    'a data object': ({'data': {'error': {'message': WORDS, 'code': 429}}}, RateLimitError),
}
every_form = pytest.mark.parametrize('form', STATED)


def events(*payloads: Any, end: bytes = b'data: [DONE]\n\n') -> bytes:
    texts = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    return b''.join(b'data: %s\n\n' % text.encode() for text in texts) + end


def answered(wire: str, body: bytes, kind: str = 'text/event-stream', *, streamed: bool = True) -> AgentRunError:
    """The error of a call that is answered with these bytes and status 200."""

    def fault(answer: Answer) -> None:
        answer.measured(body, b'content-type: ' + kind.encode())

    with faulty(fault) as server, pytest.raises(AgentRunError) as caught:
        ask(model_of(wire, server.base_url), streamed)
    return caught.value


@every_format
@every_form
def test_in_a_stream(wire: str, form: str) -> None:
    if wire == 'bedrock':
        pytest.skip('its streams are of binary messages; see test_bedrock_response')
    body, kind = STATED[form]
    error = answered(wire, events(body))
    assert WORDS in str(error)
    assert type(error) is kind


@pytest.mark.many(7)
@every_format
@every_form
def test_as_the_whole_answer(wire: str, form: str) -> None:
    body, kind = STATED[form]
    error = answered(wire, json.dumps(body).encode(), 'application/json', streamed=False)
    assert WORDS in str(error)
    assert type(error) is kind


def chunk(text: str) -> dict[str, Any]:
    return {'choices': [{'index': 0, 'delta': {'content': text}}]}


IN_A_CHOICE: list[dict[str, Any]] = [
    {'delta': {}, 'error': {'message': WORDS}},
    {'delta': {'content': ''}, 'finish_reason': 'error', 'error': WORDS},
    {'delta': {'error': {'message': WORDS}}, 'finish_reason': 'error'},
    {'error': {'message': WORDS}, 'finish_reason': 'stop'},
]


@pytest.mark.parametrize('choice', IN_A_CHOICE)
def test_an_error_in_a_choice_after_text(choice: dict[str, Any]) -> None:
    """OpenRouter's, and what gateways make of it (https://openrouter.ai/docs/api-reference/errors-and-debugging)."""
    error = answered('chat', events(chunk('Hel'), {'choices': [{'index': 0, **choice}]}))
    assert isinstance(error, ServerError)
    assert WORDS in str(error)
    assert error.partial is not None
    assert error.partial.text == 'Hel'


def test_errors_in_a_list_as_google_writes_them() -> None:
    error = answered('google', events([{'error': {'message': WORDS, 'code': 429}}], end=b''))
    assert isinstance(error, RateLimitError)


@pytest.mark.parametrize('data', ['{"reason": "overheated"}', 'overheated', '"overheated"', '["overheated"]'])
@pytest.mark.parametrize('before', [b'', events(chunk('Hel'), end=b'')], ids=['alone', 'after text'])
def test_an_event_that_is_called_an_error(data: str, before: bytes) -> None:
    """As the Messages of Anthropic name them, whatever stands in it (WHATWG HTML 9.2: the name is the event's type)."""
    error = answered('chat', before + b'event: error\ndata: %s\n\ndata: [DONE]\n\n' % data.encode())
    assert isinstance(error, ServerError)
    assert 'overheated' in str(error)
    assert error.partial is not None
    assert error.partial.text == ('Hel' if before else '')


@every_format
def test_a_stream_with_nothing_in_it(wire: str) -> None:
    for body in (b'', b'data: [DONE]\n\n', b': ping\n\n', events({'odd': 'fish'}, end=b'')):
        if wire == 'bedrock' and body:
            continue
        error = answered(wire, body)
        assert isinstance(error, IncompleteStreamError | UnexpectedModelBehavior)
        assert ('fish' in str(error)) == (b'fish' in body)


def test_what_is_no_part_of_the_answer_makes_an_unannounced_end_no_end() -> None:
    error = answered('chat', events(chunk('Hel'), {'detail': 'worker 3 was shut down'}))
    assert isinstance(error, IncompleteStreamError)
    assert 'worker 3 was shut down' in str(error)


NOTHING_READ = {
    'chat': {'choices': [], 'prompt_filter_results': 'fish'},
    'google': {'candidates': [{}], 'responseId': 'fish'},
    'anthropic': {'type': 'message', 'id': 'fish', 'content': [], 'stop_reason': None},
    'responses': {'type': 'response.created', 'response': {'id': 'fish', 'status': 'in_progress', 'output': []}},
}


@pytest.mark.parametrize('wire', NOTHING_READ)
def test_a_stream_of_known_events_without_an_answer_shows_the_last(wire: str) -> None:
    """Azure sends `prompt_filter_results` without choices first, and Gemini a candidate of nothing."""
    assert 'fish' in str(answered(wire, events(NOTHING_READ[wire], end=b'')))


@pytest.mark.parametrize('wire', ['anthropic', 'google', 'responses'])
def test_the_mark_of_another_format_does_not_hide_what_came(wire: str) -> None:
    """Gateways end streams of every format with `[DONE]`; what came before it is what counts."""
    error = answered(wire, events({'detail': 'worker 3 was shut down'}))
    assert 'worker 3 was shut down' in str(error)


def test_an_agent_does_not_blame_the_model_for_an_empty_stream() -> None:
    def fault(answer: Answer) -> None:
        answer.measured(b'data: [DONE]\n\n', b'content-type: text/event-stream')

    with faulty(fault) as server:
        agent = Agent(model_of('chat', server.base_url), retries=3)
        with agent.run_stream_sync('go') as stream, pytest.raises(IncompleteStreamError, match='without an answer'):
            stream.get_data()
        assert len(server.requests) == 1


@both_forms
@pytest.mark.parametrize('reason', ['abort_by_gpu', None, 'tool_calls'])
def test_an_answer_without_content_that_ended_for_no_known_reason(reason: str | None, streamed: bool) -> None:
    message = {'delta' if streamed else 'message': {'role': 'assistant', 'content': ''}}
    body = {'choices': [{'index': 0, **message, 'finish_reason': reason}]}
    sent = events(body) if streamed else json.dumps(body).encode()
    error = answered('chat', sent, 'text/event-stream' if streamed else 'application/json', streamed=streamed)
    assert str(reason) in str(error) or 'without an answer' in str(error) or 'gave no reason' in str(error)


@pytest.mark.parametrize(
    'body',
    [
        {'message': 'Hi', 'status': 'processing'},
        {'message': {'role': 'assistant', 'content': 'Hi'}},
        {'choices': [], 'error': None, 'base_resp': {'status_code': 0, 'status_msg': ''}},
        {'id': 'x', 'object': 'chat.completion.chunk', 'title': 'Hi', 'code': 0},
        {'type': 'ping'},
        [],
        'error',
    ],
)
def test_what_states_no_error(body: Any) -> None:
    assert stated_error(body) is None

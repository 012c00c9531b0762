"""A `Reply` as OpenAI Chat Completions puts it on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..recorded import RecordedRequest
from ..script import Reply, ToolCall
from .forms_of_replies import json_bytes

__all__ = [
    'closing_events',
    'completion',
    'content_events',
    'CONTENT_TYPE',
    'CUT_EVENT',
    'error_body',
    'error_event',
    'models_body',
    'serves',
]

CONTENT_TYPE = 'text/event-stream; charset=utf-8'
CUT_EVENT = b'data: {"id": "chatcmpl-cut"'

_CREATED = 1_700_000_000
_DONE = b'data: [DONE]\n\n'


def serves(path: str) -> bool:
    """Whether a POST to `path` is a request in this format."""
    return path.endswith('/chat/completions')


def content_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The events of the answer's content, made one by one as they are sent."""
    last_delta: dict[str, Any] | None = None
    event = b''
    for number, delta in enumerate(_deltas(reply)):
        if delta is not last_delta:
            event, last_delta = _chunk(reply, request, delta, None), delta
        yield event[: len(event) // 2] + b'\n\n' if number == reply.malformed_event_at else event


def closing_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The events that end a complete answer: finish reason, usage if the request asks for it, `[DONE]`."""
    yield _chunk(reply, request, {}, _finish_reason(reply))
    options = request.json.get('stream_options') or {}
    if reply.usage is not None and isinstance(options, dict) and options.get('include_usage'):
        head = _head(reply, request, 'chat.completion.chunk')
        yield _event({**head, 'choices': [], 'usage': _usage(reply)})
    yield _DONE


def error_event(reply: Reply) -> bytes:
    """An error in the middle of a stream."""
    return b'data: ' + error_body(max(reply.status, 500)) + b'\n\n'


def completion(reply: Reply, request: RecordedRequest) -> bytes:
    """The whole answer as one JSON body."""
    message: dict[str, Any] = {'role': 'assistant', 'content': _whole_text(reply), 'refusal': None}
    if reply.thinking:
        message['reasoning_content'] = ''.join(reply.thinking)
    if reply.tool_calls:
        message['tool_calls'] = [_call(call, index) for index, call in enumerate(reply.tool_calls)]
    body = _head(reply, request, 'chat.completion')
    body['choices'] = [{'index': 0, 'message': message, 'finish_reason': _finish_reason(reply), 'logprobs': None}]
    if reply.usage is not None:
        body['usage'] = _usage(reply)
    raw = json_bytes(body)
    return raw if reply.malformed_event_at is None else raw[: len(raw) // 2]


def error_body(status: int, message: str | None = None) -> bytes:
    """The provider's error object for a status, or with a text of one's own."""
    kind, code = _ERRORS.get(status, ('server_error' if status >= 500 else 'invalid_request_error', None))
    text = message or f'The server was set to answer {status}.'
    return json_bytes({'error': {'message': text, 'type': kind, 'param': None, 'code': code}})


def models_body() -> bytes:
    """The answer to `GET /v1/models`."""
    model = {'id': 'test-model', 'object': 'model', 'created': _CREATED, 'owned_by': 'syncai'}
    return json_bytes({'object': 'list', 'data': [model]})


_ERRORS: dict[int, tuple[str, str | None]] = {
    401: ('invalid_request_error', 'invalid_api_key'),
    404: ('invalid_request_error', 'model_not_found'),
    429: ('requests', 'rate_limit_exceeded'),
}


def _deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    yield {'role': 'assistant', 'content': ''}
    for text in reply.thinking:
        yield {'reasoning_content': text}
    deltas = [{'content': text} for text in reply.text]
    for _ in range(reply.repeat):
        yield from deltas
    if reply.big_event_bytes is not None:
        yield {'content': 'x' * reply.big_event_bytes}
    for index, call in enumerate(reply.tool_calls):
        yield from _call_deltas(call, index)


def _call_deltas(call: ToolCall, index: int) -> Iterator[dict[str, Any]]:
    whole = _call(call, index)
    args = whole['function']['arguments']
    whole['function']['arguments'] = ''
    yield {'tool_calls': [{'index': index, **whole}]}
    size = max(1, -(-len(args) // max(1, call.pieces)))
    for start in range(0, len(args), size):
        yield {'tool_calls': [{'index': index, 'function': {'arguments': args[start : start + size]}}]}


def _call(call: ToolCall, index: int) -> dict[str, Any]:
    args = call.args if isinstance(call.args, str) else json_bytes(call.args).decode()
    call_id = call.id if call.id is not None else f'call_{index}'
    return {'id': call_id, 'type': 'function', 'function': {'name': call.name, 'arguments': args}}


def _whole_text(reply: Reply) -> str | None:
    text = ''.join(reply.text) * reply.repeat + 'x' * (reply.big_event_bytes or 0)
    return text if text or not reply.tool_calls else None


def _finish_reason(reply: Reply) -> str:
    return reply.finish_reason or ('tool_calls' if reply.tool_calls else 'stop')


def _usage(reply: Reply) -> Mapping[str, Any]:
    if isinstance(reply.usage, tuple):
        prompt, answer = reply.usage
        return {'prompt_tokens': prompt, 'completion_tokens': answer, 'total_tokens': prompt + answer}
    return reply.usage or {}


def _chunk(reply: Reply, request: RecordedRequest, delta: Mapping[str, Any], finish_reason: str | None) -> bytes:
    choice = {'index': 0, 'delta': delta, 'finish_reason': finish_reason}
    return _event({**_head(reply, request, 'chat.completion.chunk'), 'choices': [choice]})


def _head(reply: Reply, request: RecordedRequest, kind: str) -> dict[str, Any]:
    model_asked = request.json.get('model') if isinstance(request.json, dict) else None
    model = reply.model or model_asked or 'test-model'
    return {'id': f'chatcmpl-{request.number}', 'object': kind, 'created': _CREATED, 'model': model}


def _event(payload: Mapping[str, Any]) -> bytes:
    return b'data: ' + json_bytes(payload) + b'\n\n'

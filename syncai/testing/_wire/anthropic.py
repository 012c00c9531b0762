"""A `Reply` as Anthropic Messages puts it on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..recorded import RecordedRequest
from ..script import Reply, ToolCall
from .forms_of_replies import arguments_of, json_bytes

__all__ = [
    'closing_events',
    'completion',
    'content_events',
    'CONTENT_TYPE',
    'CUT_EVENT',
    'error_body',
    'error_event',
    'serves',
]

CONTENT_TYPE = 'text/event-stream; charset=utf-8'
CUT_EVENT = b'event: content_block_delta\ndata: {"type": "content_block_delta", "ind'

_STOP_REASONS = {
    'stop': 'end_turn',
    'length': 'max_tokens',
    'tool_calls': 'tool_use',
    'content_filter': 'refusal',
}
_ERRORS = {
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    409: 'conflict_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    503: 'overloaded_error',
    504: 'timeout_error',
    529: 'overloaded_error',
}


def serves(path: str) -> bool:
    """Whether a POST to `path` is a request in this format."""
    return path.endswith('/messages')


def content_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The events of the answer's content, made one by one as they are sent."""
    last: dict[str, Any] | None = None
    event = b''
    for number, payload in enumerate(_payloads(reply, request)):
        if payload is not last:
            event, last = _event(payload), payload
        yield event[: len(event) // 2] + b'\n\n' if number == reply.malformed_event_at else event


def closing_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The events that end a complete answer: stop reason and usage, then the end."""
    del request
    output = {name: count for name, count in _usage(reply).items() if name == 'output_tokens'}
    delta = {'stop_reason': _stop_reason(reply), 'stop_sequence': None}
    yield _event({'type': 'message_delta', 'delta': delta, 'usage': output})
    yield _event({'type': 'message_stop'})


def error_event(reply: Reply) -> bytes:
    """An error in the middle of a stream."""
    return b'event: error\ndata: ' + error_body(max(reply.status, 500)) + b'\n\n'


def completion(reply: Reply, request: RecordedRequest) -> bytes:
    """The whole answer as one JSON body."""
    content = [_whole(start, deltas) for start, deltas in _blocks(reply)]
    body = {**_message(reply, request), 'content': content, 'stop_reason': _stop_reason(reply), 'usage': _usage(reply)}
    raw = json_bytes(body)
    return raw if reply.malformed_event_at is None else raw[: len(raw) // 2]


def error_body(status: int, message: str | None = None) -> bytes:
    """The provider's error object for a status, or with a text of one's own."""
    kind = _ERRORS.get(status, 'api_error' if status >= 500 else 'invalid_request_error')
    text = message or f'The server was set to answer {status}.'
    return json_bytes({'type': 'error', 'error': {'type': kind, 'message': text}, 'request_id': 'req_test'})


# --- content blocks: how each begins, and its fragments ---------------------------------------------------------------


def _blocks(reply: Reply) -> Iterator[tuple[dict[str, Any], Iterator[dict[str, Any]]]]:
    if reply.thinking or reply.thinking_signature is not None:
        yield {'type': 'thinking', 'thinking': '', 'signature': ''}, _thoughts(reply)
    if reply.text or reply.big_event_bytes is not None:
        yield {'type': 'text', 'text': ''}, _texts(reply)
    for index, call in enumerate(reply.tool_calls):
        call_id = call.id if call.id is not None else f'toolu_{index}'
        yield {'type': 'tool_use', 'id': call_id, 'name': call.name, 'input': {}}, _arguments(call)


def _thoughts(reply: Reply) -> Iterator[dict[str, Any]]:
    for text in reply.thinking:
        yield {'type': 'thinking_delta', 'thinking': text}
    if reply.thinking_signature is not None:
        yield {'type': 'signature_delta', 'signature': reply.thinking_signature}


def _texts(reply: Reply) -> Iterator[dict[str, Any]]:
    deltas = [{'type': 'text_delta', 'text': text} for text in reply.text]
    for _ in range(reply.repeat):
        yield from deltas
    if reply.big_event_bytes is not None:
        yield {'type': 'text_delta', 'text': 'x' * reply.big_event_bytes}


def _arguments(call: ToolCall) -> Iterator[dict[str, Any]]:
    args = call.args if isinstance(call.args, str) else json_bytes(call.args).decode()
    size = max(1, -(-len(args) // max(1, call.pieces)))
    for start in range(0, len(args), size):
        yield {'type': 'input_json_delta', 'partial_json': args[start : start + size]}


def _whole(start: dict[str, Any], deltas: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """A block with all of its fragments in it."""
    block = dict(start)
    args = ''
    for delta in deltas:
        args += delta.get('partial_json', '')
        for field in ('text', 'thinking', 'signature'):
            if field in delta:
                block[field] += delta[field]
    if block['type'] == 'tool_use':
        block['input'] = arguments_of(args)
    return block


# --- events -----------------------------------------------------------------------------------------------------------


def _payloads(reply: Reply, request: RecordedRequest) -> Iterator[dict[str, Any]]:
    usage = _usage(reply)
    counted = {**usage, 'output_tokens': 1} if 'output_tokens' in usage else usage
    message = {**_message(reply, request), 'usage': counted}
    yield {'type': 'message_start', 'message': message}
    for index, (start, deltas) in enumerate(_blocks(reply)):
        yield {'type': 'content_block_start', 'index': index, 'content_block': start}
        last: dict[str, Any] | None = None
        payload: dict[str, Any] = {}
        for delta in deltas:
            if delta is not last:
                payload, last = {'type': 'content_block_delta', 'index': index, 'delta': delta}, delta
            yield payload
        yield {'type': 'content_block_stop', 'index': index}


def _message(reply: Reply, request: RecordedRequest) -> dict[str, Any]:
    model_asked = request.json.get('model') if isinstance(request.json, dict) else None
    return {
        'id': f'msg_{request.number}',
        'type': 'message',
        'role': 'assistant',
        'model': reply.model or model_asked or 'test-model',
        'content': [],
        'stop_reason': None,
        'stop_sequence': None,
    }


def _stop_reason(reply: Reply) -> str:
    if reply.finish_reason is not None:
        return _STOP_REASONS.get(reply.finish_reason, reply.finish_reason)
    return 'tool_use' if reply.tool_calls else 'end_turn'


def _usage(reply: Reply) -> Mapping[str, Any]:
    if isinstance(reply.usage, tuple):
        prompt, answer = reply.usage
        return {'input_tokens': prompt, 'output_tokens': answer}
    return reply.usage or {}


def _event(payload: Mapping[str, Any]) -> bytes:
    return b'event: %s\ndata: %s\n\n' % (payload['type'].encode(), json_bytes(payload))

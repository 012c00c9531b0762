"""A `Reply` as OpenAI Responses puts it on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..recorded import RecordedRequest
from ..script import Reply, ToolCall
from .forms_of_replies import json_bytes, texts_of
from .openai_chat import error_body

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
CUT_EVENT = b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta"'

_CREATED = 1_700_000_000
_INCOMPLETE = {
    'length': 'max_output_tokens',
    'max_output_tokens': 'max_output_tokens',
    'content_filter': 'content_filter',
}


def serves(path: str) -> bool:
    """Whether a POST to `path` is a request in this format."""
    return path.endswith('/responses')


def content_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The events of the answer's content, made one by one as they are sent."""
    for number, payload in enumerate(_payloads(reply, request)):
        event = _event(payload, number)
        yield event[: len(event) // 2] + b'\n\n' if number == reply.malformed_event_at else event


def closing_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The event that ends a complete answer and repeats the whole of it."""
    whole = _response(reply, request)
    number = sum(1 for _ in _payloads(reply, request))
    yield _event({'type': f'response.{whole["status"]}', 'response': whole}, number)


def error_event(reply: Reply) -> bytes:
    """An error in the middle of a stream."""
    status = max(reply.status, 500)
    message = f'The server was set to answer {status}.'
    return _event({'type': 'error', 'code': 'server_error', 'message': message, 'param': None}, 0)


def completion(reply: Reply, request: RecordedRequest) -> bytes:
    """The whole answer as one JSON body."""
    raw = json_bytes(_response(reply, request))
    return raw if reply.malformed_event_at is None else raw[: len(raw) // 2]


# --- events -----------------------------------------------------------------------------------------------------------


def _payloads(reply: Reply, request: RecordedRequest) -> Iterator[dict[str, Any]]:
    start = {**_response(reply, request), 'status': 'in_progress', 'output': [], 'usage': None, 'error': None}
    yield {'type': 'response.created', 'response': start}
    yield {'type': 'response.in_progress', 'response': start}
    calls = iter(reply.tool_calls)
    for index, item in enumerate(_output(reply)):
        kind = item['type']
        if kind == 'reasoning':
            pieces = _reasoning(reply, item, index)
        elif kind == 'message':
            pieces = _message(reply, item, index)
        else:
            pieces = _call(next(calls), item, index)
        yield from pieces
        yield {'type': 'response.output_item.done', 'output_index': index, 'item': item}


def _added(item: dict[str, Any], index: int, **changes: Any) -> dict[str, Any]:
    return {
        'type': 'response.output_item.added',
        'output_index': index,
        'item': {**item, 'status': 'in_progress', **changes},
    }


def _reasoning(reply: Reply, item: dict[str, Any], index: int) -> Iterator[dict[str, Any]]:
    yield _added(item, index, summary=[])
    if not reply.thinking:
        return
    place = {'item_id': item['id'], 'output_index': index, 'summary_index': 0}
    empty, whole = {'type': 'summary_text', 'text': ''}, item['summary'][0]
    yield {'type': 'response.reasoning_summary_part.added', **place, 'part': empty}
    for text in reply.thinking:
        yield {'type': 'response.reasoning_summary_text.delta', **place, 'delta': text}
    yield {'type': 'response.reasoning_summary_text.done', **place, 'text': whole['text']}
    yield {'type': 'response.reasoning_summary_part.done', **place, 'part': whole}


def _message(reply: Reply, item: dict[str, Any], index: int) -> Iterator[dict[str, Any]]:
    yield _added(item, index, content=[])
    place = {'item_id': item['id'], 'output_index': index, 'content_index': 0}
    whole = item['content'][0]
    yield {'type': 'response.content_part.added', **place, 'part': {**whole, 'text': ''}}
    for text in texts_of(reply):
        yield {'type': 'response.output_text.delta', **place, 'delta': text}
    yield {'type': 'response.output_text.done', **place, 'text': whole['text']}
    yield {'type': 'response.content_part.done', **place, 'part': whole}


def _call(call: ToolCall, item: dict[str, Any], index: int) -> Iterator[dict[str, Any]]:
    yield _added(item, index, arguments='')
    place = {'item_id': item['id'], 'output_index': index}
    args = item['arguments']
    size = max(1, -(-len(args) // max(1, call.pieces)))
    for start in range(0, len(args), size):
        delta = args[start : start + size]
        yield {'type': 'response.function_call_arguments.delta', **place, 'delta': delta}
    yield {'type': 'response.function_call_arguments.done', **place, 'arguments': args}


# --- the whole answer -------------------------------------------------------------------------------------------------


def _response(reply: Reply, request: RecordedRequest) -> dict[str, Any]:
    model_asked = request.json.get('model') if isinstance(request.json, dict) else None
    reason = _INCOMPLETE.get(reply.finish_reason or '')
    return {
        'id': f'resp_{request.number}',
        'object': 'response',
        'created_at': _CREATED,
        'status': 'incomplete' if reason else 'completed',
        'error': None,
        'incomplete_details': {'reason': reason} if reason else None,
        'model': reply.model or model_asked or 'test-model',
        'output': list(_output(reply)),
        'usage': _usage(reply),
    }


def _output(reply: Reply) -> Iterator[dict[str, Any]]:
    if reply.thinking or reply.thinking_signature:
        thoughts = [{'type': 'summary_text', 'text': ''.join(reply.thinking)}] if reply.thinking else []
        item = {'type': 'reasoning', 'id': 'rs_0', 'summary': thoughts}
        yield {**item, 'encrypted_content': reply.thinking_signature} if reply.thinking_signature else item
    text = ''.join(texts_of(reply))
    if text or not reply.tool_calls:
        content = [{'type': 'output_text', 'text': text, 'annotations': []}]
        yield {'type': 'message', 'id': 'msg_0', 'role': 'assistant', 'status': 'completed', 'content': content}
    for number, call in enumerate(reply.tool_calls):
        args = call.args if isinstance(call.args, str) else json_bytes(call.args).decode()
        head = {'type': 'function_call', 'id': f'fc_{number}', 'status': 'completed'}
        yield {**head, 'call_id': call.id or f'call_{number}', 'name': call.name, 'arguments': args}


def _usage(reply: Reply) -> Mapping[str, Any] | None:
    if not isinstance(reply.usage, tuple):
        return reply.usage
    prompt, answer = reply.usage
    return {
        'input_tokens': prompt,
        'input_tokens_details': {'cached_tokens': 0},
        'output_tokens': answer,
        'output_tokens_details': {'reasoning_tokens': 0},
        'total_tokens': prompt + answer,
    }


def _event(payload: Mapping[str, Any], number: int) -> bytes:
    kind = payload['type']
    return f'event: {kind}\n'.encode() + b'data: ' + json_bytes({**payload, 'sequence_number': number}) + b'\n\n'

"""A `Reply` as Google's Gemini API puts it on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from ..recorded import RecordedRequest
from ..script import Reply, ToolCall
from .forms_of_replies import arguments_of, json_bytes, texts_of

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

CONTENT_TYPE = 'text/event-stream'
CUT_EVENT = b'data: {"candidates": [{"content"'

_FINISH_REASONS = {'stop': 'STOP', 'tool_calls': 'STOP', 'length': 'MAX_TOKENS', 'content_filter': 'SAFETY'}
_STATUSES = {
    400: 'INVALID_ARGUMENT',
    401: 'UNAUTHENTICATED',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    429: 'RESOURCE_EXHAUSTED',
    503: 'UNAVAILABLE',
    504: 'DEADLINE_EXCEEDED',
}


def serves(path: str) -> bool:
    """Whether a POST to `path` is a request in this format."""
    return path.endswith((':generateContent', ':streamGenerateContent'))


def content_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The events of the answer's content, made one by one as they are sent."""
    for number, part in enumerate(_parts(reply, joined=False)):
        event = _event({**_head(reply, request), 'candidates': [_candidate([part])]})
        yield event[: len(event) // 2] + b'\r\n\r\n' if number == reply.malformed_event_at else event


def closing_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The event that ends a complete answer: an empty text with the finish reason and the usage."""
    yield _event(_whole(reply, request, [{'text': ''}]))


def error_event(reply: Reply) -> bytes:
    """An error in the middle of a stream."""
    return b'data: ' + error_body(max(reply.status, 500)) + b'\r\n\r\n'


def completion(reply: Reply, request: RecordedRequest) -> bytes:
    """The whole answer as one JSON body."""
    raw = json_bytes(_whole(reply, request, list(_parts(reply, joined=True))))
    return raw if reply.malformed_event_at is None else raw[: len(raw) // 2]


def error_body(status: int, message: str | None = None) -> bytes:
    """Google's error object for a status, or with a text of one's own."""
    text = message or f'The server was set to answer {status}.'
    word = _STATUSES.get(status, 'INTERNAL' if status >= 500 else 'INVALID_ARGUMENT')
    return json_bytes({'error': {'code': status, 'message': text, 'status': word}})


def _parts(reply: Reply, *, joined: bool) -> Iterator[dict[str, Any]]:
    """Thoughts, text and calls; the first part after the thoughts carries their signature, as Gemini has it."""
    signature = {'thoughtSignature': reply.thinking_signature} if reply.thinking_signature else {}
    for thought in _joined(reply.thinking) if joined else reply.thinking:
        yield {'text': thought, 'thought': True}
    for text in _joined(texts_of(reply)) if joined else texts_of(reply):
        yield {'text': text, **signature}
        signature = {}
    for call in reply.tool_calls:
        yield {'functionCall': _call(call), **signature}
        signature = {}


def _joined(texts: Iterable[str]) -> list[str]:
    whole = ''.join(texts)
    return [whole] if whole else []


def _call(call: ToolCall) -> dict[str, Any]:
    # Arguments come whole, and as an object: text that is none is what a model wrote that was not held to JSON.
    args = arguments_of(call.args) if isinstance(call.args, str) else call.args
    return {**({} if call.id is None else {'id': call.id}), 'name': call.name, 'args': args}


def _whole(reply: Reply, request: RecordedRequest, parts: list[dict[str, Any]]) -> dict[str, Any]:
    reason = reply.finish_reason or 'stop'
    candidate = {**_candidate(parts), 'finishReason': _FINISH_REASONS.get(reason, reason)}
    usage = {} if reply.usage is None else {'usageMetadata': _usage(reply.usage)}
    return {**_head(reply, request), 'candidates': [candidate], **usage}


def _candidate(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {'content': {'role': 'model', 'parts': parts}, 'index': 0}


def _usage(usage: tuple[int, int] | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(usage, tuple):
        return usage
    prompt, answer = usage
    return {'promptTokenCount': prompt, 'candidatesTokenCount': answer, 'totalTokenCount': prompt + answer}


def _head(reply: Reply, request: RecordedRequest) -> dict[str, Any]:
    model_asked = unquote(request.path).rpartition(':')[0].rpartition('/')[2]
    return {'modelVersion': reply.model or model_asked, 'responseId': f'response-{request.number}'}


def _event(payload: Mapping[str, Any]) -> bytes:
    return b'data: ' + json_bytes(payload) + b'\r\n\r\n'

"""A `Reply` as the Converse API of Amazon Bedrock puts it on the wire, a stream of binary events."""

from __future__ import annotations

import struct
from binascii import crc32
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
    'encode_event',
    'error_body',
    'error_event',
    'serves',
]

CONTENT_TYPE = 'application/vnd.amazon.eventstream'

_STOP_REASONS = {
    'stop': 'end_turn',
    'length': 'max_tokens',
    'tool_calls': 'tool_use',
    'content_filter': 'content_filtered',
}
_EXCEPTIONS = {
    408: 'modelTimeoutException',
    424: 'modelStreamErrorException',
    429: 'throttlingException',
    503: 'serviceUnavailableException',
}


def serves(path: str) -> bool:
    """Whether a POST to `path` is a request in this format."""
    return path.endswith(('/converse', '/converse-stream'))


def encode_event(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message of an AWS event stream, with its lengths and checksums."""
    header_bytes = b''.join(
        struct.pack('>B', len(name)) + name.encode() + struct.pack('>BH', 7, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack('>II', len(header_bytes) + len(payload) + 16, len(header_bytes))
    message = prelude + struct.pack('>I', crc32(prelude)) + header_bytes + payload
    return message + struct.pack('>I', crc32(message))


def content_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The events of the answer's content, made one by one as they are sent."""
    del request
    last: dict[str, Any] | None = None
    event = b''
    for number, (name, payload) in enumerate(_payloads(reply)):
        if number == reply.malformed_event_at:
            raw = json_bytes(payload)
            yield _event(name, raw[: len(raw) // 2])
            continue
        if payload is not last:
            event, last = _event(name, json_bytes(payload)), payload
        yield event


def closing_events(reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    """The events that end a complete answer: the stop reason, then usage."""
    del request
    yield _event('messageStop', json_bytes({'stopReason': _stop_reason(reply)}))
    yield _event('metadata', json_bytes({**_usage(reply), 'metrics': {'latencyMs': 1}}))


def error_event(reply: Reply) -> bytes:
    """An error in the middle of a stream."""
    name = _EXCEPTIONS.get(reply.status, 'internalServerException')
    headers = {':message-type': 'exception', ':exception-type': name, ':content-type': 'application/json'}
    return encode_event(headers, error_body(max(reply.status, 500)))


def completion(reply: Reply, request: RecordedRequest) -> bytes:
    """The whole answer as one JSON body."""
    del request
    message = {'role': 'assistant', 'content': [_whole(start, list(deltas)) for start, deltas in _blocks(reply)]}
    body = {'output': {'message': message}, 'stopReason': _stop_reason(reply), **_usage(reply)}
    raw = json_bytes({**body, 'metrics': {'latencyMs': 1}})
    return raw if reply.malformed_event_at is None else raw[: len(raw) // 2]


def error_body(status: int, message: str | None = None) -> bytes:
    """The provider's error object for a status, or with a text of one's own."""
    return json_bytes({'message': message or f'The server was set to answer {status}.'})


# --- content blocks: how each begins, and its fragments ---------------------------------------------------------------


def _blocks(reply: Reply) -> Iterator[tuple[dict[str, Any] | None, Iterator[dict[str, Any]]]]:
    if reply.thinking or reply.thinking_signature is not None:
        yield None, _thoughts(reply)
    if reply.text or reply.big_event_bytes is not None:
        yield None, _texts(reply)
    for index, call in enumerate(reply.tool_calls):
        call_id = call.id if call.id is not None else f'tooluse_{index}'
        yield {'toolUse': {'toolUseId': call_id, 'name': call.name}}, _arguments(call)


def _thoughts(reply: Reply) -> Iterator[dict[str, Any]]:
    for text in reply.thinking:
        yield {'reasoningContent': {'text': text}}
    if reply.thinking_signature is not None:
        yield {'reasoningContent': {'signature': reply.thinking_signature}}


def _texts(reply: Reply) -> Iterator[dict[str, Any]]:
    deltas = [{'text': text} for text in reply.text]
    for _ in range(reply.repeat):
        yield from deltas
    if reply.big_event_bytes is not None:
        yield {'text': 'x' * reply.big_event_bytes}


def _arguments(call: ToolCall) -> Iterator[dict[str, Any]]:
    args = call.args if isinstance(call.args, str) else json_bytes(call.args).decode()
    size = max(1, -(-len(args) // max(1, call.pieces)))
    for start in range(0, len(args), size):
        yield {'toolUse': {'input': args[start : start + size]}}


def _whole(start: dict[str, Any] | None, deltas: list[dict[str, Any]]) -> dict[str, Any]:
    """A block with all of its fragments in it."""
    if start is not None:
        args = ''.join(delta['toolUse']['input'] for delta in deltas)
        return {'toolUse': {**start['toolUse'], 'input': arguments_of(args)}}
    thoughts = [delta['reasoningContent'] for delta in deltas if 'reasoningContent' in delta]
    if not thoughts:
        return {'text': ''.join(delta['text'] for delta in deltas)}
    text = {'text': ''.join(thought.get('text', '') for thought in thoughts)}
    signatures = [thought['signature'] for thought in thoughts if 'signature' in thought]
    return {'reasoningContent': {'reasoningText': {**text, **({'signature': signatures[-1]} if signatures else {})}}}


# --- events -----------------------------------------------------------------------------------------------------------


def _payloads(reply: Reply) -> Iterator[tuple[str, dict[str, Any]]]:
    yield 'messageStart', {'role': 'assistant'}
    for index, (start, deltas) in enumerate(_blocks(reply)):
        if start is not None:
            yield 'contentBlockStart', {'contentBlockIndex': index, 'start': start}
        last: dict[str, Any] | None = None
        payload: dict[str, Any] = {}
        for delta in deltas:
            if delta is not last:
                payload, last = {'contentBlockIndex': index, 'delta': delta}, delta
            yield 'contentBlockDelta', payload
        yield 'contentBlockStop', {'contentBlockIndex': index}


def _stop_reason(reply: Reply) -> str:
    if reply.finish_reason is not None:
        return _STOP_REASONS.get(reply.finish_reason, reply.finish_reason)
    return 'tool_use' if reply.tool_calls else 'end_turn'


def _usage(reply: Reply) -> dict[str, Any]:
    if isinstance(reply.usage, tuple):
        prompt, answer = reply.usage
        return {'usage': {'inputTokens': prompt, 'outputTokens': answer, 'totalTokens': prompt + answer}}
    return {'usage': reply.usage} if reply.usage else {}


def _event(name: str, payload: bytes) -> bytes:
    headers = {':event-type': name, ':content-type': 'application/json', ':message-type': 'event'}
    return encode_event(headers, payload)


CUT_EVENT = _event('contentBlockDelta', b'{"contentBlockIndex":0,"delta":{"text":"never"}}')[:60]

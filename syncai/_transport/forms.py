"""The form of an answer's body, regardless of its content type, and the events in a whole body; pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from .._base.frozen import dataclass
from .._base.json import read_json, write_json
from .sse import EventStreamDecoder, ServerSentEvent

if TYPE_CHECKING:
    from .aws_events import AwsEventStreamDecoder

__all__ = ['ArrivedEvents', 'events_in', 'form_of', 'is_blank']

_BLANK = b'\xef\xbb\xbf \t\r\n'  # the byte order mark among them
_FIELDS = (b'data', b'event', b'id', b'retry')
_FIELD = re.compile(rb'(?:data|event|id|retry)?[ \t]*(?:[:\r\n]|$)')
_BINARY = 'application/vnd.amazon.eventstream'


def is_blank(body: bytes) -> bool:
    """Whether a body holds only blank lines so far."""
    return not body.strip(_BLANK)


def form_of(content_type: str, body: bytes, *, binary: bool = False) -> Literal['events', 'json', 'other']:
    """The form of a body, from its beginning. This wins over the type: gateways declare streams as `text/plain` or
    JSON, and JSON as a stream.

    Args:
        content_type: Its content type.
        body: Its first bytes; an empty body is a stream without events.
        binary: Whether a stream would consist of binary messages.
    """
    start = body.lstrip(_BLANK)
    kind = content_type.partition(';')[0].strip().lower()
    if kind != _BINARY and start[:1] in (b'{', b'['):
        return 'json'
    if kind == _BINARY or (binary and start[:1] != b'<' and kind not in ('text/html', 'application/json')):
        return 'events'
    if _FIELD.match(start) or any(field.startswith(start) for field in _FIELDS):
        return 'events'
    if kind == 'text/event-stream' and start[:1] != b'<':
        return 'events'
    return 'json' if kind.endswith('json') and start[:1] != b'<' else 'other'


@dataclass(frozen=True)
class ArrivedEvents:
    """The events of a whole body, and its other content."""

    events: list[ServerSentEvent]
    pending_at_eof: ServerSentEvent | None = None


def events_in(
    content_type: str, body: bytes, binary: Callable[[int], AwsEventStreamDecoder] | None = None
) -> ArrivedEvents | None:
    """The events in a body, also as a list of JSON objects or one object per line; None for a single JSON value.

    Args:
        content_type: The content type.
        body: The whole body.
        binary: Makes the decoder of a stream of binary messages.
    """
    if not is_blank(body) and form_of(content_type, body) == 'events':
        is_binary = binary is not None and content_type.startswith(_BINARY)
        decoder: Any = binary(len(body)) if binary and is_binary else EventStreamDecoder(len(body) + 1)
        events = decoder.feed(body)
        return ArrivedEvents(events, decoder.pending() or decoder.bare_json() or decoder.bare_text())
    objects = _objects_in(body)
    return ArrivedEvents([ServerSentEvent(None, text, None, None) for text in objects]) if objects else None


def _objects_in(body: bytes) -> list[str]:
    """The JSON of each object in a body with a list of objects, or one per line."""
    start = body.lstrip(_BLANK)
    try:
        if start[:1] == b'[':
            values = read_json(start)
        elif start[:1] == b'{' and b'}\n' in start.rstrip():
            values = [read_json(line) for line in start.splitlines() if line.strip()]
        else:
            return []
    except ValueError:
        return []
    return [write_json(value).decode() for value in values] if all(isinstance(value, dict) for value in values) else []

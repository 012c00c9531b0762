"""Decoding of `application/vnd.amazon.eventstream`: pure, incremental, in time linear to the bytes.

A message is a prelude (length of the whole, length of the headers, CRC of both), headers, a payload and the CRC of all
before it; numbers are big-endian. From https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html and the
Smithy specification of event streams.
"""

from __future__ import annotations

import struct
from binascii import crc32

from .._base.values import to_json_str
from ..exceptions import UnexpectedModelBehavior
from .sse import EventTooLargeError, ServerSentEvent

__all__ = ['AwsEventStreamDecoder']

_PRELUDE = struct.Struct('>III')
_CRC = struct.Struct('>I')
_LEAST = _PRELUDE.size + _CRC.size
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # bytes of a header's value, by its type
_WITH_LENGTH = (6, _STRING)


class AwsEventStreamDecoder:
    """Turns the bytes of an event stream, cut anywhere, into events.

    The data of an event is the JSON object `{name: payload}`, with the name of the event or of the exception. An error
    without a payload is `{"error": {"code": ..., "message": ...}}`.

    Args:
        max_event_bytes: The longest event that is taken.
    """

    def __init__(self, max_event_bytes: int = 32 * 1024 * 1024) -> None:
        self._max = max_event_bytes
        self._rest: list[bytes] = []
        self._held_bytes = 0
        self._needed = _PRELUDE.size  # the bytes that hold the lengths
        self._failure: Exception | None = None
        self._last_headers = b''  # most events repeat the headers of the one before, which are parsed once
        self._name: str | None = None
        self._opening = ''

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that `chunk` completes; those before a damaged one come before its error.

        Raises:
            EventTooLargeError: An event, complete or not, is longer than `max_event_bytes`.
            UnexpectedModelBehavior: The bytes are damaged, or no such stream.
        """
        self._check()
        self._rest.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes < self._needed:
            return []
        data = b''.join(self._rest)
        events: list[ServerSentEvent] = []
        start = 0
        try:
            while len(data) - start >= self._needed:
                end = start + self._length(data, start)
                if end > len(data):
                    self._needed = end - start
                    break
                events.append(self._event(data[start:end]))
                start, self._needed = end, _PRELUDE.size
        except UnexpectedModelBehavior as failure:
            self._failure = failure
        self._rest = [data[start:]]
        self._held_bytes = len(data) - start
        if not events:
            self._check()
        return events

    def pending(self) -> None:
        """None: an unfinished event does not count. Raises if the bytes after the last event are damaged."""
        self._check()

    def bare_json(self) -> None:
        """None: there is no text outside of events."""

    def bare_text(self) -> None:
        """None: there is no text outside of events."""

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _length(self, data: bytes, start: int) -> int:
        """The length of the message that begins at `start`; believed only with its checksum."""
        total, headers, checksum = _PRELUDE.unpack_from(data, start)
        if crc32(data[start : start + 8]) != checksum:
            raise _damaged('the checksum of its lengths is wrong', data[start:])
        if total < _LEAST or headers > total - _LEAST:
            raise _damaged('its lengths contradict each other', data[start:])
        if total > self._max:
            raise EventTooLargeError(f'an event is longer than {self._max} bytes')
        return int(total)

    def _event(self, message: bytes) -> ServerSentEvent:
        (checksum,) = _CRC.unpack_from(message, len(message) - _CRC.size)
        if crc32(message[: -_CRC.size]) != checksum:
            raise _damaged('its checksum is wrong', message)
        payload_at = _PRELUDE.size + _PRELUDE.unpack_from(message)[1]
        headers = message[_PRELUDE.size : payload_at]
        if headers != self._last_headers or self._name is None:
            try:
                read = _headers(headers)
            except (IndexError, KeyError, struct.error):
                raise _damaged('its headers cannot be read', message) from None
            name = read.get(':exception-type') or read.get(':event-type')
            if read.get(':message-type') == 'error' or name is None:
                problem = {'code': read.get(':error-code'), 'message': read.get(':error-message')}
                return ServerSentEvent('error', to_json_str({'error': problem}), None, None)
            self._last_headers, self._name, self._opening = headers, name, f'{{{to_json_str(name)}:'
        payload = message[payload_at : -_CRC.size].decode('utf-8', 'replace')
        return ServerSentEvent(self._name, f'{self._opening}{payload or "{}"}}}', None, None)


def _headers(data: bytes) -> dict[str, str]:
    """The headers whose value is a string."""
    headers, at = {}, 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind, at = data[at + 1 : name_end].decode('utf-8', 'replace'), data[name_end], name_end + 1
        if kind in _WITH_LENGTH:
            (size,) = struct.unpack_from('>H', data, at)
            at += 2
        else:
            size = _SIZES[kind]
        if at + size > len(data):
            raise IndexError(name)
        if kind == _STRING:
            headers[name] = data[at : at + size].decode('utf-8', 'replace')
        at += size
    return headers


def _damaged(why: str, data: bytes) -> UnexpectedModelBehavior:
    return UnexpectedModelBehavior(
        f'An event of an AWS event stream is damaged: {why}', data[:200].decode('utf-8', 'backslashreplace')
    )

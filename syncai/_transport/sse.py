"""Decoding of event streams (WHATWG HTML 9.2.6): pure, incremental, in time linear to the bytes."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ['EventStreamDecoder', 'EventTooLargeError', 'ServerSentEvent']

_BOM = b'\xef\xbb\xbf'
_MOST_BARE_JSON = 65_536
_MOST_BARE_LINES = 10
_MOST_OF_A_LINE = 1000  # characters
_CR = 13  # a number: for `b'\r' in ...`, Python first formats an error that it drops
_FIELDS = ('id', 'retry')  # fields that may have a value which is not used


class ServerSentEvent(NamedTuple):
    """One event: `event` and `retry` are None if absent; `id` is the last one seen."""

    event: str | None
    data: str
    id: str | None
    retry: int | None


class EventTooLargeError(ValueError):
    """An event is longer than the limit of the decoder."""


_new = tuple.__new__  # half the cost of a NamedTuple's constructor


class EventStreamDecoder:
    """Turns the bytes of an event stream, cut anywhere, into events.

    Args:
        max_event_bytes: The longest event that is taken.
    """

    def __init__(self, max_event_bytes: int = 32 * 1024 * 1024) -> None:
        self._max = max_event_bytes
        self._tail: list[bytes] = []  # pieces of the unfinished line
        self._tail_bytes = 0
        self._between_events = False  # whether no received data belongs to the next event
        self._skip_newline = False  # the last byte was a CR: a LF would belong to it
        self._start: bytes | None = b''  # the first bytes while they may be a byte order mark, then None
        self._data: list[str] = []
        self._data_size = 0
        self._event: str | None = None
        self._id: str | None = None
        self._retry: int | None = None
        self._bare_json: list[str] = []  # lines, from one that begins a JSON value instead of a field
        self._bare_size = 0
        self._bare_text: list[str] = []  # other lines without a field

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that `chunk` completes.

        Raises:
            EventTooLargeError: An event, complete or not, is longer than `max_event_bytes`.
        """
        # One event with one `data` line, the usual read of a slow stream.
        if (
            self._between_events
            and chunk.startswith(b'data: ')
            and chunk.find(b'\n') == len(chunk) - 2
            and chunk[-1] == 10
            and _CR not in chunk
            and len(chunk) <= self._max
        ):
            return [_new(ServerSentEvent, (None, chunk[6:-2].decode('utf-8', 'replace'), self._id, None))]
        events = self._read(chunk)
        self._between_events = self._start is None and not (
            self._tail or self._data or self._skip_newline or self._event or self._retry is not None
        )
        return events

    def _read(self, chunk: bytes) -> list[ServerSentEvent]:
        if self._start is not None:
            chunk = self._without_bom(chunk)
        if self._skip_newline and chunk:
            self._skip_newline = False
            if chunk[0] == 10:
                chunk = chunk[1:]
        end = max(chunk.rfind(b'\n'), chunk.rfind(b'\r')) + 1
        events = self._lines(chunk[:end]) if end else []
        if end < len(chunk):
            self._tail.append(chunk[end:])
            self._tail_bytes += len(chunk) - end
        if self._tail_bytes + self._data_size > self._max:
            raise EventTooLargeError(f'an event is longer than {self._max} bytes')
        return events

    def pending(self) -> ServerSentEvent | None:
        """The event without a final blank line at the end of the stream; call it once, after the last `feed`."""
        last = (self._start or b'') + b''.join(self._tail)
        self._start, self._tail, self._tail_bytes = None, [], 0
        if last:
            self._field(last.decode('utf-8', 'replace'))
        events: list[ServerSentEvent] = []
        self._dispatch(events)
        return events[0] if events else None

    def bare_json(self) -> ServerSentEvent | None:
        """JSON in the stream outside of event fields; call it after `pending`.

        A browser ignores it, but some servers (Google's) report an error in the middle of an answer in this way.
        """
        return ServerSentEvent(None, '\n'.join(self._bare_json), None, None) if self._bare_json else None

    def bare_text(self) -> ServerSentEvent | None:
        """Lines that are neither a field of an event nor JSON, such as a proxy's reason for the end of a stream."""
        return ServerSentEvent(None, '\n'.join(self._bare_text), None, None) if self._bare_text else None

    def _without_bom(self, chunk: bytes) -> bytes:
        start = (self._start or b'') + chunk
        if len(start) < 3 and _BOM.startswith(start):
            self._start = start
            return b''
        self._start = None
        return start[3:] if start.startswith(_BOM) else start

    def _lines(self, lines: bytes) -> list[ServerSentEvent]:
        if self._tail:
            self._tail.append(lines)
            lines = b''.join(self._tail)
            self._tail, self._tail_bytes = [], 0
        if b'\r' in lines:
            self._skip_newline = lines[-1] == 13
            lines = lines.replace(b'\r\n', b'\n').replace(b'\r', b'\n')
        # Line ends are ASCII, so that no character, broken or not, reaches over them: decoding all at once is the same.
        blocks = lines.decode('utf-8', 'replace').split('\n\n')
        if len(lines) > self._max and max(map(len, blocks)) > self._max:
            raise EventTooLargeError(f'an event is longer than {self._max} bytes')
        return self._blocks(blocks)

    def _blocks(self, blocks: list[str]) -> list[ServerSentEvent]:
        rest = blocks.pop()
        events: list[ServerSentEvent] = []
        if blocks and (self._data or self._event is not None or self._retry is not None):
            self._block(blocks.pop(0), events)
        for block in blocks:
            if block.startswith('data: ') and '\n' not in block:
                events.append(_new(ServerSentEvent, (None, block[6:], self._id, None)))
            else:
                self._block(block, events)
        if rest:
            for line in rest[:-1].split('\n'):
                self._line(line, events)
        return events

    def _block(self, block: str, events: list[ServerSentEvent]) -> None:
        for line in block.split('\n'):
            self._line(line, events)
        self._dispatch(events)

    def _line(self, line: str, events: list[ServerSentEvent]) -> None:
        if line:
            self._field(line)
        else:
            self._dispatch(events)

    def _field(self, line: str) -> None:
        name, _, value = line.partition(':')
        if value.startswith(' '):
            value = value[1:]
        if name == 'data':
            self._data.append(value)
            self._data_size += len(value) + 1
        elif name == 'event':
            self._event = value or None
        elif name == 'id' and '\0' not in value:
            self._id = value or None
        elif name == 'retry' and value.isascii() and value.isdigit() and len(value) < 16:
            self._retry = int(value)
        elif (self._bare_json or line[0] in '{[') and self._bare_size + len(line) <= _MOST_BARE_JSON:
            self._bare_json.append(line)
            self._bare_size += len(line)
        elif name and name not in _FIELDS and len(self._bare_text) < _MOST_BARE_LINES:
            self._bare_text.append(line[:_MOST_OF_A_LINE])

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        if self._data:
            if self._data_size > self._max:
                raise EventTooLargeError(f'an event is longer than {self._max} bytes')
            events.append(ServerSentEvent(self._event, '\n'.join(self._data), self._id, self._retry))
            self._data, self._data_size = [], 0
        self._event = self._retry = None

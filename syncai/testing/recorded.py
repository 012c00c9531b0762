"""The server's record of one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ['RecordedRequest']


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """One request as it arrived, and how far its answer has come.

    Only the server's thread writes it; any thread may read it at any moment, also while the answer is being sent.
    Of a server in a process of its own it is a snapshot. All times are of `time.monotonic()`.

    Attributes:
        number: 0 for the first request the server received, then 1, 2, ...
        connection: Number of the TCP connection it came by, from 0: equal numbers mean a connection reused.
        method: The HTTP method.
        path: The path with its query, such as `/v1/chat/completions`.
        headers: The headers, names in lower case; the last of equal names.
        body: The body's bytes.
        json: The body parsed as JSON, or None if it is not JSON.
        received_at: When the last byte of the request had been parsed.
        events_sent: Events of the answer written, the one under way included; a whole body counts as 1.
        bytes_sent: Bytes of the answer (headers and framing included) handed to the operating system.
        headers_sent_at: When the headers of the answer were sent, or None.
        finished_at: When the last bytes of the answer were written or its fault ended it, or None. It is set before a
            client can have the whole answer.
        disconnected_at: When the client was seen to leave before the answer was finished, or None.
    """

    number: int
    connection: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    json: Any
    received_at: float
    events_sent: int = 0
    bytes_sent: int = 0
    headers_sent_at: float | None = None
    finished_at: float | None = None
    disconnected_at: float | None = None

    @property
    def streams(self) -> bool:
        """True if the request asks for a stream of events."""
        if isinstance(self.json, dict) and self.json.get('stream') is True:
            return True
        return self.path.partition('?')[0].endswith((':streamGenerateContent', '/converse-stream'))

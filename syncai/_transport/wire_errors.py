"""The errors between a request and its answer; `failures` turns them into errors of this library.

The names are those of httpx and httpcore, so that log lines of both can be compared.
"""

from __future__ import annotations

__all__ = [
    'AnswerCut',
    'ConnectError',
    'ConnectTimeout',
    'DecodingError',
    'InvalidRequest',
    'ProxyError',
    'ProxyRefusal',
    'ReadError',
    'ReadTimeout',
    'RemoteProtocolError',
    'TransportError',
    'WireError',
    'WireTimeout',
    'WriteTimeout',
]


class WireError(Exception):
    """A request got no whole answer; the message says why, without keys."""


class InvalidRequest(WireError):
    """The address or a header of the request cannot be sent."""


class DecodingError(WireError):
    """The body is not packed as its header says."""


class TransportError(WireError):
    """The connection was not opened, broke, or was silent."""


class ConnectError(TransportError):
    """The connection to the server cannot be opened."""


class ProxyError(TransportError):
    """The connection through the proxy cannot be opened."""


class ProxyRefusal(ProxyError):
    """The proxy refuses, and would again: it wants other credentials, or does not allow the host."""


class ReadError(TransportError):
    """The connection broke."""


class RemoteProtocolError(TransportError):
    """The answer is not HTTP, or only a part of it."""


class AnswerCut(RemoteProtocolError):
    """A part of the answer's head arrived, and then no more of it: the server had taken the request."""


class WireTimeout(TransportError):
    """A wait took too long."""


class ConnectTimeout(WireTimeout):
    """Opening the connection took too long."""


class ReadTimeout(WireTimeout):
    """Nothing arrived in time."""


class WriteTimeout(WireTimeout):
    """The server did not take the request in time."""

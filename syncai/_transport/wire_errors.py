"""What goes wrong between a request and its answer; `failures` makes errors of this library of it.

The names are those that httpx and httpcore have for the same, so that log lines of both can be compared.
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
    """No connection, one that broke, or one that was silent."""


class ConnectError(TransportError):
    """There is no connection to the server."""


class ProxyError(TransportError):
    """There is none through the proxy."""


class ProxyRefusal(ProxyError):
    """The proxy refuses, and would again: it wants other credentials, or does not allow the host."""


class ReadError(TransportError):
    """The connection broke."""


class RemoteProtocolError(TransportError):
    """What came is not HTTP, or is only a part of it."""


class AnswerCut(RemoteProtocolError):
    """A part of the answer's head arrived, and then no more of it: the server had taken the request."""


class WireTimeout(TransportError):
    """It took too long."""


class ConnectTimeout(WireTimeout):
    """The connection did."""


class ReadTimeout(WireTimeout):
    """Nothing arrived in time."""


class WriteTimeout(WireTimeout):
    """The server did not take the request in time."""

"""TLS for the connections of one loop, which share one buffer.

asyncio allocates and zeroes a receive buffer of 256 KiB for each connection: 300 streams held 100 MB unused. Received
bytes are copied before the next callback of the loop, so one buffer can serve all connections of a loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from asyncio import sslproto
from types import FunctionType
from typing import Any, cast

__all__ = ['SHARING_WORKS', 'SharingSSLProtocol', 'start_tls']

_SIZE = 256 * 1024
_READS_WITH_TICKETS = 4

_NAMES = {n for f in vars(sslproto.SSLProtocol).values() if isinstance(f, FunctionType) for n in f.__code__.co_names}
_OF_A_DEQUE = {'popleft', 'appendleft', 'extendleft'}

SHARING_WORKS = (
    isinstance(getattr(sslproto.SSLProtocol, 'max_size', None), int)
    and {'_ssl_buffer', '_ssl_buffer_view'} <= {*sslproto.SSLProtocol.get_buffer.__code__.co_names}
    and '_write_backlog' in _NAMES
    and not _NAMES & _OF_A_DEQUE
)
"""Whether this Python's TLS protocol has the names that the class below needs; else asyncio's own is used."""


class SharingSSLProtocol(sslproto.SSLProtocol):
    """asyncio's protocol, receiving into the buffer of its loop; never used for another loop's connections."""

    # The fields that `__init__` of the base class sets. Python keeps more than 30 in a dict, at 1,500 bytes.
    __slots__ = tuple(
        name
        for name in sslproto.SSLProtocol.__init__.__code__.co_names
        if name.startswith('_') and not hasattr(sslproto.SSLProtocol, name)
    )

    max_size = 0  # bytes that the base class allocates for each connection
    _reads_with_tickets = 0

    def __init__(self, buffer: bytearray, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.max_size = len(buffer)  # type: ignore[misc]
        self._ssl_buffer = buffer
        self._ssl_buffer_view = memoryview(buffer)
        self._write_backlog = []  # type: ignore[assignment] # a deque takes 600 bytes: it has room for 64 items at once

    def _on_handshake_complete(self, handshake_exc: Any) -> None:
        super()._on_handshake_complete(handshake_exc)
        for name in ('peercert', 'cipher'):  # kilobytes that are never used here
            self._extra.pop(name, None)
        self._reads_with_tickets = 0 if handshake_exc else _READS_WITH_TICKETS

    def buffer_updated(self, nbytes: int) -> None:
        """Read the received bytes. Session tickets come with the first bytes, and OpenSSL allocates a buffer of 16 kB
        to answer them, which it keeps while an answer streams, until the next request is written. An empty write frees
        it.
        """
        super().buffer_updated(nbytes)
        if self._reads_with_tickets:
            self._reads_with_tickets -= 1
            with contextlib.suppress(ssl.SSLError, AttributeError):  # the connection is over
                self._sslobj.write(b'')  # type: ignore[attr-defined]


def new_buffer() -> bytearray:
    """The receive buffer of all TLS connections of one loop."""
    return bytearray(_SIZE)


async def start_tls(
    loop: asyncio.AbstractEventLoop,
    buffer: bytearray,
    transport: asyncio.Transport,
    protocol: asyncio.BaseProtocol,
    context: ssl.SSLContext,
    **options: Any,
) -> asyncio.Transport:
    """TLS over `transport`, as with `loop.start_tls`.

    Returns:
        The transport to write to, once the handshake is over.
    """
    waiter: asyncio.Future[None] = loop.create_future()
    tls = SharingSSLProtocol(buffer, loop, protocol, context, waiter, call_connection_made=False, **options)
    transport.pause_reading()  # until the protocol has its transport
    transport.set_protocol(tls)
    beginning = (loop.call_soon(tls.connection_made, transport), loop.call_soon(transport.resume_reading))
    try:
        await waiter
    except BaseException:
        transport.close()
        for handle in beginning:
            handle.cancel()
        raise
    return cast('asyncio.Transport', tls._app_transport)

"""TLS for the connections of one loop, which share one buffer.

asyncio gives each connection 256 KiB of its own to receive into, and zeroes them: 300 streams held 100 MB of nothing.
What arrives there is copied on before the loop goes on, so that one buffer serves all connections of a loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from asyncio import sslproto
from typing import Any, cast

__all__ = ['SHARING_WORKS', 'SharingSSLProtocol', 'start_tls']

_SIZE = 256 * 1024
_READS_WITH_TICKETS = 4

SHARING_WORKS = isinstance(getattr(sslproto.SSLProtocol, 'max_size', None), int) and {
    '_ssl_buffer',
    '_ssl_buffer_view',
} <= {*sslproto.SSLProtocol.get_buffer.__code__.co_names}
"""Whether this Python's TLS protocol receives as the class below expects; if not, asyncio's own is used unchanged."""


class SharingSSLProtocol(sslproto.SSLProtocol):
    """asyncio's protocol, receiving into the buffer of its loop; never used for another loop's connections."""

    max_size = 0  # bytes: what the base class makes for each connection
    _reads_with_tickets = 0

    def __init__(self, buffer: bytearray, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.max_size = len(buffer)  # type: ignore[misc]
        self._ssl_buffer = buffer
        self._ssl_buffer_view = memoryview(buffer)

    def _on_handshake_complete(self, handshake_exc: Any) -> None:
        super()._on_handshake_complete(handshake_exc)
        self._extra.pop('peercert', None)  # kilobytes, for which nothing here asks
        self._reads_with_tickets = 0 if handshake_exc else _READS_WITH_TICKETS

    def buffer_updated(self, nbytes: int) -> None:
        """Read what has arrived.

        The tickets for further sessions come with the first bytes, and OpenSSL makes a buffer to answer them, which it
        keeps until the next request is written: 16 kB for as long as an answer streams. To write nothing gives it back.
        """
        super().buffer_updated(nbytes)
        if self._reads_with_tickets:
            self._reads_with_tickets -= 1
            with contextlib.suppress(ssl.SSLError, AttributeError):  # the connection is over
                self._sslobj.write(b'')  # type: ignore[attr-defined]


def new_buffer() -> bytearray:
    """What all TLS connections of one loop receive into."""
    return bytearray(_SIZE)


async def start_tls(
    loop: asyncio.AbstractEventLoop,
    buffer: bytearray,
    transport: asyncio.Transport,
    protocol: asyncio.BaseProtocol,
    context: ssl.SSLContext,
    **options: Any,
) -> asyncio.Transport:
    """TLS over `transport`, as `loop.start_tls` does it.

    Returns:
        The transport to write to, once the handshake is over.
    """
    waiter: asyncio.Future[None] = loop.create_future()
    tls = SharingSSLProtocol(buffer, loop, protocol, context, waiter, call_connection_made=False, **options)
    transport.pause_reading()  # until the protocol knows its transport
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

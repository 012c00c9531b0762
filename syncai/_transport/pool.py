"""Requests of httpx, sent over connections that are kept for further requests.

Nothing here queues: there is no limit on connections, `client` has a semaphore in front.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from typing import TYPE_CHECKING, NoReturn

import httpx

from .connection import FRAMING, Connection
from .connector import PORTS, Connector, Origin, basic_credentials, proxy_authorization
from .proxies import Proxies
from .resolver import LookUp

if TYPE_CHECKING:
    from ..settings import HttpOptions

__all__ = ['Body', 'ConnectionPool']


class ConnectionPool(httpx.AsyncBaseTransport):
    """Sends requests of httpx; belongs to the loop it is made on.

    Args:
        options: Timeouts, limits, proxy and certificates.
        check: Called with every IP address before a socket to it is opened; raises OSError to refuse it.
        look_up: Looks names up in place of the loop's `getaddrinfo`.
    """

    def __init__(
        self, options: HttpOptions, check: Callable[[str], None] | None = None, look_up: LookUp | None = None
    ) -> None:
        self._options = options
        self._proxies = Proxies(options.proxy)
        self._connector = Connector(options, check, look_up)
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Origin, list[tuple[float, Connection]]] = {}  # since when; the last to come is the next to go
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        deadline = self._loop.time() + self._options.first_event_timeout
        content = b''.join(request.stream) if isinstance(request.stream, httpx.ByteStream) else await request.aread()
        url = request.url
        origin = _origin(url)
        proxy = self._proxies.of(url.scheme, url.host, origin[2])
        connection = self._kept(origin) or await self._opened(origin, proxy, deadline)
        try:
            head = _head(request, len(content), proxy if url.scheme == 'http' else None)
            if (begin := request.extensions.get('begin')) is not None:
                begin()
            await connection.ask(head, content, deadline)
        except BaseException:
            self._give_back(origin, connection)
            raise
        body = Body(connection, deadline, self._options.idle_timeout, functools.partial(self._give_back, origin))
        return httpx.Response(connection.status, headers=connection.headers, stream=body, extensions={'body': body})

    async def aclose(self) -> None:
        """Close all connections, also those in use; one that is being opened is closed once it is."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        for connection in list(self._open):
            connection.close()
        self._open.clear()
        await asyncio.sleep(0)  # in which their sockets are closed

    async def _opened(self, origin: Origin, proxy: str | None, deadline: float) -> Connection:
        connection = await self._connector.connect(origin, proxy, deadline)
        if self._closed:
            connection.close()  # and later questions get this answer
        else:
            self._open.add(connection)
        return connection

    # --- connections that are kept ------------------------------------------------------------------------------------

    def idle_connections(self) -> list[Connection]:
        """Those that wait for a request."""
        return [connection for kept in self._idle.values() for _, connection in kept if connection.reusable]

    def open_connections(self) -> list[Connection]:
        """All that have a socket."""
        return [connection for connection in self._open if connection.transport is not None]

    def _kept(self, origin: Origin) -> Connection | None:
        kept, oldest = self._idle.get(origin), self._loop.time() - self._options.keepalive_expiry
        while kept:
            since, connection = kept.pop()
            if connection.reusable and since > oldest:
                return connection
            self._drop(connection)
        return None

    def _give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next request, or close it, where there can be none."""
        if not connection.reusable or not self._options.keepalive_expiry or connection not in self._open:
            self._drop(connection)
            return
        self._idle.setdefault(origin, []).append((self._loop.time(), connection))
        if self._sweep is None:
            self._sweep_later()

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.close()

    def _sweep_later(self) -> None:
        self._sweep = self._loop.call_later(self._options.keepalive_expiry, self._close_expired, context=Context())

    def _close_expired(self) -> None:
        self._sweep = None
        oldest = self._loop.time() - self._options.keepalive_expiry
        for origin, kept in list(self._idle.items()):
            for since, connection in kept:
                if since <= oldest or not connection.reusable:
                    self._drop(connection)
            self._idle[origin] = [(since, connection) for since, connection in kept if connection in self._open]
            if not self._idle[origin]:
                del self._idle[origin]
        if self._idle:
            self._sweep_later()


class Body(httpx.AsyncByteStream):
    """The bytes of one response as they arrive: the first before `deadline`, each other within `idle` seconds.

    Time counts only while the socket is waited for, not while the consumer is busy.
    """

    def __init__(
        self, connection: Connection, deadline: float, idle: float, give_back: Callable[[Connection], None]
    ) -> None:
        self._connection: Connection | None = connection
        self._loop = asyncio.get_running_loop()
        self._first_deadline: float | None = deadline
        self._idle = idle
        self._give_back = give_back
        self.may_be_cut = False  # known at the end: see `Connection.may_be_cut`

    async def read(self) -> bytes:
        """What has arrived since the last read, waited for; nothing at the end.

        Raises:
            httpx.TransportError: The connection broke, or nothing arrived in time.
        """
        if self._connection is None:
            return b''
        deadline, self._first_deadline = self._first_deadline or self._loop.time() + self._idle, None
        chunk = await self._connection.read(deadline)
        if not chunk:
            self.may_be_cut = self._connection.may_be_cut
            self._release()
        return chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    async def aclose(self) -> None:
        self._release()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._give_back(connection)


def _origin(url: httpx.URL) -> Origin:
    scheme = url.scheme
    if scheme not in PORTS or not url.host:
        raise httpx.UnsupportedProtocol(
            f'its address begins with {scheme or "nothing"!r}, not with http:// or https://'
        )
    return scheme, url.raw_host.decode('ascii'), url.port or PORTS[scheme]


def _head(request: httpx.Request, length: int, proxy: str | None) -> bytes:
    """The request line and the headers; a proxy that reads them gets the whole address.

    Where the body ends is for us to say, and for no header of the request: two answers to that are two requests.
    """
    url, names = request.url, set[bytes]()
    target = url.raw_path if proxy is None else b'%s://%s%s' % (url.raw_scheme, url.netloc, url.raw_path)
    lines = [b'%s %s HTTP/1.1' % (request.method.encode('ascii'), target)]
    for name, value in request.headers.raw:
        names.add(lowered := name.lower())
        if lowered not in FRAMING:
            lines.append(b'%s: %s' % (name, value))
    if b'host' not in names:
        lines.append(b'Host: %s' % url.netloc)
    if length or request.method == 'POST':
        lines.append(b'Content-Length: %d' % length)
    if url.userinfo and b'authorization' not in names:
        lines.append(b'Authorization: %s' % basic_credentials(url.username, url.password))
    if proxy is not None:
        lines += proxy_authorization(proxy)
    head = b'\r\n'.join((*lines, b'', b''))
    ends = len(lines) + 1
    if head.count(b'\r') != ends or head.count(b'\n') != ends or b'\0' in head:
        _refuse(lines)
    return head


def _refuse(lines: list[bytes]) -> NoReturn:
    """A line break in a header would begin another header, or another request."""
    line = next(line for line in lines if any(character in line for character in (b'\r', b'\n', b'\0')))
    name = line.partition(b':')[0].decode('latin-1')
    raise httpx.UnsupportedProtocol(f'the header {name[:100]!r} holds a line break or a zero')

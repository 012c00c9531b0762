"""Requests over kept connections. Nothing queues here: the number of connections is unlimited, and `client` has a
semaphore in front.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, NoReturn

from .address import Address, Origin, address_of
from .connection import Connection
from .connector import Connector, basic_credentials, proxy_authorization
from .proxies import Proxies
from .resolver import LookUp
from .wire import WireRequest, WireResponse
from .wire_errors import InvalidRequest

if TYPE_CHECKING:
    from ..settings import HttpOptions

__all__ = ['Body', 'ConnectionPool']

_FRAMING = ('content-length', 'transfer-encoding')  # the headers that say where a body ends


class ConnectionPool:
    """Sends requests; belongs to the loop it is made on.

    Args:
        options: Timeouts, limits, proxy and certificates.
        check: Called with every IP address before a socket to it is opened; raises OSError to refuse it.
        look_up: Looks names up instead of the loop's `getaddrinfo`.
    """

    def __init__(
        self, options: HttpOptions, check: Callable[[str], None] | None = None, look_up: LookUp | None = None
    ) -> None:
        self._options = options
        self._proxies = Proxies(options.proxy)
        self._connector = Connector(options, check, look_up)
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Origin, list[tuple[float, Connection]]] = {}  # since when; last in, first out
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def send(self, request: WireRequest) -> WireResponse:
        """The head of the answer, and its body to be read.

        Raises:
            WireError: There is none.
        """
        deadline = self._loop.time() + self._options.first_event_timeout
        address = address_of(request.url)
        origin = scheme, _, port = address.origin
        proxy = self._proxies.of(scheme, address.host, port)
        connection = self._kept(origin) or await self._opened(origin, proxy, deadline)
        try:
            head = _head(request, address, proxy if scheme == 'http' else None)
            if request.begin is not None:
                request.begin()
            await connection.ask(head, request.content, deadline)
        except BaseException:
            self.give_back(origin, connection)
            raise
        body = Body(self, origin, connection, deadline, self._options.idle_timeout)
        headers, connection.headers = connection.headers, []  # not held for as long as an answer streams
        return WireResponse(connection.status, headers, body)

    async def aclose(self) -> None:
        """Close all connections, also those in use; an opening one is closed when it is open."""
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
            connection.close()  # later calls get the same result
        else:
            self._open.add(connection)
        return connection

    # --- connections that are kept ------------------------------------------------------------------------------------

    def idle_connections(self) -> list[Connection]:
        """The connections without a request."""
        return [connection for idle in self._idle.values() for _, connection in idle if connection.reusable]

    def open_connections(self) -> list[Connection]:
        """All connections with a socket."""
        return [connection for connection in self._open if connection.transport is not None]

    def _kept(self, origin: Origin) -> Connection | None:
        idle, oldest = self._idle.get(origin), self._loop.time() - self._options.keepalive_expiry
        while idle:
            since, connection = idle.pop()
            if connection.reusable and since > oldest:
                return connection
            self._drop(connection)
        return None

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next request, or close it if it cannot be reused."""
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
        for origin, idle in list(self._idle.items()):
            for since, connection in idle:
                if since <= oldest or not connection.reusable:
                    self._drop(connection)
            self._idle[origin] = [(since, connection) for since, connection in idle if connection in self._open]
            if not self._idle[origin]:
                del self._idle[origin]
        if self._idle:
            self._sweep_later()


class Body:
    """The bytes of one response as they arrive: the first before `deadline`, each other within `idle` seconds.

    Time counts only while the socket is waited for, not while the consumer is busy.
    """

    __slots__ = ('_connection', '_first_deadline', '_idle', '_loop', '_origin', '_pool', 'may_be_cut')

    def __init__(
        self, pool: ConnectionPool, origin: Origin, connection: Connection, deadline: float, idle: float
    ) -> None:
        self._pool = pool
        self._origin = origin
        self._connection: Connection | None = connection
        self._loop = asyncio.get_running_loop()
        self._first_deadline: float | None = deadline
        self._idle = idle
        self.may_be_cut = False  # known at the end: see `Connection.may_be_cut`

    async def read(self) -> bytes:
        """The bytes since the last read; waits for some; empty at the end.

        Raises:
            TransportError: The connection broke, or nothing arrived in time.
        """
        if self._connection is None:
            return b''
        deadline, self._first_deadline = self._first_deadline or self._loop.time() + self._idle, None
        chunk = await self._connection.read(deadline)
        if not chunk:
            self.may_be_cut = self._connection.may_be_cut
            self._release()
        return chunk

    async def pump(self, take: Callable[[bytes], bool]) -> None:
        """Give what arrives to `take`, as `Connection.pump` does; `read` goes on where it returns."""
        if self._connection is not None:
            await self._connection.pump(take, self._idle)

    async def aclose(self) -> None:
        """Keep the connection if the answer was read to its end, else close it; never waits."""
        self._release()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(self._origin, connection)


def _head(request: WireRequest, address: Address, proxy: str | None) -> bytes:
    """The request line and the headers; a forwarding proxy gets the whole address. Only this function sets the length
    of the body, and no header of the user: two lengths would be read as two requests.
    """
    headers, scheme = request.headers, address.origin[0]
    target = address.target if proxy is None else f'{scheme}://{address.netloc}{address.target}'
    lines = [f'{request.method} {target} HTTP/1.1']
    lines += [f'{name}: {value}' for name, value in headers.items() if name not in _FRAMING]
    if 'host' not in headers:
        lines.append(f'Host: {address.netloc}')
    if request.content or request.method == 'POST':
        lines.append(f'Content-Length: {len(request.content)}')
    if address.credentials and 'authorization' not in headers:
        lines.append(f'Authorization: {basic_credentials(*address.credentials)}')
    if proxy is not None:
        lines += proxy_authorization(proxy)
    head = '\r\n'.join((*lines, '', ''))
    ends = len(lines) + 1
    if head.count('\r') != ends or head.count('\n') != ends or '\0' in head or not head.isascii():
        _refuse(lines)
    return head.encode('ascii')


def _refuse(lines: list[str]) -> NoReturn:
    """Raise for a line break in a header, which would begin another header or request."""
    line = next(line for line in lines if any(character in line for character in '\r\n\0') or not line.isascii())
    what = 'a line break or a zero' if line.isascii() else 'a character that is not ASCII'
    raise InvalidRequest(f'the header {line.partition(":")[0][:100]!r} holds {what}')

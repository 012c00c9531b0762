"""Opening connections: names, happy eyeballs, TLS, and the proxies in between."""

from __future__ import annotations

import asyncio
import base64
import math
import socket
import ssl
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import unquote, urlsplit

from .._base.phases import names_wait
from .._base.system import original
from .address import PORTS, Origin
from .causes import cause_in_words
from .certificates import begin_loading, tls_of
from .connection import Connection
from .handshakes import Handshakes
from .proxies import credentials_remedy, without_password
from .resolver import LookUp, Resolver
from .wire_errors import ConnectError, ConnectTimeout, ProxyError, ProxyRefusal, TransportError

if TYPE_CHECKING:
    from ..settings import HttpOptions

__all__ = ['basic_credentials', 'Connector', 'proxy_authorization']

T = TypeVar('T')

_READ_BUFFER = 256 * 1024
_EYEBALLS_DELAY = 0.25
_TEMPORARY = (408, 425, 429)  # statuses of a proxy that may open a tunnel later
_KEEPALIVE = (('TCP_KEEPIDLE', 30), ('TCP_KEEPALIVE', 30), ('TCP_KEEPINTVL', 10), ('TCP_KEEPCNT', 4))


class Connector:
    """Opens connections; belongs to the loop it is made on.

    It works in an empty context, so that a connection, which outlives its first request, keeps none of that request's
    values alive.

    Args:
        options: The timeout and the certificates.
        check: Called with every IP address before a socket to it is opened; raises OSError to refuse it.
        look_up: Looks names up instead of the loop's `getaddrinfo`.
    """

    def __init__(
        self, options: HttpOptions, check: Callable[[str], None] | None = None, look_up: LookUp | None = None
    ) -> None:
        self._options = options
        self._check = check
        self._loop = asyncio.get_running_loop()
        self._resolver = Resolver(self._loop, look_up)
        self._buffer = memoryview(bytearray(_READ_BUFFER))
        self._handshakes = Handshakes(self._loop)

    async def connect(self, origin: Origin, proxy: str | None, deadline: float) -> Connection:
        """A connection to `origin` or, for http, to the proxy that forwards requests.

        Args:
            origin: Scheme, host and port.
            proxy: The address of the proxy, or None.
            deadline: The time limit by the loop's clock; the timeout of the options may end earlier.

        Raises:
            ConnectTimeout, ConnectError, ProxyError: With the cause in words.
        """
        return await _InContext(Context(), self._connect(origin, proxy, deadline))

    @names_wait('a connection to the provider')
    async def _connect(self, origin: Origin, proxy: str | None, deadline: float) -> Connection:
        try:
            async with asyncio.timeout_at(min(deadline, self._loop.time() + self._options.connect_timeout)):
                return await self._opened(origin, proxy)
        except TimeoutError as error:
            failure: TransportError = ConnectTimeout('no connection in time')
            cause: Exception = error
        except (OSError, ValueError) as error:  # ValueError: a name that no certificate can have
            kind = ProxyError if proxy and not isinstance(error, ssl.SSLError) else ConnectError
            failure, cause = kind(cause_in_words(error, proxy)), error
        try:
            _forget_frames(cause)
            raise failure from cause
        finally:
            del failure, cause  # their traceback holds this frame

    async def _opened(self, origin: Origin, proxy: str | None) -> Connection:
        scheme, host, port = origin
        if scheme == 'https':
            begin_loading(self._options)
        if proxy is None:
            return await self._connected(host, port, secure=scheme == 'https')
        address = urlsplit(proxy)
        secure = address.scheme == 'https'
        if secure:
            begin_loading(self._options, to_proxy=True)
        port_of_proxy = address.port or PORTS[address.scheme]
        connection = await self._connected(address.hostname or '', port_of_proxy, secure=secure, to_proxy=True)
        return await self._through(connection, proxy, origin) if scheme == 'https' else connection

    async def _connected(self, host: str, port: int, *, secure: bool, to_proxy: bool = False) -> Connection:
        try:
            opened = await self._opened_socket(host, port)
        except OSError:
            if secure:
                await tls_of(self._options, to_proxy=to_proxy)  # an unreadable file is reported first
            raise
        connection = Connection(self._loop, self._buffer)
        if not secure:
            await self._loop.create_connection(lambda: connection, sock=opened)
            return connection
        try:
            tls = await tls_of(self._options, to_proxy=to_proxy)
            end_turn = await self._handshakes.turn()
        except BaseException:
            opened.close()
            raise
        try:
            await self._loop.create_connection(
                lambda: connection, sock=opened, ssl=tls, server_hostname=host.rstrip('.')
            )
        finally:
            end_turn()
        return connection

    async def _opened_socket(self, host: str, port: int) -> socket.socket:
        import aiohappyeyeballs

        return await aiohappyeyeballs.start_connection(
            await self._resolver.addresses(host, port),
            happy_eyeballs_delay=_EYEBALLS_DELAY,
            socket_factory=self._socket,
        )

    async def _through(self, tunnel: Connection, proxy: str, origin: Origin) -> Connection:
        """A connection to the origin itself, through a tunnel of the proxy."""
        connection = Connection(self._loop, self._buffer)
        try:
            opened = await _tunnelled(tunnel, proxy, origin)
            tls = await tls_of(self._options)
            end_turn = await self._handshakes.turn()
            try:
                transport = await self._loop.start_tls(opened, connection, tls, server_hostname=origin[1].rstrip('.'))
            finally:
                end_turn()
            if transport is None:  # asyncio's error if the connection ends before TLS begins
                raise ConnectionResetError
        except BaseException:
            tunnel.close()
            raise
        connection.connection_made(transport)
        return connection

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket with keep-alive: it notices a vanished peer, even behind a firewall that drops idle ones."""
        if self._check is not None:
            self._check(str(address[4][0]))
        sock: socket.socket = original('socket', 'socket')(*address[:3])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        return sock


class _InContext(Generic[T]):
    """Awaits a coroutine in a separate context, like a task, but without extra turns of the loop."""

    def __init__(self, context: Context, coroutine: Coroutine[Any, Any, T]) -> None:
        self._context = context
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        run, step = self._context.run, self._coroutine.send
        value: Any = None
        while True:
            try:
                waited_for = run(step, value)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                value = None  # the traceback of a thrown exception holds this frame
            try:
                step, value = self._coroutine.send, (yield waited_for)
            except BaseException as error:
                step, value = self._coroutine.throw, error


async def _tunnelled(tunnel: Connection, proxy: str, origin: Origin) -> asyncio.Transport:
    """The socket to a proxy, after it opened a tunnel."""
    try:
        await tunnel.ask(_connect_head(origin, proxy), b'', math.inf)
        if 200 <= tunnel.status < 300:
            return tunnel.hand_over()
    except TransportError as error:
        failure = f'the proxy {without_password(proxy)} opens no connection: {error}'
    else:
        raise _refusal(proxy, tunnel.status)
    raise ProxyError(failure)


def _connect_head(origin: Origin, proxy: str) -> bytes:
    _, host, port = origin
    authority = f'[{host}]:{port}' if ':' in host else f'{host}:{port}'
    lines = [f'CONNECT {authority} HTTP/1.1', f'Host: {authority}', *proxy_authorization(proxy)]
    return '\r\n'.join((*lines, '', '')).encode()


def proxy_authorization(proxy: str) -> list[str]:
    """The header line for the name and password in a proxy's address, if there are any."""
    address = urlsplit(proxy)
    if not address.username:
        return []
    return [f'Proxy-Authorization: {basic_credentials(unquote(address.username), unquote(address.password or ""))}']


def basic_credentials(name: str, password: str) -> str:
    """Name and password in the form of an `authorization` header."""
    return f'Basic {base64.b64encode(f"{name}:{password}".encode()).decode()}'


def _refusal(proxy: str, status: int) -> ProxyError:
    kind = ProxyRefusal if 300 <= status < 500 and status not in _TEMPORARY else ProxyError
    return kind(f'the proxy {without_password(proxy)} answered {status}{credentials_remedy(proxy, status)}')


def _forget_frames(error: BaseException | None) -> None:
    """Drop the frames of an error: they hold sockets, and the tasks that raced for them."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__

"""The engine under httpx: aiohttp's sessions, connections and C parser. The only importer of aiohttp.

Nothing here queues: the pool has no limit, `http.py` has a semaphore in front. All the engine starts runs in an empty
context, so that a connection, which outlives the request that opened it, keeps none of that request's values alive.
"""

from __future__ import annotations

import asyncio
import functools
import io
import math
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import aiohttp
import httpx
from yarl import URL

from .._system import original
from ..exceptions import UserError
from .causes import cause_in_words
from .proxies import Proxies

if TYPE_CHECKING:
    from ..settings import HttpOptions

__all__ = ['AiohttpTransport', 'Body']

T = TypeVar('T')
_OURS = ('user-agent', 'accept', 'accept-encoding', 'content-type')  # httpx sets these, or nobody
_LARGE_BODY = 64 * 1024  # more is sent in pieces, from a file, which tells how far it got
_LONGEST_HEADER = 64 * 1024
_READ_BUFFER = 64 * 1024  # twice this unread stops the server
_KEEPALIVE = (('TCP_KEEPIDLE', 30), ('TCP_KEEPALIVE', 30), ('TCP_KEEPINTVL', 10), ('TCP_KEEPCNT', 4))


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests of httpx by a session of aiohttp; belongs to the loop it is made on.

    Args:
        options: Timeouts, limits, proxy and certificates.
        check: Called with every IP address before a socket to it is opened; raises OSError to refuse it.
    """

    def __init__(self, options: HttpOptions, check: Callable[[str], None] | None = None) -> None:
        self._options = options
        self._proxies = Proxies(options.proxy)
        self._session = Context().run(_session, options, check)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        deadline = asyncio.get_running_loop().time() + self._options.first_event_timeout
        response = await _InContext(Context(), self._send(request, deadline))
        body = Body(response, deadline, self._options.idle_timeout)
        headers = [(name, value) for name, value in response.raw_headers]
        return httpx.Response(response.status, headers=headers, stream=body, extensions={'body': body})

    async def aclose(self) -> None:
        await self._session.close()

    async def _send(self, request: httpx.Request, deadline: float) -> aiohttp.ClientResponse:
        content = await request.aread()
        upload = io.BytesIO(content) if len(content) > _LARGE_BODY else None
        tls = _ssl_context(self._options.verify) if request.url.scheme == 'https' else True
        proxy = self._proxies.of(request.url.scheme, request.url.host)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._session.request(
                    request.method,
                    URL(str(request.url), encoded=True),
                    headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
                    data=upload or content or None,
                    allow_redirects=False,
                    proxy=proxy,
                    ssl=tls,
                )
        except Exception as error:
            if type(error) is TimeoutError and upload is not None and upload.tell() < len(content):
                raise httpx.WriteTimeout('the request was not taken', request=request) from error
            _forget_frames(error)
            raise _as_httpx(error, request, proxy) from error


class Body(httpx.AsyncByteStream):
    """The bytes of one response as they arrive: the first before `deadline`, each other within `idle` seconds.

    Time counts only while the socket is waited for, not while the consumer is busy.
    """

    def __init__(self, response: aiohttp.ClientResponse, deadline: float, idle: float) -> None:
        self._response: aiohttp.ClientResponse | None = response
        self._content = response.content
        self._loop = asyncio.get_running_loop()
        self._idle = idle
        self._first_deadline: float | None = deadline
        self._deadline: float | None = None  # of the read that goes on, or None
        self._timer: asyncio.TimerHandle | None = None
        self._fires = math.inf  # when the timer does

    async def read(self) -> bytes:
        """What has arrived since the last read, waited for; nothing at the end.

        Raises:
            httpx.TransportError: The connection broke, or nothing arrived in time.
        """
        self._deadline = deadline = self._first_deadline or self._loop.time() + self._idle
        if deadline < self._fires and not self._content.is_eof():
            self._start_timer(deadline)
        try:
            chunk = await self._content.readany()
        except Exception as error:
            _forget_frames(error)
            raise _as_httpx(error) from error
        finally:
            self._deadline = None
        self._first_deadline = None
        return chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    async def aclose(self) -> None:
        self._stop_timer()
        response, self._response = self._response, None  # it has a finalizer, which no thread of a caller is to run
        if response is not None:
            response.close()  # a connection whose body was read to the end is back in the pool, and stays there

    def _start_timer(self, when: float) -> None:
        self._stop_timer()
        self._fires = when
        self._timer = self._loop.call_at(when, self._expire, context=Context())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        """The timer is not moved at each read: when it fires early, it is set again for the read of now."""
        self._timer, self._fires = None, math.inf
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._start_timer(self._deadline)
        else:
            self._content.set_exception(aiohttp.SocketTimeoutError('nothing arrived in time'))


def _session(options: HttpOptions, check: Callable[[str], None] | None) -> aiohttp.ClientSession:
    def checked_socket(address: tuple[Any, ...]) -> socket.socket:
        if check is not None:
            check(str(address[4][0]))
        return _socket(address)

    keep: dict[str, Any] = (
        {'keepalive_timeout': options.keepalive_expiry} if options.keepalive_expiry else {'force_close': True}
    )
    connector = aiohttp.TCPConnector(
        limit=0, resolver=aiohttp.ThreadedResolver(), socket_factory=checked_socket, happy_eyeballs_delay=0.25, **keep
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=options.connect_timeout),
        auto_decompress=False,
        skip_auto_headers=_OURS,
        read_bufsize=_READ_BUFFER,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    )


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices a peer that is gone, also behind a firewall that forgets quiet connections."""
    made: socket.socket = original('socket', 'socket')(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


@functools.lru_cache(maxsize=16)
def _ssl_context(verify: bool | str) -> ssl.SSLContext:
    """One context for all clients: loading the certificates takes longer than a request."""
    try:
        if not isinstance(verify, str):
            return httpx.create_ssl_context(verify=verify)
        directory = pathlib.Path(verify).is_dir()
        return ssl.create_default_context(cafile=None if directory else verify, capath=verify if directory else None)
    except OSError as error:
        named = f'HttpOptions.verify={verify!r}' if isinstance(verify, str) else 'SSL_CERT_FILE or SSL_CERT_DIR'
        raise UserError(f'{named}: the certificates cannot be read: {error}') from None


class _InContext(Generic[T]):
    """Awaits a coroutine whose steps run in a context of its own: what a task does, without its turns of the loop."""

    def __init__(self, context: Context, coroutine: Coroutine[Any, Any, T]) -> None:
        self._context = context
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, T]:
        run, step, value = self._context.run, self._coroutine.send, None
        while True:
            try:
                waited_for = run(step, value)
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                step, value = self._coroutine.send, (yield waited_for)
            except BaseException as error:
                step, value = self._coroutine.throw, error


_HTTPX_CLASS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (  # the first that fits
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientConnectionResetError, httpx.WriteError),
    (aiohttp.ServerFingerprintMismatch, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (OSError, httpx.ReadError),
    (ValueError, httpx.UnsupportedProtocol),
    (RuntimeError, httpx.ReadError),  # read after the connection was closed, or a session that was
)


def _forget_frames(error: BaseException | None) -> None:
    """aiohttp keeps the error with the stream, which the error's frames hold: a cycle, and an open socket in it."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__


def _as_httpx(error: Exception, request: httpx.Request | None = None, proxy: str | None = None) -> Exception:
    for ours, theirs in _HTTPX_CLASS:
        if isinstance(error, ours):
            return theirs(cause_in_words(error, proxy), request=request)
    return error

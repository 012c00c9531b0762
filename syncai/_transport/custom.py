"""A transport of the user instead of the pool: of httpx, of a test, or into an application. Only here is a request one
of httpx, and here httpx's errors become those of `wire_errors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from .wire import WireRequest, WireResponse
from .wire_errors import (
    ConnectError,
    ConnectTimeout,
    DecodingError,
    InvalidRequest,
    ProxyError,
    ReadTimeout,
    TransportError,
    WireError,
    WireTimeout,
    WriteTimeout,
)

if TYPE_CHECKING:
    from ..settings import HttpOptions

__all__ = ['CustomTransport']

# The first match counts: special classes come before general ones.
_KINDS: tuple[tuple[type[Exception], type[WireError]], ...] = (
    (httpx.UnsupportedProtocol, InvalidRequest),
    (httpx.InvalidURL, InvalidRequest),
    (httpx.ConnectTimeout, ConnectTimeout),
    (httpx.WriteTimeout, WriteTimeout),
    (httpx.TimeoutException, WireTimeout),
    (httpx.ConnectError, ConnectError),
    (httpx.ProxyError, ProxyError),
    (httpx.DecodingError, DecodingError),
    (httpx.RequestError, TransportError),
)


class CustomTransport:
    """Sends requests by `HttpOptions.transport`, with the same time limits as the pool.

    Args:
        options: The transport and the timeouts.
    """

    def __init__(self, options: HttpOptions) -> None:
        assert options.transport is not None
        self._transport = options.transport
        self._loop = asyncio.get_running_loop()
        self._idle = options.idle_timeout
        self._first = options.first_event_timeout
        limits = {'connect': options.connect_timeout, 'write': options.first_event_timeout, 'pool': None}
        self._timeout = {**limits, 'read': options.first_event_timeout}  # for transports of httpx, which apply them

    async def send(self, request: WireRequest) -> WireResponse:
        """The head of the answer, and its body to be read.

        Raises:
            WireError: There is none.
        """
        deadline = self._loop.time() + self._first
        async with _limited(deadline):
            # With content instead of a stream: mocks read the content, and servers its length.
            outgoing = httpx.Request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.content,
                extensions={'timeout': self._timeout},
            )
            if request.begin is not None:
                request.begin()  # when this transport writes is unknown
            response: httpx.Response = await self._transport.handle_async_request(outgoing)
        return WireResponse(response.status_code, response.headers.raw, _Body(response, deadline, self._idle))

    async def aclose(self) -> None:
        """Close the user's transport, as a client of httpx would."""
        close = getattr(self._transport, 'aclose', None)
        if close is not None:
            await close()


class _Body:
    """The body of a response of any transport, read as the pool's are."""

    may_be_cut = False  # as far as this can be known

    def __init__(self, response: httpx.Response, deadline: float, idle: float) -> None:
        self._response: httpx.Response | None = response
        self._chunks = _chunks_of(response.stream)
        self._first_deadline: float | None = deadline
        self._idle = idle
        self._loop = asyncio.get_running_loop()

    async def read(self) -> bytes:
        """The bytes since the last read; waits for some; empty at the end.

        Raises:
            WireError: The connection broke, or nothing arrived in time.
        """
        deadline, self._first_deadline = self._first_deadline or self._loop.time() + self._idle, None
        async with _limited(deadline):
            while self._response is not None:
                chunk: bytes | None = await anext(self._chunks, None)
                if chunk:
                    return chunk
                if chunk is None:
                    await self.aclose()
        return b''

    async def pump(self, take: Callable[[bytes], bool]) -> None:
        """Do nothing: this body is read."""

    async def aclose(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            await self._chunks.aclose()
            closing: Any = getattr(response.stream, 'aclose', None)
            if closing is not None:
                await closing()


async def _chunks_of(stream: object) -> AsyncGenerator[bytes, None]:
    """The chunks of an asynchronous or a synchronous stream."""
    if isinstance(stream, httpx.AsyncByteStream):
        async for chunk in stream:
            yield chunk
    elif isinstance(stream, Iterable):
        for chunk in stream:
            yield chunk


@asynccontextmanager
async def _limited(deadline: float) -> AsyncIterator[None]:
    """A block that ends at the deadline, and turns errors of httpx into ours."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError:
        raise ReadTimeout('nothing arrived in time') from None
    except (httpx.RequestError, httpx.InvalidURL) as error:
        kind = next(kind for foreign, kind in _KINDS if isinstance(error, foreign))
        raise kind(str(error) or type(error).__name__) from error  # the cause says whether another attempt may help

"""Requests with retries and limits, sent over kept connections."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .._base.frozen import dataclass
from .._base.phases import BEGINNING, NEXT_BYTES, names_wait, phase
from .._base.system import warn_in_log
from ..limits import limits_in_force
from .event_stream import EventStream
from .exchange import Exchange
from .failures import packed, refuse_web_page, too_long, unexpected
from .forms import form_of, is_blank
from .limiter import Permit, permitted
from .request import HttpRequest
from .retry import prepare_retries, with_retries

if TYPE_CHECKING:
    from .._prices.payments import Attempt
    from ..exceptions import AgentRunError
    from ..settings import HttpOptions
    from .custom import CustomTransport
    from .pool import ConnectionPool

__all__ = ['close_clients', 'HttpClient', 'HttpResponse', 'shared_client']

_MAX_ERROR_BODY = 256 * 1024
_MOST_BLANK = 1024  # the most bytes kept from before the first event


@dataclass(frozen=True)
class HttpResponse:
    """A whole answer with a status from 200 to 299; header names are in lower case. An error about its content is first
    given to `hide_keys_in`.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    attempts: int
    request_id: str | None
    permit: Permit | None = None
    payment: Attempt | None = None
    hide_keys_in: Callable[[AgentRunError], None] | None = None


class HttpClient:
    """Sends requests over kept connections; belongs to the event loop of its first request.

    Args:
        options: Timeouts, retries and limits.
    """

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._transport: ConnectionPool | CustomTransport | None = None  # made on the loop, at the first request
        self._slots = asyncio.Semaphore(options.max_connections)
        self._warned_of_waiting = False

    async def aclose(self) -> None:
        """Close all connections; the next request opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def send(self, request: HttpRequest) -> Coroutine[Any, Any, HttpResponse]:
        """The whole answer to `request`, after as many attempts as the options allow.

        Raises:
            ModelHTTPError: An error status. ModelConnectionError, ModelTimeoutError: no answer.
            IncompleteStreamError: The connection broke in the body.
            UnexpectedModelBehavior: A web page instead of an answer, or too long an answer.
        """
        return with_retries(partial(self._send_once, request), self._options.max_retries)

    async def stream(self, request: HttpRequest) -> EventStream:
        """The events of the answer to `request`; attempts are repeated until its first byte arrived.

        The caller closes it, best by `async with`.

        Raises:
            ModelHTTPError, ModelConnectionError, ModelTimeoutError, IncompleteStreamError, UnexpectedModelBehavior:
                As for `send`.
        """
        return await with_retries(partial(self._open_stream, request), self._options.max_retries)

    async def lines(self, request: HttpRequest) -> AsyncGenerator[bytes, None]:
        """The non-empty lines of a file of any length, as they arrive; errors as in `send`.

        Raises:
            UnexpectedModelBehavior: A line is longer than an answer may be.
        """
        exchange, chunk = await with_retries(partial(self._exchange, request), self._options.max_retries)
        unfinished, size = list[bytes](), 0  # the unfinished line
        try:
            while chunk is not None:
                *ended, rest = chunk.split(b'\n')
                for end in ended:
                    line = b''.join((*unfinished, end))
                    unfinished, size = [], 0
                    if line.strip():
                        yield line
                unfinished.append(rest)
                size += len(rest)
                if size > self._options.max_body_bytes:
                    raise too_long(exchange.request, self._options.max_body_bytes)
                chunk = await exchange.read()
            if (line := b''.join(unfinished)).strip():
                yield line
        finally:
            await exchange.aclose()

    async def _send_once(self, request: HttpRequest, number: int) -> HttpResponse:
        exchange, first = await self._exchange(request, number)
        try:
            body = await exchange.read_all(first, self._options.max_body_bytes)
            refuse_web_page(exchange, body)
        except BaseException:
            exchange.release()
            raise
        finally:
            await exchange.aclose()
        status, permit, payment = exchange.status, exchange.permit, exchange.payment
        hide = exchange.hide_keys_in
        return HttpResponse(status, exchange.headers, body, number, exchange.request_id, permit, payment, hide)

    async def _open_stream(self, request: HttpRequest, number: int) -> EventStream:
        exchange, first = await self._exchange(request, number)
        try:
            while first is not None and is_blank(first) and (more := await exchange.read()) is not None:
                # Some servers send blank lines until the answer begins, possibly forever.
                first = first + more if len(first) < _MOST_BLANK else more
            form = form_of(exchange.headers.get('content-type', ''), first or b'', binary=request.decoder is not None)
            if form == 'events':
                return EventStream(exchange, first, number)
            if form == 'other':
                body = await exchange.read_all(first, _MAX_ERROR_BODY, cut=True)
                exchange.hide_keys()
                raise unexpected(exchange, 'an event stream was expected', body)
            whole = await exchange.read_all(first, self._options.max_body_bytes)
        except BaseException:
            exchange.release()
            await exchange.aclose()
            raise
        await exchange.aclose()
        return EventStream(exchange, None, number, whole=whole)

    @names_wait(BEGINNING, instead_of=NEXT_BYTES)
    async def _exchange(self, request: HttpRequest, number: int) -> tuple[Exchange, bytes | None]:
        """A successful answer and the first bytes of its body, or None for an empty body."""
        payment = None if request.payment is None else await request.payment.reserve()
        try:
            permit = await permitted(request, self._options) if limits_in_force else None
            await self._take_slot(permit)
        except BaseException:
            if payment is not None:
                payment.release()
            raise
        exchange = Exchange(request, self._options, self._slots, number, permit, payment)
        try:
            await exchange.open(self._opened_transport)
            if not exchange.is_success:
                raise exchange.refused(await exchange.read_what_comes(_MAX_ERROR_BODY))
            first = await exchange.read()
            if not exchange.readable:
                raise packed(exchange)
        except BaseException:
            exchange.release()
            await exchange.aclose()
            raise
        exchange.started = True
        return exchange, first

    @names_wait('a free connection slot')
    async def _take_slot(self, permit: Permit | None) -> None:
        try:
            await self._wait_for_slot()
        except BaseException:
            if permit is not None:
                permit.close()
            raise

    async def _wait_for_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()  # does not wait
            return
        if not self._warned_of_waiting:
            self._warned_of_waiting = True
            warn_in_log(
                'All %d connection slots are taken: requests wait. HttpOptions.max_connections sets their number',
                self._options.max_connections,
            )
        with phase('connection slot'):
            await self._slots.acquire()

    def _opened_transport(self) -> ConnectionPool | CustomTransport:
        if self._transport is None:
            self._transport = _transport_of(self._options)
            prepare_retries()
        return self._transport


def _transport_of(options: HttpOptions) -> ConnectionPool | CustomTransport:
    if options.transport is None:
        from .pool import ConnectionPool

        return ConnectionPool(options)
    from .custom import CustomTransport

    return CustomTransport(options)


_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[HttpOptions, HttpClient]] = (
    weakref.WeakKeyDictionary()
)  # each entry belongs to the thread of its loop


def shared_client(options: HttpOptions) -> HttpClient:
    """The running loop's client for these options."""
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    client = clients.get(options)
    if client is None:
        client = clients[options] = HttpClient(options)
    return client


async def close_clients() -> None:
    """Close all clients of the running loop."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.aclose()

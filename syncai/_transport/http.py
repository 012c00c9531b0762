"""Requests with retries and limits, and the errors of the transport turned into ours. The importer of httpx."""

from __future__ import annotations

import asyncio
import socket
import ssl
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..exceptions import (
    IncompleteStreamError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)
from .retry import TemporaryFailure, is_temporary, retry_after, with_retries
from .sse import EventStreamDecoder, EventTooLargeError, ServerSentEvent

if TYPE_CHECKING:
    import httpx

    from ..settings import HttpOptions

__all__ = ['close_clients', 'ErrorFacts', 'EventStream', 'HttpClient', 'HttpRequest', 'HttpResponse', 'shared_client']

_MAX_ERROR_BODY = 256 * 1024
_EXCERPT = 2000
_KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key')
_REQUEST_ID_HEADERS = ('x-request-id', 'request-id', 'apim-request-id', 'x-amzn-requestid', 'cf-ray')
_TELLING = ('ratelimit', 'rate-limit', 'retry', 'request-id', 'requestid', 'cf-ray')


@dataclass(frozen=True)
class ErrorFacts:
    """What a provider's error body says beyond the status; None leaves the usual rules in force.

    Args:
        error_class: The class to raise.
        hint: A line for the message that says what to do.
        retry: Whether another attempt may help.
        retry_after: Seconds to wait before it.
    """

    error_class: type[ModelHTTPError] | None = None
    hint: str | None = None
    retry: bool | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class HttpRequest:
    """One request; `classify` reads the provider's error bodies: status, decoded body, lower-case headers."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    model_name: str | None = None
    provider: str | None = None
    classify: Callable[[int, object | None, Mapping[str, str]], ErrorFacts] | None = None

    def __repr__(self) -> str:  # the headers and often the URL hold a key
        return f'HttpRequest({self.method} {self.host})'

    @property
    def host(self) -> str:
        """Host and port, without the name and password that the URL may hold."""
        return urlsplit(self.url).netloc.rpartition('@')[2]

    @property
    def context(self) -> dict[str, Any]:
        return {'model_name': self.model_name, 'provider': self.provider}


@dataclass(frozen=True)
class HttpResponse:
    """A whole answer with a status from 200 to 299; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    attempts: int
    request_id: str | None


class EventStream:
    """An answer as it arrives: iteration gives all the events of one network read at a time.

    Attributes:
        pending_at_eof: After the end, the event that no blank line ended, or None.
    """

    def __init__(self, exchange: _Exchange, first: bytes | None, attempts: int) -> None:
        self.status: int = exchange.response.status_code
        self.headers: Mapping[str, str] = exchange.headers
        self.attempts = attempts
        self.request_id = exchange.request_id
        self.pending_at_eof: ServerSentEvent | None = None
        self._exchange = exchange
        self._first = first
        self._ended = first is None
        self._decoder = EventStreamDecoder(exchange.options.max_event_bytes)

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> list[ServerSentEvent]:
        while not self._ended:
            chunk = self._first or await self._exchange.read()
            self._first = None
            if chunk is None:
                self._ended = True
                self.pending_at_eof = self._decoder.pending()
            elif events := self._decode(chunk):
                return events
        raise StopAsyncIteration

    async def drain(self, seconds: float) -> None:
        """Read and drop what is left, for at most so many seconds, so that the connection can be used again."""
        try:
            async with asyncio.timeout(seconds):
                while not self._ended:
                    self._ended = await self._exchange.read() is None
        except Exception:  # the answer is complete: nothing that happens now matters
            self._ended = True

    async def aclose(self) -> None:
        """Close the connection, unless the answer was read to its end."""
        self._ended = True
        await self._exchange.aclose()

    def _decode(self, chunk: bytes) -> list[ServerSentEvent]:
        try:
            return self._decoder.feed(chunk)
        except EventTooLargeError as error:
            raise UnexpectedModelBehavior(
                f'{error} (HttpOptions.max_event_bytes)', **self._exchange.request.context
            ) from None


class HttpClient:
    """Sends requests over connections that it keeps; belongs to the event loop of its first request.

    Args:
        options: Timeouts, retries and limits.
    """

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._client: httpx.AsyncClient | None = None  # made on the loop, at the first request
        self._slots = asyncio.Semaphore(options.max_connections)

    async def aclose(self) -> None:
        """Close all connections; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def send(self, request: HttpRequest) -> HttpResponse:
        """The whole answer to `request`, after as many attempts as the options allow.

        Raises:
            ModelHTTPError: An error status. ModelConnectionError, ModelTimeoutError: no answer.
            IncompleteStreamError: The connection broke in the body.
            UnexpectedModelBehavior: A web page instead of an answer, or too long an answer.
        """
        return await with_retries(lambda number: self._send_once(request, number), self._options.max_retries)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[EventStream]:
        """The events of the answer to `request`; attempts are repeated until the first bytes of the body arrived.

        Raises:
            ModelHTTPError, ModelConnectionError, ModelTimeoutError, IncompleteStreamError, UnexpectedModelBehavior:
                As for `send`.
        """
        return self._stream(request)

    @asynccontextmanager
    async def _stream(self, request: HttpRequest) -> AsyncIterator[EventStream]:
        stream = await with_retries(lambda number: self._open_stream(request, number), self._options.max_retries)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def _send_once(self, request: HttpRequest, number: int) -> HttpResponse:
        exchange, first = await self._exchange(request, number)
        try:
            body = await exchange.read_all(first, self._options.max_body_bytes)
        finally:
            await exchange.aclose()
        _refuse_web_page(exchange, body)
        return HttpResponse(exchange.response.status_code, exchange.headers, body, number, exchange.request_id)

    async def _open_stream(self, request: HttpRequest, number: int) -> EventStream:
        exchange, first = await self._exchange(request, number)
        try:
            if _is_no_stream(exchange.headers.get('content-type', ''), first or b''):
                body = await exchange.read_all(first, _MAX_ERROR_BODY, cut=True)
                raise _unexpected(exchange, 'an event stream was expected', body)
        except BaseException:
            await exchange.aclose()
            raise
        return EventStream(exchange, first, number)

    async def _exchange(self, request: HttpRequest, number: int) -> tuple[_Exchange, bytes | None]:
        """A successful answer and the first bytes of its body, or None when it has none."""
        await self._slots.acquire()
        exchange = _Exchange(request, self._options, self._slots, number)
        try:
            await exchange.open(self._httpx())
            first = await exchange.read()
            if not exchange.response.is_success:
                raise _http_failure(exchange, await exchange.read_all(first, _MAX_ERROR_BODY, cut=True))
        except BaseException:
            await exchange.aclose()
            raise
        exchange.started = True
        return exchange, first

    def _httpx(self) -> httpx.AsyncClient:
        if self._client is None:
            import http.cookiejar

            import httpx

            from .engine import AiohttpTransport

            refuse_all = http.cookiejar.DefaultCookiePolicy(allowed_domains=[])
            self._client = httpx.AsyncClient(
                transport=AiohttpTransport(self._options),
                cookies=http.cookiejar.CookieJar(refuse_all),
                timeout=None,  # noqa: S113 - the engine times the phases after the options
                trust_env=False,
            )
        return self._client


class _Exchange:
    """One attempt: a slot, a request sent, and its response being read."""

    response: httpx.Response

    def __init__(self, request: HttpRequest, options: HttpOptions, slots: asyncio.Semaphore, number: int) -> None:
        self.request = request
        self.options = options
        self.number = number
        self.started = False  # the caller has a part of the answer: no further attempt
        self.headers: Mapping[str, str] = {}
        self._slots: asyncio.Semaphore | None = slots
        self._body: Any = None

    @property
    def request_id(self) -> str | None:
        return next((self.headers[name] for name in _REQUEST_ID_HEADERS if name in self.headers), None)

    async def open(self, client: httpx.AsyncClient) -> None:
        with _translated(self):
            headers = {'accept-encoding': 'identity', **{k.lower(): v for k, v in self.request.headers.items()}}
            built = client.build_request(
                self.request.method, self.request.url, headers=headers, content=self.request.body
            )
            self.response = await client.send(built, stream=True)
        self._body = self.response.extensions['body']
        self.headers = dict(self.response.headers)

    async def read(self) -> bytes | None:
        """What the network gave, or None at the end."""
        with _translated(self):
            try:
                chunk: bytes = await self._body.__anext__()
            except StopAsyncIteration:
                return None
            return chunk

    async def read_all(self, first: bytes | None, limit: int, *, cut: bool = False) -> bytes:
        """The body; one longer than `limit` is cut there, or an error."""
        chunks, size, chunk = [], 0, first
        while chunk is not None:
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                if cut:
                    break
                message = f'the answer is longer than {limit} bytes (HttpOptions.max_body_bytes)'
                raise UnexpectedModelBehavior(message, **self.request.context)
            chunk = await self.read()
        return b''.join(chunks)[:limit]

    async def aclose(self) -> None:
        """Give back the connection and the slot; never waits, so that cancelling cannot come between."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()
        if self._body is not None:
            await self._body.aclose()


_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[HttpOptions, HttpClient]] = (
    weakref.WeakKeyDictionary()
)  # each entry belongs to the thread of its loop


def shared_client(options: HttpOptions) -> HttpClient:
    """The running loop's client for these options."""
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if options not in clients:
        clients[options] = HttpClient(options)
    return clients[options]


async def close_clients() -> None:
    """Close all clients of the running loop."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.aclose()


@contextmanager
def _translated(exchange: _Exchange) -> Iterator[None]:
    """What httpx raises, as one of our errors, wrapped in `TemporaryFailure` where another attempt may help."""
    import httpx

    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise UserError(f'cannot send a request to {exchange.request.host!r}: {error}') from None
    except httpx.TimeoutException as error:
        failure: Exception = _timed_out(exchange, error)
    except httpx.TransportError as error:
        failure = _broken(exchange, error)
    else:
        return
    raise failure


def _timed_out(exchange: _Exchange, error: httpx.TimeoutException) -> Exception:
    import httpx

    request, options = exchange.request, exchange.options
    connecting = isinstance(error, httpx.ConnectTimeout)
    phase = 'connect' if connecting else 'next event' if exchange.started else 'first event'
    limit = {
        'connect': options.connect_timeout,
        'first event': options.first_event_timeout,
        'next event': options.idle_timeout,
    }[phase]
    timeout = ModelTimeoutError(
        f'{request.host}: timeout of {limit:g} s ({phase})', phase=phase, limit=limit, **_facts(exchange)
    )
    return TemporaryFailure(timeout) if connecting else timeout


def _broken(exchange: _Exchange, error: httpx.TransportError) -> Exception:
    import httpx

    host, cause = exchange.request.host, str(error) or type(error).__name__
    if exchange.started:
        return IncompleteStreamError(f'{host}: the connection broke in the answer: {cause}', **_facts(exchange))
    failure = ModelConnectionError(f'cannot reach {host}: {cause}', host=host, **_facts(exchange))
    if _is_permanent(error):
        return failure
    # A connection that was closed while idle shows only now; another one is most likely sound.
    stale = exchange.number == 1 and not isinstance(error, (httpx.ConnectError, httpx.ProxyError))
    return TemporaryFailure(failure, 0.0 if stale else None)


def _is_permanent(error: BaseException | None) -> bool:
    """Whether the cause is a certificate that is not accepted or a name that does not exist."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        if isinstance(error, socket.gaierror):
            return error.errno != socket.EAI_AGAIN
        error = error.__cause__ or error.__context__
    return False


def _facts(exchange: _Exchange) -> dict[str, Any]:
    return {**exchange.request.context, 'attempts': exchange.number, 'request_id': exchange.request_id}


def _http_failure(exchange: _Exchange, raw: bytes) -> Exception:
    request, status, headers = exchange.request, exchange.response.status_code, exchange.headers
    body = _decoded(_without_keys(request, raw))
    facts = request.classify(status, body, headers) if request.classify else ErrorFacts()
    wait = retry_after(headers, body) if facts.retry_after is None else facts.retry_after
    error: ModelAPIError = (facts.error_class or ModelHTTPError.of)(
        status,
        body=body,
        headers={name: value for name, value in headers.items() if any(part in name for part in _TELLING)},
        hint=facts.hint,
        retry_after=wait,
        **_facts(exchange),
    )
    again = is_temporary(status, body, headers) if facts.retry is None else facts.retry
    if not again or (wait is not None and wait > exchange.options.max_retry_wait):
        return error
    return TemporaryFailure(error, wait)


def _decoded(raw: bytes) -> object | None:
    from pydantic_core import from_json

    try:
        value: object = from_json(raw)
    except ValueError:
        return raw[: 4 * _EXCERPT].decode('utf-8', 'replace')[:_EXCERPT] or None
    return value


def _without_keys(request: HttpRequest, raw: bytes) -> bytes:
    """An answer that repeats the key of the request, without it."""
    for name, value in request.headers.items():
        key = value.rpartition(' ')[2].encode('utf-8', 'replace')
        if name.lower() in _KEY_HEADERS and len(key) > 5:
            raw = raw.replace(key, b'***')
    return raw


def _is_no_stream(content_type: str, first: bytes) -> bool:
    kind = content_type.partition(';')[0].strip().lower()
    return kind in ('text/html', 'application/json') or first.lstrip()[:1] == b'<'


def _refuse_web_page(exchange: _Exchange, body: bytes) -> None:
    if 'html' in exchange.headers.get('content-type', '') or body.lstrip()[:1] == b'<':
        raise _unexpected(exchange, 'JSON was expected', body)


def _unexpected(exchange: _Exchange, expected: str, body: bytes) -> UnexpectedModelBehavior:
    kind = exchange.headers.get('content-type', 'no content type')
    excerpt = _without_keys(exchange.request, body)[: 4 * _EXCERPT].decode('utf-8', 'replace')[:_EXCERPT]
    return UnexpectedModelBehavior(
        f'{exchange.request.host} answered with {kind}, where {expected}', excerpt, **exchange.request.context
    )

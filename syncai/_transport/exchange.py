"""One attempt: a sent request, and the reading of its response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._base.logs import HTTP, debug, is_on
from ..exceptions import AgentRunError, ModelAPIError
from .failures import http_failure, too_long, translated
from .keys import HIDDEN, EncodedKeys, key_begun, keys_in, without_keys, without_keys_in
from .limiter import Permit
from .proxies import Proxies, credentials_in
from .rate_headers import exhausted_for
from .request import HttpRequest
from .retry import TemporaryFailure
from .wire import WireRequest, joined

if TYPE_CHECKING:
    from .._prices.payments import Attempt
    from ..settings import HttpOptions
    from .custom import CustomTransport
    from .encodings import RawBody
    from .pool import ConnectionPool

__all__ = ['Exchange']

_LINE_BREAK = 10
_REQUEST_ID_HEADERS = ('x-request-id', 'request-id', 'apim-request-id', 'x-amzn-requestid', 'cf-ray')


class Exchange:
    """One attempt: a slot, a sent request, and the reading of its response."""

    def __init__(
        self,
        request: HttpRequest,
        options: HttpOptions,
        slots: asyncio.Semaphore,
        number: int,
        permit: Permit | None,
        payment: Attempt | None,
    ) -> None:
        self.request = request
        self.options = options
        self.number = number
        self.permit = permit
        self.payment = payment
        self.status = 0
        self.answered = False  # whether the head of the answer has arrived
        self.started = False  # whether the caller has a part of the answer; then no further attempt
        self.readable = True  # whether the encoding of the body is supported
        self.headers: Mapping[str, str] = {}
        self._keys = keys_in(request)
        self._tail = b''  # read and held back: it may be the beginning of a key
        self._slots: asyncio.Semaphore | None = slots
        self._body: RawBody | None = None
        self._sent_at: float | None = None  # when it was sent, while DEBUG is on

    @property
    def request_id(self) -> str | None:
        return next((self.headers[name] for name in _REQUEST_ID_HEADERS if name in self.headers), None)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    async def open(self, transport: Callable[[], ConnectionPool | CustomTransport]) -> None:
        """Send the request, and receive the status and headers of its answer."""
        if self.request.authorize is not None:
            self.request = await self.request.authorize(self.request)
            self._keys = keys_in(self.request)
        if is_on(HTTP):
            self._log_start()
        try:
            response = await transport().send(self._built())
        except Exception as error:
            failure: Exception | None = translated(self, error)
            self._log_failure(error)
        else:
            failure = None
        try:
            if failure is not None:  # raised here, so that it does not hold a transport's error, which may hold the key
                raise failure
        finally:
            del failure  # its traceback holds this frame
        self.answered = True
        self.status, self._body, self.headers = response.status, response.body, joined(response.headers)
        if self._sent_at is not None:
            self._log(f'status {self.status}')
        if 'content-encoding' in self.headers:
            self._unpack(self.headers['content-encoding'])
        if self.permit is not None and self.is_success:
            self.permit.pause(exhausted_for(self.headers))

    def _built(self) -> WireRequest:
        request = self.request
        headers = {'accept-encoding': 'identity', **{name.lower(): value for name, value in request.headers.items()}}
        begin = None if self.permit is None and self.payment is None else self._begin
        return WireRequest(request.method, request.url, headers, request.body, begin)

    def _begin(self) -> None:
        if self.permit is not None:
            self.permit.begin()
        if self.payment is not None:
            self.payment.sent()

    def _unpack(self, encoding: str) -> None:
        from .encodings import unpacked

        assert self._body is not None
        body = unpacked(self._body, encoding)
        self.readable = body is not None
        self._body = body or self._body

    def refused(self, body: bytes) -> Exception:
        """The error for an answer with an error status."""
        self.hide_keys()
        if self.payment is not None:
            self.payment.refused()
        failure = http_failure(self, body)
        if self.permit is not None:
            self.permit.settle(0)
            error = failure.error if isinstance(failure, TemporaryFailure) else failure
            self.permit.pause(getattr(error, 'retry_after', None))
        return failure

    def without_keys_in(self, value: Any) -> Any:
        """A decoded body without the keys, however they were written."""
        return without_keys_in(value, self._keys, EncodedKeys(self.request, credentials_in(self.forwarding_proxy())))

    def forwarding_proxy(self) -> str | None:
        """The proxy that reads and forwards the request, if there is one; looked up after failures only."""
        address = urlsplit(self.request.url)
        if address.scheme != 'http' or self.options.transport is not None:
            return None
        return Proxies(self.options.proxy).of('http', address.hostname or '', address.port or 80)

    def hide_keys(self) -> None:
        """Remove keys from the headers too, since an error shows some of them."""
        self.headers = self.without_keys_in(dict(self.headers))

    def hide_keys_in(self, error: AgentRunError) -> None:
        """Remove keys from what an error about the answer shows, but not from what the model said."""
        attributes = {name: value for name, value in vars(error).items() if name not in ('partial', 'messages')}
        for name, value in self.without_keys_in(attributes).items():
            if value != attributes[name]:
                setattr(error, name, value)
        error.args = tuple(self.without_keys_in(list(error.args)))

    async def read(self) -> bytes | None:
        """The next bytes, or None at the end, without keys of the request that the answer repeats."""
        assert self._body is not None
        while True:
            try:
                chunk = await self._body.read()
            except Exception as error:
                failure = translated(self, error)
                self._log_failure(error)
                break
            if not chunk:
                rest, self._tail = self._tail, b''
                return rest or None
            if chunk := self._without_keys(chunk):
                return chunk
        try:
            raise failure
        finally:
            del failure  # its traceback holds this frame

    async def pump(self, take: Callable[[bytes], bool]) -> None:
        """Give what `read` would return to `take` as it arrives, until it returns False, or something is to be read."""
        assert self._body is not None

        def pass_on(chunk: bytes) -> bool:
            if self._tail or chunk[-1] != _LINE_BREAK:
                chunk = self._without_keys(chunk)
                return not chunk or take(chunk)
            for key in self._keys:  # the usual read: `_without_keys` without its calls
                chunk = chunk.replace(key, HIDDEN)
            return take(chunk)

        await self._body.pump(pass_on)

    def _without_keys(self, chunk: bytes) -> bytes:
        """What came before and was held, and `chunk`; but for its end, if a key may begin there, which is held."""
        chunk = without_keys(self._tail + chunk if self._tail else chunk, self._keys)
        # No key holds a line break, the usual end of a read from a stream.
        tail = self._tail = b'' if chunk[-1] == _LINE_BREAK else key_begun(chunk, self._keys)
        return chunk[: -len(tail)] if tail else chunk

    async def read_what_comes(self, limit: int) -> bytes:
        """The body of an error as far as it arrives: if it breaks off, the error stays the same."""
        chunks, size = list[bytes](), 0
        try:
            while size < limit and (chunk := await self.read()) is not None:
                chunks.append(chunk)
                size += len(chunk)
        except (TemporaryFailure, ModelAPIError):
            pass
        return b''.join(chunks)[:limit]

    async def read_all(self, first: bytes | None, limit: int, *, cut: bool = False) -> bytes:
        """The body; beyond `limit` it is cut or raises an error."""
        chunks, size, chunk = [], 0, first
        while chunk is not None:
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                if cut:
                    break
                raise too_long(self.request, limit)
            chunk = await self.read()
        return b''.join(chunks)[:limit]

    def release(self) -> None:
        """End without an answer: the held amount is paid only if the request was sent."""
        if self.payment is not None:
            self.payment.release()

    async def aclose(self) -> None:
        """Release the connection and the slot; never waits, so a cancellation cannot interrupt it."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()
            if self.permit is not None:
                self.permit.close()
        if self._sent_at is not None:
            self._log('ended' if self.answered else 'stopped before its answer')
            self._sent_at = None
        if self._body is not None:
            await self._body.aclose()

    def _log_start(self) -> None:
        self._sent_at = monotonic()
        debug(HTTP, '%s started, attempt %d, %d bytes', self.request.line, self.number, len(self.request.body))

    def _log_failure(self, error: Exception) -> None:
        self._log(f'failed ({type(error).__name__})')
        self._sent_at = None  # that is its end

    def _log(self, event: str) -> None:
        if self._sent_at is not None:
            debug(HTTP, '%s %s after %.3f s', self.request.line, event, monotonic() - self._sent_at)

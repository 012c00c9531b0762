"""One HTTP/1.1 connection: requests are written one after another, and llhttp parses their answers. It consists of an
asyncio protocol, a C parser, and a list of received bytes for the reader. The state of an answer is reset with each
request. Everything belongs to the loop of the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import ssl
from collections.abc import Callable
from contextvars import Context
from typing import Any

import httptools

from .._base.phases import BEGINNING, NEXT_BYTES, names_wait
from .causes import cause_in_words
from .wire_errors import (
    AnswerCut,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
    TransportError,
    WireTimeout,
    WriteTimeout,
)

__all__ = ['Connection']

_MOST_WITHOUT_BODY = 128 * 1024  # the most bytes of headers, or of other data without content
_MOST_UNREAD = 128 * 1024  # with more unread bytes than this, reading stops
_PIECE = 64 * 1024  # bytes of a request, after which writing follows the server's pace
_CONTINUE = 100  # statuses from here to `_ANSWER`, except one, precede the answer
_SWITCHING = 101
_ANSWER = 200  # this status, and all above
_REFUSED = 300  # this one, and all above: nobody reads the rest of the request
_CONTROL = re.compile(rb'[\x00-\x08\x0a-\x1f\x7f]')  # characters that no header may hold
_FRAMING = (b'content-length', b'transfer-encoding')  # the headers that say where a body ends


class Connection(asyncio.BufferedProtocol):
    """Made with its loop, and a buffer that all connections of the loop may share, because received bytes are parsed
    before the next callback of the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, buffer: memoryview) -> None:
        self._loop = loop
        self._buffer = buffer
        self._parser: Any = None  # only while there is a socket: the parser and this object refer to each other
        self.transport: asyncio.Transport | None = None
        self._failure: tuple[type[TransportError], str] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = math.inf
        self._late: type[WireTimeout] = ReadTimeout  # the error if the current wait passes its deadline
        self._timer: asyncio.TimerHandle | None = None
        self._fires = math.inf  # the time at which the timer fires
        self._take: Callable[[bytes], bool] | None = None  # takes what arrives, in place of a reader: see `pump`
        self._idle = math.inf  # seconds between two arrivals while `_take` is set
        self._taking = True  # whether the server takes written bytes
        self._answering = False  # whether a request was written and its answer has not ended
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._has_begun = False  # the first byte of the answer's head arrived
        self._has_head = False  # the head is complete; 100 Continue and 103 Early Hints may come before it
        self._framed = False  # whether the answer has a length; else the end of the connection ends it
        self._coded = False  # a header names a transfer coding
        self._end_was_said = False  # the server closed it (with TLS by a close_notify): nothing was lost on the way
        self._is_uploaded = False  # all of the request was written
        self._without_body = 0
        self._unread: list[bytes] = []
        self._unread_bytes = 0

    # --- for the pool -------------------------------------------------------------------------------------------------

    @property
    def reusable(self) -> bool:
        """Whether another request may be written to it."""
        return (
            self._is_uploaded
            and not self._answering
            and not self._unread
            and self._failure is None
            and self.transport is not None
            and not self.transport.is_closing()  # the connection is lost; the loop's next turn reports it
        )

    @property
    def may_be_cut(self) -> bool:
        """Whether the end of the connection ended the answer, without a proof that it is complete."""
        return not self._framed and not self._answering and not self._end_was_said

    @names_wait(BEGINNING)
    async def ask(self, head: bytes, content: bytes, deadline: float) -> None:
        """Write a request and wait for the head of its answer, which may come before a long request is completely sent.

        Args:
            head: The request line and the headers.
            content: The body.
            deadline: When to give up, by the loop's clock.

        Raises:
            AnswerCut: The connection broke, or the data is not HTTP, after the head of the answer had begun.
            TransportError: It broke before that, or nothing arrived in time.
        """
        self._reset()
        self._answering = True
        try:
            if len(content) <= _PIECE:
                self._write(head + content)
                self._is_uploaded = True
            else:
                self._is_uploaded = await self._upload(head, memoryview(content), deadline)
            while not self._has_head:
                await self._wait(deadline)
        except (ReadError, RemoteProtocolError) as error:
            if not self._has_begun:
                raise
            raise AnswerCut(str(error)) from None

    @names_wait(NEXT_BYTES)
    async def read(self, deadline: float) -> bytes:
        """The bytes since the last read; waits for some; empty at the end of the answer.

        Raises:
            TransportError: As for `ask`.
        """
        while not self._unread:
            if not self._answering:
                return b''
            await self._wait(deadline)
        return self._taken()

    @names_wait(NEXT_BYTES)
    async def pump(self, take: Callable[[bytes], bool], idle: float) -> None:
        """Give what arrives to `take` in the turn of the loop in which it arrives, until it returns False.

        Returns then, and where `read` must go on: in the middle of a chunk, at the end of the answer, after a failure.

        Args:
            take: Called by the connection, in no particular context; must not raise.
            idle: Seconds that the next bytes may take to arrive.
        """
        self._take, self._idle = take, idle
        self._deadline = self._loop.time() + idle
        try:
            while self._take is not None and self._answering and not self._unread and self._failure is None:
                await self._wait(self._deadline)
        finally:
            self._take = None

    def _taken(self) -> bytes:
        unread, self._unread = self._unread, []
        if self._unread_bytes > _MOST_UNREAD and self.transport is not None:
            Context().run(self.transport.resume_reading)  # asyncio keeps the context of the first read
        self._unread_bytes = 0
        return unread[0] if len(unread) == 1 else b''.join(unread)

    def hand_over(self) -> asyncio.Transport:
        """The open socket, for another protocol; `close` still closes it.

        Raises:
            TransportError: It was lost, or more has arrived than the head of an answer.
        """
        if self._failure is not None:
            raise self._failure[0](self._failure[1])
        if self._unread:
            raise RemoteProtocolError('it sent more than an answer')
        assert self.transport is not None
        self._parser = None
        self._stop_timer()
        return self.transport

    def close(self) -> None:
        """Close the socket now; never waits. The unread part of the answer is dropped."""
        self._fail(ReadError, 'it was closed')
        self._stop_timer()
        if self.transport is not None:
            self.transport.abort()

    # --- writing and waiting ------------------------------------------------------------------------------------------

    async def _upload(self, head: bytes, content: memoryview, deadline: float) -> bool:
        """Write at the server's pace, and return whether everything was written. The rest is dropped once the request
        is refused or the connection is lost.
        """
        self._write(head)
        for start in range(0, len(content), _PIECE):
            while not self._taking and not self._is_over():
                await self._wait(deadline, WriteTimeout)
            if self._is_over():
                return False
            self._write(content[start : start + _PIECE])
        return True

    def _is_over(self) -> bool:
        is_lost = self._failure is not None or self.transport is None or self.transport.is_closing()
        return is_lost or self.status >= _REFUSED

    def _write(self, data: bytes | memoryview) -> None:
        # Otherwise it is lost, and waiting tasks get the error; asyncio would log a warning on the loop thread.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    async def _wait(self, deadline: float, late: type[WireTimeout] = ReadTimeout) -> None:
        """Wait until something happens; a passed deadline is a failure, which the next wait raises."""
        if self._failure is not None:
            raise self._failure[0](self._failure[1])
        self._deadline, self._late = deadline, late
        if deadline < self._fires:
            self._start_timer(deadline)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, kind: type[TransportError], why: str) -> None:
        """Set the error for all waits, now and later; the first error stays."""
        if self._failure is None:
            self._failure = kind, why
        self._wake()

    def _start_timer(self, when: float) -> None:
        self._stop_timer()
        self._fires = when
        self._timer = self._loop.call_at(when, self._expire, context=Context())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._fires = math.inf

    def _expire(self) -> None:
        """Called by the timer. It is not moved at each wait: when it fires early, it is set again for the current wait.
        When it is due, the loop polls the socket once more. A process that was stopped, by Ctrl-Z or `docker pause`,
        finds its timers due before it has read the arrived bytes.
        """
        self._timer, self._fires = None, math.inf
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:
            self._start_timer(self._deadline)
        else:
            self._loop.call_soon(self._expired, context=Context())

    def _expired(self) -> None:
        if self._waiter is not None and not self._waiter.done() and self._loop.time() >= self._deadline:
            self._fail(self._late, 'nothing arrived in time')

    # --- asyncio ------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._parser = httptools.HttpResponseParser(self)
        # Like other clients, accept lines that end with LF alone, and chunk lengths that are padded with spaces. A
        # header may continue in the next line (RFC 9112 section 5.2); anything else that this allows is refused below.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
            lenient_keep_alive=True,  # after `103 Early Hints` with `Connection: close`
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._without_body += nbytes
        try:
            if not self._answering:
                raise httptools.HttpParserError('data without a request')
            self._parser.feed_data(self._buffer[:nbytes])
            if self._without_body > _MOST_WITHOUT_BODY:
                raise httptools.HttpParserError(f'its headers are longer than {_MOST_WITHOUT_BODY} bytes')
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(RemoteProtocolError, f'the answer is not HTTP: {error}')
            if self.transport is not None:
                self.transport.abort()
        else:
            if self._take is not None and self._unread and self._answering and self._take(self._taken()):
                self._deadline = self._loop.time() + self._idle
            else:
                self._take = None
                self._wake()

    def eof_received(self) -> None:
        """The transport closes itself; until then nothing may be written. asyncio calls this for broken TLS connections
        too.
        """
        if self.transport is not None and not self._framed:
            self._end_was_said = _is_said(self.transport.get_extra_info('ssl_object'))
        if not self._answering:
            self._fail(RemoteProtocolError, 'it was closed before the answer')

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._hear_out()
        self.transport = None
        self._parser = None
        self._stop_timer()
        if self._answering and self._has_head and not self._framed and exc is None:
            self._answering = False  # the end of the connection ends the answer
        if exc is not None:
            self._fail(ReadError, cause_in_words(exc))
        elif self._has_head:
            self._fail(RemoteProtocolError, 'it was closed in the middle of the answer')
        else:
            self._fail(RemoteProtocolError, 'it was closed before the answer')

    def _hear_out(self) -> None:
        """Read the answer of a server that hung up on a long request: asyncio stops reading when a write fails."""
        if self.transport is None or self.transport.get_extra_info('ssl_object') is not None:
            return
        with contextlib.suppress(OSError), self.transport.get_extra_info('socket').dup() as rest:
            while self._answering and self._failure is None and self._unread_bytes <= _MOST_UNREAD:
                if not (nbytes := rest.recv_into(self._buffer)):
                    return
                self.buffer_updated(nbytes)

    def pause_writing(self) -> None:
        self._taking = False

    def resume_writing(self) -> None:
        self._taking = True
        self._wake()

    # --- llhttp -------------------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._has_head:
            return  # a trailer
        self.headers.append((name, value))
        if name.lower() in _FRAMING:
            self._check_framing(name.lower(), value)

    def _check_framing(self, name: bytes, value: bytes) -> None:
        """Refuse any coding other than a single `chunked`: parsers differ in how they read other codings."""
        if name == b'transfer-encoding' and (self._coded or value.strip().lower() != b'chunked'):
            self._fail(RemoteProtocolError, 'its transfer-encoding is another one, and only chunked is read')
            raise httptools.HttpParserError
        self._coded = self._coded or name == b'transfer-encoding'
        self._framed = True

    def on_headers_complete(self) -> None:
        self.status = status = self._parser.get_status_code()
        names, values = [name for name, _ in self.headers], [value for _, value in self.headers]
        if b' ' in b''.join(names) or _CONTROL.search(b''.join(values)):
            self._fail(RemoteProtocolError, 'the answer is not HTTP: a header holds what none may')
            raise httptools.HttpParserError
        if status >= _ANSWER:
            self._has_head = True
        elif status < _CONTINUE or status == _SWITCHING:  # the rest is no answer
            self._fail(RemoteProtocolError, f'its status is {status}, for which nobody asked')
            raise httptools.HttpParserError

    def on_body(self, body: bytes) -> None:
        self._without_body = 0
        self._unread.append(body)
        before, self._unread_bytes = self._unread_bytes, self._unread_bytes + len(body)
        if before <= _MOST_UNREAD < self._unread_bytes and self.transport is not None:
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        if not self._has_head:
            self.headers, self._framed, self._coded, self._has_begun = [], False, False, False
            return
        self._answering = False
        if not self._parser.should_keep_alive():
            self._fail(RemoteProtocolError, 'it was closed after the answer')

    def on_message_begin(self) -> None:
        if not self._answering:
            raise httptools.HttpParserError('an answer without a request')
        self._has_begun = True


def _is_said(tls: ssl.SSLObject | None) -> bool:
    """Whether the server ended a connection, with TLS by a close_notify, after which OpenSSL reads no more."""
    try:
        return tls is None or not tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:  # it waits for more
        return False

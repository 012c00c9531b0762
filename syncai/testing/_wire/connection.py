"""One client's connection: requests are parsed as they arrive, and answers are written with the faults of their
replies.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice

import h11

from ..recorded import RecordedRequest
from ..script import Reply
from . import openai_chat
from .formats import WireFormat, format_of

_PIECE = 65_536  # so that `bytes_sent` moves while a large event is being sent
_YIELD_EVERY = 16  # writes between two turns of the loop, in which the server notices that a client has left

Answer = Callable[[RecordedRequest], Awaitable[Reply]]


class HangUp(Exception):
    """The answer is over, and the connection with it."""


class Connection:
    """Lives on the server's loop; only that loop's thread touches it."""

    def __init__(
        self,
        number: int,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        records: list[RecordedRequest],
        answer: Answer,
    ) -> None:
        self._number = number
        self._reader, self._writer = streams
        # drain() then waits until the kernel has taken everything: a stalled client stalls the answer.
        # (Not a limit of 0, by which the TLS transport of asyncio would pause forever.)
        self._writer.transport.set_write_buffer_limits(high=1, low=0)
        self._records = records
        self._answer = answer
        self._http = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._complete: asyncio.Queue[RecordedRequest] = asyncio.Queue()
        self._unfinished: RecordedRequest | None = None
        self._cut_bytes = _PIECE
        self._writes = 0

    async def run(self) -> None:
        """Serves until the client leaves, an answer ends the connection, or this task is cancelled."""
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._serve())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await self._close()
        for error in results:
            if isinstance(error, Exception):  # such as a header that no client would accept
                context = {'message': 'the model server could not answer', 'exception': error}
                asyncio.get_running_loop().call_exception_handler(context)

    async def _close(self) -> None:
        if self._unfinished is not None:
            self._writer.transport.abort()
        self._writer.close()
        try:
            async with asyncio.timeout(0.2):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    async def _read(self) -> None:
        # Reads also while an answer is under way: the only way to see at once that the client has left.
        try:
            while data := await self._reader.read(_PIECE):
                self._http.receive_data(data)
                self._parse()
        except OSError:
            pass
        except h11.RemoteProtocolError as error:
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self._refuse(error)
        self._note_disconnect()

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        body = f'not HTTP: {error}'.encode()
        headers = [('content-type', 'text/plain'), ('content-length', str(len(body))), ('connection', 'close')]
        events = (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        self._writer.write(b''.join(self._http.send(event) or b'' for event in events))

    def _note_disconnect(self) -> None:
        if self._unfinished is not None and self._unfinished.finished_at is None:
            self._unfinished.disconnected_at = time.monotonic()

    def _parse(self) -> None:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA and self._http.they_are_waiting_for_100_continue:
                self._writer.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b'')
            if event in (h11.NEED_DATA, h11.PAUSED):
                return
            if isinstance(event, h11.Request):
                self._head, self._body = event, []
            elif isinstance(event, h11.Data):
                self._body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._record()

    def _record(self) -> None:
        assert self._head is not None
        body = b''.join(self._body)
        self._unfinished = RecordedRequest(
            number=len(self._records),
            connection=self._number,
            method=self._head.method.decode(),
            path=self._head.target.decode(),
            headers={name.decode(): value.decode('latin-1') for name, value in self._head.headers},
            body=body,
            json=_parsed(body),
            received_at=time.monotonic(),
        )
        self._records.append(self._unfinished)
        self._complete.put_nowait(self._unfinished)

    async def _serve(self) -> None:
        with contextlib.suppress(HangUp, OSError):
            while True:
                request = await self._complete.get()
                await self._respond(request, await self._answer(request))
                self._unfinished = None
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    return
                self._http.start_next_cycle()
                self._parse()

    async def _respond(self, request: RecordedRequest, reply: Reply) -> None:
        self._cut_bytes = min(reply.cut_bytes or _PIECE, _PIECE)
        await asyncio.sleep(reply.delay_headers)
        if reply.ending == 'reset_before_headers':
            self._reset(request)
        if reply.body is None and reply.status < 400 and request.streams:
            await self._send_stream(request, reply)
        else:
            await self._send_body(request, reply)

    async def _send_stream(self, request: RecordedRequest, reply: Reply) -> None:
        wire = format_of(request) or openai_chat
        await self._send_head(request, reply, wire.CONTENT_TYPE, None)
        await asyncio.sleep(reply.delay_first_event)
        events = _events(wire, reply, request)
        next_at = time.monotonic()
        while batch := list(islice(events, reply.events_per_write)):
            await asyncio.sleep(max(0.0, next_at - time.monotonic())) if reply.delay_between_events else None
            request.events_sent += len(batch)
            await self._send(request, h11.Data(data=b''.join(batch)))
            # An absolute schedule keeps the rate; a client that stalled gets no burst of everything it missed.
            next_at = max(next_at, time.monotonic() - 0.05) + reply.delay_between_events
        await self._break_off(request, reply, wire.CUT_EVENT)
        await self._write(request, self._http.send(h11.EndOfMessage()) or b'', last=True)

    async def _send_body(self, request: RecordedRequest, reply: Reply) -> None:
        body, content_type = _whole_body(request, reply)
        early_end = reply.ending == 'eof'
        await self._send_head(request, reply, content_type, None if early_end else len(body))
        await asyncio.sleep(reply.delay_first_event)
        part = body if reply.ending in ('done', 'error') else body[: len(body) // 2]
        request.events_sent = 1
        data = self._http.send(h11.Data(data=part)) or b''
        if reply.ending in ('cut', 'reset'):
            await self._write(request, data)
            await self._break_off(request, reply, None)
        await self._write(request, data + (self._http.send(h11.EndOfMessage()) or b''), last=True)

    async def _send_head(self, request: RecordedRequest, reply: Reply, content_type: str, length: int | None) -> None:
        headers = {'content-type': reply.content_type or content_type, 'x-request-id': f'req-{request.number}'}
        if length is not None:
            headers['content-length'] = str(length)
        headers |= {name.lower(): value for name, value in reply.headers.items()}
        await self._send(request, h11.Response(status_code=reply.status, headers=list(headers.items())))
        request.headers_sent_at = time.monotonic()

    async def _break_off(self, request: RecordedRequest, reply: Reply, unfinished_chunk: bytes | None) -> None:
        if reply.ending == 'cut':
            if unfinished_chunk is not None:
                await self._write(request, b'400\r\n' + unfinished_chunk)
            request.finished_at = time.monotonic()
            raise HangUp
        if reply.ending == 'reset':
            self._reset(request)

    def _reset(self, request: RecordedRequest) -> None:
        request.finished_at = time.monotonic()
        sock = self._writer.get_extra_info('socket')
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))  # close() sends RST
        self._writer.transport.abort()
        raise HangUp

    async def _send(self, request: RecordedRequest, event: h11.Event) -> None:
        await self._write(request, self._http.send(event) or b'')

    async def _write(self, request: RecordedRequest, data: bytes, *, last: bool = False) -> None:
        for start in range(0, len(data), self._cut_bytes):
            piece = data[start : start + self._cut_bytes]
            ends_answer = last and start + len(piece) == len(data)
            if ends_answer:
                # Noted before it is sent: a client that has the whole answer must find the record complete.
                request.finished_at = time.monotonic()
                request.bytes_sent += len(piece)
            else:
                await self._take_turns()
            self._writer.write(piece)
            await self._writer.drain()
            request.bytes_sent += 0 if ends_answer else len(piece)

    async def _take_turns(self) -> None:
        self._writes += 1
        if self._cut_bytes < _PIECE or self._writes % _YIELD_EVERY == 0:
            await asyncio.sleep(0)


def _events(wire: WireFormat, reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
    yield from islice(wire.content_events(reply, request), reply.cut_after_events)
    if reply.ending == 'done':
        yield from wire.closing_events(reply, request)
    elif reply.ending == 'error':
        yield wire.error_event(reply)


def _whole_body(request: RecordedRequest, reply: Reply) -> tuple[bytes, str]:
    body = reply.body
    if isinstance(body, str | bytes):
        kind = 'text/event-stream' if request.streams and reply.status < 400 else 'text/plain'
        return body.encode() if isinstance(body, str) else body, f'{kind}; charset=utf-8'
    if body is not None:
        from pydantic_core import to_json

        return to_json(body), 'application/json'
    wire = format_of(request) or openai_chat
    if reply.ending == 'error':
        error = wire.error_body(max(reply.status, 500))
    else:
        error = wire.error_body(reply.status) if reply.status >= 400 else wire.completion(reply, request)
    return error, 'application/json'


def _parsed(body: bytes) -> object:
    from pydantic_core import from_json

    try:
        return from_json(body)
    except ValueError:
        return None

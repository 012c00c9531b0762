"""A `Connection` without a server: fed by hand, or over a socket whose other end the test holds."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from syncai._transport.connection import Connection
from syncai._transport.wire import WireResponse

HEAD = b'POST / HTTP/1.1\r\nHost: x\r\n\r\n'
OK = b'HTTP/1.1 200 OK\r\n'
CHUNKED = OK + b'Transfer-Encoding: chunked\r\n\r\n'
BUFFER = 64 * 1024


class Wire(asyncio.Transport):
    """A transport to nowhere, so that bytes can be cut anywhere without waiting for a socket."""

    def __init__(self) -> None:
        super().__init__({'ssl_object': self})  # there is no socket to look into
        self.closed = False

    def write(self, data: Any) -> None: ...

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Fed:
    """A connection that was asked, and is given its answer in pieces."""

    def __init__(self) -> None:
        self.buffer, self.wire = memoryview(bytearray(BUFFER)), Wire()
        self.connection = Connection(asyncio.get_running_loop(), self.buffer)
        self.connection.connection_made(self.wire)
        self.asked = asyncio.create_task(self.connection.ask(HEAD, b'', math.inf))

    def feed(self, data: bytes) -> None:
        for start in range(0, len(data), BUFFER):
            piece = data[start : start + BUFFER]
            if self.wire.closed:
                return
            self.connection.get_buffer(-1)[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))

    def lose(self) -> None:
        self.wire.closed = True
        self.connection.connection_lost(None)

    async def answer(self) -> tuple[int, bytes, bool]:
        await self.asked
        body = await whole(self.connection)
        return self.connection.status, body, self.connection.reusable


async def whole(connection: Connection) -> bytes:
    pieces = []
    while piece := await connection.read(math.inf):
        pieces.append(piece)
    return b''.join(pieces)


async def body_of(response: WireResponse) -> bytes:
    """All of a body; its connection is given back."""
    pieces = []
    while piece := await response.body.read():
        pieces.append(piece)
    await response.body.aclose()
    return b''.join(pieces)


@contextlib.asynccontextmanager
async def pair(**buffers: int) -> AsyncIterator[tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection over a real socket, and the server's end of it."""
    near, far = socket.socketpair()
    loop = asyncio.get_running_loop()
    connection = Connection(loop, memoryview(bytearray(BUFFER)))
    await loop.create_connection(lambda: connection, sock=near)
    reader, writer = await asyncio.open_connection(sock=far)
    try:
        yield connection, reader, writer
    finally:
        connection.close()
        writer.transport.abort()
        await turns(3)


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # the time limit of the test ends a wait for nothing
        await asyncio.sleep(0.001)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(20):
            return await coroutine

    return asyncio.run(main())

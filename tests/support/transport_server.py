"""A raw server on loopback that answers as a test says, and short forms of requests to it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from syncai._transport import HttpClient, HttpRequest, close_clients, shared_client
from syncai.settings import HttpOptions

Handler = Callable[['Connection', int], Awaitable[None]]
KEY = 'sk-secret-0123456789'


class Connection:
    """One connection at the server: what to answer with."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int = 200, body: bytes = b'{}', kind: str = 'application/json', **more: str) -> None:
        head = f'HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n'
        head += ''.join(f'{name.replace("_", "-")}: {value}\r\n' for name, value in more.items())
        await self.write(head.encode() + b'\r\n' + body)

    async def begin_events(self) -> None:
        await self.write(b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n')

    async def chunk(self, data: bytes) -> None:
        await self.write(b'%x\r\n%s\r\n' % (len(data), data))

    def reset(self) -> None:
        self.writer.transport.abort()


class Server:
    """Answers each request by `handler(connection, number of the request from 1)`."""

    def __init__(self, handler: Handler, port: int, scheme: str) -> None:
        self.handler, self.requests, self.opened, self.open_now = handler, list[bytes](), 0, 0
        self.url = f'{scheme}://localhost:{port}/v1' if scheme == 'https' else f'http://127.0.0.1:{port}/v1'

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open_now += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b'\r\n\r\n')
                length = head.lower().partition(b'content-length: ')[2].split(b'\r\n')[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                await self.handler(Connection(self, reader, writer), len(self.requests))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.open_now -= 1


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(handler, 0, 'http')
    listening = await asyncio.start_server(lambda r, w: server.serve(r, w), '127.0.0.1', 0, ssl=tls)
    server.url = Server(handler, listening.sockets[0].getsockname()[1], 'https' if tls else 'http').url
    try:
        yield server
    finally:
        listening.close()
        await close_clients()
        while server.open_now:  # the time limit of the test ends a leak
            await asyncio.sleep(0.001)


def options(**more: Any) -> HttpOptions:
    return HttpOptions(**{'max_retries': 0, **more})


def request(url: str, **more: Any) -> HttpRequest:
    headers = {'Authorization': f'Bearer {KEY}', 'Content-Type': 'application/json'}
    return HttpRequest('POST', url, headers, b'{"a":1}', 'm', 'p', **more)


def run(handler: Handler, test: Callable[[Server], Coroutine[Any, Any, Any]], tls: ssl.SSLContext | None = None) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(20), serving(handler, tls) as server:
            return await test(server)

    return asyncio.run(main())


def send(handler: Handler, tls: ssl.SSLContext | None = None, **more: Any) -> Any:
    """What one `send` gives, or raises, and how many requests came."""

    async def test(server: Server) -> Any:
        try:
            return await shared_client(options(**more)).send(request(server.url)), len(server.requests)
        except Exception as error:
            return error, len(server.requests)

    return run(handler, test, tls)


async def fine(connection: Connection, number: int) -> None:
    await connection.answer(body=b'{"ok":1}', x_request_id='req-7')


async def send_and_close(url: str, **more: Any) -> None:
    client = HttpClient(options(**more))
    try:
        await client.send(request(url))
    finally:
        await client.aclose()

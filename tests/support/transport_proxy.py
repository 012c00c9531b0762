"""A proxy on loopback that opens tunnels, or refuses to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

PASSWORD = 'correct-horse'


class Tunnel:
    """A proxy that knows CONNECT, and nothing else."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.asked, self.url = answer, list[bytes](), ''

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b'\r\n\r\n')
        self.asked.append(head)
        writer.write(b'HTTP/1.1 %s\r\n\r\n' % self.answer)
        if self.answer.split(b'HTTP/1.1 ')[-1].startswith(b'2'):
            port = head.split()[1].decode().rpartition(':')[2]
            far_reader, far_writer = await asyncio.open_connection('127.0.0.1', int(port))
            await asyncio.gather(copied(reader, far_writer), copied(far_reader, writer))
        await closed(writer)


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def tunnel(answer: bytes = b'200 OK', tls: ssl.SSLContext | None = None) -> AsyncIterator[Tunnel]:
    proxy = Tunnel(answer)
    listening = await asyncio.start_server(proxy.serve, '127.0.0.1', 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    proxy.url = f'https://name:{PASSWORD}@localhost:{port}' if tls else f'http://name:{PASSWORD}@127.0.0.1:{port}'
    try:
        yield proxy
    finally:
        listening.close()

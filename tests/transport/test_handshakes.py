"""Few TLS handshakes run at a time, and silent servers delay no other connection."""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
from transport_server import options

from syncai._transport import handshakes
from syncai._transport.connector import Connector


class SilentServer:
    """Counts those that have begun a handshake, and answers none."""

    def __init__(self) -> None:
        self.connected = self.greeted = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        if await reader.read(1) == b'\x16':  # RFC 8446, section 5.1: the type of a record of a handshake
            self.greeted += 1
            while await reader.read(1000):
                pass
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self.serve, '127.0.0.1', 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()


async def until(count: int, what: SilentServer) -> None:
    async with asyncio.timeout(10):
        while what.greeted < count or what.connected < count:
            await asyncio.sleep(0.005)


@pytest.mark.slow
def test_as_many_at_once_as_there_are_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is cancelled, whether it waits for its turn or has it, gives its turn to another."""
    monkeypatch.setattr(handshakes, '_SECONDS', 60.0)

    async def main() -> None:
        server = SilentServer()
        async with server.listening():
            connector = Connector(options(connect_timeout=60.0))
            origin = 'https', '127.0.0.1', server.port
            tasks = [asyncio.ensure_future(connector.connect(origin, None, math.inf)) for _ in range(100)]
            while server.connected < 100:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            assert server.greeted == 64
            for task in (*tasks[:4], *tasks[-8:]):
                task.cancel()
            await until(68, server)
            await asyncio.sleep(0.05)
            assert server.greeted == 68
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert connector._handshakes._places._value == 64

    asyncio.run(main())


def test_a_silent_server_holds_up_no_other() -> None:
    authority = trustme.CA()
    answering = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert('127.0.0.1').configure_cert(answering)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def main() -> None:
        silent = SilentServer()
        async with silent.listening():
            other = await asyncio.start_server(close, '127.0.0.1', 0, ssl=answering)
            connector = Connector(options(connect_timeout=60.0, verify=trusting))
            tasks = [
                asyncio.ensure_future(connector.connect(('https', '127.0.0.1', silent.port), None, math.inf))
                for _ in range(100)
            ]
            await until(64, silent)
            origin = 'https', '127.0.0.1', other.sockets[0].getsockname()[1]
            async with asyncio.timeout(20):
                connection = await connector.connect(origin, None, math.inf)
            connection.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            other.close()

    asyncio.run(main())

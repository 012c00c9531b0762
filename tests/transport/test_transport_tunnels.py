"""Tunnels through proxies, with TLS in TLS, and proxies that open none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from transport_proxy import PASSWORD, tunnel
from transport_server import Server, fine, options, request, run
from transport_tls import Authority, descriptors
from transport_wire import run as run_alone
from transport_wire import turns, until

from syncai._transport import shared_client
from syncai._transport.pool import ConnectionPool
from syncai._transport.wire import WireRequest
from syncai._transport.wire_errors import ConnectError, ProxyError

pytestmark = pytest.mark.skipif(not Path('/proc/self/fd').exists(), reason='counts descriptors as Linux shows them')


@pytest.mark.parametrize(
    'answer',
    [
        b'200 OK',
        b'200 OK\r\nContent-Length: 0',
        b'200 OK\r\nTransfer-Encoding: chunked',
        b'200 OK\r\nX-Empty:',
        b'299 Fine',
        b'103 Hints\r\n\r\nHTTP/1.1 200 OK',
    ],
)
@pytest.mark.parametrize('secure', [False, True])
def test_a_tunnel_is_opened(answer: bytes, secure: bool, tmp_path: Path) -> None:
    authority = Authority(tmp_path)

    async def test(server: Server) -> None:
        async with tunnel(answer, authority.serving() if secure else None) as proxy:
            client = shared_client(options(proxy=proxy.url, verify=authority.bundle))
            for _ in range(2):
                assert (await client.send(request(server.url))).status == 200
            assert len(proxy.asked) == 1

    run(fine, test, authority.serving())


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        (b'HTTP/1.1 407 Auth\r\nContent-Length: 6\r\n\r\nsecret', 'answered 407: put name and password'),
        (b'HTTP/1.1 502 Bad\r\nContent-Type: text/html\r\n\r\n<html>', 'answered 502'),
        (b'HTTP/1.1 200 OK\r\n\r\nmore', 'sent more than an answer'),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore', 'not HTTP'),
        (b'SSH-2.0-OpenSSH\r\n', 'not HTTP'),
        (b'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'its status is 101'),
        (b'HTTP/1.1 200 OK\r\n\r\n', 'does not answer .*closed before TLS'),
        (b'', 'closed before the answer'),
        (b'HTTP/1.1 200 OK\r\n', 'closed before the answer'),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_named(answer: bytes, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'\r\n\r\n')
        writer.write(answer)
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(serve, '127.0.0.1', 0) as listening:
            before = descriptors()
            proxy = f'127.0.0.1:{listening.sockets[0].getsockname()[1]}'
            pool = ConnectionPool(options(proxy=f'http://name:{PASSWORD}@{proxy}'))
            with pytest.raises(ProxyError, match=f'the proxy {proxy} .*{words}') as caught:
                await pool.send(WireRequest('GET', 'https://host.example/', {}))
            assert PASSWORD not in str(caught.value)
            assert 'secret' not in str(caught.value)
            await until(lambda: descriptors() == before)

    run_alone(test())


@pytest.mark.parametrize('secure', [False, True])
def test_a_proxy_that_falls_silent_in_the_tunnel_is_not_waited_for(secure: bool, tmp_path: Path) -> None:
    authority, silent, done = Authority(tmp_path), asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'\r\n\r\n')
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n')
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        silent.set()
        await done.wait()
        writer.transport.abort()

    async def test() -> None:
        tls = authority.serving() if secure else None
        async with await asyncio.start_server(serve, '127.0.0.1', 0, ssl=tls) as listening:
            before = descriptors()
            proxy = f'{"https" if secure else "http"}://localhost:{listening.sockets[0].getsockname()[1]}'
            pool = ConnectionPool(options(proxy=proxy, verify=authority.bundle))
            call = asyncio.create_task(pool.send(WireRequest('GET', 'https://host.example/', {})))
            await silent.wait()
            await asyncio.sleep(0.05)
            call.cancel()
            await asyncio.wait([call])
            await turns(2)
            assert descriptors() == before + 1  # the proxy's end
            done.set()
            await until(lambda: descriptors() == before)

    run_alone(test())


def test_a_host_that_no_certificate_can_have_is_no_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'\r\n\r\n')
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n')
        await reader.read()
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(serve, '127.0.0.1', 0) as listening:
            before = descriptors()
            pool = ConnectionPool(options(proxy=f'http://127.0.0.1:{listening.sockets[0].getsockname()[1]}'))
            with pytest.raises((ConnectError, ProxyError)):
                await pool.send(WireRequest('GET', 'https://.example/', {}))
            await until(lambda: descriptors() == before)

    run_alone(test())

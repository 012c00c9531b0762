"""Requests over real sockets: answers, events, connections kept and given up, cancellation."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import struct
import weakref
from contextvars import ContextVar

import pytest
from transport_server import Connection, Server, fine, options, request, run

from syncai._transport import HttpClient, HttpRequest, shared_client
from syncai._transport.connection import Connection as HttpConnection
from syncai._transport.wire_errors import ReadError


def test_a_request_is_sent_and_answered() -> None:
    async def test(server: Server) -> None:
        client = shared_client(options())
        assert client is shared_client(options())
        for _ in range(3):
            response = await client.send(request(server.url))
        assert (response.status, response.body, response.request_id, response.attempts) == (
            200,
            b'{"ok":1}',
            'req-7',
            1,
        )
        assert server.opened == 1
        sent = server.requests[0].lower()
        assert sent.startswith(b'post /v1 http/1.1')
        assert sent.count(b'accept-encoding') == 1
        assert b'accept-encoding: identity' in sent
        assert sent.endswith(b'{"a":1}')

    run(fine, test)


def test_a_large_request_is_sent_whole_and_cookies_are_forgotten() -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(set_cookie='a=b')

    async def test(server: Server) -> None:
        for _ in range(2):
            await shared_client(options()).send(HttpRequest('POST', server.url, {}, b'x' * 3_000_000))
        assert all(len(sent) > 3_000_000 for sent in server.requests)
        assert b'cookie' not in server.requests[1].lower()

    run(handler, test)


def test_events_arrive_and_the_connection_is_kept_after_the_end_or_a_drain() -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.begin_events()
        await connection.chunk(b'data: 1\n\ndata: 2\n\nda')
        await connection.chunk(b'ta: 3')
        await connection.chunk(b'')

    async def test(server: Server) -> None:
        for drain in (False, True, False):
            async with await shared_client(options()).stream(request(server.url)) as stream:
                found = [event.data for event in await anext(stream)]
                if drain:
                    await stream.drain(1.0)
                found += [event.data async for events in stream for event in events]
                assert found == ['1', '2']
                assert drain or (stream.pending_at_eof and stream.pending_at_eof.data == '3')
        assert server.opened == 1

    run(handler, test)


def test_leaving_a_stream_early_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def handler(connection: Connection, number: int) -> None:
        await connection.begin_events()
        await connection.chunk(b'data: 1\n\n')
        await connection.reader.read()
        gone.set()

    async def test(server: Server) -> None:
        async with await shared_client(options()).stream(request(server.url)) as stream:
            await anext(stream)
        await gone.wait()
        assert [batch async for batch in stream] == []

    run(handler, test)


def test_a_proxy_is_used() -> None:
    async def test(server: Server) -> None:
        client = shared_client(options(proxy=server.url.removesuffix('/v1')))
        assert (await client.send(request('http://provider.invalid/v1'))).status == 200
        assert server.requests[0].startswith(b'POST http://provider.invalid/v1 ')

    run(fine, test)


def test_proxies_come_from_the_environment_except_for_the_hosts_that_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(server: Server) -> None:
        monkeypatch.setenv('http_proxy', server.url.removesuffix('/v1'))
        monkeypatch.setenv('no_proxy', '127.0.0.1,.direct.invalid')
        for url in (server.url, 'http://provider.invalid/v1'):
            assert (await shared_client(options()).send(request(url))).status == 200
        assert [sent.split()[1] for sent in server.requests] == [b'/v1', b'http://provider.invalid/v1']

    run(fine, test)


def test_a_kept_connection_keeps_nothing_of_the_request_alive() -> None:
    class Value: ...

    variable: ContextVar[Value] = ContextVar('variable')

    async def test(server: Server) -> None:
        async def call() -> weakref.ref[Value]:
            variable.set(value := Value())
            await shared_client(options()).send(request(server.url))
            return weakref.ref(value)

        alive = await asyncio.create_task(call())
        await asyncio.sleep(0)
        gc.collect()
        assert alive() is None
        assert server.open_now == 1

    run(fine, test)


@pytest.mark.parametrize('streamed', [False, True])
@pytest.mark.parametrize('seed', range(4))
def test_cancelled_requests_leak_no_slot_task_or_connection(seed: int, streamed: bool) -> None:
    chance = random.Random(seed)

    async def slow(connection: Connection, number: int) -> None:
        await asyncio.sleep(0.002)
        await connection.write(b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n')
        await asyncio.sleep(0.001)
        await connection.write(b'{}')

    async def test(server: Server) -> None:
        client = HttpClient(options(max_connections=4))
        idle = len(asyncio.all_tasks())

        async def call() -> None:
            if not streamed:
                await client.send(request(server.url))
                return
            async with await client.stream(request(server.url)) as stream:
                assert [events async for events in stream] == []

        for _ in range(15):
            calls = [asyncio.create_task(call()) for _ in range(20)]
            await asyncio.sleep(chance.uniform(0, 0.01))
            for cancelled in calls:
                cancelled.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        together = await asyncio.gather(*[client.send(request(server.url)) for _ in range(8)])
        assert [response.status for response in together] == [200] * 8
        assert client._slots._value == 4  # one lost slot of the four would not stop the requests above
        await client.aclose()
        while server.open_now or len(asyncio.all_tasks()) > idle:  # the time limit of the test ends a leak
            await asyncio.sleep(0.01)

    run(slow, test)


def test_a_large_request_over_a_broken_connection_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio warns, on the loop thread, of one who goes on writing."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(('127.0.0.1', 0)) as listening:
            ours = socket.create_connection(listening.getsockname())
            theirs, _ = listening.accept()
        connection = HttpConnection(loop, memoryview(bytearray(1024)))
        await loop.create_connection(lambda: connection, sock=ours)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        theirs.close()  # the loop does not know of it yet
        with pytest.raises(ReadError):
            await connection.ask(b'POST / HTTP/1.1\r\n\r\n', bytes(2_000_000), loop.time() + 10)
        connection.close()

    asyncio.run(main())
    assert caplog.messages == []

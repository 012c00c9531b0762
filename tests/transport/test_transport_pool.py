"""The pool of kept connections, and the heads of requests."""

from __future__ import annotations

import asyncio
import gc
import select
import socket
import struct
import weakref

import pytest
from transport_server import Connection, Server, fine, options, request, run
from transport_wire import body_of, turns, until

from syncai._transport import HttpClient, close_clients, shared_client
from syncai._transport.pool import ConnectionPool
from syncai._transport.wire import WireRequest
from syncai._transport.wire_errors import InvalidRequest, ReadError

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'


async def asked(pool: ConnectionPool, url: str, headers: dict[str, str] | None = None) -> None:
    await body_of(await pool.send(WireRequest('POST', url, headers or {}, b'{}')))


class Far:
    """A server without a loop, so that what it does is done before the client's loop can see it."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening, self.url = listening, f'http://127.0.0.1:{listening.getsockname()[1]}/'
        self.open = list[socket.socket]()

    async def answer(self) -> None:
        self.listening.setblocking(False)
        loop = asyncio.get_running_loop()
        if not self.open:
            self.open.append((await loop.sock_accept(self.listening))[0])
        await loop.sock_recv(self.open[0], 10_000)
        self.open[0].sendall(OK)


def close(sock: socket.socket, *, reset: bool = False) -> None:
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


@pytest.mark.parametrize('reset', [False, True])
def test_a_connection_that_the_server_closed_while_idle_costs_no_attempt(reset: bool) -> None:
    # As after a process was frozen: the loop learns of the end in the same turn in which the next request is made.
    async def test(_: Server) -> None:
        with socket.create_server(('127.0.0.1', 0)) as listening:
            far, client = Far(listening), HttpClient(options())
            await asyncio.gather(client.send(request(far.url)), far.answer())
            assert isinstance(client._transport, ConnectionPool)
            (kept,) = client._transport.open_connections()
            assert kept.transport is not None
            lost = far.open.pop()
            answering = asyncio.create_task(far.answer())
            await turns(2)
            close(lost, reset=reset)
            select.select([kept.transport.get_extra_info('socket')], [], [])  # it has arrived, and the loop not seen it
            await turns(2)
            assert kept.transport is not None
            assert (await client.send(request(far.url))).attempts == 1
            await answering
            await client.aclose()
            close(far.open.pop())

    run(fine, test)


def test_a_connection_is_lost_for_sure_when_it_is_kept_no_longer() -> None:
    async def test(server: Server) -> None:
        pool = ConnectionPool(options(keepalive_expiry=0.02))
        await asyncio.gather(*[asked(pool, server.url) for _ in range(3)])
        await until(lambda: not server.open_now)
        assert not pool.open_connections()
        assert not pool._idle
        assert not pool._open
        assert pool._sweep is None
        await asked(pool, server.url)
        assert server.opened == 4
        await pool.aclose()

    run(fine, test)


@pytest.mark.parametrize('expiry', [0, 30])
def test_connections_that_are_not_kept_are_closed_at_once(expiry: float) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(connection='close' if expiry else 'keep-alive')

    async def test(server: Server) -> None:
        pool = ConnectionPool(options(keepalive_expiry=expiry))
        await asked(pool, server.url)
        assert not pool.idle_connections()
        assert not pool._open
        await until(lambda: not server.open_now)

    run(handler, test)


def test_the_connection_used_last_is_used_next_so_that_the_others_expire() -> None:
    async def test(server: Server) -> None:
        pool = ConnectionPool(options())
        await asyncio.gather(*[asked(pool, server.url) for _ in range(3)])
        last = pool.idle_connections()[-1]
        for _ in range(3):
            await asked(pool, server.url)
            assert pool.idle_connections()[-1] is last
        assert server.opened == 3
        await pool.aclose()
        await until(lambda: not server.open_now)

    run(fine, test)


@pytest.mark.parametrize('moment', ['connecting', 'answering', 'reading'])
def test_closing_ends_requests_under_way_and_leaves_no_connection(moment: str) -> None:
    async def handler(connection: Connection, number: int) -> None:
        if moment == 'reading':
            await connection.write(OK[:-1])
        await connection.reader.read()

    async def test(server: Server) -> None:
        pool = ConnectionPool(options())
        call = asyncio.create_task(asked(pool, server.url))
        await (turns(2) if moment == 'connecting' else until(lambda: server.requests))
        await pool.aclose()
        with pytest.raises(ReadError, match='it was closed'):
            await call
        assert not pool._open
        await until(lambda: not server.open_now)

    run(handler, test)


def test_an_engine_that_is_dropped_lets_its_connections_expire() -> None:
    async def test(server: Server) -> None:
        pool = ConnectionPool(options(keepalive_expiry=0.02))
        await asked(pool, server.url)
        alive = weakref.ref(pool)
        del pool
        await until(lambda: not server.open_now)
        gc.collect()
        assert alive() is None

    run(fine, test)


@pytest.mark.parametrize(
    ('name', 'value', 'words'),
    [
        ('x', 'a\r\ny: b', 'line break'),
        ('x', 'a\ny: b', 'line break'),
        ('x', 'a\rb', 'line break'),
        ('x\r\ny', 'a', 'line break'),
        ('x', 'a\0b', 'line break or a zero'),
        ('x', 'a\u010ab', "header 'x' holds a character that is not ASCII"),
    ],
)
def test_a_header_cannot_begin_another_one(name: str, value: str, words: str) -> None:
    async def test(server: Server) -> None:
        pool = ConnectionPool(options())
        with pytest.raises(InvalidRequest, match=words):
            await asked(pool, server.url, {name: value})
        assert not server.requests
        assert not pool._open
        await pool.aclose()

    run(fine, test)


def test_where_the_body_ends_is_said_once_and_by_us() -> None:
    async def test(server: Server) -> None:
        pool = ConnectionPool(options())
        await asked(pool, server.url, {'content-length': '5', 'transfer-encoding': 'chunked', 'host': 'other'})
        sent = server.requests[0].lower()
        assert sent.endswith(b'\r\n\r\n{}')
        assert sent.count(b'content-length: 2\r\n') == sent.count(b'content-length') == 1
        assert b'transfer-encoding' not in sent
        assert sent.count(b'host: ') == sent.count(b'host: other\r\n') == 1
        await pool.aclose()

    run(fine, test)


def test_a_name_and_password_of_an_address_are_sent_as_a_header() -> None:
    async def test(server: Server) -> None:
        pool = ConnectionPool(options())
        await asked(pool, server.url.replace('://', '://user:p%40ss@'))
        await asked(pool, server.url.replace('://', '://user:p%40ss@'), {'authorization': 'Bearer k'})
        assert b'Authorization: Basic dXNlcjpwQHNz\r\n' in server.requests[0]
        assert b'user' not in server.requests[0].replace(b'user-agent', b'')
        assert b'Basic' not in server.requests[1]
        await pool.aclose()

    run(fine, test)


def test_clients_closed_with_their_loop_leave_no_open_socket() -> None:
    # A transport that is left open warns when it is collected, and warnings are errors here.
    async def main(listening: socket.socket) -> Far:
        far = Far(listening)
        await asyncio.gather(shared_client(options()).send(request(far.url)), far.answer())
        await close_clients()
        return far

    with socket.create_server(('127.0.0.1', 0)) as listening:
        far = asyncio.run(main(listening))
        gc.collect()
        assert far.open[0].recv(1) == b''
        close(far.open.pop())

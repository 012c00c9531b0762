"""Connections being opened: addresses that race, certificates, and every moment at which it may end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from transport_proxy import tunnel
from transport_server import Connection, Server, fine, options, request, run, serving
from transport_tls import Authority, descriptors
from transport_wire import body_of, turns, until
from transport_wire import run as run_alone

from syncai._bridge.event_loop import BridgeLoop
from syncai._transport import HttpClient, certificates, connector, shared_client
from syncai._transport.connector import Connector
from syncai._transport.pool import ConnectionPool
from syncai._transport.wire import WireRequest, WireResponse
from syncai._transport.wire_errors import ConnectError, ConnectTimeout
from syncai.exceptions import IncompleteStreamError, ModelConnectionError, UserError

pytestmark = pytest.mark.skipif(not Path('/proc/self/fd').exists(), reason='counts descriptors as Linux shows them')


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def found_at(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Have every name found at these addresses."""

    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, '', address) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), 'getaddrinfo', getaddrinfo)


@contextlib.contextmanager
def deaf(backlog: int = 100) -> Any:
    """The address of a server that does not even accept; with a backlog of 0 it lets nobody connect."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(('127.0.0.1', 0))
        listening.listen(backlog)
        for _ in range(0 if backlog else 4):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listening.getsockname())
        yield listening.getsockname()


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('names', 'host', 'accepted'),
    [
        (['127.0.0.1'], '127.0.0.1', True),
        (['localhost'], '127.0.0.1', False),
        (['127.0.0.1'], 'localhost', False),
        (['xn--bcher-kva.example'], 'bücher.example', True),
        (['bucher.example'], 'bücher.example', False),
        (['host.example'], 'host.example.', True),
        (['*.host.example'], 'a.host.example', True),
        (['*.host.example'], 'a.b.host.example', False),
    ],
)
def test_a_certificate_must_be_of_the_host(
    names: list[str], host: str, accepted: bool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(server: Server) -> None:
        port = int(server.url.rpartition(':')[2].partition('/')[0])
        with monkeypatch.context() as patched:
            if 'example' in host:
                patched.setattr(asyncio.get_running_loop(), 'getaddrinfo', None)
                found_at(patched, ('127.0.0.1', port))
            client = shared_client(options(verify=authority.bundle))
            if accepted:
                assert (await client.send(request(f'https://{host}:{port}/'))).status == 200
                return
            with pytest.raises(ModelConnectionError, match='certificate is not accepted'):
                await client.send(request(f'https://{host}:{port}/'))
            assert not server.requests

    run(fine, test, authority.serving(*names))


def test_a_server_is_told_that_we_speak_http_1(authority: Authority) -> None:
    async def handler(connection: Connection, number: int) -> None:
        protocol = connection.writer.get_extra_info('ssl_object').selected_alpn_protocol()
        await connection.answer(body=f'"{protocol}"'.encode())

    async def test(server: Server) -> None:
        assert (await shared_client(options(verify=authority.bundle)).send(request(server.url))).body == b'"http/1.1"'

    run(handler, test, authority.serving('localhost'))


def test_authorities_are_loaded_once_and_hold_up_no_other_stream(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, may_end, load = list[object](), threading.Event(), certificates._trusting

    def slow(verify: bool | str) -> Any:
        loads.append(verify)
        assert may_end.wait(10)  # set by the loop, which would wait forever if it loaded them itself
        return load(verify)

    async def test(server: Server) -> None:
        monkeypatch.setattr(certificates, '_trusting', slow)
        clients = [HttpClient(options(verify=authority.bundle)) for _ in range(3)]
        calls = [asyncio.create_task(client.send(request(server.url))) for client in clients * 2]
        await until(lambda: loads)
        calls[0].cancel()
        await turns(3)
        may_end.set()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [getattr(answer, 'status', None) for answer in answers] == [None, 200, 200, 200, 200, 200]
        assert (await clients[0].send(request(server.url))).status == 200
        assert len(loads) == 1
        assert not certificates._loading
        for client in clients:
            await client.aclose()

    run(fine, test, authority.serving('localhost'))


def test_functions_of_the_user_hold_up_no_certificates(authority: Authority) -> None:
    async def main(loop: BridgeLoop) -> int:
        loop.workers._limit = 2
        may_end = threading.Event()
        running = [asyncio.create_task(loop.workers.run(lambda: may_end.wait(20))) for _ in range(3)]
        await until(lambda: loop.workers.are_busy)
        try:
            async with asyncio.timeout(20), serving(fine, authority.serving('localhost')) as server:
                client = HttpClient(options(verify=authority.bundle))
                status = (await client.send(request(server.url))).status
                await client.aclose()
                return status
        finally:
            may_end.set()
            await asyncio.gather(*running)

    loop = BridgeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main(loop)) == 200


@pytest.mark.parametrize('server', ['127.0.0.1:1', 'localhost:1'])
def test_a_file_of_authorities_that_is_missing_is_named_before_a_server_that_is(server: str) -> None:
    async def test() -> None:
        client = HttpClient(options(verify='none.pem'))
        for _ in range(2):
            with pytest.raises(UserError, match=r"HttpOptions\.verify='none\.pem': the certificates cannot be read"):
                await client.send(request(f'https://{server}/'))

    run_alone(test())


# --- TLS under way ----------------------------------------------------------------------------------------------------


def test_connections_that_share_a_buffer_do_not_mix_what_they_read(authority: Authority) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(body=b'%d' % number * 3_000_000)

    async def test(server: Server) -> None:
        client = shared_client(options(verify=authority.bundle))
        answers = await asyncio.gather(*[client.send(request(server.url)) for _ in range(4)])
        assert sorted(answer.body for answer in answers) == [b'%d' % number * 3_000_000 for number in range(1, 5)]

    run(handler, test, authority.serving('localhost'))


def test_a_reader_that_stalls_stalls_the_server_through_tls(authority: Authority) -> None:
    sent = 0

    async def handler(connection: Connection, number: int) -> None:
        nonlocal sent
        await connection.write(b'HTTP/1.1 200 OK\r\ncontent-length: 30000000\r\n\r\n')
        for _ in range(300):
            await connection.write(bytes(100_000))
            sent += 100_000

    async def test(server: Server) -> None:
        pool = ConnectionPool(options(verify=authority.bundle))
        response = await pool.send(WireRequest('GET', server.url, {}))
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 20_000_000
        (connection,) = pool.open_connections()
        assert connection._unread_bytes < 500_000
        assert len(await body_of(response)) == 30_000_000
        await pool.aclose()

    run(handler, test, authority.serving('localhost'))


def test_leaving_early_closes_a_tls_socket_without_asking_the_server(authority: Authority) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.begin_events()
        await connection.chunk(b'data: 1\n\n')
        await connection.reader.read()

    async def test(server: Server) -> None:
        before = descriptors()
        async with await shared_client(options(verify=authority.bundle)).stream(request(server.url)) as stream:
            await anext(stream)
        await until(lambda: descriptors() == before)

    run(handler, test, authority.serving('localhost'))


@pytest.mark.parametrize('whole', [False, True])
def test_a_tls_server_that_closes(whole: bool, authority: Authority) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.write(b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{' + b'}' * whole)
        connection.writer.close()

    async def test(server: Server) -> None:
        client = HttpClient(options(verify=authority.bundle))
        for _ in range(3):
            if whole:
                assert (await client.send(request(server.url))).attempts == 1
                await until(lambda: not server.open_now)
            else:
                with pytest.raises(IncompleteStreamError, match='closed in the middle'):
                    await client.send(request(server.url))
        await client.aclose()

    run(handler, test, authority.serving('localhost'))


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('first', ['refuses', 'hangs'])
def test_the_next_address_is_tried(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, '_EYEBALLS_DELAY', 0.01)

    async def test(server: Server) -> None:
        port = int(server.url.rpartition(':')[2].partition('/')[0])
        with monkeypatch.context() as patched, deaf(backlog=0) as hanging:
            patched.setattr(asyncio.get_running_loop(), 'getaddrinfo', None)
            found_at(patched, ('127.0.0.1', 1) if first == 'refuses' else hanging, ('127.0.0.1', port))
            before = descriptors()
            pool = ConnectionPool(options())
            await body_of(await pool.send(WireRequest('GET', 'http://host.example/', {})))
            await pool.aclose()
            await until(lambda: descriptors() == before)

    run(fine, test)


def test_the_error_of_all_addresses_holds_no_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        found_at(monkeypatch, ('127.0.0.1', 1), ('127.0.0.1', 2))
        with pytest.raises(ConnectError, match='Connection refused') as caught:
            await ConnectionPool(options()).send(WireRequest('GET', 'http://host.example/', {}))
        cause: BaseException | None = caught.value.__cause__
        assert cause
        while cause:
            assert cause.__traceback__ is None
            cause = cause.__cause__ or cause.__context__

    run_alone(test())


def test_sockets_are_those_of_the_system_also_under_gevent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Original(socket.socket): ...

    def original(module: str, name: str) -> Any:
        assert (module, name) == ('socket', 'socket')
        return Original

    monkeypatch.setattr(connector, 'original', original)

    async def test() -> None:
        with deaf() as address:
            made = Connector(options(), None)._socket((socket.AF_INET, socket.SOCK_STREAM, 6, '', address))
            with made:
                assert isinstance(made, Original)
                assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    run_alone(test())


# --- every moment -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def stuck(phase: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, str | None]]:
    """Where to connect to, and by which proxy, for a connection that never gets beyond `phase`."""
    with deaf(backlog=0 if phase in ('connect', 'race') else 100) as (host, port):
        if phase == 'name':
            monkeypatch.setattr(asyncio.get_running_loop(), 'getaddrinfo', lambda *_, **__: asyncio.sleep(1000))
            yield 'http://host.example/', None
        elif phase == 'race':
            monkeypatch.setattr(connector, '_EYEBALLS_DELAY', 0.001)
            found_at(monkeypatch, *[(host, port)] * 3)
            yield 'http://host.example/', None
        elif phase == 'tunnel handshake':
            async with tunnel() as proxy:
                yield f'https://{host}:{port}/', proxy.url
        else:
            address = f'{host}:{port}'
            yield {
                'connect': (f'http://{address}/', None),
                'handshake': (f'https://{address}/', None),
                'CONNECT': ('https://host.example/', f'http://{address}'),
                'handshake of the proxy': ('https://host.example/', f'https://{address}'),
            }[phase]


PHASES = ['name', 'connect', 'race', 'handshake', 'CONNECT', 'handshake of the proxy', 'tunnel handshake']


@pytest.mark.parametrize('ending', ['cancelled', 'timed out'])
@pytest.mark.parametrize('phase', PHASES)
def test_connecting_ends_at_any_moment_and_leaves_nothing(
    phase: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        with monkeypatch.context() as patched:
            async with stuck(phase, patched) as (url, proxy):
                before, tasks = descriptors(), len(asyncio.all_tasks())
                pool = ConnectionPool(options(proxy=proxy, connect_timeout=0.1 if ending == 'timed out' else 100))
                call = asyncio.create_task(pool.send(WireRequest('GET', url, {})))
                if ending == 'cancelled':
                    await until(lambda: phase == 'name' or descriptors() > before)
                    await asyncio.sleep(0.02)
                    call.cancel()
                error = (await asyncio.gather(call, return_exceptions=True))[0]
                assert isinstance(error, asyncio.CancelledError if ending == 'cancelled' else ConnectTimeout)
                for _, asking in list(pool._connector._resolver._asking.items()):
                    asking[1].cancel()  # goes on for the next caller
                await until(lambda: descriptors() == before and len(asyncio.all_tasks()) == tasks)
                assert not pool._open

    run_alone(test())


@pytest.mark.parametrize('number', range(1, 25))
def test_cancelled_in_any_turn_of_the_loop_connecting_leaves_nothing(number: int, authority: Authority) -> None:
    async def test(server: Server) -> None:
        async with tunnel(tls=authority.serving('localhost')) as proxy:
            before = descriptors()
            pool = ConnectionPool(options(proxy=proxy.url, verify=authority.bundle))
            call = asyncio.create_task(pool.send(WireRequest('GET', server.url, {})))
            for _ in range(number):
                await asyncio.sleep(0.0005 if number % 2 else 0)
            call.cancel()
            response = (await asyncio.gather(call, return_exceptions=True))[0]
            if isinstance(response, WireResponse):
                await response.body.aclose()
            await pool.aclose()
            await until(lambda: descriptors() == before)

    run(fine, test, authority.serving('localhost'))

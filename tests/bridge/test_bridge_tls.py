"""TLS on the loop thread: one buffer for all connections, and asyncio's own protocol left as it is for other loops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import socket
import ssl
import threading
from asyncio import sslproto
from collections.abc import AsyncIterator, Iterator

import pytest
import trustme
from transport_server import send_and_close

from syncai._bridge import run_sync, tls
from syncai._bridge.event_loop import BridgeLoop

STREAMS, PIECES = 40, 60


class Origin:
    """asyncio's own server with a certificate: sends each client what its first line asks for, in pieces."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert('localhost').configure_cert(self.server_side)
        self.client_side = ssl.create_default_context()
        authority.configure_trust(self.client_side)
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline() == b'STARTTLS\n':
            await writer.start_tls(self.server_side)
            await reader.readline()
        number = int((await reader.readline()) or b'0')
        for piece in range(PIECES):
            writer.write(body(number, piece))
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def listening(self, *, secure: bool) -> AsyncIterator[None]:
        server = await asyncio.start_server(self.serve, '127.0.0.1', 0, ssl=self.server_side if secure else None)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()


def body(number: int, piece: int) -> bytes:
    """Bytes that no other stream has, at times more of them than one read takes."""
    return hashlib.sha256(b'%d/%d' % (number, piece)).digest() * (1 + 700 * (piece % 7 == 0))


@contextlib.contextmanager
def origin(*, secure: bool = True) -> Iterator[Origin]:
    """A server on a separate event loop, in another thread."""
    server, ready, over = Origin(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with server.listening(secure=secure):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


async def whole(server: Origin, number: int, *, late_tls: bool = False) -> tuple[bytes, sslproto.SSLProtocol]:
    context = None if late_tls else server.client_side
    reader, writer = await asyncio.open_connection('127.0.0.1', server.port, ssl=context, server_hostname=name(context))
    if late_tls:
        writer.write(b'STARTTLS\n')
        await writer.drain()
        await asyncio.sleep(0.05)
        await writer.start_tls(server.client_side, server_hostname='localhost')
    writer.write(b'\n%d\n' % number)
    protocol: sslproto.SSLProtocol = writer.transport._ssl_protocol  # type: ignore[attr-defined]
    received = await reader.read(-1)
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return received, protocol


def name(context: ssl.SSLContext | None) -> str | None:
    return 'localhost' if context else None


async def all_streams(server: Origin, *, late_tls: bool = False) -> list[sslproto.SSLProtocol]:
    answers = await asyncio.gather(*(whole(server, number, late_tls=late_tls) for number in range(STREAMS)))
    for number, (received, _) in enumerate(answers):
        assert received == b''.join(body(number, piece) for piece in range(PIECES)), number
    return [protocol for _, protocol in answers]


@pytest.mark.parametrize('late_tls', [False, True])
def test_connections_of_the_loop_share_a_buffer_and_mix_nothing_up(late_tls: bool) -> None:
    with origin(secure=not late_tls) as server:
        protocols = run_sync(lambda: all_streams(server, late_tls=late_tls))
    assert {type(protocol) for protocol in protocols} == {tls.SharingSSLProtocol}
    assert len({id(protocol._ssl_buffer) for protocol in protocols}) == 1  # type: ignore[attr-defined]
    assert not any('peercert' in protocol._extra for protocol in protocols)
    assert max(len(vars(protocol)) for protocol in protocols) <= 12, 'the fields of the base class are in slots'


def test_what_is_written_before_the_server_reads_arrives_in_order() -> None:
    pieces = [body(number, 0) for number in range(100)]

    async def digest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)  # meanwhile the client fills all buffers in between
        received = await reader.readexactly(sum(map(len, pieces)))
        writer.write(hashlib.sha256(received).digest())
        writer.close()

    async def upload(server: Origin) -> bytes:
        async with await asyncio.start_server(digest, '127.0.0.1', 0, ssl=server.server_side) as listening:
            address = listening.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(
                *address, ssl=server.client_side, server_hostname='localhost'
            )
            assert type(writer.transport._ssl_protocol) is tls.SharingSSLProtocol  # type: ignore[attr-defined]
            for piece in pieces:
                writer.write(piece)
            answer = await reader.read(-1)
            writer.close()
            return answer

    assert run_sync(lambda: upload(Origin())) == hashlib.sha256(b''.join(pieces)).digest()


@pytest.mark.slow
def test_other_event_loops_of_the_process_keep_asyncios_own() -> None:
    with origin() as server:
        run_sync(lambda: all_streams(server))
        protocols = asyncio.run(all_streams(server))
    assert {type(protocol) for protocol in protocols} == {sslproto.SSLProtocol}
    assert sslproto.SSLProtocol.max_size == 256 * 1024


def test_the_private_names_of_asyncio_that_we_rely_on_exist() -> None:
    assert tls.SHARING_WORKS
    plain = sslproto.SSLProtocol(None, asyncio.Protocol(), ssl.create_default_context(), None)  # type: ignore[arg-type]
    assert len(plain._ssl_buffer) == len(plain._ssl_buffer_view) == plain.max_size  # type: ignore[attr-defined]
    plain._app_transport._closed = True  # it has no socket, and warns of none
    for method in ('_make_ssl_transport', '_make_socket_transport', '_process_events'):
        assert callable(getattr(asyncio.SelectorEventLoop, method))
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        handle = asyncio.Handle(print, (), loop)
    assert handle._cancelled is False
    assert callable(handle._run)


@pytest.mark.parametrize('late_tls', [False, True])
def test_without_them_asyncios_own_protocol_is_used(late_tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, 'SHARING_WORKS', False)
    with origin(secure=not late_tls) as server:
        protocols = run_sync(lambda: all_streams(server, late_tls=late_tls))
    assert {type(protocol) for protocol in protocols} == {sslproto.SSLProtocol}


@pytest.mark.slow
def test_a_connection_that_fails_its_handshake_leaves_the_others_alone() -> None:
    async def refused(server: Origin) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection('localhost', server.port, ssl=ssl.create_default_context())

    async def both(server: Origin) -> None:
        await asyncio.gather(all_streams(server), *(refused(server) for _ in range(10)))

    with origin() as server:
        run_sync(lambda: both(server))


def test_a_task_runs_in_the_turn_that_finds_its_socket_ready() -> None:
    async def turns(loop: BridgeLoop) -> int:
        ours, peer = socket.socketpair()
        with ours, peer:
            ours.setblocking(False)
            received = asyncio.ensure_future(loop.sock_recv(ours, 1))
            await asyncio.sleep(0)  # it waits for the socket now
            peer.send(b'x')
            for turn in range(5):
                if received.done():
                    return turn
                await asyncio.sleep(0)
            return 5

    ours, plain = BridgeLoop(), asyncio.SelectorEventLoop()
    with contextlib.closing(ours), contextlib.closing(plain):
        assert ours.run_until_complete(turns(ours)) < plain.run_until_complete(turns(plain))  # type: ignore[arg-type]


def test_a_handle_cancelled_by_one_before_it_does_not_run() -> None:
    async def both(loop: BridgeLoop) -> list[str]:
        pairs, ran = [socket.socketpair() for _ in range(2)], list[str]()

        def on_ready(mine: int) -> None:
            ran.append(f'reader {mine}')
            for ours, _ in pairs:
                loop.remove_reader(ours)

        for number, (ours, peer) in enumerate(pairs):
            loop.add_reader(ours, on_ready, number)
            peer.send(b'x')
        await asyncio.sleep(0.02)
        for pair in pairs:
            pair[0].close()
            pair[1].close()
        return ran

    with contextlib.closing(BridgeLoop()) as loop:
        assert len(loop.run_until_complete(both(loop))) == 1


def test_a_handshake_that_is_cancelled_leaves_no_cycle_behind() -> None:
    async def cancelled(port: int) -> None:
        request = asyncio.ensure_future(send_and_close(f'https://localhost:{port}/v1'))
        await asyncio.sleep(0.1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    def protocols() -> list[sslproto.SSLProtocol]:
        return [kept for kept in gc.get_objects() if isinstance(kept, sslproto.SSLProtocol)]

    gc.collect()
    gc.disable()
    try:
        earlier = protocols()  # held here, so that no later one takes the place of one of them
        with socket.create_server(('127.0.0.1', 0)) as silent:
            for _ in range(3):
                run_sync(lambda: cancelled(silent.getsockname()[1]))
            run_sync(lambda: asyncio.sleep(0))
        assert [kept for kept in protocols() if kept not in earlier] == []
    finally:
        gc.enable()

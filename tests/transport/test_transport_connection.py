"""One HTTP/1.1 connection: what it takes for an answer, what it refuses, and what it holds meanwhile."""

from __future__ import annotations

import asyncio
import gc
import math
import socket
import weakref
from contextvars import ContextVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transport_wire import BUFFER, CHUNKED, HEAD, OK, Fed, pair, run, turns, until, whole

from syncai._transport.connection import Connection
from syncai._transport.wire_errors import ReadError, ReadTimeout, RemoteProtocolError, WriteTimeout

# Name: the answer, its status, its body, and whether another request may follow.
ANSWERS = {
    'length': (OK + b'Content-Length: 5\r\n\r\nhello', 200, b'hello', True),
    'no body': (OK + b'Content-Length: 0\r\n\r\n', 200, b'', True),
    'chunks': (CHUNKED + b'2;a="b"\r\nhe\r\n3\r\nllo\r\n0;x\r\nTrailer: t\r\n\r\n', 200, b'hello', True),
    'a length with spaces': (CHUNKED + b'5  \r\nhello\r\n0\r\n\r\n', 200, b'hello', True),
    'an empty header': (OK + b'X-Empty:\r\nContent-Length: 5\r\n\r\nhello', 200, b'hello', True),
    'line feeds': (b'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello', 200, b'hello', True),
    'no reason': (b'HTTP/1.1 404\r\ncontent-length: 1\r\n\r\nx', 404, b'x', True),
    '204': (b'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', 204, b'', True),
    '304': (b'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n', 304, b'', True),
    '199': (b'HTTP/1.1 199 Soon\r\n\r\n' + OK + b'Content-Length: 1\r\n\r\nx', 200, b'x', True),
    '100': (b'HTTP/1.1 100 Continue\r\n\r\n' + OK + b'Content-Length: 1\r\n\r\nx', 200, b'x', True),
    'hints': (b'HTTP/1.1 103 Hints\r\nLink: l\r\n\r\n' * 3 + OK + b'Content-Length: 1\r\n\r\nx', 200, b'x', True),
    'an offer': (OK + b'Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx', 200, b'x', True),
    'close': (OK + b'Connection: close\r\nContent-Length: 5\r\n\r\nhello', 200, b'hello', False),
    '1.0': (b'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', 200, b'hello', False),
    '1.0 kept': (b'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx', 200, b'x', True),
    'to the end': (OK + b'Content-Type: text/plain\r\n\r\nhello', 200, b'hello', False),
    '1.0 to the end': (b'HTTP/1.0 200 OK\r\n\r\nhello', 200, b'hello', False),
}
FRAMED = [answer for name, (answer, *_) in ANSWERS.items() if 'to the end' not in name]

NO_HTTP = {
    'two framings': OK + b'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    'two lengths': OK + b'Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!',
    'a length below zero': OK + b'Content-Length: -1\r\n\r\n',
    'a length without end': OK + b'Content-Length: 99999999999999999999999\r\n\r\n',
    'a space before the colon': OK + b'Content-Length : 2\r\n\r\nok',
    'a zero': OK + b'X: a\0b\r\nContent-Length: 0\r\n\r\n',
    'a length of a chunk': CHUNKED + b'zz\r\nok\r\n0\r\n\r\n',
    'more than its chunk': CHUNKED + b'2\r\nokay\r\n0\r\n\r\n',
    'another version': b'HTTP/2 200 OK\r\n\r\n',
    'another protocol': b'SSH-2.0-OpenSSH_9.6\r\n',
    'a switch': b'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x01\x02',
    'no status': b'HTTP/1.1 099 Nothing\r\nContent-Length: 0\r\n\r\n' + OK + b'Content-Length: 0\r\n\r\n',
    'a bare switch': b'HTTP/1.1 101 Switching\r\n\r\n',
}


@settings(deadline=None)
@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(1, 200), max_size=12))
def test_answers_are_read_wherever_they_are_cut(name: str, cuts: list[int]) -> None:
    answer, *expected = ANSWERS[name]

    async def test() -> None:
        fed, ends = Fed(), sorted({cut for cut in cuts if cut < len(answer)})
        await turns(1)
        for start, end in zip([0, *ends], [*ends, len(answer)], strict=True):
            fed.feed(answer[start:end])
        if 'to the end' in name:
            fed.lose()
        assert await fed.answer() == tuple(expected)
        fed.lose()

    run(test())


@pytest.mark.parametrize(
    'codings',
    [
        b'Transfer-Encoding: gzip, chunked',
        b'Transfer-Encoding: chunked, gzip',
        b'Transfer-Encoding: identity',
        b'Transfer-Encoding: chunked, chunked',
        b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
        b'Transfer-Encoding: gzip\r\ntransfer-encoding: chunked',
        b'Transfer-Encoding: x"chunked"',
        b'Transfer-Encoding:',
    ],
)
def test_transfer_codings_other_than_one_chunked_are_refused(codings: bytes) -> None:
    """RFC 9112 section 6.1: a parser that takes another one than the rest of the way reads another body."""

    async def test() -> None:
        fed = Fed()
        await turns(1)
        fed.feed(OK + codings + b'\r\n\r\n2\r\nok\r\n0\r\n\r\n')
        with pytest.raises(RemoteProtocolError, match=r'only chunked is read|not HTTP'):
            await fed.answer()
        assert fed.wire.closed
        assert not fed.connection.reusable
        fed.lose()

    run(test())


@pytest.mark.parametrize('bytewise', [False, True])
@pytest.mark.parametrize('name', NO_HTTP)
def test_what_is_not_http_is_refused(name: str, bytewise: bool) -> None:
    async def test() -> None:
        fed = Fed()
        await turns(1)
        for piece in [bytes([byte]) for byte in NO_HTTP[name]] if bytewise else [NO_HTTP[name]]:
            fed.feed(piece)
        with pytest.raises(RemoteProtocolError, match=r'not HTTP|its status is \d'):
            await fed.answer()
        assert fed.wire.closed
        assert not fed.connection.reusable
        fed.lose()

    run(test())


def test_an_answer_that_is_cut_off_is_never_taken_for_a_whole_one() -> None:
    async def test(begun: bytes) -> None:
        fed = Fed()
        await turns(1)
        fed.feed(begun)
        fed.lose()
        with pytest.raises(RemoteProtocolError, match='closed'):
            await fed.answer()

    async def all_of_them() -> None:
        for answer in FRAMED:
            for length in range(len(answer)):
                await test(answer[:length])

    run(all_of_them())


def test_an_answer_up_to_the_end_needs_a_clean_one() -> None:
    async def test() -> None:
        fed = Fed()
        await turns(1)
        fed.feed(ANSWERS['to the end'][0])
        fed.connection.connection_lost(ConnectionResetError(104, 'reset'))
        with pytest.raises(ReadError):
            await fed.answer()

    run(test())


@pytest.mark.parametrize('junk', [b'x', b'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'])
@pytest.mark.parametrize('late', [False, True])
def test_what_comes_after_an_answer_is_no_answer_to_the_next_request(junk: bytes, late: bool) -> None:
    async def test() -> None:
        async with pair() as (connection, _, writer):
            asked = asyncio.create_task(connection.ask(HEAD, b'', math.inf))
            await turns(1)
            writer.write(OK + b'Content-Length: 2\r\n\r\nok' + (b'' if late else junk))
            await asked
            assert await whole(connection) == b'ok'
            if late:
                assert connection.reusable
                writer.write(junk)
            await until(lambda: connection.transport is None)
            assert not connection.reusable

    run(test())


@pytest.mark.parametrize(
    ('begun', 'more'),
    [
        (OK, b'X: y\r\n'),
        (OK + b'X: ', b'y'),
        (b'', b'HTTP/1.1 103 Hints\r\n\r\n'),
        (CHUNKED, b'0'),
        (CHUNKED + b'2;', b'x'),
        (CHUNKED + b'2\r\nok\r\n0\r\n', b'X: y\r\n'),
        (CHUNKED + b'2\r\nok\r\n0\r\nX: ', b'y'),
    ],
)
def test_a_flood_of_anything_but_body_is_bounded(begun: bytes, more: bytes) -> None:
    async def test() -> None:
        fed, given = Fed(), 0
        await turns(1)
        fed.feed(begun)
        while not fed.wire.closed:
            fed.feed(more * (1000 // len(more)))
            given += 1000
            assert given < 140_000
        assert given > 100_000 or b'0' in more
        with pytest.raises(RemoteProtocolError):
            await fed.answer()
        fed.lose()

    run(test())


def test_large_headers_and_large_bodies_are_no_flood() -> None:
    async def test() -> None:
        fed = Fed()
        await turns(1)
        fed.feed(OK + b'X: %s\r\nTransfer-Encoding: chunked\r\n\r\n' % (b'y' * 100_000))
        body = 0
        for _ in range(40):
            fed.feed(b'4000;%s\r\n%s\r\n' % (b'x' * 40_000, b'z' * 0x4000))
            body += len(await fed.connection.read(math.inf))
        fed.feed(b'0\r\n\r\n')
        assert (body, await fed.answer()) == (40 * 0x4000, (200, b'', True))
        fed.lose()

    run(test())


@pytest.mark.parametrize('rest', [b'', b'refused'])
def test_a_request_that_is_refused_half_way_is_not_sent_on_and_its_connection_not_used_again(rest: bytes) -> None:
    # Else the next request would be read as the rest of this one.
    async def test() -> None:
        async with pair() as (connection, _, writer):
            asked = asyncio.create_task(connection.ask(HEAD, bytes(30_000_000), math.inf))
            await turns(3)
            writer.write(b'HTTP/1.1 413 Large\r\nContent-Length: %d\r\n\r\n' % len(rest))
            await asked
            writer.write(rest)
            assert (connection.status, await whole(connection)) == (413, rest)
            assert not connection.reusable

    run(test())


@pytest.mark.parametrize('early', [b'HTTP/1.1 100 Continue\r\n\r\n', OK + b'Content-Length: 2\r\n\r\nok'])
def test_a_request_that_is_answered_early_is_sent_to_its_end(early: bytes) -> None:
    async def test() -> None:
        async with pair() as (connection, reader, writer):
            asked = asyncio.create_task(connection.ask(HEAD, bytes(3_000_000), math.inf))
            await turns(3)
            writer.write(early)
            await until(lambda: connection.status)
            assert not asked.done()
            assert len(await reader.readexactly(len(HEAD) + 3_000_000)) > 3_000_000
            if b'100' in early:
                writer.write(OK + b'Content-Length: 2\r\n\r\nok')
            await asked
            assert (connection.status, await whole(connection), connection.reusable) == (200, b'ok', True)

    run(test())


def test_an_early_answer_counts_although_the_server_goes_away() -> None:
    async def test() -> None:
        async with pair() as (connection, _, writer):
            asked = asyncio.create_task(connection.ask(HEAD, bytes(30_000_000), math.inf))
            await turns(3)
            writer.write(OK + b'Content-Length: 2\r\n\r\nok')
            await until(lambda: connection.status)
            writer.transport.abort()
            await asked
            assert (connection.status, await whole(connection), connection.reusable) == (200, b'ok', False)

    run(test())


@pytest.mark.parametrize('length', [100_000, 30_000_000])
def test_what_a_server_said_before_it_hung_up_on_a_long_request_is_heard(
    length: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        with socket.create_server(('127.0.0.1', 0)) as listening:
            loop, connection = (
                asyncio.get_running_loop(),
                Connection(asyncio.get_running_loop(), memoryview(bytearray(99))),
            )
            await loop.create_connection(lambda: connection, *listening.getsockname())
            far = listening.accept()[0]
            connection._write(b'x')
            assert far.recv(1)
            connection._write(b'y')
            far.sendall(b'HTTP/1.1 413 Large\r\nContent-Length: 7\r\n\r\nrefused')
            far.close()  # with something unread: the next write fails, and asyncio reads no more
            await connection.ask(HEAD, bytes(length), math.inf)
            assert (connection.status, await whole(connection), connection.reusable) == (413, b'refused', False)
            await until(lambda: connection.transport is None)

    run(test())
    assert not caplog.records  # asyncio complains of writes to what is lost


def test_a_server_that_takes_nothing_gets_no_more_than_a_window() -> None:
    async def test() -> None:
        async with pair() as (connection, *_):
            with pytest.raises(WriteTimeout):
                await connection.ask(HEAD, bytes(30_000_000), asyncio.get_running_loop().time() + 0.05)
            assert connection.transport
            assert connection.transport.get_write_buffer_size() < 4 * BUFFER

    run(test())


def test_a_reader_that_stalls_stalls_the_server_and_pins_no_context_when_it_goes_on() -> None:
    class Value: ...

    variable: ContextVar[Value] = ContextVar('variable')

    async def reading(connection: Connection) -> tuple[int, weakref.ref[Value]]:
        variable.set(value := Value())
        length = len(await connection.read(math.inf))
        assert length + len(await whole(connection)) == 8_000_000
        return length, weakref.ref(value)

    async def test() -> None:
        async with pair() as (connection, _, writer):
            asked = asyncio.create_task(connection.ask(HEAD, b'', math.inf))
            await turns(1)
            writer.write(OK + b'Content-Length: 8000000\r\n\r\n' + bytes(8_000_000))
            await asked
            transport = connection.transport
            assert transport
            await until(lambda: not transport.is_reading())
            left = writer.transport.get_write_buffer_size()
            await turns(20)
            assert writer.transport.get_write_buffer_size() == left > 4_000_000
            length, alive = await asyncio.create_task(reading(connection))
            assert length <= 128 * 1024 + BUFFER
            await turns(2)
            gc.collect()
            assert alive() is None

    run(test())


def test_deadlines_of_head_and_body_are_kept_by_one_timer_that_does_not_outlive_the_connection() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        async with pair() as (connection, _, writer):
            asked = asyncio.create_task(connection.ask(HEAD, b'', loop.time() + 600))
            await turns(1)
            timer = connection._timer
            assert timer
            writer.write(CHUNKED)
            await asked
            for _ in range(3):
                writer.write(b'1\r\nx\r\n')
                assert await connection.read(loop.time() + 700) == b'x'
                assert connection._timer is timer
            with pytest.raises(ReadTimeout):
                await connection.read(loop.time() + 0.02)
            assert not connection.reusable
            with pytest.raises(ReadTimeout):  # what ended it stays the reason
                await connection.read(math.inf)
            connection.close()
            assert timer.cancelled()
            assert connection._timer is None
        async with pair() as (connection, *_):
            with pytest.raises(ReadTimeout):
                await connection.ask(HEAD, b'', loop.time() + 0.02)

    run(test())


@pytest.mark.parametrize('end', ['close', 'lost', 'no HTTP', 'timeout', 'cancelled', 'never made'])
def test_nothing_is_left_to_the_collector(end: str) -> None:
    async def used() -> weakref.ref[Connection]:
        if end == 'never made':
            return weakref.ref(Connection(asyncio.get_running_loop(), memoryview(b'')))
        async with pair() as (connection, _, writer):
            deadline = asyncio.get_running_loop().time() + (0.01 if end == 'timeout' else 60)
            asked = asyncio.create_task(connection.ask(HEAD, b'', deadline))
            await turns(1)
            if end == 'cancelled':
                asked.cancel()
            elif end == 'lost':
                writer.close()
            elif end != 'timeout':
                writer.write(b'x' if end == 'no HTTP' else OK + b'Content-Length: 0\r\n\r\n')
            await asyncio.wait([asked])
            assert bool(asked.cancelled() or asked.exception()) == (end != 'close')
            del asked
            return weakref.ref(connection)

    async def test() -> None:
        alive = await used()
        await turns(2)
        assert alive() is None

    gc.disable()
    try:
        run(test())
    finally:
        gc.enable()

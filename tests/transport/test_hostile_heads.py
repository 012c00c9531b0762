"""Data of a server around its answer: continued lines, words before the answer, blanks without end."""

from __future__ import annotations

import asyncio
import codecs
import gzip
import tracemalloc

import pytest
from transport_server import Connection, Server, options, request, run
from transport_wire import OK, Fed, turns
from transport_wire import run as run_wire

from syncai._transport import shared_client
from syncai._transport.wire_errors import RemoteProtocolError
from syncai.exceptions import BadRequestError
from syncai.models._http.answers import parse_json


@pytest.mark.parametrize(
    ('head', 'expected'),
    [
        (b'X-A: b\r\n c\r\n\td\r\nContent-Length: 2\r\n', [b'b c\td', b'2']),
        (b'Content-Length:\r\n 2\r\n', [b'2']),
        (b'Content-Type: application/json;\r\n\tcharset=utf-8\r\nContent-Length: 2\r\n', None),
    ],
)
def test_a_header_may_go_on_in_the_next_line(head: bytes, expected: list[bytes] | None) -> None:
    """RFC 9112 section 5.2: "a user agent that receives an obs-fold ... MUST replace each ... with one or more SP"."""

    async def test() -> None:
        fed = Fed()
        await turns(1)
        fed.feed(OK + head + b'\r\nok')
        assert (await fed.answer())[:2] == (200, b'ok')
        if expected is not None:
            assert [value for _, value in fed.connection.headers] == expected
        fed.lose()

    run_wire(test())


@pytest.mark.parametrize(
    'head',
    [
        b'X-A: b\x00c\r\nContent-Length: 2\r\n',
        b'X-A: b\x01\r\n c\r\nContent-Length: 2\r\n',
        b'X-A: b\rContent-Length: 2\r\n',
        b'X-A: \x7f\r\nContent-Length: 2\r\n',
        b'Content-Length: 2\r\n 3\r\n',
        b'Transfer-Encoding: chunked\r\n , gzip\r\n',
        b'Transfer-Encoding:\r\n gzip\r\n',
        b'Transfer-Encoding: chunked\r\nContent-Length:\r\n 2\r\n',
        b'X-A : b\r\nContent-Length: 2\r\n',
        b'Content-Length : 2\r\n',
        b'Transfer-Encoding : gzip\r\n',
    ],
)
def test_nothing_else_is_let_through_with_that(head: bytes) -> None:
    async def test() -> None:
        fed = Fed()
        await turns(1)
        fed.feed(OK + head + b'\r\nok')
        with pytest.raises(RemoteProtocolError):
            await fed.answer()
        assert fed.wire.closed
        fed.lose()

    run_wire(test())


@pytest.mark.parametrize('status', [b'100 Continue', b'102 Processing', b'103 Early Hints'])
@pytest.mark.parametrize('number', [1, 3])
@pytest.mark.parametrize('close', [b'', b'Connection: close\r\n'])
def test_what_comes_before_an_answer_does_not_end_the_connection(status: bytes, number: int, close: bytes) -> None:
    """RFC 9110 section 15.2: "A client MUST be able to parse one or more 1xx responses received prior to a final
    response"; curl 7.88 and httpx 0.28 go on to the answer, whatever `Connection` says before it.
    """
    before = b'HTTP/1.1 ' + status + b'\r\nConnection: close\r\n\r\n'

    async def test() -> None:
        fed = Fed()
        await turns(1)
        fed.feed(before * number + OK + close + b'Content-Length: 2\r\n\r\nok')
        assert await fed.answer() == (200, b'ok', not close)
        fed.feed(OK + b'Content-Length: 4\r\n\r\nmore')  # nobody asked
        assert not fed.connection.reusable
        fed.lose()

    run_wire(test())


def test_blank_lines_without_end_take_no_memory() -> None:
    blanks, size = b'\n' * 64_000, 200  # 12.8 MB, by which some servers say that they are there

    async def handler(connection: Connection, number: int) -> None:
        await connection.begin_events()
        for _ in range(size):
            await connection.chunk(blanks)
        await connection.chunk(b'data: {"n": 1}\n\n')
        await connection.chunk(b'')

    async def test(server: Server) -> tuple[list[str], int]:
        tracemalloc.start()
        try:
            async with await shared_client(options()).stream(request(server.url)) as stream:
                peak = tracemalloc.get_traced_memory()[1]
                events = [event.data async for events in stream for event in events]
        finally:
            tracemalloc.stop()
        return events, peak

    events, peak = run(handler, test)
    assert events == ['{"n": 1}']
    assert peak < 4_000_000


def test_an_answer_that_unpacks_to_much_lets_others_go_on() -> None:
    """Of all the bytes that one read of the network unpacks to, none holds up the loop for long."""
    body = gzip.compress(b' ' * (20 << 20) + b'{}')

    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(200, body, content_encoding='gzip')

    async def test(server: Server) -> int:
        rounds = 0
        asking = asyncio.create_task(shared_client(options()).send(request(server.url)))
        while not asking.done():
            rounds += 1
            await asyncio.sleep(0)
        assert asking.result().body.strip() == b'{}'
        return rounds

    assert run(handler, test) > (20 << 20) / (64 * 1024)


def test_a_byte_order_mark_before_json() -> None:
    """RFC 8259 section 8.1: "implementations that parse JSON texts MAY ignore the presence of a byte order mark"."""
    body = codecs.BOM_UTF8 + b'{"error": {"message": "No such model."}}'
    assert parse_json(body, 'openai', 'm') == {'error': {'message': 'No such model.'}}

    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(400, body)

    async def test(server: Server) -> None:
        with pytest.raises(BadRequestError, match=r'No such model\.'):
            await shared_client(options()).send(request(server.url))

    run(handler, test)

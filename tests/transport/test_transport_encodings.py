"""Answers that came packed though plain bytes were asked for: read like plain ones, within the same bounds.

Encodings are those of RFC 9110 section 8.4.1; `deflate` is zlib's format (RFC 1950), of some servers the raw one of RFC
1951. What packs them here is Python's zlib and the package brotli.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from transport_server import KEY, Connection, Server, options, request, run, send

from syncai._transport import HttpResponse, shared_client
from syncai._transport.encodings import unpacked
from syncai.exceptions import (
    BadRequestError,
    IncompleteStreamError,
    ModelConnectionError,
    UnexpectedModelBehavior,
)

BODY = b'{"text": "' + b'The capital of France is Paris. ' * 5000 + b'"}'


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def in_two_members(data: bytes) -> bytes:
    return gzip.compress(data[:1000]) + gzip.compress(data[1000:])


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    'gzip': ('gzip', gzip.compress),
    'gzip in capitals': ('GZIP', gzip.compress),
    'x-gzip': ('x-gzip', gzip.compress),
    'gzip, members': ('gzip', in_two_members),
    'gzip, zeros at the end': ('gzip', lambda data: gzip.compress(data) + bytes(100)),
    'deflate': ('deflate', zlib.compress),
    'deflate, raw': ('deflate', raw_deflate),
    'br': ('br', brotli.compress),
    'identity, gzip': ('identity, gzip', gzip.compress),
    'identity': ('identity', bytes),
    'none': ('none', bytes),  # servers write what packs nothing, and S3 keeps what the upload was cut into
    'utf-8': ('UTF-8', bytes),
    'aws-chunked': ('aws-chunked', bytes),
}
ENCODINGS = ['gzip', 'deflate', 'br']


def answering(body: bytes, encoding: str, status: int = 200, pieces: int = 1) -> Callable[[Connection, int], Any]:
    async def handler(connection: Connection, number: int) -> None:
        if pieces == 1:
            await connection.answer(status, body, content_encoding=encoding)
            return
        head = f'HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-encoding: {encoding}\r\n'
        await connection.write(head.encode() + b'transfer-encoding: chunked\r\n\r\n')
        for start in range(0, len(body), pieces):
            await connection.chunk(body[start : start + pieces])
        await connection.write(b'0\r\n\r\n')

    return handler


@pytest.mark.parametrize('pieces', [1, 7])
@pytest.mark.parametrize('case', PACKERS)
def test_a_whole_answer(case: str, pieces: int) -> None:
    encoding, pack = PACKERS[case]
    answer, _ = send(answering(pack(BODY), encoding, pieces=pieces if len(pack(BODY)) < 20_000 else 1))
    assert isinstance(answer, HttpResponse), answer
    assert answer.body == BODY


def packer_of(encoding: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """The functions that pack one event so that it can be read at once, and that end the body."""
    if encoding == 'br':
        packer = brotli.Compressor()
        return lambda data: packer.process(data) + packer.flush(), packer.finish
    object_ = zlib.compressobj(wbits=31 if encoding == 'gzip' else 15)
    return lambda data: object_.compress(data) + object_.flush(zlib.Z_SYNC_FLUSH), object_.flush


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_each_event_of_a_stream_is_there_when_it_came(encoding: str) -> None:
    pack, end = packer_of(encoding)
    seen: list[str] = []

    async def handler(connection: Connection, number: int) -> None:
        head = f'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: {encoding}\r\n'
        await connection.write(head.encode() + b'transfer-encoding: chunked\r\n\r\n')
        for number in range(3):
            await connection.chunk(pack(b'data: event %d\n\n' % number))
            while len(seen) <= number:  # the next is not sent before this one was read; the time limit ends a failure
                await asyncio.sleep(0.001)
        await connection.chunk(end())
        await connection.write(b'0\r\n\r\n')

    async def read(server: Server) -> None:
        async with await shared_client(options()).stream(request(server.url)) as stream:
            async for events in stream:
                seen.extend(event.data for event in events)

    run(handler, read)
    assert seen == ['event 0', 'event 1', 'event 2']


@pytest.mark.slow
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_a_bomb_ends_at_the_bound_of_a_whole_answer(encoding: str) -> None:
    bomb = PACKERS[encoding][1](bytes(1 << 24))
    assert len(bomb) < 20_000
    error, _ = send(answering(bomb, encoding), max_body_bytes=1 << 20)
    assert isinstance(error, UnexpectedModelBehavior)
    assert 'longer than 1048576 bytes (HttpOptions.max_body_bytes)' in str(error)


@pytest.mark.slow
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_a_bomb_ends_at_the_bound_of_an_event(encoding: str) -> None:
    bomb = PACKERS[encoding][1](b'data: ' + bytes(1 << 24))

    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(body=bomb, kind='text/event-stream', content_encoding=encoding)

    async def read(server: Server) -> None:
        async with await shared_client(options(max_event_bytes=1 << 20)).stream(request(server.url)) as stream:
            async for _ in stream:
                pass

    with pytest.raises(UnexpectedModelBehavior, match='max_event_bytes'):
        run(handler, read)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_no_read_gives_more_than_a_piece(encoding: str) -> None:
    """So that what is kept of a bomb at a time is bounded, too."""

    class Body:
        def __init__(self, packed: bytes) -> None:
            self.left = [packed]

        async def read(self) -> bytes:
            return self.left.pop() if self.left else b''

        async def pump(self, take: Callable[[bytes], bool]) -> None:
            pass

        async def aclose(self) -> None:
            pass

    async def sizes() -> list[int]:
        body = unpacked(Body(PACKERS[encoding][1](bytes(1 << 20))), encoding)
        assert body is not None
        lengths = []
        while piece := await body.read():
            lengths.append(len(piece))
        return lengths

    lengths = asyncio.run(sizes())
    assert (sum(lengths), max(lengths) <= 1 << 17) == (1 << 20, True)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_the_words_of_an_error_are_read(encoding: str) -> None:
    error, _ = send(answering(PACKERS[encoding][1](b'{"error": {"message": "no such field"}}'), encoding, status=400))
    assert isinstance(error, BadRequestError)
    assert error.body == {'error': {'message': 'no such field'}}


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_a_body_that_is_cut_is_an_error(encoding: str) -> None:
    packed = PACKERS[encoding][1](BODY + bytes(range(256)) * 100)
    error, _ = send(answering(packed[: len(packed) // 2], encoding))
    assert isinstance(error, IncompleteStreamError | ModelConnectionError), error
    assert f'in the middle of its {encoding} body' in str(error)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_a_body_that_is_something_else_is_an_error(encoding: str) -> None:
    error, _ = send(answering(b'{"plain": "json"}', encoding))
    assert isinstance(error, UnexpectedModelBehavior)
    assert f'its body is not {encoding}, as its header says' in str(error)


@pytest.mark.parametrize('encoding', ['zstd', 'gzip, gzip', 'compress'])
def test_an_encoding_that_cannot_be_read_is_named(encoding: str) -> None:
    error, _ = send(answering(b'x', encoding))
    assert isinstance(error, UnexpectedModelBehavior)
    assert f'packed with {encoding!r}, which was not asked for' in str(error)


def test_without_the_package_br_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('syncai._transport.encodings.find_spec', lambda name: None)
    error, _ = send(answering(brotli.compress(BODY), 'br'))
    assert isinstance(error, UnexpectedModelBehavior)
    assert "pip install 'syncai-client[brotli]'" in str(error)


def test_a_key_that_a_packed_answer_repeats_is_masked() -> None:
    answer, _ = send(answering(gzip.compress(f'{{"key": "{KEY}"}}'.encode()), 'gzip'))
    assert answer.body == b'{"key": "***"}'

"""Compressed bodies, although plain bytes were requested: decompressed in small pieces. The reader limits the total
size, as for plain bytes.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from .wire_errors import DecodingError, RemoteProtocolError

__all__ = ['RawBody', 'unpacked', 'WireBody']

_PIECE = 64 * 1024  # the most bytes of one read
_PLAIN = frozenset({'', 'aws-chunked', 'identity', 'none', 'utf-8'})  # misused names for no compression
_GZIP, _RAW = 16 + zlib.MAX_WBITS, -zlib.MAX_WBITS


class RawBody(Protocol):
    """A body, read piece by piece."""

    async def read(self) -> bytes:
        """The bytes since the last read; waits for some; empty at the end."""
        ...

    async def pump(self, take: Callable[[bytes], bool]) -> None:
        """Give what arrives to `take` at once, until it returns False or something must be read; may do nothing."""

    async def aclose(self) -> None:
        """Release the source of the body."""
        ...


class WireBody(RawBody, Protocol):
    """The body of an answer from a transport."""

    @property
    def may_be_cut(self) -> bool:
        """After the end, whether the body may be cut: see `Connection.may_be_cut`."""
        ...


class _Unpacker(Protocol):
    @property
    def done(self) -> bool:
        """Whether the end was seen."""
        ...

    def feed(self, packed: bytes) -> None:
        """Take bytes, after the pieces of the earlier ones were taken."""
        ...

    def piece(self) -> bytes:
        """The next bytes, at most `_PIECE`; empty if more must be fed, or at the end."""
        ...


def unpacked(body: RawBody, encoding: str) -> RawBody | None:
    """A body decoded by its header; None if the encoding is not supported.

    Args:
        body: The body as it comes.
        encoding: The header `content-encoding`.
    """
    names = [name for part in encoding.split(',') if (name := part.strip().lower()) not in _PLAIN]
    if not names:
        return body
    if len(names) > 1 or names[0] not in _UNPACKERS:
        return None
    if names[0] == 'br' and find_spec('brotli') is None:
        return None
    return _Unpacked(body, names[0], _UNPACKERS[names[0]]())


class _Unpacked:
    """A body that is decompressed as it is read."""

    def __init__(self, body: RawBody, encoding: str, unpacker: _Unpacker) -> None:
        self._body = body
        self._encoding = encoding
        self._unpacker = unpacker
        self._begun = False

    async def read(self) -> bytes:
        """The decompressed bytes since the last read; waits for some; empty at the end.

        Raises:
            DecodingError: The body does not match its header.
            RemoteProtocolError: It ends too early.
        """
        while True:
            if piece := self._take():
                await asyncio.sleep(0)  # a few bytes may give many pieces: other calls run in between
                return piece
            packed = await self._body.read()
            if not packed:
                if self._begun and not self._unpacker.done:
                    raise RemoteProtocolError(f'it ended in the middle of its {self._encoding} body')
                return b''
            self._begun = True
            self._unpacker.feed(packed)

    async def pump(self, take: Callable[[bytes], bool]) -> None:
        """Do nothing: what is unpacked is read."""

    async def aclose(self) -> None:
        await self._body.aclose()

    def _take(self) -> bytes:
        failure = None
        try:
            return self._unpacker.piece()
        except Exception as error:  # of zlib, or of brotli, whose errors have no common class
            failure = DecodingError(f'its body is not {self._encoding}, as its header says ({error})')
        try:
            raise failure
        finally:
            del failure  # its traceback holds this frame


class _Zlib:
    """gzip, of one or more members, or deflate, with or without its header."""

    def __init__(self, *, gzip: bool) -> None:
        self.done = False
        self._gzip = gzip
        self._packed = b''
        self._object: Any = zlib.decompressobj(_GZIP) if gzip else None

    def feed(self, packed: bytes) -> None:
        self._packed += packed

    def piece(self) -> bytes:
        while not self.done:
            if not (self._object or self._choose()):
                return b''
            piece: bytes = self._object.decompress(self._packed, _PIECE)
            self._packed = self._object.unconsumed_tail
            if self._object.eof:
                self._end_member()
            if piece or not self._packed:
                return piece
        return b''

    def _choose(self) -> bool:
        """Choose by the first two bytes, a multiple of 31 with zlib's header (RFC 1950)."""
        if len(self._packed) < 2:
            return False
        has_header = self._packed[0] & 15 == 8 and int.from_bytes(self._packed[:2], 'big') % 31 == 0
        self._object = zlib.decompressobj(zlib.MAX_WBITS if has_header else _RAW)
        return True

    def _end_member(self) -> None:
        rest = self._object.unused_data
        if self._gzip and rest.startswith(b'\x1f\x8b'):
            self._object, self._packed = zlib.decompressobj(_GZIP), rest
        else:
            self._packed, self.done = b'', True


class _Brotli:
    """br, by the package `brotli` from 1.2 on, which can bound a piece."""

    def __init__(self) -> None:
        self._object: Any = import_module('brotli').Decompressor()
        self._packed = b''

    @property
    def done(self) -> bool:
        return bool(self._object.is_finished())

    def feed(self, packed: bytes) -> None:
        self._packed = packed

    def piece(self) -> bytes:
        packed, self._packed = self._packed, b''
        if self.done:
            return b''
        piece: bytes = self._object.process(packed, output_buffer_limit=_PIECE)
        return piece


_UNPACKERS: dict[str, Callable[[], _Unpacker]] = {
    'gzip': lambda: _Zlib(gzip=True),
    'x-gzip': lambda: _Zlib(gzip=True),
    'deflate': lambda: _Zlib(gzip=False),
    'br': _Brotli,
}

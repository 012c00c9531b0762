"""A request as a transport sends it, and its answer: the interface between `exchange` and the transports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from .._base.frozen import dataclass

if TYPE_CHECKING:
    from .encodings import WireBody

__all__ = ['joined', 'WireRequest', 'WireResponse']


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request.

    Args:
        method: In capitals.
        url: As the user wrote it.
        headers: By their names in lower case; `host` and the length of the body come by themselves.
        content: The body.
        begin: Called when the head is written: the time before that belongs to the connection.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes = b''
    begin: Callable[[], None] | None = None

    def __repr__(self) -> str:  # the headers and often the URL hold a key
        return f'WireRequest({self.method})'


@dataclass(frozen=True, slots=True)
class WireResponse:
    """The head of an answer, with its headers as they came, and the body to be read and closed."""

    status: int
    headers: Iterable[tuple[bytes, bytes]]
    body: WireBody


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names in lower case, those that came several times joined by commas."""
    plain: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode('latin-1').lower(), _text(raw_value)
        plain[name] = f'{plain[name]}, {value}' if name in plain else value
    return plain


def _text(value: bytes) -> str:
    """A value as its server meant it: most write UTF-8, and some Latin-1 still (RFC 9110 section 5.5)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode('latin-1')

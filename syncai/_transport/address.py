"""Addresses of requests, split into the parts for a connection and the head of a request; pure."""

from __future__ import annotations

import functools
import ipaddress
import re

from .._base.frozen import dataclass
from .wire_errors import InvalidRequest

__all__ = ['Address', 'address_of', 'Origin', 'PORTS']

Origin = tuple[str, str, int]  # scheme, host, port

PORTS = {'http': 80, 'https': 443}
_LONGEST = 65536  # characters that httpx reads
# Addresses that every client sends unchanged: no capitals in the host, no user, no fragment, and in path and query only
# characters that need no quoting (RFC 3986, and the percent-encode sets of https://url.spec.whatwg.org/).
_PLAIN = re.compile(
    r'(https?)://(?!xn--)([a-z0-9._-]+)(?::([1-9][0-9]{0,4}))?(/[!$-;=@-_a-z|~]*)?(\?[!$-;=?-~]*)?'
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a request.

    Args:
        origin: Scheme, host and port; a name in other scripts is written as IDNA.
        host: The host as the user wrote it, for the rules about proxies.
        netloc: Host and port, as the header `host` has them.
        target: Path and query.
        credentials: The name and password before the host.
    """

    origin: Origin
    host: str
    netloc: str
    target: str
    credentials: tuple[str, str] | None = None

    def __repr__(self) -> str:  # the query often holds a key
        return f'Address({self.netloc})'


@functools.lru_cache(maxsize=256)  # a program uses few addresses, many times
def address_of(url: str) -> Address:
    """The parts of an address; httpx parses unusual ones.

    Raises:
        InvalidRequest: It is not an address, or not of HTTP.
    """
    match = _PLAIN.fullmatch(url)
    if match is None or len(url) > _LONGEST or '/.' in url or not _is_plain_host(match[2]):
        return _read_by_httpx(url)
    scheme, host, digits, path, query = match.groups()
    port = int(digits or PORTS[scheme])
    netloc = host if port == PORTS[scheme] else f'{host}:{port}'
    return Address((scheme, host, port), host, netloc, f'{path or "/"}{query or ""}')


def _is_plain_host(host: str) -> bool:
    """Whether it is a name, or an IPv4 address in its usual form."""
    if host.strip('0123456789.'):
        return True
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _read_by_httpx(url: str) -> Address:
    import httpx

    try:
        parsed = httpx.URL(url)
        scheme = parsed.scheme
        host = parsed.host if scheme in PORTS else ''
    except (httpx.InvalidURL, UnicodeError) as error:
        failure = str(error)
    else:
        if scheme in PORTS and host:
            return Address(
                (scheme, parsed.raw_host.decode('ascii'), parsed.port or PORTS[scheme]),
                host,
                parsed.netloc.decode('ascii'),
                parsed.raw_path.decode('ascii'),
                (parsed.username, parsed.password) if parsed.userinfo else None,
            )
        failure = f'its address begins with {scheme or "nothing"!r}, not with http:// or https://'
    raise InvalidRequest(failure)

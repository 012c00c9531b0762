"""Fetches files that a prompt names by address, of limited size and from public addresses only."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from .._base.frozen import dataclass
from .._base.logs import HTTP, debug, is_on
from .._base.phases import names_wait
from ..exceptions import DownloadError, UserError
from .address import PORTS
from .encodings import unpacked
from .pool import ConnectionPool
from .proxies import Proxies
from .resolver import LookUp
from .wire import WireRequest, WireResponse, joined
from .wire_errors import WireError

if TYPE_CHECKING:
    from ..settings import HttpOptions
    from .custom import CustomTransport

__all__ = ['download', 'Download', 'is_public']

_MOST_REDIRECTS = 5
_MOST_AT_ONCE = 16  # concurrent files of one loop
_REDIRECTS = (301, 302, 303, 307, 308)
_NEVER = [
    ipaddress.ip_network(network)
    for network in (
        '168.63.129.16/32',  # metadata of Azure machines, in a public range
        '192.0.0.0/24',  # for protocols; Oracle's machines have their metadata here. Python 3.11 takes it for public.
        '192.88.99.0/24',  # former relays of 6to4 (RFC 7526)
        '64:ff9b:1::/48',  # translated to IPv4 inside a network
        '100:0:0:1::/64',  # discard-only (RFC 9780); lists of older Pythons lack it
        'fec0::/10',  # formerly site-local
        '::/96',  # IPv4 in IPv6, two deprecated forms (RFC 4291, RFC 2765) that a system may still know
        '::ffff:0:0:0/96',
        '3fff::/20',  # for documentation (RFC 9637); the lists of older Pythons lack this and the next one
        '5f00::/16',  # segment routing inside a network (RFC 9602)
    )
]
_NAT64 = ipaddress.ip_network('64:ff9b::/96')


@dataclass(frozen=True)
class Download:
    """A file and its media type from the server, or None."""

    data: bytes
    media_type: str | None


@names_wait('a file that the prompt names')
async def download(url: str, options: HttpOptions) -> Download:
    """The file at `url`, fetched when the loop has a free place.

    Every connected address, redirects included, must be public. The check is made when the socket is opened, so a name
    cannot resolve to one address for the check and to another for the connection.

    Args:
        url: An http or https address.
        options: The timeouts, the proxy, the certificates; `max_download_bytes` and `allow_private_downloads`.

    Raises:
        UserError: The address is not allowed, or the file is too large.
        DownloadError: The server cannot be reached, or does not return the file.
    """
    safe_url = _shown(url)
    parts = _checked(url, safe_url)
    async with _place():
        with _logged(safe_url):
            return await _followed(url, parts, options, safe_url)


@contextmanager
def _logged(safe_url: str) -> Iterator[None]:
    if not is_on(HTTP):
        yield
        return
    start, end = monotonic(), 'ended'
    debug(HTTP, 'file %s started', safe_url)
    try:
        yield
    except BaseException as error:
        end = f'failed ({type(error).__name__})'
        raise
    finally:
        debug(HTTP, 'file %s %s after %.3f s', safe_url, end, monotonic() - start)


async def _followed(url: str, parts: SplitResult, options: HttpOptions, safe_url: str) -> Download:
    """The file, wherever redirects lead."""
    for _ in range(_MOST_REDIRECTS + 1):
        answer = await _fetch(url, parts, options, safe_url)
        if isinstance(answer, Download):
            return answer
        url, parts = _redirected(url, answer, safe_url)
    raise DownloadError(f'{safe_url}: more than {_MOST_REDIRECTS} redirects, one after the other')


class _Places(asyncio.Semaphore):
    """The places of one loop: files take turns, since each may be large, and its server slow."""

    users = 0  # running and waiting downloads


_places_of: dict[asyncio.AbstractEventLoop, _Places] = {}  # while they are used; each belongs to the thread of its loop


@asynccontextmanager
async def _place() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    places = _places_of.setdefault(loop, _Places(_MOST_AT_ONCE))
    places.users += 1
    try:
        async with places:
            yield
    finally:
        places.users -= 1
        if not places.users:
            del _places_of[loop]  # a semaphore that was waited for keeps its loop


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet: not private, loopback, link-local or of cloud metadata."""
    ip = ipaddress.ip_address(address.partition('%')[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NEVER)


class _Guard:
    """Allows sockets to public addresses only, and remembers what it refused."""

    def __init__(self, safe_url: str) -> None:
        self.refused: str | None = None
        self._safe_url = safe_url

    def check(self, address: str) -> None:
        if not is_public(address):
            self.refused = address
            raise OSError(f'{address} is not public')

    def error(self) -> UserError:
        return UserError(
            f'{self._safe_url} leads to {self.refused}, which is not a public address: nothing is fetched from there, '
            'since a prompt must not reach into your network. Where it may: HttpOptions(allow_private_downloads=True)'
        )


def _redirected(url: str, location: str, safe_url: str) -> tuple[str, SplitResult]:
    """The target of a redirect; an invalid one is not the user's mistake."""
    try:
        url = urljoin(url, location)
        readable = _wrong_in(url) is None
    except ValueError:
        readable = False
    if not readable:
        raise DownloadError(f'{safe_url} cannot be fetched: its server redirects to what is no address')
    return url, _checked(url, safe_url)


async def _fetch(url: str, parts: SplitResult, options: HttpOptions, safe_url: str) -> Download | str:
    """The file, or the address of a redirect."""
    guard = _Guard(safe_url)
    custom = options.transport is not None
    proxied = custom or _proxied(parts, options)
    guarded = not options.allow_private_downloads
    transport = _custom(options) if custom else _pool(options, guard if guarded and not proxied else None)
    try:
        if guarded and proxied:
            await _check_name(parts.hostname or '', guard)
        response = await transport.send(WireRequest('GET', url, _headers()))
        return await _read(response, options, safe_url)
    except (WireError, OSError) as error:
        failure: Exception = (
            guard.error() if guard.refused else DownloadError(f'{safe_url} cannot be fetched: {_of_files(error)}')
        )
    finally:
        if not custom:
            await transport.aclose()
    raise failure


def _of_files(error: Exception) -> str:
    """The cause of an error of a connection, without the remedies that are those of models."""
    return str(error).replace('base_url', 'its address')


def _proxied(parts: SplitResult, options: HttpOptions) -> bool:
    port = parts.port or PORTS[parts.scheme]
    return Proxies(options.proxy).of(parts.scheme, parts.hostname or '', port) is not None


def _custom(options: HttpOptions) -> CustomTransport:
    from .custom import CustomTransport

    return CustomTransport(options)


def _pool(options: HttpOptions, guard: _Guard | None) -> ConnectionPool:
    """A pool for one file, whose server does not get the client certificate."""
    return ConnectionPool(replace(options, cert=None), guard.check if guard else None, _look_up())


def _look_up() -> LookUp:
    """The look-up of file names in separate threads, if the loop has them, since it may take long."""
    loop = asyncio.get_running_loop()
    look_up: LookUp = getattr(loop, 'getaddrinfo_apart', loop.getaddrinfo)
    return look_up


def _headers() -> dict[str, str]:
    from .. import __version__

    return {'accept': '*/*', 'accept-encoding': 'identity', 'user-agent': f'syncai/{__version__}'}


async def _check_name(host: str, guard: _Guard) -> None:
    """Check the local addresses of a name; behind a proxy, only the proxy knows its own."""
    try:
        addresses = await _look_up()(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return
    for *_, address in addresses:
        guard.check(str(address[0]))


async def _read(response: WireResponse, options: HttpOptions, safe_url: str) -> Download | str:
    body, status, headers = response.body, response.status, joined(response.headers)
    try:
        if status in _REDIRECTS and 'location' in headers:
            return headers['location']
        if status != 200:
            raise DownloadError(f'{safe_url} cannot be fetched: its server answered {status}')
        encoding = headers.get('content-encoding', 'identity')
        if (plain := unpacked(body, encoding)) is None:
            raise DownloadError(f'{safe_url} cannot be read: it came in {encoding!r}, which was not requested')
        length = headers.get('content-length', '')
        if length.isdecimal() and int(length) > options.max_download_bytes:
            raise _too_large(safe_url, options)
        chunks, size = [], 0
        while chunk := await plain.read():
            chunks.append(chunk)
            size += len(chunk)
            if size > options.max_download_bytes:
                raise _too_large(safe_url, options)
        if body.may_be_cut:
            raise DownloadError(
                f'{safe_url} was cut: the connection ended without a length of the file or a proper end of TLS'
            )
    finally:
        await body.aclose()
    media_type = headers.get('content-type', '').partition(';')[0].strip().lower()
    return Download(b''.join(chunks), media_type or None)


def _wrong_in(url: str) -> str | None:
    """Why an address cannot be one, or None."""
    if not url.isprintable():
        return 'holds a character that no address has'
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f'cannot be read ({error}): write one like https://host/file'
    return None


def _checked(url: str, safe_url: str) -> SplitResult:
    if wrong := _wrong_in(url):
        raise UserError(f'The address of a file {wrong}')
    parts = urlsplit(url)
    if parts.scheme not in ('http', 'https') or not parts.hostname:
        raise UserError(f'{safe_url}: a file is fetched by http or https only, not by {parts.scheme or "nothing"!r}')
    if '@' in parts.netloc:
        raise UserError(f'{safe_url}: an address of a file must not hold a user name or password')
    return parts


def _too_large(safe_url: str, options: HttpOptions) -> UserError:
    limit = options.max_download_bytes
    return UserError(f'{safe_url} is larger than {limit} bytes: HttpOptions.max_download_bytes sets the limit')


def _shown(url: str) -> str:
    """An address for messages, without its query, which may hold a key, and without a password."""
    bare = url.partition('?')[0].partition('#')[0]
    scheme, separator, rest = bare.partition('://')
    host, slash, path = rest.partition('/')
    return f'{scheme}{separator}{host.rpartition("@")[2]}{slash}{path}'[:200]

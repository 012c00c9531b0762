"""Which addresses of files a page may name."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

_LONGEST = 8000  # characters, the least that servers should take (RFC 9110, 4.1)
# Names of machines in one's own network: RFC 6761, 6762, 8375, and ICANN's reservation of `internal`.
_OWN = ('.localhost', '.local', '.internal', '.intranet', '.lan', '.home.arpa')


def is_public_address(url: str) -> bool:
    """Whether a URL can lead out of one's own network, by its text alone.

    What a name means is checked again where a file is fetched, at the socket.
    """
    if len(url) > _LONGEST or not url.isprintable() or ' ' in url:
        return False
    try:
        host = (urlsplit(url).hostname or '').rstrip('.')
    except ValueError:
        return False
    if not host or host.endswith(_OWN) or not ('.' in host or ':' in host):
        return False
    address = _address(host)
    if address is None:
        return True
    from .._transport.download import is_public

    return is_public(address)


def _address(host: str) -> str | None:
    """The address that a host is, in old forms such as `127.1` too; None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None

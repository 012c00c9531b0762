"""The file addresses that a page may send."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

_LONGEST = 8000  # characters, the minimum that servers should accept (RFC 9110, 4.1)
# Names within a private network: RFC 6761, 6762, 8375, and ICANN's reservation of `internal`.
_OWN = ('.localhost', '.local', '.internal', '.intranet', '.lan', '.home.arpa')


def is_public_address(url: str) -> bool:
    """Whether a URL may lead to the public network, judged by its text alone. The address behind a name is checked
    again at the socket, when the file is fetched.
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
    """The IP address of a host, also in old forms such as `127.1`; None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None

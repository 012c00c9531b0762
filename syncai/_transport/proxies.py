"""Which proxy a request goes through: the one of the options, else that of the environment."""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import urlsplit

from ..exceptions import UserError

__all__ = ['Proxies', 'without_password']


class Proxies:
    """The proxies of one client, as the environment was when it was made.

    Args:
        given: The proxy for all requests, or None for those of the environment.
    """

    def __init__(self, given: str | None) -> None:
        self._given = given
        self._environment = {} if given else urllib.request.getproxies()
        self._of_host: dict[tuple[str, str], str | None] = {}

    def of(self, scheme: str, host: str) -> str | None:
        """The address of the proxy to `host`, or None where it is reached directly.

        Raises:
            UserError: The proxy is not one of HTTP; names the variable or the option.
        """
        key = scheme, host
        if key not in self._of_host:
            try:
                self._of_host[key] = self._find(scheme, host)
            except UserError as error:
                raise error.with_traceback(None) from None  # the password is in the frames below
        return self._of_host[key]

    def _find(self, scheme: str, host: str) -> str | None:
        if self._given:
            return _checked(self._given, 'HttpOptions.proxy')
        name = scheme if self._environment.get(scheme) else 'all'
        proxy = self._environment.get(name)
        if not proxy or _is_loopback(host) or urllib.request.proxy_bypass(host):
            return None
        return _checked(proxy, f'{name.upper()}_PROXY')


def without_password(address: str) -> str:
    """Host and port of an address, without the name and password that it may hold."""
    return urlsplit(address).netloc.rpartition('@')[2]


def _checked(proxy: str, source: str) -> str:
    proxy = proxy if '://' in proxy else f'http://{proxy}'
    scheme, _, rest = proxy.partition('://')
    if scheme.lower().startswith('socks'):
        raise UserError(
            f'{source} names a SOCKS proxy ({scheme}://...), and only HTTP proxies are supported: '
            'name one like http://host:port, or list the host in NO_PROXY'
        )
    try:
        parts = urlsplit(proxy)
        valid = parts.scheme in ('http', 'https') and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or any(character.isspace() for character in proxy):
        raise UserError(f'{source} must be an address like http://host:port, not {scheme}://{rest.rpartition("@")[2]}')
    return proxy


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, which no proxy can reach for us."""
    if host == 'localhost' or host.endswith('.localhost'):
        return True
    try:
        return ipaddress.ip_address(host.strip('[]')).is_loopback
    except ValueError:
        return False

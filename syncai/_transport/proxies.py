"""The proxy of a request: the one of the options, else of the environment."""

from __future__ import annotations

import ipaddress
import os
import sys
from urllib.parse import unquote, urlsplit

from .._base.printable import printable
from ..exceptions import UserError

__all__ = ['credentials_in', 'credentials_remedy', 'Proxies', 'without_password']


class Proxies:
    """The proxies of one client, as the environment was when it was made.

    Args:
        option: The proxy for all requests, or None for those of the environment.
    """

    def __init__(self, option: str | None) -> None:
        self._option = option
        self._environment = {} if option else _environment()
        self._of_host: dict[tuple[str, str, int | None], str | None] = {}

    def of(self, scheme: str, host: str, port: int | None = None) -> str | None:
        """The address of the proxy to `host`, or None for a direct connection.

        Raises:
            UserError: The proxy is not an HTTP proxy; names the variable or the option.
        """
        key = scheme, host, port
        if key not in self._of_host:
            try:
                self._of_host[key] = self._find(scheme, host, port)
            except UserError as error:
                raise error.with_traceback(None) from None  # the password is in the frames below
        return self._of_host[key]

    def _find(self, scheme: str, host: str, port: int | None) -> str | None:
        if self._option:
            return _checked(self._option, 'HttpOptions.proxy')
        name = scheme if self._environment.get(scheme) else 'all'
        proxy = self._environment.get(name)
        if not proxy or _is_loopback(host) or self._bypasses_by_system(host):
            return None
        entries = self._environment.get('no', '').replace(',', ' ').split()
        plain = _ascii(host.lower().strip('[]').rstrip('.'))
        if any(_bypasses(_ascii(entry.lower()), plain, port) for entry in entries):
            return None
        return _checked(proxy, f'{name.upper()}_PROXY')

    def _bypasses_by_system(self, host: str) -> bool:
        """Whether the settings of macOS or Windows name the host; NO_PROXY is read here, networks and all."""
        from urllib.request import getproxies_environment, proxy_bypass

        return not getproxies_environment() and bool(proxy_bypass(host))


def _ascii(name: str) -> str:
    """The DNS form of a name in any script."""
    try:
        return name if name.isascii() else name.encode('idna').decode()
    except UnicodeError:
        return name


def _environment() -> dict[str, str]:
    """The proxies that the environment names, or the settings of macOS and Windows.

    The module that reads them imports many others, which a first request without proxies need not wait for.
    """
    names = {name.lower() for name, value in os.environ.items() if value} - {'no_proxy'}
    named = any(name.rpartition('_')[2] == 'proxy' for name in names)
    if sys.platform not in ('darwin', 'win32') and not named:
        return {}
    from urllib.request import getproxies

    return getproxies()


def _bypasses(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of NO_PROXY matches a host: a network, a name and its subdomains, or with `*.` only subdomains.

    There is no standard; this is what curl, Go and requests have in common, https://curl.se/docs/manpage.html#--noproxy.
    """
    entry = entry.rpartition('://')[2].rstrip('/')
    if (network := _network(entry)) is not None:
        return _is_within(host, network)
    name, of_port = _name_and_port(entry)
    if entry.startswith('*.') and name == '*':  # nothing is named
        return False
    if of_port is not None and of_port != port:
        return False
    if name == '*':
        return True
    if _address(host) is not None:  # has no names above it
        return _address(host) == _address(name)
    if name.startswith('*.'):
        return host.endswith(name[1:])
    name = name.lstrip('.')
    return bool(name) and (host == name or host.endswith(f'.{name}'))


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.replace('[', '').replace(']/', '/').removesuffix(']'), strict=False)
    except ValueError:
        return None


def _is_within(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    address = _address(host)
    return address is not None and address in network


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, 'ipv4_mapped', None) or address  # of IPv4, in both notations


def _name_and_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(':')
    if colon and port.isdecimal() and (':' not in name or name.endswith(']')):
        return name.strip('[]').rstrip('.'), int(port)
    return entry.strip('[]').rstrip('.'), None


def without_password(address: str) -> str:
    """Host and port of an address, without name and password."""
    return urlsplit(address).netloc.rpartition('@')[2]


def credentials_in(proxy: str | None) -> list[str]:
    """The name with the password in the address of a proxy, and the password alone."""
    address = urlsplit(proxy or '')
    name, password = unquote(address.username or ''), unquote(address.password or '')
    return [f'{name}:{password}', password] if name or password else []


def credentials_remedy(proxy: str, status: int) -> str:
    """What to do after an answer of the proxy, with a colon before it, if it asks for credentials."""
    if status != 407:
        return ''
    remedy = ': put name and password into its address, http://name:password@host:port'
    return f'{remedy}; it does not accept those that are there' if urlsplit(proxy).username else remedy


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
    if not valid or not proxy.isprintable() or ' ' in proxy:
        safe_url = printable(f'{scheme}://{rest.rpartition("@")[2]}')
        raise UserError(f'{source} must be an address like http://host:port, not {safe_url}')
    return proxy


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine, which no proxy can reach for us."""
    if host == 'localhost' or host.endswith('.localhost'):
        return True
    try:
        return ipaddress.ip_address(host.strip('[]')).is_loopback
    except ValueError:
        return False

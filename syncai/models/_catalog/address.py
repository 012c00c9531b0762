"""The address of a provider, from the parameter, the environment or the table, and what its query says; pure."""

from __future__ import annotations

import functools
import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from ..._providers.provider import Provider
from ...exceptions import UserError

_ENDPOINTS = ('/chat/completions', '/responses')


def resolve_base_url(provider: Provider, base_url: str | None) -> str:
    """The base URL of the parameter, else of the environment, else of the provider; its path has no final slash.

    A query stays at its end, such as `?api-version=2024-10-21`: `split_query` takes it off.

    Raises:
        UserError: It is not an http or https address.
    """
    if base_url is not None and not isinstance(base_url, str):
        raise UserError(f'base_url must be an address like https://host/v1, not {type(base_url).__name__}')
    if base_url == '':  # such as from an unset variable: key and prompts must not go to another server
        raise UserError(f"base_url is empty: leave it out for {provider.title}'s own address")
    source, url = 'base_url', base_url or provider.default_base_url
    variable = next((name for name in provider.base_url_variables if os.environ.get(name, '').strip()), None)
    if not base_url and variable:
        source, url = variable, os.environ[variable]
    if url is None:
        variables = ' or '.join(provider.base_url_variables)
        raise UserError(f'{provider.title} needs an address: pass base_url=..., or set {variables}')
    url = url.strip()
    if wrong := _wrong_in(url):
        raise UserError(f'{source} {wrong}')
    address, mark, query = url.partition('?')
    address = address.rstrip('/')
    for endpoint in _ENDPOINTS:
        address = address.removesuffix(endpoint)
    return address.rstrip('/') + mark + query


def split_query(url: str, default_query: Mapping[str, object] | None = None) -> tuple[str, str]:
    """An address without its query, and the query of every request: both merged, `default_query` wins.

    Raises:
        UserError: `default_query` is not a dict of names to texts, numbers or booleans.
    """
    address, _, query = url.partition('?')
    if not default_query:
        return address, query
    if not isinstance(default_query, Mapping) or not all(map(_is_parameter, default_query.items())):
        raise UserError('default_query must be a dict of names to texts, numbers or booleans')
    own = {name: str(value).lower() if isinstance(value, bool) else value for name, value in default_query.items()}
    pairs = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in own]
    return address, urlencode([*pairs, *own.items()], quote_via=quote)


def with_query(url: str, query: str) -> str:
    """An address, with or without a query, with one more query appended."""
    return f'{url}{"&" if "?" in url else "?"}{query}' if query else url


@functools.lru_cache(maxsize=256)
def is_loopback(url: str) -> bool:  # called for each request, with few different addresses
    """Whether an address is this machine's own."""
    host = urlsplit(url).hostname or ''
    if host == 'localhost' or host.endswith('.localhost'):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_parameter(item: tuple[object, object]) -> bool:
    name, value = item
    texts = (name, value) if isinstance(value, str) else (name,)
    return isinstance(value, str | int | float) and all(isinstance(text, str) and text.isprintable() for text in texts)


def _wrong_in(url: str) -> str | None:
    """The problem with a base URL, in words that show no password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # a port that is no number, or an unclosed bracket
        return f'cannot be read ({error}): write an address like https://host/v1'
    if '@' in parts.netloc:
        return 'holds a user name or password: pass the key as api_key=... instead'
    if parts.fragment:
        return 'must end with its path or its query, without #'
    blank = any(character.isspace() for character in url)
    if parts.scheme not in ('http', 'https') or not host or blank or not url.isprintable():
        bare = '://' not in url and url and '@' not in url and not blank
        scheme = 'http' if is_loopback(f'http://{url}') else 'https'
        suggestion = f': did you mean {scheme + "://" + url.partition("?")[0]!r}?' if bare else ''
        return f'must be an address like https://host/v1, not {_shown(url)!r}{suggestion}'
    return 'has port 0' if port == 0 else None


def _shown(url: str) -> str:
    """An address without its possible secrets: user name and password, and the query."""
    return url.partition('?')[0].rpartition('@')[2]

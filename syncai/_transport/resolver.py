"""Addresses of host names, each looked up once for connections at about the same time. If the system is slow or fails,
an expired address is used, as RFC 8767 describes for resolvers: so a short outage of a provider's name server has no
effect.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from .._base.system import none_left

__all__ = ['Resolver']

_SECONDS = 10.0
_SLOW = 0.5  # seconds to wait for a look-up if an expired address is known
_PAST_ITS_TIME = 3600.0  # seconds that an expired address may be used
_MOST_NAMES = 256

Name = tuple[str, int]  # host and port
Address = tuple[Any, ...]  # as `socket.getaddrinfo` gives them
Answer = list[Address] | OSError
LookUp = Callable[..., Coroutine[Any, Any, Any]]  # `getaddrinfo` of a loop


class Resolver:
    """Looks names up by the loop's `getaddrinfo`, and caches them for a few seconds; belongs to that loop.

    Args:
        loop: The loop.
        look_up: Used instead of the loop's `getaddrinfo`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, look_up: LookUp | None = None) -> None:
        self._loop = loop
        self._look_up = look_up or loop.getaddrinfo
        self._cache: dict[Name, tuple[float, list[Address]]] = {}
        self._asking: dict[Name, tuple[float, asyncio.Task[Answer]]] = {}  # since when, and the task of the look-up

    async def addresses(self, host: str, port: int) -> list[Address]:
        """The addresses to connect to.

        Raises:
            OSError: The name was not found.
        """
        if (numeric := _numeric(host, port)) is not None:
            return [numeric]
        name = host, port
        until, addresses = self._cache.get(name, (0.0, []))
        now = self._loop.time()
        if until >= now:
            return addresses
        if name not in self._asking:
            self._asking[name] = now, self._loop.create_task(self._ask(name), context=Context())
        since, asking = self._asking[name]
        usable = bool(addresses) and now < until + _PAST_ITS_TIME
        if usable:
            await asyncio.wait([asking], timeout=max(0.0, since + _SLOW - now))
            if not asking.done():
                return addresses
        answer = await asyncio.shield(asking)  # others wait for it, and the system call cannot be stopped
        if not isinstance(answer, OSError):
            return answer
        if usable and answer.errno == socket.EAI_AGAIN:
            return addresses
        raise type(answer)(*answer.args)  # each caller gets a copy

    async def _ask(self, name: Name) -> Answer:
        try:
            addresses = list(await self._look_up(*name, type=socket.SOCK_STREAM))
        except OSError as error:
            return none_left() or error.with_traceback(None)  # the system then says that the name is not known
        except UnicodeError as error:  # a name that cannot be encoded
            return socket.gaierror(socket.EAI_NONAME, str(error.__cause__ or error))
        finally:
            del self._asking[name]
        if not addresses:
            return socket.gaierror(socket.EAI_NONAME, 'the name has no address')
        if len(self._cache) >= _MOST_NAMES:
            self._cache.clear()
        self._cache[name] = self._loop.time() + _SECONDS, addresses
        return addresses


def _numeric(host: str, port: int) -> Address | None:
    """The address of a numeric host, without a look-up."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    if '%' in host:  # the system resolves the network interface
        return None
    family, end = (socket.AF_INET, ()) if version == 4 else (socket.AF_INET6, (0, 0))
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, '', (host, port, *end)

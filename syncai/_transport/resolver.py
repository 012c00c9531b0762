"""Host names as addresses to connect to, each looked up once for all who connect at about the same time."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextvars import Context
from typing import Any

__all__ = ['Resolver']

_SECONDS = 10.0
_MOST_NAMES = 256

Name = tuple[str, int]  # host and port
Address = tuple[Any, ...]  # as `socket.getaddrinfo` gives them
Answer = list[Address] | OSError


class Resolver:
    """Asks the system, by the `getaddrinfo` of the loop, and remembers for a few seconds; belongs to that loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._known: dict[Name, tuple[float, list[Address]]] = {}
        self._asking: dict[Name, asyncio.Task[Answer]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Where to connect to.

        Raises:
            OSError: The name was not found.
        """
        if (numeric := _numeric(host, port)) is not None:
            return [numeric]
        name = host, port
        until, found = self._known.get(name, (0.0, []))
        if until >= self._loop.time():
            return found
        if name not in self._asking:
            self._asking[name] = self._loop.create_task(self._ask(name), context=Context())
        answer = await asyncio.shield(self._asking[name])  # others wait for it, and the system cannot be stopped
        if isinstance(answer, OSError):
            raise type(answer)(*answer.args)  # each who waits has one of its own
        return answer

    async def _ask(self, name: Name) -> Answer:
        try:
            found = list(await self._loop.getaddrinfo(*name, type=socket.SOCK_STREAM))
        except OSError as error:
            return error.with_traceback(None)
        except UnicodeError as error:  # a name that cannot even be asked for
            return socket.gaierror(socket.EAI_NONAME, str(error.__cause__ or error))
        finally:
            del self._asking[name]
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[name] = self._loop.time() + _SECONDS, found
        return found


def _numeric(host: str, port: int) -> Address | None:
    """The address that a host is already, so that nobody has to be asked."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    if '%' in host:  # the number of a network interface is for the system to find
        return None
    family, end = (socket.AF_INET, ()) if version == 4 else (socket.AF_INET6, (0, 0))
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, '', (host, port, *end)

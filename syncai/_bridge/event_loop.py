"""The event loop that the loop thread runs."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Protocol

from .workers import WorkerThreads

_MAX_RESOLVERS = 8
_MAX_WORKERS = 256


class Call(Protocol):
    """What the loop thread runs: started on it, and cancelled on it."""

    loop: BridgeLoop | None

    def start(self) -> None: ...

    def cancel_on_loop(self) -> None: ...


class BridgeLoop(asyncio.SelectorEventLoop):
    """A selector loop, built directly so that no event loop policy can replace it.

    It looks up names on threads of its own, and has others for functions of the user that must not wait for the caller.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: set[Call] = set()  # in flight; only the loop thread changes it
        self.threadless = False  # no thread could be started for it: whoever waits runs it
        self._resolver = WorkerThreads(self, name='syncai-resolver', limit=_MAX_RESOLVERS)
        self.workers = WorkerThreads(self, name='syncai-worker', limit=_MAX_WORKERS)

    def close(self) -> None:
        """Close the loop, and let its threads end."""
        super().close()
        self._resolver.close()
        self.workers.close()

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """What `socket.getaddrinfo` gives, looked up off the loop."""
        return await self._resolver.run(lambda: socket.getaddrinfo(host, port, **options))

"""The event loop that the loop thread runs."""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any, Protocol

from .._system import gevent_is_active, original
from .threads import new_thread
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
        super().__init__(original('selectors', 'DefaultSelector')() if gevent_is_active() else None)
        self.calls: set[Call] = set()  # in flight; only the loop thread changes it
        self.threadless = False  # no thread could be started for it: whoever waits runs it
        self._resolver = WorkerThreads(self, name='syncai-resolver', limit=_MAX_RESOLVERS)
        self.workers = WorkerThreads(self, name='syncai-worker', limit=_MAX_WORKERS)

    def close(self) -> None:
        """Close the loop, and let its threads end."""
        super().close()
        self._resolver.close()
        self.workers.close()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Log what asyncio has to tell; on the loop, by a thread, which may have to wait for a lock of `logging`."""
        log = functools.partial(super().call_exception_handler, context)
        if not self.is_running() or self._thread_id != threading.get_ident():  # type: ignore[attr-defined]
            log()
            return
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
            new_thread(log, 'syncai-warning').start()

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """What `socket.getaddrinfo` gives, looked up off the loop."""
        return await self._resolver.run(lambda: original('socket', 'getaddrinfo')(host, port, **options))

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """The future result of `func`, run in a worker thread in place of asyncio's default executor."""
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        return self.create_task(self.workers.run(functools.partial(func, *args)))

    def _make_self_pipe(self) -> None:
        if not gevent_is_active():
            super()._make_self_pipe()  # type: ignore[misc]
            return
        # By which other threads wake this one: no socket of gevent, which belongs to the hub of one thread.
        self._ssock, self._csock = _socket.socketpair()
        for end in (self._ssock, self._csock):
            end.setblocking(False)
        self._internal_fds += 1  # type: ignore[attr-defined]
        self._add_reader(self._ssock.fileno(), self._read_from_self)  # type: ignore[attr-defined]

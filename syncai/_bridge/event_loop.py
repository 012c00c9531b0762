"""The event loop that the loop thread runs."""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import functools
import selectors
import threading
from collections.abc import Callable, Iterator
from contextvars import Context
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from .._base.system import gevent_is_active, original
from .bells import RING_AT_ONCE, Bells
from .selector import new_selector
from .threads import log_apart
from .workers import WorkerThreads

if TYPE_CHECKING:
    from .hang_ups import HangUps

_MAX_RESOLVERS = 8
_MAX_RESOLVERS_APART = 32
_MAX_WORKERS = 256
_LOGGING_SECONDS = 0.05


class Call(Protocol):
    """A call of the loop thread: started and cancelled on it."""

    loop: BridgeLoop | None

    def start(self) -> None: ...

    def cancel_on_loop(self) -> None: ...


class BridgeLoop(asyncio.SelectorEventLoop):
    """A selector loop, built directly so that no event loop policy can replace it.

    It has its own threads for name look-ups, and others for functions of the user that must not wait for the caller.
    """

    def __init__(self) -> None:
        self._closed = True  # until it is complete: a failed start is not closed twice
        selector = None if gevent_is_active() else new_selector()
        plain = selector or original('selectors', 'DefaultSelector')()
        try:
            super().__init__(plain)
        except BaseException:  # such as when no descriptor is left
            plain.close()
            self._closed = True
            raise
        # The bells of consumers that the loop rings before it waits; under gevent they are rung at once.
        self.bells: Bells = selector.bells if selector else RING_AT_ONCE
        self._bell_selector = selector
        if selector is not None:
            selector.loop = self
        # Callbacks of the loop run in this empty context, so that they keep no caller's context alive. Each loop has
        # its own: two threads cannot enter one context, and an abandoned loop may still run beside the next.
        self.empty_context = Context()
        self.calls: set[Call] = set()  # in flight; only the loop thread changes it
        self.threadless = False  # no thread could be started, so the caller runs it
        self.chains = 0  # blocks of `few_sockets_at_once`; only the loop thread changes it
        self.hang_ups: HangUps | None = None  # the clients of servers that it watches; only the loop thread changes it
        self.native_id = 0  # the operating system's id of its thread
        self._resolver = WorkerThreads(self, name='syncai-resolver', limit=_MAX_RESOLVERS)
        self._resolver_apart = WorkerThreads(self, name='syncai-resolver-apart', limit=_MAX_RESOLVERS_APART)
        self.workers = WorkerThreads(self, name='syncai-worker', limit=_MAX_WORKERS)

    time = staticmethod(monotonic)  # pyright: ignore[reportAssignmentType] # the C method, without asyncio's wrapper

    def call_soon(  # type: ignore[override] # the types of the arguments are not followed
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's, without its two calls for debug checks."""
        if self._debug or self._closed:  # type: ignore[attr-defined]
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def run_forever(self) -> None:
        """Run until `stop`; a last turn, which does not wait, wakes the remaining consumers."""
        self.native_id = threading.get_native_id()
        try:
            super().run_forever()
        finally:
            if self._bell_selector is not None:
                self._bell_selector.ring()

    def close(self) -> None:
        """Close the loop, and let its threads end."""
        hang_ups, self.hang_ups = self.hang_ups, None
        if hang_ups is not None:
            hang_ups.close()
        super().close()
        self._resolver.close()
        self._resolver_apart.close()
        self.workers.close()

    def log_apart(self, log: Callable[[], object]) -> None:
        """Write a record in another thread: of `warn_in_log`, or a report of asyncio. It is written before its call
        ends, unless `logging` is blocked.
        """
        log_apart(log, _LOGGING_SECONDS)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Log what asyncio reports."""
        log = functools.partial(super().call_exception_handler, context)
        if self.is_running() and self._thread_id == threading.get_ident():  # type: ignore[attr-defined]
            self.log_apart(log)
        else:
            log()

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """The result of `socket.getaddrinfo`, looked up in a worker thread."""
        return await self._resolver.run(lambda: original('socket', 'getaddrinfo')(host, port, **options))

    async def getaddrinfo_apart(self, host: Any, port: Any, **options: Any) -> Any:
        """The same in separate threads, so that slow names in prompts do not delay those of providers."""
        return await self._resolver_apart.run(lambda: original('socket', 'getaddrinfo')(host, port, **options))

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """The future of `func`, which runs in a worker thread instead of asyncio's default executor."""
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        return self.create_task(self.workers.run(functools.partial(func, *args)))

    @functools.cached_property
    def _tls_buffer(self) -> bytearray:
        from .tls import new_buffer

        return new_buffer()

    def _make_ssl_transport(  # type: ignore[no-untyped-def] # as each Python calls it
        self, rawsock, protocol, sslcontext, waiter=None, *, extra=None, server=None, **options
    ) -> Any:
        from .tls import SHARING_WORKS, SharingSSLProtocol

        if not SHARING_WORKS:
            options |= {'extra': extra, 'server': server}
            return super()._make_ssl_transport(rawsock, protocol, sslcontext, waiter, **options)  # type: ignore[misc]
        tls = SharingSSLProtocol(self._tls_buffer, self, protocol, sslcontext, waiter, **options)
        self._make_socket_transport(rawsock, tls, extra=extra, server=server)  # type: ignore[attr-defined]
        return tls._app_transport

    async def start_tls(
        self, transport: Any, protocol: Any, sslcontext: Any, **options: Any
    ) -> asyncio.Transport | None:
        """TLS over a connection, as through a proxy."""
        from .tls import SHARING_WORKS, start_tls

        if not SHARING_WORKS:
            return await super().start_tls(transport, protocol, sslcontext, **options)
        return await start_tls(self, self._tls_buffer, transport, protocol, sslcontext, **options)

    def _process_events(self, event_list: list[tuple[selectors.SelectorKey, int]]) -> None:
        """Run the callbacks of ready sockets now, so that the tasks they wake run in the same turn of the loop. asyncio
        queues the callback, and then the task: one more turn and one more poll for each piece of an answer. A handle
        that an earlier one cancelled is no longer registered.
        """
        if self.get_debug():
            super()._process_events(event_list)  # type: ignore[misc]
            return
        for key, mask in event_list:
            reader, writer = key.data
            if mask & selectors.EVENT_READ and reader is not None and not reader._cancelled:
                reader._run()
            if mask & selectors.EVENT_WRITE and writer is not None and not writer._cancelled:
                writer._run()

    def _make_self_pipe(self) -> None:
        # The sockets by which other threads wake this one: not gevent's, which belong to the hub of one thread, nor
        # those by which tests forbid the network.
        self._ssock, self._csock = _socket.socketpair()
        for end in (self._ssock, self._csock):
            end.setblocking(False)
        self._internal_fds += 1  # type: ignore[attr-defined]
        self._add_reader(self._ssock.fileno(), self._read_from_self)  # type: ignore[attr-defined]


@contextlib.contextmanager
def few_sockets_at_once() -> Iterator[None]:
    """A block in which the loop thread reads only a few of the ready sockets before it runs the tasks that they wake.

    For work in which each answer leads to the next request: of 50 answers that are ready, the first is not to wait
    until all are read. Elsewhere all are read first: connections that open at once then hold less memory. Only an
    epoll selector can do so.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, BridgeLoop)
    loop.chains += 1
    try:
        yield
    finally:
        loop.chains -= 1

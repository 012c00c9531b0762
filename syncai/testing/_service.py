"""The server on its event loop, and the thread that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from ._batches import BatchService
from ._wire import openai_chat
from ._wire.connection import Connection
from ._wire.formats import WireFormat, format_of
from .batch_plan import BatchPlan
from .recorded import RecordedRequest
from .script import Reply

Answering = Callable[[RecordedRequest], Reply | Awaitable[Reply]]


@dataclass(frozen=True)
class ServiceOptions:
    function: Answering | None = None
    replies: tuple[Reply, ...] = ()
    tls: ssl.SSLContext | None = None
    send_buffer_bytes: int | None = None
    batches: tuple[BatchPlan, ...] = (BatchPlan(),)


@dataclass(frozen=True)
class Counts:
    open: int
    accepted: int
    replies_left: int


class ThreadHost:
    """Runs the server in a separate thread with its own loop.

    `_records` and `_connections` are written by that thread only; other threads read copies. `_script` is a deque,
    appended by any thread and emptied by the server's.
    """

    def __init__(self, options: ServiceOptions) -> None:
        self._options = options
        self._script = deque(options.replies)
        self._records: list[RecordedRequest] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._accepted = 0
        self._batches = BatchService(options.batches, self._scripted)
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name='syncai-model-server', daemon=True)

    def start(self) -> int:
        self._thread.start()
        try:
            return self._port.result()
        except BaseException:
            if self._port.done():
                self._thread.join()
            raise

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def reply(self, replies: Iterable[Reply]) -> None:
        self._script.extend(replies)

    def requests(self) -> list[RecordedRequest]:
        return list(self._records)

    def counts(self) -> Counts:
        return Counts(len(self._connections), self._accepted, len(self._script))

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._port.done():
                raise
            self._port.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        sock = _listening_socket(self._options.send_buffer_bytes)
        server = await asyncio.start_server(self._accept, sock=sock, ssl=self._options.tls, backlog=2048)
        self._port.set_result(sock.getsockname()[1])
        await self._stopping.wait()
        with contextlib.suppress(NotImplementedError):  # not on Windows
            self._loop.remove_reader(sock.fileno())
        await asyncio.sleep(0)  # a connection that asyncio has just accepted would stay open if the server were closed
        server.close()
        await self._close_connections()
        await server.wait_closed()

    async def _close_connections(self) -> None:
        # All tasks, not only those of connections: asyncio may just be accepting one more (with TLS, for long).
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in self._connections:
                task.cancel()
            _, waiting = await asyncio.wait(others, timeout=0.2)
            for task in waiting:
                task.cancel()
        for _ in range(3):  # the transports close their sockets in the next turns of the loop
            await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self._accepted, (reader, writer), self._records, self._answer)
        self._accepted += 1
        task = asyncio.get_running_loop().create_task(connection.run())
        self._connections.add(task)

        def end(task: asyncio.Task[None]) -> None:
            self._connections.discard(task)
            writer.transport.abort()  # does nothing if it is closed: only a task that was cancelled leaves it open

        task.add_done_callback(end)

    async def _answer(self, request: RecordedRequest) -> Reply:
        path = request.path.partition('?')[0]
        if request.method == 'GET' and path.endswith('/models'):
            return Reply(body=openai_chat.models_body(), content_type='application/json')
        if (reply := await self._batches.reply(request)) is not None:
            return reply
        return await self._scripted(request)

    async def _scripted(self, request: RecordedRequest) -> Reply:
        path, wire = request.path.partition('?')[0], format_of(request)
        if wire is None:
            return _failure(openai_chat, 404, f'The model server has no {request.method} {path}.')
        if not isinstance(request.json, dict):
            return _failure(wire, 400, 'The body is not a JSON object.')
        if self._options.function is not None:
            return await _call(wire, self._options.function, request)
        if not self._script:
            problem = f'The script of the model server is exhausted: request {request.number} has no reply.'
            return _failure(wire, 500, problem)
        return self._script.popleft()


async def _call(wire: WireFormat, function: Answering, request: RecordedRequest) -> Reply:
    try:
        reply = function(request)
        if inspect.isawaitable(reply):
            reply = await reply
    except Exception as error:
        return _failure(wire, 500, f'The function of the model server raised {error!r}.')
    if not isinstance(reply, Reply):
        return _failure(wire, 500, f'The function of the model server returned {reply!r}, which is no Reply.')
    return reply


def _failure(wire: WireFormat, status: int, message: str) -> Reply:
    # x-should-retry: the client's retries cannot correct a test's script, only hide what is wrong with it.
    return Reply(
        status=status,
        body=wire.error_body(status, message),
        content_type='application/json',
        headers={'x-should-retry': 'false'},
    )


def _listening_socket(send_buffer_bytes: int | None) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if send_buffer_bytes is not None:  # accepted sockets inherit it
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        sock.bind(('127.0.0.1', 0))
        return sock
    except BaseException:
        sock.close()
        raise

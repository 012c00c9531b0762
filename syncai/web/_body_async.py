"""The body of a response, for servers with an event loop."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from ..events import AgentStreamEvent
from ..exceptions import UserError
from ..result import RunPaused, RunResult
from ..stream import StreamedRunEvents, StreamedRunEventsSync
from ._forms import Form
from ._json import to_bytes
from ._options import Metadata, OnFinishAsync, OnLeave, OnPauseAsync, Options, logged_reply, messages_before
from ._request import ChatRequest

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

# Tasks that finish or stop runs after their client left; asyncio itself keeps no reference to tasks.
_ending: set[asyncio.Task[Any]] = set()


class EncodedStreamAsync(AsyncIterator[bytes]):
    """The bytes of a run, for `async for`; `encode_async` makes it. Its fields belong to the iterating loop."""

    def __init__(self, stream: StreamedRunEvents[Any], options: Options, receive: Receive | None = None) -> None:
        self._stream = stream
        self._options = options
        self._writer = options.writer
        self._writer.follow(partial(messages_before, stream))
        self._receive = receive
        self._listener: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[list[AgentStreamEvent] | None] | None = None  # with `on_leave='finish'`
        self._early: list[AgentStreamEvent] = []
        self._read_out = False  # whether `begin` has seen the end of the run
        self._pause: RunPaused | None = None  # the error that `begin` met
        self._opened = False
        self._over = False
        self._left = False
        self._loop: asyncio.AbstractEventLoop | None = None  # set when the run begins

    async def begin(self, within: float = 0.03) -> None:
        """Start the run; raises early errors, as in `EncodedStream`."""
        try:
            await self._start()
            batch = await self._stream.next_events(within)
            self._early, self._read_out = batch or [], batch is None
        except RunPaused as paused:
            self._pause = paused
        except BaseException:
            await self._end()
            raise

    def __aiter__(self) -> EncodedStreamAsync:
        return self

    async def __anext__(self) -> bytes:
        while not self._over:
            try:
                piece = await self._next_piece()
            except BaseException:
                await self.aclose()
                raise
            if piece:
                return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the response: stop an unfinished run, or with `on_leave='finish'` let it end in its own task."""
        if self._over:
            return
        if self._options.finishes and self._stream.entered:
            self.close()
        else:
            await self._end()

    def close(self) -> None:
        """End the response from any thread, without waiting: Django calls this after each response."""
        loop = self._loop
        if self._over or loop is None:
            return
        self._over = True
        if self._options.finishes:
            end = partial(_finish_alone, self._stream, self._waiting, self._options)
        else:
            end = partial(_stop_alone, self._stream, self._listener)
        with suppress(RuntimeError):  # the loop is closed, and the run was stopped with it
            loop.call_soon_threadsafe(_begin_task, end)

    def __del__(self) -> None:
        # A server that is cancelled while it writes drops its iterator.
        self.close()

    # --- pieces -------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        if self._stream.entered:
            return
        self._loop = asyncio.get_running_loop()
        await self._stream.__aenter__()
        if self._receive is not None and not self._options.finishes:
            self._listener = asyncio.ensure_future(_listen(self._receive, weakref.ref(self)))

    async def _next_piece(self) -> bytes:
        if not self._opened:
            self._opened = True
            await self._start()
            early, self._early = self._early, []
            return to_bytes(self._writer.opening()) + self._writer.events(early)
        try:
            if self._pause is not None:
                raise self._pause
            batch = None if self._read_out else await self._next_events()
        except Exception as error:
            if self._left:
                await self._end()
                return b''
            return await self._failed(error)
        if batch is None:
            return await self._ended()
        return self._writer.events(batch) if batch else self._writer.ping

    async def _next_events(self) -> list[AgentStreamEvent] | None:
        if not self._options.finishes:
            return await self._stream.next_events(self._options.keepalive)
        # A cancelled wait would stop the run, so another task waits, which outlives this one.
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._stream.next_events(self._options.keepalive))
        batch = await asyncio.shield(self._waiting)
        self._waiting = None
        return batch

    async def _ended(self) -> bytes:
        result: RunResult[Any] = self._stream.result
        try:
            await _call(self._options.on_finish, result)
            piece = to_bytes(self._writer.ending(self._options.end_of(result)))
        except Exception as error:
            return await self._failed(error)
        await self._end()
        return piece

    async def _failed(self, error: Exception) -> bytes:
        try:
            if isinstance(error, RunPaused):
                await _call(self._options.on_pause, error)
        except Exception as other:
            error = other
        await self._end()
        if isinstance(error, RunPaused):
            return to_bytes(self._writer.pausing(error))
        return to_bytes(self._writer.failing(logged_reply(error)))

    async def _end(self) -> None:
        self._over = True
        listener, self._listener = self._listener, None
        if listener is not None and listener is not asyncio.current_task():
            listener.cancel()
        if self._stream.entered:
            await self._stream.close()


async def _listen(receive: Receive, body: weakref.ref[EncodedStreamAsync]) -> None:
    """Stop the run when the server says that the client has left."""
    while (await receive())['type'] != 'http.disconnect':
        pass
    encoded = body()
    if encoded is not None and not encoded._over:
        encoded._left = True
        await encoded._stream.close()


def _begin_task(end: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.ensure_future(end())
    _ending.add(task)
    task.add_done_callback(_ending.discard)


async def _stop_alone(stream: StreamedRunEvents[Any], listener: asyncio.Task[None] | None) -> None:
    """Stop the run of an abandoned body."""
    if listener is not None:
        listener.cancel()
    await stream.close()


async def _finish_alone(stream: StreamedRunEvents[Any], waiting: Any, options: Options) -> None:
    """Read the run to its end, so that its result is stored."""
    try:
        batch = [] if waiting is None else await waiting
        while batch is not None:
            batch = await stream.next_events()
        await _call(options.on_finish, stream.result)
    except RunPaused as paused:
        await _call(options.on_pause, paused)
    except Exception as error:
        logged_reply(error)
    finally:
        await stream.close()


async def _call(function: Callable[[Any], Any] | None, argument: object) -> None:
    if function is not None:
        value = function(argument)
        if inspect.isawaitable(value):
            await value


def encode_async(
    stream: StreamedRunEvents[Any],
    form: Form | None = None,
    *,
    keepalive: float | None = 15,
    receive: Receive | None = None,
    on_leave: OnLeave = 'stop',
    on_finish: OnFinishAsync | None = None,
    on_pause: OnPauseAsync | None = None,
    asked: ChatRequest | None = None,
    message_id: str | None = None,
    metadata: Metadata | None = None,
) -> EncodedStreamAsync:
    """The body of a response with a run, for `async for` on any event loop; otherwise as `encode`.

    Args:
        stream: `agent.run_stream_events(...)`; its block need not be entered.
        form: What the page reads; None takes that of `asked`, else `'ai-sdk'`.
        keepalive: Seconds of silence after which a comment is written, or None.
        receive: The `receive` of the ASGI request (in Starlette and FastAPI `request.receive`), after the request's
            body was read. With it the run stops as soon as the client leaves. A server that cancels the response also
            stops it.
        on_leave: What happens to the run when the client leaves: `'stop'`, or `'finish'`, which lets it end in its own
            task and calls `on_finish`.
        on_finish: Takes the `RunResult` of a run that ended well, before the last event is written; an async function,
            or one that does not wait.
        on_pause: Takes the `RunPaused` of a run that waits for decisions, likewise, to store it.
        asked: The page's request, from `read_chat`: the form, and the ids of AG-UI.
        message_id: The page's id of the answer; None makes one.
        metadata: Makes further data for the page, besides the usage, from the `RunResult`.

    Raises:
        UserError: An argument is wrong.
    """
    if not isinstance(stream, StreamedRunEvents):
        if isinstance(stream, StreamedRunEventsSync):
            raise UserError('encode_async takes agent.run_stream_events(...); encode takes the synchronous one')
        raise UserError(f'encode_async takes agent.run_stream_events(...), not {type(stream).__name__}')
    if receive is not None and not callable(receive):
        raise UserError(f'receive must be that of the ASGI request, such as request.receive, not {receive!r:.100}')
    options = Options.checked(form, asked, message_id, keepalive, on_leave, on_finish, on_pause, metadata)
    return EncodedStreamAsync(stream, options, receive)

"""The body of a response, for servers that iterate in a thread."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any

from .._base.functions import is_async
from .._bridge import HangUp, on_hang_up
from ..events import AgentStreamEvent
from ..exceptions import UserError
from ..result import RunPaused, RunResult
from ..stream import StreamedRunEvents, StreamedRunEventsSync
from ._forms import Form
from ._json import to_bytes
from ._options import Metadata, OnFinish, OnLeave, OnPause, Options, logged_reply, messages_before
from ._request import ChatRequest
from ._sockets import client_socket


class EncodedStream(Iterator[bytes]):
    """The bytes of a run, one piece for each network read; `encode` makes it. Its fields belong to the iterating
    thread, except `_left`, which the loop thread sets.
    """

    def __init__(
        self, stream: StreamedRunEventsSync[Any], options: Options, environ: Mapping[str, Any] | None = None
    ) -> None:
        self._stream = stream
        self._options = options
        self._writer = options.writer
        self._writer.follow(partial(messages_before, stream))
        self._environ = environ
        self._hang_up: HangUp | None = None
        self._early: list[AgentStreamEvent] = []  # pieces that `begin` has read
        self._read_out = False  # whether `begin` has seen the end of the run
        self._pause: RunPaused | None = None  # the error that `begin` met
        self._opened = False  # whether the first piece was given
        self._over = False
        self._left = False  # whether the client has left; set by the loop thread

    def begin(self, within: float = 0.03) -> None:
        """Start the run; raises early errors while the response can still be a status.

        Args:
            within: Seconds to wait for the first event or an error; a slower answer begins as usual.

        Raises:
            Exception: The error that ended the run, for `status_of`.
        """
        try:
            self._start()
            batch = self._stream.next_events(within)
            self._early, self._read_out = batch or [], batch is None
        except RunPaused as paused:
            self._pause = paused
        except BaseException:
            self._end()
            raise

    def __iter__(self) -> EncodedStream:
        return self

    def __next__(self) -> bytes:
        while not self._over:
            try:
                piece = self._next_piece()
            except BaseException:
                self._end()
                raise
            if piece:
                return piece
        raise StopIteration

    def close(self) -> None:
        """End the response: stop an unfinished run, or with `on_leave='finish'` finish it in this thread."""
        if self._over:
            return
        try:
            if self._options.finishes and self._stream.entered:
                self._finish_alone()
        finally:
            self._end()

    def __del__(self) -> None:
        # A dropped stream stops by itself; the duplicate of the client's socket would stay open.
        if self._hang_up is not None:
            self._hang_up.close()

    def __enter__(self) -> EncodedStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- pieces -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._stream.entered:
            return
        self._stream.__enter__()
        if self._environ is not None and not self._options.finishes:
            descriptor = client_socket(self._environ)
            if descriptor is not None:
                # A weak reference: the watch of its socket must not keep an unclosed, dropped body alive.
                self._hang_up = on_hang_up(descriptor, partial(_leave, weakref.ref(self)))

    def _next_piece(self) -> bytes:
        if not self._opened:
            self._opened = True
            self._start()
            early, self._early = self._early, []
            return to_bytes(self._writer.opening()) + self._writer.events(early)
        try:
            if self._pause is not None:
                raise self._pause
            batch = None if self._read_out else self._stream.next_events(self._options.keepalive)
        except Exception as error:
            return b'' if self._gone() else self._failed(error)
        self._options.warn_of_slow_function(self._stream.longest_function)
        if batch is None:
            return self._ended()
        return self._writer.events(batch) if batch else self._writer.ping

    def _ended(self) -> bytes:
        result: RunResult[Any] = self._stream.result
        try:
            self._finished(result)
            piece = to_bytes(self._writer.ending(self._options.end_of(result)))
        except Exception as error:
            return self._failed(error)
        self._end()
        return piece

    def _failed(self, error: Exception) -> bytes:
        try:
            if isinstance(error, RunPaused):
                self._paused(error)
        except Exception as other:
            error = other
        self._end()
        if isinstance(error, RunPaused):
            return to_bytes(self._writer.pausing(error))
        return to_bytes(self._writer.failing(logged_reply(error)))

    def _paused(self, paused: RunPaused) -> None:
        if self._options.on_pause is not None:
            self._options.on_pause(paused)

    def _finished(self, result: RunResult[Any]) -> None:
        if self._options.on_finish is not None:
            self._options.on_finish(result)

    def _finish_alone(self) -> None:
        """Read the run to its end, so that its result is stored."""
        try:
            while self._stream.next_events() is not None:
                pass
            self._finished(self._stream.result)
        except RunPaused as paused:
            self._paused(paused)
        except Exception as error:
            logged_reply(error)

    def _gone(self) -> bool:
        if self._left:
            self._end()
        return self._left

    def _end(self) -> None:
        """End the writing: stop the run if it is unfinished, and close the duplicate of the client's socket."""
        self._over = True
        hang_up, self._hang_up = self._hang_up, None
        if hang_up is not None:
            hang_up.close()
        if self._stream.entered:
            self._stream.close()


def _leave(body: weakref.ref[EncodedStream]) -> None:
    """On the loop thread, when the client has left: stop the run, and so the wait for its next event."""
    encoded = body()
    if encoded is not None:
        encoded._left = True
        # The server's thread closes the stream after its wait, and then stores the rest.
        encoded._stream._source.stop()


def encode(
    stream: StreamedRunEventsSync[Any],
    form: Form | None = None,
    *,
    keepalive: float | None = 15,
    environ: Mapping[str, Any] | None = None,
    on_leave: OnLeave = 'stop',
    on_finish: OnFinish | None = None,
    on_pause: OnPause | None = None,
    asked: ChatRequest | None = None,
    message_id: str | None = None,
    metadata: Metadata | None = None,
) -> EncodedStream:
    """The body of a response with a run: an iterator of bytes, to be closed at its end, as WSGI servers do. The first
    piece is ready at once, before the model answers. Errors and the end are written in the form's own way, so a page
    can see whether it has the complete answer.

    Args:
        stream: `agent.run_stream_events_sync(...)`; its block need not be entered.
        form: What the page reads; None takes that of `asked`, else `'ai-sdk'`.
        keepalive: Seconds of silence after which a comment is written, or None. The form `'text'` has no comments.
        environ: The environment of the WSGI request, in Django `request.META`. With it the run stops as soon as the
            client leaves, if the server exposes its socket; without it, at a failed write. A client that only closed
            its sending side looks like one that left: to serve it to the end, leave `environ` out.
        on_leave: What happens to the run when the client leaves: `'stop'`, or `'finish'`, which reads it to its end in
            the thread of the server and calls `on_finish`.
        on_finish: Takes the `RunResult` of a run that ended well, before the last event is written; in this thread.
        on_pause: Takes the `RunPaused` of a run that waits for decisions, likewise, to store it.
        asked: The page's request, from `read_chat`: the form, and the ids of AG-UI.
        message_id: The page's id of the answer; None makes one.
        metadata: Makes further data for the page, besides the usage, from the `RunResult`.

    Raises:
        UserError: An argument is wrong.

    Example:
        ```python
        asked = read_chat(body)
        for chunk in encode(agent.run_stream_events_sync(asked.prompt), asked=asked):
            sys.stdout.buffer.write(chunk)
        ```
    """
    if not isinstance(stream, StreamedRunEventsSync):
        if isinstance(stream, StreamedRunEvents):
            raise UserError('encode takes agent.run_stream_events_sync(...); encode_async takes the asynchronous one')
        raise UserError(f'encode takes agent.run_stream_events_sync(...), not {type(stream).__name__}')
    for name, function in (('on_finish', on_finish), ('on_pause', on_pause)):
        if function is not None and is_async(function):
            raise UserError(f'{name} is async, and this thread has no event loop: give a plain function')
    if environ is not None and not isinstance(environ, Mapping):
        raise UserError(
            'environ must be the environment of the WSGI request, in Django request.META, in Flask request.environ, '
            f'not {type(environ).__name__}'
        )
    options = Options.checked(form, asked, message_id, keepalive, on_leave, on_finish, on_pause, metadata)
    return EncodedStream(stream, options, environ)

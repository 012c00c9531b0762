"""A model's answer as it arrives: what a direct stream gives."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from .._base.other_names import OF_DIRECT_STREAMS, OtherNames
from ..exceptions import ModelTimeoutError, UserError
from ..messages import ModelResponse, ModelResponseStreamEvent
from ..usage import Usage
from ._faces import Owned

if TYPE_CHECKING:
    from types import TracebackType

    from .._bridge import AsyncConsumer, SyncConsumer
    from ..models import Model, StreamedResponse

__all__ = ['StreamedResponseAsync', 'StreamedResponseSync']

_NOT_ENTERED = (
    'StreamedResponseSync must be used as a context manager. Use: `with model_request_stream_sync(...) as stream:`'
)
_LASTING = 'The answer that get() gives can be'
_FOR_SYNC_CODE = (
    'This stream is for synchronous code: write `with` and `for`, or take model_request_stream(...) for `async with` '
    'and `async for`'
)
FOR_COROUTINES = (
    'This stream is for coroutines: write `async with model_request_stream(...) as stream:` and `async for`, or take '
    'model_request_stream_sync(...) for `with` and `for`'
)
_NOT_BEGUN = 'Stream failed to initialize within timeout'
_WAIT_LONGER = (
    'The answer did not begin within {:g} s. The request goes on: ask again, iterate over the stream, or raise '
    'syncai.direct.STREAM_INITIALIZATION_TIMEOUT'
)
_CONSUMED = 'This stream was already read to its end; stream.get() has the whole answer'


def copy_of(error: BaseException) -> BaseException:
    """The same error without its traceback, which would hold the stream that holds it."""
    try:
        copied = copy.copy(error)
        if type(copied) is not type(error) or copied is error:
            raise TypeError
    except Exception:  # an error of the user's, whose constructor takes other arguments
        return UserError(f'This stream has failed: {error!r}')
    # Where `tblib` is installed, as by the test runner of Django and by dask.distributed, copies keep all of this.
    copied.__traceback__ = copied.__cause__ = copied.__context__ = None
    return copied


def _late(timeout: float | None) -> ModelTimeoutError:
    error = ModelTimeoutError(_NOT_BEGUN, phase='first event', limit=timeout)
    error.add_note(_WAIT_LONGER.format(timeout))
    return error


class StreamedResponseSync(Owned, OtherNames):
    """A model's answer as it arrives, read synchronously; use it in a `with` block.

    Entering the block starts the request and returns at once, so that several streams can be opened side by side; the
    first use waits for the answer to begin. Leaving the block, in whichever way, stops the request and closes its
    connection. A stream may be handed from thread to thread, and has one reader at a time. It is read once: a loop that
    was left with `break` goes on where it stopped, a loop over a stream that has ended is a `UserError`, and a stream
    that has failed raises its error again.
    """

    _lasting = _LASTING
    _other_names = OF_DIRECT_STREAMS

    def __init__(
        self, open_channel: Callable[[], SyncConsumer[ModelResponse]], model: Model, patience: Callable[[], float]
    ) -> None:
        self._open = open_channel
        self._model = model
        self._patience = patience  # seconds that an answer may take to begin, asked for at each use
        self._channel: SyncConsumer[ModelResponse] | None = None
        # The reader's own; the channel sees to it that there is one reader at a time.
        self._batch: Iterator[Any] = iter(())
        self._response: StreamedResponse | None = None
        self._failure: BaseException | None = None
        self._ended = False
        self._closed = False

    def __enter__(self) -> StreamedResponseSync:
        """Start the request; does not wait for its answer."""
        if self._channel is not None:
            raise UserError('This stream was already opened; make a new one with model_request_stream_sync(...)')
        self._channel = self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the request, and wait until its connection is closed."""
        self.close()

    def close(self) -> bool:
        """Stop the request and close its connection; any thread may do so, any number of times.

        Returns:
            Whether the request is over, which takes milliseconds.
        """
        self._closed = True
        return self._channel is None or self._channel.close()

    def __iter__(self) -> Iterator[ModelResponseStreamEvent]:
        """The events of the answer, each as soon as it has arrived.

        Raises:
            UserError: The stream was already read to its end, or closed.
            AgentRunError: What went wrong with the request, of the class that says what to do about it.
        """
        self._check_open()
        if self._failure is not None:
            raise copy_of(self._failure)
        if self._ended:
            raise UserError(_CONSUMED)
        return self._events()

    def get(self) -> ModelResponse:
        """The answer as far as it has arrived; waits for it to begin.

        Raises:
            ModelTimeoutError: It did not begin within `syncai.direct.STREAM_INITIALIZATION_TIMEOUT` seconds; the
                request goes on. The same holds for `usage`, `model_name` and `timestamp`.
        """
        return self._begun(self._patience()).get()

    def usage(self) -> Usage:
        """What the request has used, as far as the provider has told; it usually tells at the end."""
        return self._begun(self._patience()).usage()

    @property
    def model_name(self) -> str:
        """The model that answers; waits for the answer to begin."""
        return self._begun(self._patience()).model_name

    @property
    def timestamp(self) -> datetime:
        """When the answer began, by the provider's clock where it tells; waits for it to begin."""
        return self._begun(self._patience()).timestamp

    def __repr__(self) -> str:
        if self._channel is None:
            return 'StreamedResponseSync(context_entered=False)'
        if self._response is None:
            return f'{self._model.stream_name}(model_name={self._model.model_name!r}, complete=False)'
        return repr(self._response)

    if not TYPE_CHECKING:  # who refuses it without help

        async def __aenter__(self) -> NoReturn:
            raise UserError(_FOR_SYNC_CODE)

        async def __aexit__(self, *error: Any) -> None: ...

        def __aiter__(self) -> NoReturn:
            raise UserError(_FOR_SYNC_CODE)

    def _events(self) -> Iterator[ModelResponseStreamEvent]:
        self._begun()
        while True:
            # The batch outlives this generator, so that a loop after a `break` misses nothing.
            yield from self._batch
            if not self._advance():
                return

    def _begun(self, timeout: float | None = None) -> StreamedResponse:
        if self._response is None:
            self._check_open()
            if self._failure is not None:
                raise copy_of(self._failure)
            first: StreamedResponse | None = next(self._batch, None) if self._advance(timeout) else None
            if first is None:
                raise UserError('The stream ended before its answer began')
            self._response = first
        return self._response

    def _advance(self, timeout: float | None = None) -> bool:
        """Wait for the next batch; False at the end of the stream."""
        assert self._channel is not None
        if self._ended:
            return False
        if self._closed:
            self._check_open()
        batch = self._channel.next_batch(timeout)
        if batch is None:
            self._ended = True
            try:
                self._channel.finish()
            except BaseException as error:
                self._failure = copy_of(error)
                raise
            return False
        if not batch:
            raise _late(timeout)
        self._batch = iter(batch)
        return True

    def _check_open(self) -> None:
        if self._channel is None:
            raise UserError(_NOT_ENTERED)
        if self._closed:
            raise UserError('This stream was closed; read it inside its `with` block')


class StreamedResponseAsync(Owned, OtherNames):
    """A model's answer as it arrives, for a coroutine on any event loop; what `async with` gives.

    Reading it works as with `StreamedResponseSync`; what waits there is awaited here.
    """

    _lasting = _LASTING
    _other_names = OF_DIRECT_STREAMS

    def __init__(self, consumer: AsyncConsumer[ModelResponse], response: StreamedResponse) -> None:
        self._consumer = consumer
        self._response = response
        self._batch: Iterator[Any] = iter(())
        self._failure: BaseException | None = None
        self._ended = False
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """The events of the answer, each as soon as it has arrived."""
        if self._failure is not None:
            raise copy_of(self._failure)
        if self._ended or self._closed:
            raise UserError(
                _CONSUMED if self._ended else 'This stream was closed; read it inside its `async with` block'
            )
        while True:
            for event in self._batch:
                yield event
            batch = await self._consumer.next_batch()
            if batch is None:
                self._ended = True
                try:
                    self._consumer.finish()
                except BaseException as error:
                    self._failure = copy_of(error)
                    raise
                return
            self._batch = iter(batch)

    async def close(self) -> bool:
        """Stop the request and close its connection; returns whether it is over."""
        self._closed = True
        return await self._consumer.close()

    def get(self) -> ModelResponse:
        """The answer as far as it has arrived."""
        return self._response.get()

    def usage(self) -> Usage:
        """What the request has used, as far as the provider has told."""
        return self._response.usage()

    @property
    def model_name(self) -> str:
        """The model that answers."""
        return self._response.model_name

    @property
    def timestamp(self) -> datetime:
        """When the answer began, by the provider's clock where it tells."""
        return self._response.timestamp

    def __repr__(self) -> str:
        return f'StreamedResponseAsync({"ended" if self._ended else "closed" if self._closed else "open"})'

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise UserError(FOR_COROUTINES)

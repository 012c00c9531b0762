"""A model's answer as it arrives: the streams of requests without an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from .._base.other_names import OF_DIRECT_STREAMS, OtherNames
from .._prices import Answers
from ..exceptions import ModelTimeoutError, UserError
from ..messages import ModelResponse, ModelResponseStreamEvent
from ..usage import Usage, priced
from ._faces import Owned
from ._source import AsyncSource, SyncSource, Words

if TYPE_CHECKING:
    from types import TracebackType

    from .._bridge import SyncConsumer
    from ..models import Model, StreamedResponse

    Opened = Callable[[StreamedResponse], object]
    """Takes a begun answer, on the loop thread."""

__all__ = ['StreamedResponseAsync', 'StreamedResponseSync']

_SYNC_WORDS = Words(
    not_entered='StreamedResponseSync must be used as a context manager. '
    'Use: `with model_request_stream_sync(...) as stream:`',
    opened='This stream was already opened; make a new one with model_request_stream_sync(...)',
    closed='This stream was closed; read it inside its `with` block',
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
ASYNC_WORDS = Words(
    not_entered=FOR_COROUTINES,
    opened='This stream was already opened; make a new one with model_request_stream(...)',
    closed='This stream was closed; read it inside its `async with` block',
)
_NOT_BEGUN = 'Stream failed to initialize within timeout'
_WAIT_LONGER = (
    'The answer did not begin within {:g} s. The request goes on: ask again, iterate over the stream, or raise '
    'syncai.direct.STREAM_INITIALIZATION_TIMEOUT'
)
NEVER_BEGAN = 'The stream ended before its answer began'
_CONSUMED = 'This stream was already read to its end; stream.get() has the whole answer'


def _late(timeout: float | None) -> ModelTimeoutError:
    error = ModelTimeoutError(_NOT_BEGUN, phase='first event', limit=timeout)
    error.add_note(_WAIT_LONGER.format(timeout))
    return error


def _check_unread(source: SyncSource[Any] | AsyncSource[Any]) -> None:
    """Raise the error of a failed stream, or UserError if all of the stream was read."""
    if source.ended:
        source.outcome()
        raise UserError(_CONSUMED)


class StreamedResponseSync(Owned, OtherNames):
    """A model's answer as it arrives, read synchronously; use it in a `with` block.

    Entering the block starts the request and returns at once, so several streams can be open at a time; the first use
    waits for the answer to begin. Leaving the block, in whichever way, stops the request and closes its connection. A
    stream may pass from thread to thread, and has one reader at a time. It is read once. After a `break`, the next loop
    continues where the last one stopped; a loop over an ended stream raises `UserError`; a failed stream raises its
    error again.
    """

    _lasting = _LASTING
    _other_names = OF_DIRECT_STREAMS

    def __init__(
        self,
        start: Callable[[Opened], SyncConsumer[ModelResponse]],
        model: Model,
        patience: Callable[[], float],
    ) -> None:
        # The loop thread appends once. A list, since the call must hold no reference to this object.
        self._arrived: list[StreamedResponse] = []
        opened = self._arrived.append
        # A lambda, not a `partial`: calls through C need more of the thread's stack, at times a page more.
        self._source: SyncSource[ModelResponse] = SyncSource(lambda: start(opened), _SYNC_WORDS)
        self._model = model
        self._patience = patience  # seconds that an answer may take to begin, read at each use
        # Used by the reader alone; the channel allows one reader at a time.
        self._response: StreamedResponse | None = None

    def __enter__(self) -> StreamedResponseSync:
        """Start the request; does not wait for its answer."""
        self._source.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the request, and wait until its connection is closed."""
        self.close()

    def close(self) -> bool:
        """Stop the request and close its connection; any thread may do so, any number of times.

        Returns:
            Whether the request is over; ending takes milliseconds.
        """
        return self._source.close()

    def __iter__(self) -> Iterator[ModelResponseStreamEvent]:
        """The events of the answer, each as soon as it has arrived.

        Raises:
            UserError: The stream was already read to its end, or closed.
            AgentRunError: The request failed; the class says what to do.
        """
        self._source.check_unclosed()
        _check_unread(self._source)
        return self._source.items(self._begun)

    def get(self) -> ModelResponse:
        """The answer as far as it has arrived; waits for it to begin.

        Raises:
            ModelTimeoutError: It did not begin within `syncai.direct.STREAM_INITIALIZATION_TIMEOUT` seconds; the
                request continues. The same holds for `usage`, `model_name` and `timestamp`.
        """
        return self._begun(self._patience()).get()

    def usage(self) -> Usage:
        """What the request has used, as far as the provider has reported; it usually reports at the end."""
        return _priced(self._begun(self._patience()))

    @property
    def model_name(self) -> str:
        """The model that answers; waits for the answer to begin."""
        return self._begun(self._patience()).model_name

    @property
    def timestamp(self) -> datetime:
        """When the answer began, by the provider's clock if it has one; waits for it to begin."""
        return self._begun(self._patience()).timestamp

    def __repr__(self) -> str:
        if not self._source.entered:
            return 'StreamedResponseSync(context_entered=False)'
        if self._response is None:
            return f'{self._model.stream_name}(model_name={self._model.model_name!r}, complete=False)'
        return repr(self._response)

    if not TYPE_CHECKING:  # the inherited method raises

        async def __aenter__(self) -> NoReturn:
            raise UserError(_FOR_SYNC_CODE)

        async def __aexit__(self, *error: Any) -> None: ...

        def __aiter__(self) -> NoReturn:
            raise UserError(_FOR_SYNC_CODE)

    def _begun(self, timeout: float | None = None) -> StreamedResponse:
        """The answer; waits until it begins."""
        if self._response is None:
            self._source.check_unclosed()
            batch = self._source.next_batch(timeout)
            if batch is None:
                self._source.outcome()
                raise UserError(NEVER_BEGAN)
            if not self._arrived:
                raise _late(timeout)
            self._source.rest = iter(batch)
            self._response = self._arrived[0]
        return self._response


class StreamedResponseAsync(Owned, OtherNames):
    """A model's answer as it arrives, for a coroutine on any event loop; what `async with` gives.

    As `StreamedResponseSync`; what blocks there is awaited here.
    """

    _lasting = _LASTING
    _other_names = OF_DIRECT_STREAMS

    def __init__(self, source: AsyncSource[ModelResponse], response: StreamedResponse) -> None:
        self._source = source
        self._response = response

    def __aiter__(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """The events of the answer, each as soon as it has arrived."""
        self._source.check_open()
        _check_unread(self._source)
        return self._source.items()

    async def close(self) -> bool:
        """Stop the request and close its connection; returns whether it is over."""
        return await self._source.close()

    def get(self) -> ModelResponse:
        """The answer as far as it has arrived."""
        return self._response.get()

    def usage(self) -> Usage:
        """What the request has used, as far as the provider has reported."""
        return _priced(self._response)

    @property
    def model_name(self) -> str:
        """The model that answers."""
        return self._response.model_name

    @property
    def timestamp(self) -> datetime:
        """When the answer began, by the provider's clock if it has one."""
        return self._response.timestamp

    def __repr__(self) -> str:
        return f'StreamedResponseAsync({self._source!r})'

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise UserError(FOR_COROUTINES)


def _priced(response: StreamedResponse) -> Usage:
    return priced(response.usage(), Answers([response.get()]))

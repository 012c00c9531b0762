"""The block in which a coroutine reads an answer, and errors for the ways of its sibling."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NoReturn

from ..exceptions import UserError
from .response import FOR_COROUTINES, StreamedResponseAsync

if TYPE_CHECKING:
    from types import TracebackType

    from .._bridge import AsyncConsumer
    from ..messages import ModelResponse


class ResponseBlock(AbstractAsyncContextManager[StreamedResponseAsync]):
    """Entering it starts the request, and waits until its answer begins."""

    def __init__(self, open_channel: Callable[[], AsyncConsumer[ModelResponse]]) -> None:
        self._open = open_channel
        self._consumer: AsyncConsumer[ModelResponse] | None = None
        self._stream: StreamedResponseAsync | None = None

    async def __aenter__(self) -> StreamedResponseAsync:
        if self._consumer is not None:
            raise UserError('This stream was already opened; make a new one with model_request_stream(...)')
        self._consumer = consumer = self._open()
        try:
            first = await consumer.next_batch()
            if first is None:
                consumer.finish()  # raises what went wrong
                raise UserError('The stream ended before its answer began')
        except BaseException:
            await consumer.close()
            raise
        self._stream = StreamedResponseAsync(consumer, first[0])
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._stream is not None
        await self._stream.close()

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            raise UserError(FOR_COROUTINES)

        def __exit__(self, *error: Any) -> None: ...

        __iter__ = __aiter__ = __await__ = __enter__

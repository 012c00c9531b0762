"""The block in which a coroutine reads an answer, with errors for synchronous use."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from .._base.tracebacks import only_user_frames
from ..exceptions import UserError
from ._source import AsyncSource
from .response import ASYNC_WORDS, FOR_COROUTINES, NEVER_BEGAN, StreamedResponseAsync

if TYPE_CHECKING:
    from types import TracebackType

    from .._bridge import AsyncConsumer
    from ..messages import ModelResponse
    from ..models import StreamedResponse
    from .response import Opened


class ResponseBlock(AbstractAsyncContextManager[StreamedResponseAsync]):
    """Entering the block starts the request, and waits until its answer begins."""

    def __init__(self, start: Callable[[Opened], AsyncConsumer[ModelResponse]]) -> None:
        self._arrived: list[StreamedResponse] = []  # the loop thread appends, once
        self._source: AsyncSource[ModelResponse] = AsyncSource(partial(start, self._arrived.append), ASYNC_WORDS)

    async def __aenter__(self) -> StreamedResponseAsync:
        self._source.open()
        try:
            with only_user_frames:
                if await self._source.next_batch() is None:
                    self._source.outcome()  # raises what went wrong
                    raise UserError(NEVER_BEGAN)
        except BaseException:
            await self._source.close()
            raise
        return StreamedResponseAsync(self._source, self._arrived[0])

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._source.close()

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            raise UserError(FOR_COROUTINES)

        def __exit__(self, *error: Any) -> None: ...

        __iter__ = __aiter__ = __await__ = __enter__

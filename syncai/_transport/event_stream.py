"""An answer as it arrives over HTTP: the events of each read of the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from ..exceptions import UnexpectedModelBehavior
from .sse import EventStreamDecoder, EventTooLargeError, ServerSentEvent

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ['EventStream']


class EventStream:
    """An answer as it arrives: iteration gives all the events of one network read at a time.

    Attributes:
        whole: The body of an answer that is JSON instead of an event stream; then there are no events.
        pending_at_eof: After the end, the event without a final blank line, else text outside of events.
    """

    def __init__(self, exchange: Exchange, first: bytes | None, attempts: int, whole: bytes | None = None) -> None:
        self.status: int = exchange.status
        self.headers: Mapping[str, str] = exchange.headers
        self.attempts = attempts
        self.request_id = exchange.request_id
        self.permit = exchange.permit
        self.payment = exchange.payment
        self.hide_keys_in = exchange.hide_keys_in  # for errors about the content
        self.whole = whole
        self.pending_at_eof: ServerSentEvent | None = None
        self._exchange = exchange
        self._first = first
        self._ended = first is None
        self._failure: Exception | None = None  # of what was passed on
        self._decoder = (exchange.request.decoder or EventStreamDecoder)(exchange.options.max_event_bytes)

    async def __aenter__(self) -> EventStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> list[ServerSentEvent]:
        while not self._ended:
            chunk = self._first or await self._exchange.read()
            self._first = None
            if chunk is None:
                self._ended = True
                decoder = self._decoder
                self.pending_at_eof = decoder.pending() or decoder.bare_json() or decoder.bare_text()
                break
            try:
                events = self._decoder.feed(chunk)
            except EventTooLargeError as error:
                raise self._too_large(error) from None
            if events:
                return events
        failure, self._failure = self._failure, None
        try:
            raise failure or StopAsyncIteration
        finally:
            del failure  # its traceback holds this frame

    async def pump(self, take: Callable[[list[ServerSentEvent]], bool]) -> None:
        """Give events to `take` as they arrive, until it returns False, or something else is to be read.

        Args:
            take: Called by the connection; must not raise.
        """
        if not self._ended and self._first is None:
            await self._exchange.pump(partial(self._pass_on, take))

    def _pass_on(self, take: Callable[[list[ServerSentEvent]], bool], chunk: bytes) -> bool:
        try:
            events = self._decoder.feed(chunk)
        except EventTooLargeError as error:
            failure: Exception = self._too_large(error)
        except Exception as error:  # raised where it is read, and not in the connection
            failure = error.with_traceback(None)
        else:
            return not events or take(events)
        self._failure, self._ended = failure, True
        return False

    def _too_large(self, error: EventTooLargeError) -> UnexpectedModelBehavior:
        message = f'{error} (HttpOptions.max_event_bytes)'
        return UnexpectedModelBehavior(message, **self._exchange.request.context)

    async def drain(self, seconds: float) -> None:
        """Read and drop the rest, for at most `seconds`, so that the connection can be reused."""
        try:
            async with asyncio.timeout(seconds):
                while not self._ended:
                    self._ended = await self._exchange.read() is None
        except Exception:  # the answer is complete: later errors do not matter
            self._ended = True

    async def aclose(self) -> None:
        """Close the connection, unless the answer was read to its end."""
        self._ended = True
        await self._exchange.aclose()

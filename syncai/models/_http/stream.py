"""The stream of an answer over HTTP, for every wire format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from ..._base.values import to_json_str
from ...exceptions import AgentRunError, IncompleteStreamError, ModelAPIError, ModelHTTPError, UnexpectedModelBehavior
from ...messages import ModelResponse, ModelResponseStreamEvent, PartStartEvent
from ...usage import Usage
from .._interface import Offer, StreamedResponse
from .answers import StreamDecoder, check_said_something, excerpt, nameless_call
from .parts import PartsBuilder
from .stated_errors import stated_error

if TYPE_CHECKING:
    from ..._prices.payments import Attempt
    from ..._transport.event_stream import EventStream
    from ..._transport.forms import ArrivedEvents
    from ..._transport.sse import ServerSentEvent

_DRAIN = 0.1  # seconds to read the rest of the body, so that the connection can be reused


class WholeStream:
    """A whole answer in the form of an event stream."""

    permit = None

    def __init__(self, arrived: ArrivedEvents, request_id: str | None, attempts: int) -> None:
        self.request_id = request_id
        self.attempts = attempts
        self.pending_at_eof = arrived.pending_at_eof
        self._events = arrived.events

    async def __aiter__(self) -> AsyncIterator[list[ServerSentEvent]]:
        yield self._events

    async def drain(self, seconds: float) -> None:
        """Do nothing: the body was read."""

    async def pump(self, take: Callable[[list[ServerSentEvent]], bool]) -> None:
        """Do nothing: no more arrives."""


class WholeAnswer(StreamedResponse):
    """A whole answer to a request for a stream: each part is one event."""

    def __init__(self, response: ModelResponse) -> None:
        super().__init__(response.model_name or '', response.provider_name)
        self._response = response

    async def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """All parts at once."""
        if self._response.parts:
            yield [PartStartEvent(index, part) for index, part in enumerate(self._response.parts)]

    def get(self) -> ModelResponse:
        """The answer."""
        return self._response

    def usage(self) -> Usage:
        """What the request has used."""
        return self._response.usage

    @property
    def timestamp(self) -> datetime:
        """When the answer was given."""
        return self._response.timestamp


class HttpStreamedResponse(StreamedResponse):
    """An answer as it arrives over HTTP, whatever its wire format.

    Attributes:
        payment: The amount held for it, settled at its end; None without a budget.
    """

    payment: Attempt | None = None

    def __init__(
        self,
        stream: EventStream | WholeStream,
        decoder: Callable[[PartsBuilder], StreamDecoder],
        model_name: str,
        provider: str,
    ) -> None:
        super().__init__(model_name, provider)
        self._stream = stream
        self._asked_for = model_name
        self._decoder = decoder(self._builder)
        self._offer: Offer | None = None  # takes batches in the turn in which they arrive
        self._latest: list[ServerSentEvent] = []  # the payloads of the last read, for an error that shows them

    # The facts of the answer are read from its decoder on demand: to copy them at every event would be slow.

    def get(self) -> ModelResponse:
        """The answer as far as it has arrived; `incomplete` until its end was seen."""
        decoder = self._decoder
        return ModelResponse(
            parts=self._builder.parts(),
            usage=decoder.usage,
            model_name=decoder.model_name,
            timestamp=self.timestamp,
            provider_name=self._provider_name,
            provider_response_id=decoder.response_id or self._stream.request_id,  # Bedrock's answers have none
            finish_reason=decoder.finish_reason,
            provider_finish_reason=decoder.provider_finish_reason,
            provider_details=decoder.provider_details or None,
            incomplete=not (decoder.done or self._complete),
        )

    def usage(self) -> Usage:
        """What the request has used, as far as the provider has reported."""
        return self._decoder.usage

    @property
    def model_name(self) -> str:
        """The model that answers, as the provider names it."""
        return self._decoder.model_name

    @property
    def timestamp(self) -> datetime:
        """When the answer began, by the provider's clock if it has one."""
        return self._decoder.timestamp or self._timestamp

    async def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """The events in lists, one list for each network read."""
        try:
            async for events in self._stream:
                batch: list[ModelResponseStreamEvent] = []
                failure: Exception | None = self._decode(events, batch)
                del events  # handing over may take as long as the stream, and holds nothing of its beginning
                while batch:
                    yield batch
                    if failure is not None or self._decoder.done or self._offer is None:
                        break
                    del batch
                    failure, batch = await self._handed_over(self._offer)
                if failure is not None:
                    raise failure
                if self._decoder.done:
                    break
            if last := self._unfinished():
                yield last
            self._end()
        except AgentRunError as error:
            raise self._with_partial(error) from None
        finally:
            failure = None  # its traceback holds this frame
            self._offer, self._latest = None, []
            self._settle()
        if self.payment is not None:
            await self.payment.settle(self.get())
        await self._stream.drain(_DRAIN)

    def hand_over(self, offer: Offer) -> None:
        """Have `offer` take batches in the turn of the loop in which they arrive; it leaves the others to `batches`."""
        self._offer = offer

    async def _handed_over(self, offer: Offer) -> tuple[Exception | None, list[ModelResponseStreamEvent]]:
        """The failure, if there is one, and the batch that was left; None and an empty batch if the stream must be
        read.
        """
        rest: list[ModelResponseStreamEvent] = []
        failure: Exception | None = None

        def take(events: list[ServerSentEvent]) -> bool:
            nonlocal rest, failure
            batch: list[ModelResponseStreamEvent] = []
            try:
                failure = self._decode(events, batch)
                if failure is None and not self._decoder.done and (not batch or offer(batch)):
                    return True
            except Exception as error:  # raised where it is read, and not in the connection
                failure = error.with_traceback(None)
            rest = batch
            return False

        await self._stream.pump(take)
        return failure, rest

    def _settle(self) -> None:
        if self._stream.permit is not None and self._decoder.usage.total_tokens is not None:
            self._stream.permit.settle(self._decoder.usage.total_tokens)

    def _decode(self, events: list[ServerSentEvent], batch: list[ModelResponseStreamEvent]) -> AgentRunError | None:
        """Fill the batch; a failure is returned, so that the events before it are delivered first."""
        self._latest = events
        decoder = self._decoder
        skipped = decoder.skipped
        try:
            decoder.feed([events[0].data] if len(events) == 1 else [event.data for event in events], batch)
        except UnexpectedModelBehavior as error:
            return self._error_among(events, stated=True) or error
        except AgentRunError as error:
            return error
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            came = excerpt('\n'.join(event.data for event in events))
            return UnexpectedModelBehavior(f'{self._provider_name} sent a chunk of an unknown shape ({error})', came)
        return None if decoder.skipped == skipped else self._error_among(events)

    def _error_among(self, events: list[ServerSentEvent], *, stated: bool = False) -> AgentRunError | None:
        """The error in an event of the type `error`, or with `stated` also in an event whose data hold an error."""
        from pydantic_core import from_json

        for event in events:
            body: object
            try:
                body = from_json(event.data)
            except ValueError:
                body = event.data
            if event.event == 'error' or (stated and stated_error(body)):
                return self._decoder.error_in(body)
        return None

    def _unfinished(self) -> list[ModelResponseStreamEvent]:
        """The events of a last payload without a final blank line, as some servers send it; empty if it was cut."""
        pending = None if self._decoder.done else self._stream.pending_at_eof
        batch: list[ModelResponseStreamEvent] = []
        if pending is not None:
            failure = self._decode([pending], batch)
            if isinstance(failure, ModelHTTPError):
                raise failure
        return batch

    def _end(self) -> None:
        decoder = self._decoder
        endless = decoder.provider_finish_reason is None  # some servers omit it
        nothing = endless and self._builder.is_empty
        if nothing or (endless and decoder.unread) or not decoder.complete:
            what = 'without an answer' if nothing else 'before the answer did'
            raise IncompleteStreamError(
                f'The stream of {self._provider_name} ended {what}: its end was not announced; '
                f'what had arrived is in `partial`{self._outside()}'
            )
        if nameless := self._builder.nameless():
            raise nameless_call(nameless[0], self._provider_name or '', self._asked_for)
        self._complete = True
        if self._builder.says_nothing:
            check_said_something(self.get(), self._shown(), self._asked_for, unread=bool(decoder.unread))

    def _outside(self) -> str:
        """Received data outside of the answer, for an error that shows it."""
        came = self._shown()
        return f', and this is no part of it:\n{excerpt(came)}' if came else ''

    def _shown(self) -> str:
        """The data that was not understood; if there is none and no answer, the last data."""
        came = [to_json_str(payload) for payload in self._decoder.unread]
        if (pending := self._stream.pending_at_eof) is not None:
            came.append(pending.data)
        if not came and self._builder.is_empty:
            came = [event.data for event in self._latest]
        return '\n'.join(dict.fromkeys(came))

    def _with_partial(self, error: AgentRunError) -> AgentRunError:
        error.model_name = error.model_name or self._asked_for
        error.provider = error.provider or self._provider_name
        if error.partial is None:
            error.partial = self.get()
        if isinstance(error, ModelAPIError):
            error.request_id = error.request_id or self._stream.request_id
            error.attempts = error.attempts or self._stream.attempts
        return error

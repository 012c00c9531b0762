"""Streams that are recorded, and streams that are replayed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import assert_never

from ..exceptions import TapeError
from ..messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponsePartDelta,
    ModelResponseStreamEvent,
    PartStartEvent,
    TextPartDelta,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from ..models import StreamedResponse
from ..models._interface import OuterStream
from ..usage import Usage
from ._events import Batch
from ._exchange import Exchange


class RecordingStreamedResponse(OuterStream):
    """The stream of a model; each batch is recorded as it passes. The loop thread writes; the properties are those of
    the stream.
    """

    def __init__(self, stream: StreamedResponse, begun_at: float) -> None:
        super().__init__(stream)
        self._last_at = begun_at
        self.recorded: list[Batch] = []
        self.is_finished = False

    async def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """The events in lists, as the model's own stream gives them."""
        async with aclosing(self._stream.batches()) as batches:  # type: ignore[type-var]
            async for batch in batches:
                now = time.monotonic()
                self.recorded.append(Batch(now - self._last_at, tuple(batch)))
                self._last_at = now
                yield batch
        self.is_finished = True


class TapedStreamedResponse(StreamedResponse):
    """The events of an exchange, in their original batches.

    Args:
        exchange: The exchange, with batches.
        speed: The factor of the original speed; None does not wait.
        name: The tape, for errors.
    """

    def __init__(self, exchange: Exchange, speed: float | None, name: str) -> None:
        response = exchange.response or ModelResponse([])
        super().__init__(response.model_name or '', response.provider_name)
        self._timestamp = response.timestamp
        self._exchange = exchange
        self._response = response
        self._speed = speed
        self._name = name
        self._arrived = _Arrived()

    async def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """The events in lists, each when its time has come."""
        for batch in self._exchange.batches or ():
            if self._speed is not None and batch.gap > 0:
                await asyncio.sleep(batch.gap / self._speed)
            for event in batch.events:
                self._arrived.take(event)
            yield list(batch.events)
        if self._exchange.error is not None:
            raise self._exchange.error
        if not self._exchange.complete:
            raise TapeError(
                f'The recording of this answer on {self._name} ends here, since its stream was left early then: record '
                "it again with mode='refresh'"
            )
        self._complete = True

    def get(self) -> ModelResponse:
        """The answer as far as it was replayed; at the end, the complete answer."""
        if self._complete:
            return self._response
        return ModelResponse(
            self._arrived.parts(),
            model_name=self._model_name,
            provider_name=self._provider_name,
            timestamp=self._timestamp,
            incomplete=True,
        )

    def usage(self) -> Usage:
        """What the request used, once it has ended."""
        return self._response.usage if self._complete else Usage()


class _Arrived:
    """The parts so far: for each its beginning and its deltas, in lists that only grow, so any thread may read."""

    def __init__(self) -> None:
        self._parts: list[list[ModelResponsePart | ModelResponsePartDelta]] = []

    def take(self, event: ModelResponseStreamEvent) -> None:
        if not isinstance(event, PartStartEvent):
            self._parts[event.index].append(event.delta)
        elif event.index < len(self._parts):
            self._parts[event.index] = [event.part]
        else:
            self._parts.append([event.part])

    def parts(self) -> list[ModelResponsePart]:
        return [_joined(pieces.copy()) for pieces in self._parts.copy()]


def _joined(pieces: Sequence[ModelResponsePart | ModelResponsePartDelta]) -> ModelResponsePart:
    part, *deltas = pieces
    joined: ModelResponsePart = part  # type: ignore[assignment]  # the first is the beginning
    for delta in _together(deltas):  # type: ignore[arg-type]
        joined = delta.apply(joined)
    return joined


def _together(deltas: Sequence[ModelResponsePartDelta]) -> list[ModelResponsePartDelta]:
    """All deltas of a part joined to one, in linear time."""
    if not deltas:
        return []
    first = deltas[0]
    if isinstance(first, TextPartDelta):
        return [TextPartDelta(''.join(delta.content_delta for delta in deltas if isinstance(delta, TextPartDelta)))]
    if isinstance(first, ThinkingPartDelta):
        thoughts = [delta for delta in deltas if isinstance(delta, ThinkingPartDelta)]
        return [
            ThinkingPartDelta(
                ''.join(delta.content_delta or '' for delta in thoughts),
                next((delta.signature_delta for delta in reversed(thoughts) if delta.signature_delta), None),
                next((delta.provider_name for delta in reversed(thoughts) if delta.provider_name), None),
            )
        ]
    if isinstance(first, ToolCallPartDelta):
        calls = [delta for delta in deltas if isinstance(delta, ToolCallPartDelta)]
        return [
            ToolCallPartDelta(
                ''.join(delta.tool_name_delta or '' for delta in calls) or None,
                ''.join(delta.args_delta or '' for delta in calls) or None,
                next((delta.tool_call_id for delta in reversed(calls) if delta.tool_call_id), None),
            )
        ]
    assert_never(first)

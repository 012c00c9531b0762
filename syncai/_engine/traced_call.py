"""Traced model requests, and the choice of the calls to trace."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ..exceptions import UserError
from ..instrumentation import InstrumentationSettings
from ..messages import ModelResponse
from ..models import StreamedResponse
from .model_call import Announce, Emit, ModelCall, Offer

if TYPE_CHECKING:
    from .._telemetry.tracing import Tracing


class TracedCall(ModelCall):
    """A `ModelCall` within a span of its own."""

    __slots__ = ('tracing',)

    def __init__(self, call: ModelCall, tracing: Tracing) -> None:
        super().__init__(**{field.name: getattr(call, field.name) for field in fields(ModelCall)})
        self.tracing = tracing

    async def request(self) -> ModelResponse:
        """The whole answer."""
        with self.tracing.chat(self, stream=False) as chat:
            chat.response = await ModelCall.request(self)
            return chat.response

    async def stream(self, emit: Emit, opened: Announce, offer: Offer | None = None) -> ModelResponse:
        """The whole answer, after its events were emitted in batches, each of which is counted."""
        del offer
        with self.tracing.chat(self, stream=True) as chat:
            arriving: StreamedResponse | None = None

            async def begin(response: StreamedResponse) -> None:
                nonlocal arriving
                arriving = response
                await opened(response)

            async def forward(batch: list[Any]) -> None:
                chat.chunk()
                await emit(batch)

            try:
                return await ModelCall.stream(self, forward, begin)
            finally:
                chat.response = arriving.get() if arriving else None


# Set by `instrument_everything`, read by every call; replaced whole.
_everywhere: InstrumentationSettings | None = None


def instrument_everything(instrument: InstrumentationSettings | bool) -> None:
    """Trace, or do not trace, all calls without their own `instrument`."""
    global _everywhere
    tracing_of(instrument)  # raises now what is wrong or missing
    _everywhere = _settings(instrument)


def tracing_of(instrument: InstrumentationSettings | bool | None) -> Tracing | None:
    """The tracing of a call: its own, or the one for all calls; None if there is none.

    Raises:
        UserError: `instrument` is wrong, or OpenTelemetry is not installed.
    """
    settings = _everywhere if instrument is None else _settings(instrument)
    return None if settings is None else _tracing(settings)


def traced(call: ModelCall, tracing: Tracing | None) -> ModelCall:
    """The call, within a span if there is tracing."""
    if tracing is None:
        return call
    return TracedCall(call, tracing)


def _settings(instrument: object) -> InstrumentationSettings | None:
    if isinstance(instrument, bool):
        return InstrumentationSettings() if instrument else None
    if not isinstance(instrument, InstrumentationSettings):
        raise UserError(f'instrument must be True, False or InstrumentationSettings(...), not {instrument!r:.100}')
    return instrument


@functools.lru_cache(maxsize=32)
def _tracing(settings: InstrumentationSettings) -> Tracing:
    from .._telemetry.tracing import Tracing  # imported where tracing is on, and only there

    return Tracing(settings)

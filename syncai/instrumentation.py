"""Traces and metrics by OpenTelemetry (extra `otel`), by the semantic conventions for generative AI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ['InstrumentationSettings']


@dataclass(frozen=True, kw_only=True)
class InstrumentationSettings:
    """What is told of model calls, runs and tools, and to whom.

    Args:
        tracer_provider: An OpenTelemetry `TracerProvider`; None takes the global one.
        meter_provider: An OpenTelemetry `MeterProvider`; None takes the global one.
        include_content: Put prompts, answers, and the arguments and returns of tools into the spans. They may hold what
            nobody but the user should read.
        include_binary_content: Put images and other files into them as well.
    """

    tracer_provider: Any = field(default=None, repr=False)
    meter_provider: Any = field(default=None, repr=False)
    include_content: bool = False
    include_binary_content: bool = False

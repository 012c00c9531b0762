"""Traces and metrics by OpenTelemetry (extra `otel`), by the semantic conventions for generative AI."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from ._base.frozen import dataclass
from .exceptions import UserError

__all__ = ['InstrumentationSettings']


@dataclass(frozen=True, kw_only=True)
class InstrumentationSettings:
    """What is reported of model calls, runs and tools, and to which providers of OpenTelemetry.

    Args:
        tracer_provider: An OpenTelemetry `TracerProvider`; None takes the global one.
        meter_provider: An OpenTelemetry `MeterProvider`; None takes the global one.
        include_content: Put prompts, answers, and the arguments and returns of tools into the spans. They may hold
            private data of the user.
        include_binary_content: Put images and other files into them as well.

    Raises:
        UserError: A provider is not one of OpenTelemetry, or another argument is not True or False.
    """

    tracer_provider: Any = field(default=None, repr=False)
    meter_provider: Any = field(default=None, repr=False)
    include_content: bool = False
    include_binary_content: bool = False

    def __post_init__(self) -> None:
        for name, method in (('tracer_provider', 'get_tracer'), ('meter_provider', 'get_meter')):
            value = getattr(self, name)
            if value is not None and not hasattr(value, method):
                raise UserError(f'{name} must be an OpenTelemetry provider with {method}(), not {type(value).__name__}')
        for name in ('include_content', 'include_binary_content'):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f'{name} must be True or False, not {getattr(self, name)!r:.100}')

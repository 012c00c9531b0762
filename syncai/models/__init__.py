"""What a model is: the interface that every provider implements, and how a name becomes a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..exceptions import UserError
from ..parameters import ModelRequestParameters, ResultSchema
from ._catalog.context import context_window
from ._catalog.known import KnownModelName, known_model_names
from ._infer import infer_model
from ._interface import Model, StreamedResponse

__all__ = [
    'ALLOW_MODEL_REQUESTS',
    'check_allow_model_requests',
    'context_window',
    'infer_model',
    'known_model_names',
    'KnownModelName',
    'Model',
    'ModelRequestParameters',
    'override_allow_model_requests',
    'ResultSchema',
    'StreamedResponse',
]

ALLOW_MODEL_REQUESTS = True
"""Whether real models may be asked; set it to False in tests, so that none is asked by accident.

A server on loopback, such as a `ModelServer`, may always be asked.
"""

_allow_override: ContextVar[bool | None] = ContextVar('syncai_allow_model_requests', default=None)


def check_allow_model_requests() -> None:
    """Raise UserError unless real models may be asked, see `ALLOW_MODEL_REQUESTS`."""
    override = _allow_override.get()
    if not (ALLOW_MODEL_REQUESTS if override is None else override):
        raise UserError(
            'Model requests are not allowed, since ALLOW_MODEL_REQUESTS is False: '
            'use TestModel or FunctionModel, or override_allow_model_requests(True)'
        )


@contextmanager
def override_allow_model_requests(allow_model_requests: bool) -> Iterator[None]:
    """Inside the block, and in this context alone, real models may or may not be asked, whatever the flag says."""
    token = _allow_override.set(allow_model_requests)
    try:
        yield
    finally:
        _allow_override.reset(token)

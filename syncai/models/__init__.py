"""Models: the interface that every provider implements, and models by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from .._base.lazy import importer
from ..exceptions import UserError
from ..parameters import ModelRequestParameters, ResultSchema
from ._catalog.context import context_window
from ._catalog.known_names import KnownModelName, known_model_names
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
"""Whether requests to real models are allowed; set it to False in tests, so that none is sent by accident. A server on
loopback, such as a `ModelServer`, is always allowed.
"""

_allow_override: ContextVar[bool | None] = ContextVar('syncai_allow_model_requests', default=None)


def check_allow_model_requests() -> None:
    """Raise UserError unless requests to real models are allowed, see `ALLOW_MODEL_REQUESTS`."""
    override = _allow_override.get()
    if not (ALLOW_MODEL_REQUESTS if override is None else override):
        raise UserError(
            'Model requests are not allowed, since ALLOW_MODEL_REQUESTS is False: '
            'use TestModel or FunctionModel, or override_allow_model_requests(True)'
        )


@contextmanager
def override_allow_model_requests(allow_model_requests: bool) -> Iterator[None]:
    """Allow or forbid requests to real models inside the block, in this context alone, whatever the flag says."""
    token = _allow_override.set(allow_model_requests)
    try:
        yield
    finally:
        _allow_override.reset(token)


if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})

"""The lock against requests to real models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .. import models

__all__ = ['model_requests_forbidden']


@contextmanager
def model_requests_forbidden() -> Iterator[None]:
    """Inside the block, in all threads, requests to models raise `UserError`, except on loopback.

    It is `ALLOW_MODEL_REQUESTS = False` for the time of the block; a tape may still be replayed.
    """
    before = models.ALLOW_MODEL_REQUESTS
    models.ALLOW_MODEL_REQUESTS = False
    try:
        yield
    finally:
        models.ALLOW_MODEL_REQUESTS = before

"""Another server in place of the providers, for the whole process: what the fixture `model_server` puts there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ._interface import Model

__all__ = ['model_to_ask', 'served_by']

_base_urls: list[str] = []
"""The last one is in force. The thread that runs the test changes it; others read it."""


@contextmanager
def served_by(base_url: str) -> Iterator[None]:
    """Inside the block, in all threads, requests to providers go to the server at this address."""
    _base_urls.append(base_url)
    try:
        yield
    finally:
        _base_urls.remove(base_url)


def model_to_ask(model: Model | str | None) -> Model | None:
    """What is asked in place of this model; None where no other server is in force."""
    if not _base_urls:
        return None
    from ._at_address import asked_at

    return asked_at(_base_urls[-1], model)

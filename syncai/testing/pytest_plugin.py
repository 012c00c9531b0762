"""The pytest fixture `model_server`, loaded by the entry point `pytest11`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .server import ModelServer

__all__ = ['model_server']


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A started `ModelServer` with an empty script, stopped after the test: queue answers with `reply()`."""
    from .server import ModelServer

    with ModelServer() as server:
        yield server

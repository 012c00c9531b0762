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
    """A started `ModelServer` with an empty script, stopped after the test: queue answers with `reply()`.

    During the test every agent, and every call without one, asks this server where it would ask a provider, in all
    threads and without a key. `TestModel`, `FunctionModel`, and models on loopback stay what they are.
    """
    from ..models._stand_in import served_by
    from .server import ModelServer

    with ModelServer() as server, served_by(server.base_url):
        yield server

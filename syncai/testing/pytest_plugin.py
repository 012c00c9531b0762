"""The pytest fixtures `model_server`, `tape` and `model_requests_forbidden`, loaded by the entry point `pytest11`."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..tape import Tape
    from .server import ModelServer

__all__ = ['model_requests_forbidden', 'model_server', 'tape', 'tape_options']

_MODES = ('once', 'replay', 'refresh', 'off')
_FAILED = pytest.StashKey[bool]()
_LONGEST_NAME = 80
# Repeated here, since only test suites with tapes should import them.
_RUN_VARIABLE, _MODE_VARIABLE = 'SYNCAI_TAPE_RUN', 'SYNCAI_TAPE'


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--tape`."""
    words = 'what tapes without a mode of their own do; by default once, and replay where the variable CI is set'
    parser.getgroup('syncai').addoption('--tape', choices=_MODES, default=None, help=words)


def pytest_configure(config: pytest.Config) -> None:
    """Set the mode of tapes, and register the mark `tape`."""
    config.addinivalue_line('markers', 'tape(path=None, **options): the file and the options of the fixture `tape`')
    in_ci = os.environ.get('CI', '').lower() not in ('', '0', 'false')
    if mode := config.getoption('--tape', None) or os.environ.get(_MODE_VARIABLE) or ('replay' if in_ci else None):
        _set_during_run(config, _MODE_VARIABLE, mode)
    if _RUN_VARIABLE not in os.environ:  # the workers of pytest-xdist have it of their controller
        _set_during_run(config, _RUN_VARIABLE, datetime.now(tz=UTC).isoformat())


def _set_during_run(config: pytest.Config, variable: str, value: str) -> None:
    before = os.environ.get(variable)
    os.environ[variable] = value
    config.add_cleanup(functools.partial(_put_back, variable, before))


def _put_back(variable: str, before: str | None) -> None:
    if before is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = before


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Record which tests failed: their tapes keep no errors of providers."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A started `ModelServer` with an empty script, stopped after the test: queue answers with `reply()`.

    During the test, all requests to providers go to this server, from agents and direct calls, in all threads and
    without a key. `TestModel`, `FunctionModel`, and models on loopback are not affected.
    """
    from ..models._route.stand_in import served_by
    from .server import ModelServer

    with ModelServer() as server, served_by(server.base_url):
        yield server


@pytest.fixture
def model_requests_forbidden() -> Iterator[None]:
    """During the test, in all threads, requests to models raise `UserError`, except on loopback."""
    from .forbidden import model_requests_forbidden as forbidden

    with forbidden():
        yield


@pytest.fixture
def tape_options() -> dict[str, Any]:
    """The options of all tapes of the fixture `tape`, such as `redact`: override it in a `conftest.py`."""
    return {}


@pytest.fixture
def tape(request: pytest.FixtureRequest, tape_options: dict[str, Any]) -> Iterator[Tape]:
    """A `Tape` of the test, in force during it: `tapes/<module>/<test>.json` beside the module.

    The mark `@pytest.mark.tape('other.json', redact=...)` gives it another file, or options of `Tape`.
    """
    from ..tape import Tape

    mark = request.node.get_closest_marker('tape')
    args, options = (mark.args, mark.kwargs) if mark is not None else ((), {})
    options = {**tape_options, **options}
    path = args[0] if args else options.pop('path', None)
    place = _own_file(request) if path is None else request.path.parent / path
    with_tape = Tape(place, **options)
    with_tape.__enter__()
    try:
        yield with_tape
    finally:
        with_tape.close(failed=request.node.stash.get(_FAILED, False))


def _own_file(request: pytest.FixtureRequest) -> Path:
    """The file of a test; a name that no file can have is shortened, and kept apart from others by its hash."""
    name = request.node.nodeid.partition('::')[2].replace('::', '.')
    plain = re.sub(r'[^\w.-]+', '_', name)[:_LONGEST_NAME].strip('_')
    if plain != name:
        plain = f'{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}'
    return request.path.parent / 'tapes' / request.path.stem / f'{plain}.json'

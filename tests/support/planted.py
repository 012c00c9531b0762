"""No key of any test appears in logs, output or errors.

Every key that the transport sends is recorded. After each test its whole output is searched for all keys. With
PLANTED_DEEP=1 the values of the local variables of every frame of an error are searched too, since some tools show
them; `test_security_secrets.py` runs it like that, with logging of everything.
"""

from __future__ import annotations

import functools
import os
import reprlib
from collections.abc import Generator
from importlib import import_module
from typing import Any

import pytest

from syncai._bridge import Channel
from syncai.exceptions import SyncAIError, UnexpectedModelBehavior

SHORTEST = 8  # a shorter one may be a word
MOST = 20_000  # characters of one value that are searched

exchange: Any = import_module('syncai._transport.exchange')
_keys: set[str] = set()
_texts: list[str] = []


def _remember_keys() -> None:
    original = exchange.keys_in

    def remembering(request: Any) -> list[bytes]:
        keys: list[bytes] = original(request)
        _keys.update(key.decode() for key in keys if len(key) >= SHORTEST)
        return keys

    exchange.keys_in = remembering


def _remember_errors() -> None:
    for cls, name in ((SyncAIError, 'message'), (UnexpectedModelBehavior, 'body')):
        original: Any = cls.__init__

        @functools.wraps(original)
        def remembering(self: Any, *args: Any, _original: Any = original, _name: str = name, **more: Any) -> None:
            _original(self, *args, **more)
            _texts.append(str(getattr(self, _name))[:MOST])

        cls.__init__ = remembering  # type: ignore[method-assign]


def _remember_frames() -> None:
    original: Any = Channel.outcome
    short = reprlib.Repr()
    short.maxother = short.maxstring = MOST

    def remembering(self: Any) -> Any:
        try:
            return original(self)
        except Exception as error:
            traceback = error.__traceback__
            while traceback is not None:
                frame = traceback.tb_frame
                _texts.extend(f'{frame.f_code.co_qualname}: {n} = {short.repr(v)}' for n, v in frame.f_locals.items())
                traceback = traceback.tb_next
            raise

    Channel.outcome = remembering  # type: ignore[method-assign]


_remember_keys()
_remember_errors()
if os.environ.get('PLANTED_DEEP'):
    _remember_frames()


def search(text: str) -> list[str]:
    """The lines of a text that show a key."""
    return [line[:300] for line in text.splitlines() if any(key in line for key in tuple(_keys))]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After each phase of a test: fail it if its output holds a key."""
    report = yield
    texts, _texts[:] = list(_texts), []
    sections = [content for _, content in report.sections]
    key = search('\n'.join([*texts, *sections]))
    if key and report.passed and report.when != 'setup':  # a failing test shows its source, which may hold the key
        report.outcome = 'failed'
        report.longrepr = 'a key came out:\n' + '\n'.join(key)
    return report

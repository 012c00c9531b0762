"""Constructors with a key that no traceback shows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...exceptions import SyncAIError

__all__ = ['hiding_arguments']


def hiding_arguments(make: Callable[..., None]) -> Callable[..., None]:
    """A constructor without its frames in tracebacks: tools that print local variables would show the key."""

    @functools.wraps(make)
    def made(*args: Any, **named: Any) -> None:
        try:
            return make(*args, **named)
        except SyncAIError as error:
            failure = error.with_traceback(None)
        del args, named
        raise failure from None

    return made

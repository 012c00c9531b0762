"""Constructors that take a key, such that no traceback of theirs shows it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...exceptions import SyncAIError

__all__ = ['hiding_arguments']


def hiding_arguments(make: Callable[..., None]) -> Callable[..., None]:
    """A constructor whose errors show none of its frames: the key is in them, for tools that print local variables."""

    @functools.wraps(make)
    def made(*args: Any, **named: Any) -> None:
        try:
            return make(*args, **named)
        except SyncAIError as error:
            failure = error.with_traceback(None)
        del args, named
        raise failure from None

    return made

"""Constructors with a key that no traceback shows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..._base.call_hints import unknown_argument
from ..._base.other_arguments import OF_MODELS
from ..._base.tracebacks import only_user_frames
from ...exceptions import SyncAIError

__all__ = ['hiding_arguments']


def hiding_arguments(make: Callable[..., None]) -> Callable[..., None]:
    """A constructor without its frames in tracebacks: tools that print local variables would show the key."""

    @functools.wraps(make)
    def initialize(*args: Any, **keywords: Any) -> None:
        failure: Exception
        try:
            return make(*args, **keywords)
        except SyncAIError as error:
            failure = error.with_traceback(None)
        except TypeError as error:
            text = unknown_argument(make, type(args[0]).__name__, keywords, OF_MODELS)
            error.args = error.args if text is None else (text,)
            failure = error.with_traceback(None)
        del args, keywords
        with only_user_frames:
            raise failure from None

    return initialize

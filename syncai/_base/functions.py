"""What is known of a user's function before it is called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling `function` gives a coroutine: async functions, partials of them, objects with an async call."""
    while isinstance(function, functools.partial):
        function = function.func
    if getattr(function, '_is_async', False) is True:  # an entry point of this library; a mock has every attribute
        return True
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)

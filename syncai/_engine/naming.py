"""The name of the variable that holds an object, looked up on the call stack."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

_OWN = __name__.partition('.')[0]
_SELF = ('self', 'cls')


def variable_name(value: object) -> str | None:
    """The name of `value` in the nearest module on the call stack, else in the nearest function; or None."""
    frames = list(_callers(sys._getframe(1)))
    in_modules = (_name_in(frame.f_globals, value) for frame in frames)
    in_functions = (_name_in_locals(frame, value) for frame in frames)
    return _first(in_modules) or _first(in_functions)


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        if frame.f_globals.get('__name__', '').partition('.')[0] != _OWN:
            yield frame
        frame = frame.f_back


def _name_in(names: Mapping[str, Any], value: object) -> str | None:
    return next((name for name, candidate in list(names.items()) if candidate is value and name not in _SELF), None)


def _name_in_locals(frame: FrameType, value: object) -> str | None:
    names = frame.f_locals
    name = _name_in(names, value)
    # Up to Python 3.12 a frame keeps the dict that was just made for us, and with it objects that the function has
    # dropped. If the function called locals() itself, the dict belongs to it.
    optimized = frame.f_code.co_flags & inspect.CO_OPTIMIZED
    if optimized and isinstance(names, dict) and sys.getrefcount(names) <= _OURS_ALONE:
        names.clear()
    return name


_OURS_ALONE = 3  # references: of the frame, of the variable above, and of the call that counts them


def _first(names: Iterable[str | None]) -> str | None:
    return next((name for name in names if name is not None), None)

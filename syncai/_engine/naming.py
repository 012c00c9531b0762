"""The name of the variable that holds an object, found where the program uses it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType

_OWN = __name__.partition('.')[0]
_SELF = ('self', 'cls')


def variable_name(value: object) -> str | None:
    """The name under which the nearest calling function or its module knows `value`, or None."""
    for frame in _callers(sys._getframe(1)):
        for names in (frame.f_locals, frame.f_globals):
            for name, known in list(names.items()):
                if known is value and name not in _SELF:
                    return name
    return None


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        if frame.f_globals.get('__name__', '').partition('.')[0] != _OWN:
            yield frame
        frame = frame.f_back

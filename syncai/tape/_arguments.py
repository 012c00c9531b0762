"""The checked arguments of a tape."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from ..exceptions import UserError

TapeMode: TypeAlias = Literal['once', 'replay', 'refresh', 'off']
"""The treatment of recorded and unrecorded requests."""

_UNITS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}

MODE_VARIABLE = 'SYNCAI_TAPE'
"""The variable with the mode of tapes without `mode=`, for this process and its children; the pytest plugin sets it."""


def checked_mode(mode: object) -> TapeMode:
    """The mode, or the default mode.

    Raises:
        UserError: There is no such mode.
    """
    if mode is None:
        mode = os.environ.get(MODE_VARIABLE) or 'once'
        if mode not in get_args(TapeMode):
            raise UserError(
                f'The variable {MODE_VARIABLE} must be one of {", ".join(get_args(TapeMode))}, not {mode!r}'
            )
    if mode not in get_args(TapeMode):
        raise UserError(f'mode of a Tape must be one of {", ".join(map(repr, get_args(TapeMode)))}, not {mode!r}')
    return cast('TapeMode', mode)


def checked_path(path: object, ttl: object) -> tuple[Path, bool]:
    """The path, and whether it is a directory.

    Raises:
        UserError: It is no path, or says neither that it is a file nor that it is a directory.
    """
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise UserError(f"A Tape takes a path, such as 'tests/tapes/refund.json', not {path!r:.100}")
    place = Path(path)
    if place.is_dir() or (isinstance(path, str) and path.endswith(('/', os.sep))):
        return place, True
    if place.suffix and ttl is not None:
        raise UserError(f"ttl goes with a directory, as Tape('{place.stem}/', ttl='7d'); {str(place)!r} is a file")
    if not place.suffix and ttl is None and not place.exists():
        raise UserError(
            f"Is {str(place)!r} a file or a directory? Write '{place}.json' for a tape, '{place}/' for a cache"
        )
    return place, not place.suffix and not place.is_file()


def checked_ttl(ttl: object) -> timedelta | None:
    """The time to live of an answer.

    Raises:
        UserError: It is no time.
    """
    if ttl is None or (isinstance(ttl, timedelta) and ttl > timedelta()):
        return ttl
    if isinstance(ttl, int | float) and not isinstance(ttl, bool) and ttl > 0:
        return timedelta(seconds=ttl)
    match = re.fullmatch(r'\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*', ttl) if isinstance(ttl, str) else None
    if match is None or float(match[1]) == 0:
        raise UserError(f"ttl must be a time such as '7d', '12h', '30m', a timedelta or seconds, not {ttl!r:.100}")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2]])


def checked_speed(speed: Any) -> float | None:
    """The speed of replayed streams.

    Raises:
        UserError: It is no number above 0.
    """
    if speed is None or (isinstance(speed, int | float) and not isinstance(speed, bool) and speed > 0):
        return cast('float | None', speed)
    raise UserError(f'speed must be None or a number above 0, such as 1 for the speed of the recording, not {speed!r}')

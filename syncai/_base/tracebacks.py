"""The traceback of an error of a function of the user, without the frames of the library in between."""

from __future__ import annotations

import os
from pathlib import Path
from types import FrameType, TracebackType

__all__ = ['hide_library_frames', 'only_user_frames']

_VARIABLE = 'SYNCAI_FULL_TRACEBACK'
_PACKAGE = str(Path(__file__).parent.parent) + os.sep


def hide_library_frames(error: BaseException) -> None:
    """Leave of an error's traceback the frames of the user alone.

    An error of the library itself keeps all of its frames, and so does every one with `SYNCAI_FULL_TRACEBACK=1`.
    """
    entries = _entries(error.__traceback__)
    if not entries or _is_ours(entries[-1].tb_frame) or os.environ.get(_VARIABLE, '0') not in ('', '0'):
        return
    kept: TracebackType | None = None
    for entry in reversed(entries):
        if not _is_ours(entry.tb_frame):
            kept = TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = kept


class _OnlyUserFrames:
    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            hide_library_frames(error)


only_user_frames = _OnlyUserFrames()
"""A block in the outermost function that the user calls: what leaves it does so as `hide_library_frames` has it."""


def _entries(traceback: TracebackType | None) -> list[TracebackType]:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    return entries


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)

"""Tracebacks of errors of the user's functions, without the frames of the library."""

from __future__ import annotations

import os
from pathlib import Path
from types import FrameType, TracebackType

__all__ = ['hide_library_frames', 'only_user_frames']

_VARIABLE = 'SYNCAI_FULL_TRACEBACK'
_PACKAGE = str(Path(__file__).parent.parent) + os.sep


def hide_library_frames(error: BaseException) -> None:
    """Keep only the user's frames in the traceback of an error. An error of the library itself keeps all frames, and so
    does every error with `SYNCAI_FULL_TRACEBACK=1`.
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
"""A block in the outermost function that the user calls; applies `hide_library_frames` to errors that leave it."""


def _entries(traceback: TracebackType | None) -> list[TracebackType]:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    return entries


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)

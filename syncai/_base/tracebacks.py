"""Tracebacks of errors of the user's functions, without the frames of the library."""

from __future__ import annotations

import os
from pathlib import Path
from types import FrameType, TracebackType

__all__ = ['hide_library_frames', 'only_user_frames']

_VARIABLE = 'SYNCAI_FULL_TRACEBACK'
_PACKAGE = str(Path(__file__).parent.parent) + os.sep
_STANDARD = str(Path(os.__file__).parent) + os.sep
_INSTALLED = (f'{_STANDARD}site-packages{os.sep}', f'{_STANDARD}dist-packages{os.sep}')


def hide_library_frames(error: BaseException) -> None:
    """Keep only the user's frames in the traceback of an error of the user's function or of the tree of exceptions.

    An error of another class that the library raises is a fault of it, and keeps all frames; so do the causes of an
    error, and every error with `SYNCAI_FULL_TRACEBACK=1`.
    """
    entries = _entries(error.__traceback__)
    if not entries or os.environ.get(_VARIABLE, '0') not in ('', '0'):
        return
    raised_in = next((entry for entry in reversed(entries) if not _is_standard(entry.tb_frame)), entries[-1])
    is_of_library = _is_ours(raised_in.tb_frame)
    if is_of_library and not _is_of_the_tree(error):
        return
    first = next((number for number, entry in enumerate(entries) if _is_ours(entry.tb_frame)), len(entries))
    shown_frames: TracebackType | None = None
    for number, entry in reversed(list(enumerate(entries))):
        if _is_ours(entry.tb_frame) or (is_of_library and number > first and _is_standard(entry.tb_frame)):
            continue
        shown_frames = TracebackType(shown_frames, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = shown_frames


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


def _is_standard(frame: FrameType) -> bool:
    """Whether it belongs to the standard library, such as `contextlib`, which lies between frames of the package."""
    name = frame.f_code.co_filename
    return name.startswith(_STANDARD) and not name.startswith(_INSTALLED)


def _is_of_the_tree(error: BaseException) -> bool:
    return any(cls.__module__.startswith('syncai.exceptions') for cls in type(error).__mro__)

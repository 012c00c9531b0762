"""A safe `sys._current_frames`: the current frames of all threads."""

from __future__ import annotations

import gc
import os
import sys
from types import FrameType

from .threads import reentrant_lock

# Owns the time without garbage collection. Re-entrant, for a signal handler that calls this too.
_lock = reentrant_lock()


def frames_of_threads() -> dict[int, FrameType]:
    """The innermost frame of each thread, by its ident.

    Until Python 3.12 a garbage collection may begin inside `sys._current_frames`, which holds a lock of the
    interpreter. If it finds a `threading.local`, which tenacity leaves in cycles, it waits for that lock, and the
    process hangs forever (https://github.com/python/cpython/issues/106883).
    """
    if sys.version_info >= (3, 12):
        return sys._current_frames()
    with _lock:
        collects = gc.isenabled()
        try:
            gc.disable()
            return sys._current_frames()
        finally:
            if collects:
                gc.enable()


if hasattr(os, 'register_at_fork'):  # so that no child begins during that time
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock._at_fork_reinit)

"""The operating system's own threads, locks and sockets, even if gevent has replaced them.

gevent's `monkey.patch_all()` makes the standard library cooperative: its threads become greenlets, its locks and
sockets wait by switching to another greenlet. The loop thread must still be a real thread, so that it runs while a
greenlet computes, and must share real locks with other threads.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import importlib
import logging
import os
import sys
import warnings
from typing import Any

FREE_DESCRIPTORS = 'close files and connections that nobody needs, or raise the limit (ulimit -n)'
"""What to do when no descriptor is left."""


def is_out_of_descriptors(error: BaseException) -> bool:
    """Whether a file, socket or module could not be opened because too many are open."""
    if isinstance(error, ImportError):  # of a compiled module, which the dynamic linker opens
        return 'Too many open files' in str(error)
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


def none_left() -> OSError | None:
    """The error of the system if no descriptor is left at the moment, else None."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.with_traceback(None) if is_out_of_descriptors(error) else None
    return None


def gevent_is_active() -> bool:
    """Whether gevent has patched the standard library. Checked at every call: servers patch after a fork."""
    monkey = sys.modules.get('gevent.monkey')
    return monkey is not None and bool(monkey.is_anything_patched())


def original(module: str, name: str) -> Any:
    """What a module of the standard library held before gevent replaced it."""
    monkey = sys.modules.get('gevent.monkey')
    if monkey is None:
        return getattr(importlib.import_module(module), name)
    return monkey.get_original(module, name)


def warn_where_threads_stand_still() -> None:
    """Warn under uWSGI with threads off, the default up to 2.0.26: threads then run only while a request is served."""
    uwsgi = sys.modules.get('uwsgi')
    if uwsgi is not None and not getattr(uwsgi, 'has_threads', True):
        warnings.warn(
            'uWSGI runs without --enable-threads. Model calls work while a request is being served, but between '
            'requests the loop thread of syncai stands still: submitted calls wait, and a stream that was left early '
            'may stay open. Add `enable-threads = true` to the configuration of uWSGI, or use uWSGI 2.0.27 or later',
            RuntimeWarning,
            stacklevel=2,
        )


def warn_in_log(message: str, *args: object) -> None:
    """Log a warning of syncai in this thread; on the loop thread, by `log_apart` of its loop."""
    log = functools.partial(logging.getLogger('syncai').warning, message, *args)
    try:
        apart = getattr(asyncio.get_running_loop(), 'log_apart', None)
    except RuntimeError:
        apart = None
    if apart is None:
        log()
    else:
        apart(log)

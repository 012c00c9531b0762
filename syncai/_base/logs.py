"""The debug log: what a call does and when, without keys, prompts or answers.

The loop thread never writes a record itself: a handler may wait for a lock, a disk or a model call of its own. It makes
the record and passes it to one worker thread at a time, so records keep their order. While DEBUG is off, a phase checks
the level once and does nothing else.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
from collections import deque
from typing import Any

from .system import original

__all__ = ['debug', 'flush', 'HTTP', 'is_on', 'logger_of_phase', 'RETRY', 'RUN']

RUN = logging.getLogger('syncai.run')
HTTP = logging.getLogger('syncai.http')
RETRY = logging.getLogger('syncai.retry')

_OF_PHASES = {'connection slot': HTTP, 'concurrency limit': HTTP, 'rate limit': HTTP, 'retry wait': RETRY}
_EXIT_SECONDS = 1.0


def is_on(logger: logging.Logger) -> bool:
    """Whether the logger takes records at DEBUG. Avoids `isEnabledFor`, which may wait for a lock of `logging`."""
    return logger.getEffectiveLevel() <= logging.DEBUG and logger.manager.disable < logging.DEBUG


def logger_of_phase(name: str) -> logging.Logger | None:
    """The logger that a phase of this name writes to, or None while that takes no DEBUG records."""
    logger = _OF_PHASES.get(name, RUN)
    return logger if is_on(logger) else None


def debug(logger: logging.Logger, message: str, *args: str | float | None) -> None:
    """Write one record at DEBUG, preceded by the name of the task; call it only if `is_on`."""
    loop: Any = None
    with contextlib.suppress(RuntimeError):
        loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop) if loop is not None else None
    path, line, function, _ = logger.findCaller(stacklevel=2)
    message, args = ('%s: ' + message, (task.get_name(), *args)) if task is not None else (message, args)
    record = logger.makeRecord(logger.name, logging.DEBUG, path, line, message, args, None, function)
    if loop is not None and hasattr(loop, 'workers'):
        _later.add(loop, logger, record)
    else:
        logger.handle(record)


class _Later:
    """Records on their way from the loop thread to one worker thread."""

    def __init__(self) -> None:
        self._records: deque[tuple[logging.Logger, logging.LogRecord]] = deque()  # the loop adds, the writer takes
        self._writing: Any = original('_thread', 'allocate_lock')()  # held by the thread that writes
        self._loop: asyncio.AbstractEventLoop | None = None  # the loop with a writer at work; its own field

    def add(self, loop: asyncio.AbstractEventLoop, logger: logging.Logger, record: logging.LogRecord) -> None:
        """Pass a record to the writer; on the loop thread."""
        self._records.append((logger, record))
        if self._loop is not loop:
            self._start(loop)

    def write(self, timeout: float = -1) -> bool:
        """Write the remaining records, from any thread but the loop's; False if another thread writes for too long."""
        if not self._writing.acquire(timeout=timeout):
            return False
        try:
            while self._records:
                logger, record = self._records.popleft()
                with contextlib.suppress(Exception):  # an error of a filter: handlers report their errors themselves
                    logger.handle(record)
        finally:
            self._writing.release()
        return True

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.run_in_executor(None, self.write).add_done_callback(self._ended)

    def _ended(self, writer: asyncio.Future[bool]) -> None:
        loop, self._loop = self._loop, None
        if not writer.cancelled() and self._records and loop is not None:
            self._start(loop)


_later = _Later()


def flush(timeout: float = _EXIT_SECONDS) -> bool:
    """Write the records that are on their way; False where that takes more than `timeout` seconds."""
    return _later.write(timeout)


def _begin_anew() -> None:
    """In a forked child: drop the parent's records, and the lock whose holder does not exist here."""
    global _later
    _later = _Later()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_begin_anew)
atexit.register(flush)

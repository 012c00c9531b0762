"""The open calls, what each waits for, and which thread waits for it. Everything is computed on request: a call only
records when and where it was made. Nothing here waits for the loop, or for a lock that may be held for long, so it
works while the loop is blocked, and in a signal handler.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os.path
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from .._base.frozen import dataclass
from .._base.phases import wait_in
from .frames import frames_of_threads
from .loop_thread import loop_thread

if TYPE_CHECKING:
    from .channel import Channel

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120 - at every start of a program
_NOT_THE_PROGRAM = (_PACKAGE, contextlib.__file__)
_DEEPEST = 60
_MOST_STEPS = 6
_RUN_CALLBACK = asyncio.Handle._run.__code__

Place = tuple[CodeType, int]


class _Ours(dict[str, bool]):
    """Whether a file belongs to the machinery, and not to the program."""

    def __missing__(self, filename: str) -> bool:
        self[filename] = ours = filename.startswith(_NOT_THE_PROGRAM)
        return ours


_ours = _Ours()
_get_frame = sys._getframe


def current_place() -> Place | None:
    """The place of the program that made a call. Every call records it; it takes half a microsecond."""
    frame: FrameType | None = _get_frame(1)
    while frame is not None and _ours[frame.f_code.co_filename]:
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCall:
    """A call that has not ended.

    Args:
        name: Its name, such as `model request`.
        seconds: Its age.
        made_at: File, line and function of the program that made it.
        waits_for: What it waits for.
        steps: The stack of its work, outermost first, as `file:line in function`.
        reader: The ident of the thread that waits for it now, or None.
    """

    name: str
    seconds: float
    made_at: str
    waits_for: str
    steps: tuple[str, ...]
    reader: int | None


def open_calls() -> list[OpenCall]:
    """The calls that have not ended, the oldest first."""
    loop: Any = loop_thread._loop
    if loop is None:
        return []
    calls = {id(call): call for call in tuple(loop.calls)}
    for handle in tuple(loop._ready):
        call: Any = getattr(handle._callback, '__self__', None)
        if hasattr(call, 'made_at') and not call.done:  # its start waits for the loop
            calls.setdefault(id(call), call)
    described = [describe(call) for call in calls.values()]
    return sorted(described, key=lambda call: -call.seconds)


def describe(call: Channel[Any]) -> OpenCall:
    """The current state of one call."""
    task = call._task
    frames = [] if task is None else list(_frames(task.get_coro()))
    return OpenCall(
        name=call.name,
        seconds=time.monotonic() - call.made_at,
        made_at=_position(*call.made_in) if call.made_in else 'an unknown place',
        waits_for='the loop thread' if task is None else wait_in(frame.f_code for frame in frames),
        steps=tuple(_position(f.f_code, f.f_lasti) for f in frames[-_MOST_STEPS:]),
        reader=call.reader.get(0),
    )


def loop_stack() -> list[str] | None:
    """The stack of the loop thread, innermost last; None while it is idle, or without one."""
    frame = frames_of_threads().get(loop_thread._ident) if loop_thread._loop is not None else None
    if frame is None or frame.f_code.co_name == 'select':
        return None
    return traceback.format_stack(frame)


def loop_step() -> FrameType | None:
    """The frame of the running callback of the loop thread; None between two, or without a loop."""
    frame = frames_of_threads().get(loop_thread._ident) if loop_thread._loop is not None else None
    step = None
    while frame is not None:
        step = frame if frame.f_code is _RUN_CALLBACK else step
        frame = frame.f_back
    return step


def stack_of(ident: int) -> tuple[str, list[str]]:
    """The name of a thread and its stack, innermost last."""
    frame = frames_of_threads().get(ident)
    thread = getattr(threading, '_active', {}).get(ident)  # without the lock of `enumerate`
    return getattr(thread, 'name', f'thread {ident}'), [] if frame is None else traceback.format_stack(frame)


def _position(code: CodeType, instruction: int) -> str:
    lines = [line for start, end, line in code.co_lines() if start <= instruction < end]
    return f'{code.co_filename}:{lines[0] if lines else code.co_firstlineno} in {code.co_qualname}'


def _frames(awaited: Any) -> Iterator[FrameType]:
    """The frames of a suspended coroutine and of everything that it waits for."""
    for _ in range(_DEEPEST):
        frame = _own(awaited, 'frame')
        if frame is not None:
            yield frame
        following = _own(awaited, 'await')
        if following is None:
            following = _behind(awaited, frame)
        if following is None:
            return
        awaited = following


def _own(awaited: Any, what: str) -> Any:
    """The frame of a coroutine, generator or async generator, and what it waits for."""
    names = (f'cr_{what}', f'ag_{what}', 'gi_frame' if what == 'frame' else 'gi_yieldfrom')
    return next((value for name in names if (value := getattr(awaited, name, None)) is not None), None)


def _behind(awaited: Any, frame: FrameType | None) -> Any:
    """The awaited object of one that does not expose it: a step of an async generator, a task, our awaitables."""
    if frame is not None:
        return getattr(frame.f_locals.get('self'), '_coroutine', None)
    if isinstance(awaited, asyncio.Task):
        return awaited.get_coro()
    referents = gc.get_referents(awaited)
    return next((other for other in referents if isinstance(other, asyncio.Task) or hasattr(other, 'ag_frame')), None)

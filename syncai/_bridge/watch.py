"""Warnings by callers: the loop is blocked, or a call waits for very long. A waiting caller checks the loop once a
second, so nothing here wakes a loop without waiting callers.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from .._base.phases import BEGINNING
from .._base.system import warn_in_log
from .open_calls import describe, loop_stack, loop_step
from .starvation import is_starved
from .threads import log_apart

if TYPE_CHECKING:
    from types import FrameType

    from .channel import Channel
    from .event_loop import BridgeLoop

BLOCKED_SECONDS = 1.0
"""Seconds after which a running callback is logged."""
IDLE_LIMIT_SECONDS = 120.0
"""Seconds after which a wait is logged, for calls without their own limits."""


class Heartbeat:
    """Checks whether the loop still turns. Any thread may call it; at worst, two of them warn."""

    def __init__(self) -> None:
        self._loop: BridgeLoop | None = None
        self._asked_at: float | None = None  # set by the checking threads, cleared by the loop thread
        self._step: FrameType | None = None  # likewise; the object itself, since its id may be reused
        self._warned = False

    def look(self, loop: BridgeLoop) -> None:
        """Ask the loop to answer, and warn once if it has not answered for long."""
        asked_at, now = self._asked_at, time.monotonic()
        if asked_at is None or loop is not self._loop:
            self._loop, self._asked_at, self._warned = loop, now, False
            self._step = loop_step()
            loop.call_soon_threadsafe(self._answer, context=loop.empty_context)
        elif now - asked_at >= BLOCKED_SECONDS and not self._warned:
            # A loop in another callback than before is busy or lacks a processor, but is not blocked.
            before, self._step = self._step, loop_step()
            self._warned = True  # before formatting the stack, which takes long
            stuck = before is not None and before is self._step and not is_starved(loop) and before is loop_step()
            stack = loop_stack() if stuck else None
            if stack is None:
                self._warned = False
                return
            _warn(
                'The event loop of syncai has been blocked for %.1f s, and with it every call of the process. A '
                'function that blocks must be a plain `def`, or run in a thread. The loop thread is here:\n%s',
                now - asked_at,
                ''.join(stack),
            )

    def _answer(self) -> None:
        self._asked_at, self._step, self._warned = None, None, False


def _warn(message: str, *args: object) -> None:
    log_apart(partial(warn_in_log, message, *args))


_heartbeat = Heartbeat()


def look_after(call: Channel[Any], waited: float) -> None:
    """Warn of problems of a call that its caller has waited for since `waited` seconds."""
    loop = call.loop
    if loop is None or loop.threadless or loop.is_closed():
        return
    _heartbeat.look(loop)
    if not call.warned_of_wait:
        _look_at_wait(call, waited)


def _look_at_wait(call: Channel[Any], waited: float) -> None:
    # Data for no reader, such as bytes without an event, also ends a wait.
    future, now = getattr(call._task, '_fut_waiter', None), time.monotonic()
    if future is not call.waits_for:
        call.waits_for, call.waits_since = future, now
    waited = min(waited, now - call.waits_since)
    for_beginning, for_all_else = call.silence_limits or (IDLE_LIMIT_SECONDS, IDLE_LIMIT_SECONDS)
    if waited < min(for_beginning, for_all_else):
        return
    description = describe(call)
    if call.done or waited < (for_beginning if description.waits_for == BEGINNING else for_all_else):
        return
    call.warned_of_wait = True
    _warn(
        'The %s made at %s has waited %.0f s for %s. syncai.debug() shows all open calls',
        description.name,
        description.made_at,
        waited,
        description.waits_for,
    )

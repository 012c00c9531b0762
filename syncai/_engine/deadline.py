"""The time limit of a whole call, and the error that says where the time went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

from .._base.phases import Phases
from ..exceptions import DeadlineExceeded, ModelAPIError, SyncAIError

__all__ = ['Deadline', 'deadline_exceeded']


class Deadline:
    """A block that is cancelled when its time is up.

    Args:
        timeout: Seconds.
        late: Makes the error that is raised on time-out.
        phases: Counts the phases within the block; None leaves that to an outer block.
    """

    __slots__ = ('_late', '_outer', '_phases', '_scope')

    def __init__(self, timeout: float, late: Callable[[], DeadlineExceeded], phases: Phases | None) -> None:
        self._scope = asyncio.timeout(timeout)
        self._late = late
        self._phases = phases
        self._outer: Any = None

    async def __aenter__(self) -> None:
        if self._phases is not None:
            self._outer = self._phases.observe()
        await self._scope.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._phases is not None:
            self._phases.observe_no_more(self._outer)
        try:
            await self._scope.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise self._late() from None
        # On its way out the cancellation may have become a TimeoutError, but not one that names the phase.
        if self._scope.expired() and isinstance(error, TimeoutError) and not isinstance(error, SyncAIError):
            raise self._late() from None


def deadline_exceeded(what: str, remedy: str, phases: Phases, **context: Any) -> DeadlineExceeded:
    """The error of a deadline that interrupted one of the phases."""
    phase, failure = phases.interrupted or 'start', phases.failure
    if isinstance(failure, ModelAPIError):
        what += f', after {failure.attempts} attempts, the last of which failed ({type(failure).__name__})'
        context |= {name: getattr(failure, name) for name in ('attempts', 'request_id', 'retry_after')}
    reason = f'{what}: the time ran out in the phase {phase!r}; {remedy}'
    error = DeadlineExceeded(reason, phase=phase, phases=phases.spent(), **context)
    function, phases.withdrawn = phases.withdrawn, None
    if function is not None:
        function.when_late(partial(_add_lateness, error, reason))
    return error


def _add_lateness(error: DeadlineExceeded, reason: str, seconds: float) -> None:
    """In the caller's thread, which ran a function that cannot be stopped and so raises the error late."""
    remedy = "run_in='thread' of the tool lets the run" if error.phase.startswith('tool ') else 'an async one lets it'
    reason += (
        f". It came {seconds:.2f} s late, since a sync function ran on in the caller's thread: {remedy} end on time"
    )
    phases = tuple((name, spent + seconds if name == error.phase else spent) for name, spent in error.phases)
    late = DeadlineExceeded(reason, phases=phases)
    error.message, error.args, error.phases = late.message, late.args, phases

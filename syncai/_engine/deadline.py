"""The time that a call may take in all, and the error that says where it went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .._base.phases import Phases
from ..exceptions import DeadlineExceeded, ModelAPIError, SyncAIError

__all__ = ['Deadline', 'deadline_exceeded']


class Deadline:
    """A block that is cancelled when its time is over.

    Args:
        timeout: Seconds.
        late: Makes the error that is raised then.
        phases: Where the phases within the block count; None leaves them to a block around this one.
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

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> None:
        if self._phases is not None:
            self._phases.observe_no_more(self._outer)
        try:
            await self._scope.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise self._late() from None
        # The cancellation may have become an error of time on its way out, but not one that says where.
        if self._scope.expired() and isinstance(error, TimeoutError) and not isinstance(error, SyncAIError):
            raise self._late() from None


def deadline_exceeded(what: str, remedy: str, phases: Phases, **context: Any) -> DeadlineExceeded:
    """The error of a deadline that interrupted one of the phases."""
    phase, failure = phases.interrupted or 'start', phases.failure
    if isinstance(failure, ModelAPIError):
        what += f', after {failure.attempts} attempts, the last of which failed ({type(failure).__name__})'
        context |= {name: getattr(failure, name) for name in ('attempts', 'request_id', 'retry_after')}
    return DeadlineExceeded(
        f'{what}: the time ran out in the phase {phase!r}; {remedy}', phase=phase, phases=phases.spent(), **context
    )

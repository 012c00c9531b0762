"""The phases that the time of a call goes into, for errors about time. A context variable holds the phases of a call,
so every floor marks its own without passing anything on. A phase inside another one pauses the outer one, so each
second counts once; only concurrent phases overlap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .logs import debug, logger_of_phase

if TYPE_CHECKING:
    import logging
    from types import CodeType

__all__ = [
    'BEGINNING',
    'LateFunction',
    'names_wait',
    'NEXT_BYTES',
    'note_failure',
    'note_withdrawn',
    'phase',
    'Phases',
    'wait_in',
]

FunctionT = TypeVar('FunctionT', bound=Callable[..., Any])

BEGINNING = 'the beginning of the answer'
NEXT_BYTES = 'the next bytes of the answer'


class LateFunction(Protocol):
    """A function of the user that may still run in its thread, although nothing waits for it any more."""

    def when_late(self, report: Callable[[float], None]) -> None: ...


class Phases:
    """The seconds that each phase of one call took; all its fields are the loop thread's own."""

    __slots__ = ('_seconds', 'failure', 'interrupted', 'withdrawn')

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self.interrupted: str | None = None  # the innermost phase that was cancelled last
        self.failure: Exception | None = None  # why the last attempt is repeated
        self.withdrawn: LateFunction | None = None  # the function that was interrupted last

    def add(self, name: str, seconds: float) -> None:
        """Add seconds to a phase."""
        self._seconds[name] = self._seconds.get(name, 0.0) + max(0.0, seconds)

    def spent(self) -> tuple[tuple[str, float], ...]:
        """The ended phases and the seconds of each, in the order in which each ended first."""
        return tuple(self._seconds.items())

    def observe(self) -> phase | None:
        """Count the phases from now on here; returns what `observe_no_more` needs."""
        outer = _current.get()
        _current.set(phase('', self))
        return outer

    def observe_no_more(self, outer: phase | None) -> None:
        """Undo `observe`."""
        _current.set(outer)  # no reset by token: a dropped coroutine ends in another context


class phase:  # noqa: N801 - a block: `with phase('retry wait'):`
    """A block whose time counts for the phase; nearly free outside of a call."""

    __slots__ = ('_inside', '_log', '_name', '_outer', '_started_at', 'phases')

    _log: logging.Logger | None  # while DEBUG is on

    def __init__(self, name: str, phases: Phases | None = None) -> None:
        self._name = name
        self._inside = 0.0  # seconds of the phases within this one
        self.phases = phases

    def __enter__(self) -> phase:
        self._outer = outer = _current.get()
        if outer is not None and outer.phases is not None:
            self.phases = outer.phases
            self.phases.interrupted = None
            _current.set(self)
        self._started_at = monotonic()
        self._log = logger_of_phase(self._name)
        if self._log is not None:
            debug(self._log, '%s started', self._name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        if self._log is not None:
            self._log_end('ended' if kind is None else f'ended by {kind.__name__}')
        if self.phases is None:
            return
        _current.set(self._outer)
        if kind is not None and issubclass(kind, asyncio.CancelledError) and self.phases.interrupted is None:
            self.phases.interrupted = self._name
        self._count()

    def become(self, name: str) -> None:
        """From now on, the time of the block counts for another phase."""
        if name != self._name:
            if self._log is not None:
                self._log_end('ended')
                debug(self._log, '%s started', name)
            if self.phases is not None:
                self._count()
            else:
                self._started_at = monotonic()
            self._name = name

    def _log_end(self, how: str) -> None:
        assert self._log is not None
        debug(self._log, '%s %s after %.3f s', self._name, how, monotonic() - self._started_at)

    def _count(self) -> None:
        now = monotonic()
        whole = now - self._started_at
        assert self.phases is not None
        self.phases.add(self._name, whole - self._inside)
        if self._outer is not None:
            self._outer._inside += whole
        self._started_at, self._inside = now, 0.0


# Written when the modules are imported, and only read after that.
_waits: dict[CodeType, tuple[str, str | None]] = {}


def names_wait(what: str, *, instead_of: str | None = None) -> Callable[[FunctionT], FunctionT]:
    """Register what a call waits for while it is suspended in the function; the function is unchanged, and calls cost
    nothing.

    Args:
        what: Such as `a free connection slot`.
        instead_of: The description by an inner function that this one replaces; any other inner description wins.
    """

    def note(function: FunctionT) -> FunctionT:
        _waits[function.__code__] = what, instead_of
        return function

    return note


def wait_in(codes: Iterable[CodeType]) -> str:
    """What a call that is suspended in these functions, the outermost first, waits for: the innermost description."""
    waits = [_waits[code] for code in codes if code in _waits]
    if not waits:
        return 'its next step'
    what = waits[-1][0]
    return next((outer for outer, instead_of in waits if instead_of == what), what)


_current: ContextVar[phase | None] = ContextVar('syncai_phase', default=None)
"""The innermost phase of a call that counts its phases; those of other calls are never here."""


def note_failure(error: Exception | None) -> None:
    """Remember, for the error of a deadline, why the request is repeated; None once it succeeded."""
    innermost = _current.get()
    if innermost is not None and innermost.phases is not None:
        innermost.phases.failure = error


def note_withdrawn(function: LateFunction) -> None:
    """Remember, for the error of a deadline, which function was interrupted: it may still be running."""
    innermost = _current.get()
    if innermost is not None and innermost.phases is not None:
        innermost.phases.withdrawn = function

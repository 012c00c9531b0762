"""The usage of a run as its functions see it. Another run that gets it as `usage=` is counted in both."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from .._prices import Answers
from ..usage import Usage, counts_of

if TYPE_CHECKING:
    from .run_state import RunState


class SharedUsage(Usage):
    """A `Usage` that knows the run it belongs to."""

    __slots__ = ('_run',)

    @classmethod
    def of(cls, run: RunState[Any]) -> SharedUsage:
        """What `run` has used until now."""
        usage = cls(*counts_of(run.usage))
        usage._priced(Answers(tuple(run.answers), run.plan.usage))
        object.__setattr__(usage, '_run', weakref.ref(run))
        return usage

    @property
    def run(self) -> RunState[Any] | None:
        """The run that it belongs to, while that run is referenced; None for a copy made by `replace`."""
        reference = getattr(self, '_run', None)
        return reference() if reference else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Usage) and counts_of(self) == counts_of(other)

    __hash__ = Usage.__hash__

    def __repr__(self) -> str:
        return repr(plain(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Usage, counts_of(self)  # a copy, here or in another process, is counts and no more


def plain(usage: Usage) -> Usage:
    """The figures alone."""
    return usage if type(usage) is Usage and usage._source is None else Usage(*counts_of(usage))

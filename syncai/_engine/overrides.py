"""Blocks around a run: `override`, which replaces models and dependencies, and `capture_run_messages`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

from .._base.frozen import dataclass
from ..messages import ModelMessage
from ..models import Model


@dataclass(frozen=True, slots=True)
class Overrides:
    """What runs of one agent use instead of their own.

    Attributes:
        model: The model, or None.
        deps: The dependencies in a tuple of one, or an empty one.
    """

    model: Model | None = None
    deps: tuple[Any, ...] = ()

    def over(self, outer: Overrides) -> Overrides:
        """These values, completed by those of an outer block."""
        return Overrides(self.model or outer.model, self.deps or outer.deps)


_NONE = Overrides()
# By the id() of the agent, which the overriding block keeps alive. The mapping is replaced, never changed.
_overridden: ContextVar[Mapping[int, Overrides] | None] = ContextVar('syncai_overrides', default=None)
# The overrides of blocks for all threads, the innermost last. Replaced under the lock, read by any thread without it.
_everywhere: tuple[tuple[object, Overrides], ...] = ()
_changing = Lock()
# One list until the first run takes it.
_capturing: ContextVar[list[list[ModelMessage]] | None] = ContextVar('syncai_capture', default=None)


def overrides_of(agent: object) -> Overrides:
    """The overrides of an agent in this context."""
    own = (_overridden.get() or {}).get(id(agent), _NONE)
    for other, overrides in reversed(_everywhere):
        if other is agent:
            own = own.over(overrides)
    return own


@contextmanager
def overridden(agent: object, overrides: Overrides) -> Iterator[None]:
    """Override the agent inside the block, in this context alone; an outer block fills what is left out."""
    merged = overrides.over(overrides_of(agent))
    token = _overridden.set({**(_overridden.get() or {}), id(agent): merged})
    try:
        yield
    finally:
        _overridden.reset(token)


@contextmanager
def overridden_everywhere(agent: object, overrides: Overrides) -> Iterator[None]:
    """Override the agent inside the block, in all threads and contexts that do not override it themselves."""
    global _everywhere
    entry = (agent, overrides)
    with _changing:
        _everywhere = (*_everywhere, entry)
    try:
        with overridden(agent, overrides):  # here it wins over an outer block
            yield
    finally:
        with _changing:
            _everywhere = tuple(other for other in _everywhere if other is not entry)


@contextmanager
def capture_run_messages() -> Iterator[list[ModelMessage]]:
    """The conversation of the first run inside the block, even if it fails: a list that grows with it.

    A block inside another one, in which no run has begun yet, gives the list of the outer one: both see the run.
    """
    if awaited := (_capturing.get() or [])[:]:  # a copy, since a run in another thread may take the list just now
        yield awaited[0]
        return
    messages: list[ModelMessage] = []
    token = _capturing.set([messages])
    try:
        yield messages
    finally:
        _capturing.reset(token)


def captured_messages() -> list[ModelMessage] | None:
    """The list that the beginning run must fill, or None."""
    capturing = _capturing.get()
    return capturing.pop() if capturing else None

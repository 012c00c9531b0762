"""What surrounds a run: other models and dependencies for an agent, and lists that capture a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ..messages import ModelMessage
from ..models import Model


@dataclass(frozen=True, slots=True)
class Overrides:
    """What runs of one agent use, whatever they ask for.

    Attributes:
        model: The model, or None.
        deps: The dependencies in a tuple of one, or an empty one.
    """

    model: Model | None = None
    deps: tuple[Any, ...] = ()

    def over(self, outer: Overrides) -> Overrides:
        """These, and what an outer block has beyond them."""
        return Overrides(self.model or outer.model, self.deps or outer.deps)


# By the identity of the agent, which the block that overrides it keeps alive. The mapping is replaced, never changed.
_overridden: ContextVar[Mapping[int, Overrides] | None] = ContextVar('syncai_overrides', default=None)
# Those of blocks for all threads, the innermost last. Replaced under the lock, read by any thread without it.
_everywhere: tuple[tuple[object, Overrides], ...] = ()
_changing = Lock()
# One list until the first run takes it.
_capturing: ContextVar[list[list[ModelMessage]] | None] = ContextVar('syncai_capture', default=None)


def overrides_of(agent: object) -> Overrides:
    """What overrides an agent now."""
    own = (_overridden.get() or {}).get(id(agent), Overrides())
    for other, overrides in reversed(_everywhere):
        if other is agent:
            own = own.over(overrides)
    return own


@contextmanager
def overridden(agent: object, overrides: Overrides) -> Iterator[None]:
    """Inside the block, and in this context alone, the agent is overridden; the rest stays as an outer block has it."""
    merged = overrides.over(overrides_of(agent))
    token = _overridden.set({**(_overridden.get() or {}), id(agent): merged})
    try:
        yield
    finally:
        _overridden.reset(token)


@contextmanager
def overridden_everywhere(agent: object, overrides: Overrides) -> Iterator[None]:
    """Inside the block the agent is overridden in all threads and contexts that do not override it themselves."""
    global _everywhere
    entry = (agent, overrides)
    with _changing:
        _everywhere = (*_everywhere, entry)
    try:
        with overridden(agent, overrides):  # here it goes over what an outer block says
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
    """The list that the run which begins now has to fill, or None."""
    capturing = _capturing.get()
    return capturing.pop() if capturing else None

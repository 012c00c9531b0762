"""How a framework wraps the functions of a run: set when the run is planned, and known throughout the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

from .._base.functions import is_async
from .._bridge import RunSync
from ..tools import Tool

__all__ = ['surrounded', 'Surroundings', 'surroundings']

Around: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How the user's functions are called.

    Args:
        around_tool: Wraps each sync function of a tool, as `transaction.atomic` of Django does; None leaves them.
        run_sync: Runs the sync functions of a run whose caller is a coroutine; None takes a thread of its loop.
    """

    around_tool: Around | None = None
    run_sync: RunSync | None = None

    def tools(self, tools: Mapping[str, Tool[Any]]) -> dict[str, Tool[Any]]:
        """The tools of a run, with their sync functions wrapped."""
        if self.around_tool is None:
            return dict(tools)
        return {name: tool if is_async(tool.function) else self._wrapped(tool) for name, tool in tools.items()}

    def _wrapped(self, tool: Tool[Any]) -> Tool[Any]:
        assert self.around_tool is not None
        wrapped: Tool[Any] = object.__new__(type(tool))  # `copy` would build the schema again
        for name in Tool.__slots__:
            setattr(wrapped, name, getattr(tool, name))
        wrapped.function = self.around_tool(tool.function)
        return wrapped


_NONE = Surroundings()
_current: ContextVar[Surroundings] = ContextVar('syncai_surroundings', default=_NONE)


def surroundings() -> Surroundings:
    """The surroundings of a run that is planned now."""
    return _current.get()


@contextmanager
def surrounded(what: Surroundings) -> Iterator[None]:
    """Plan the runs inside the block with these; the runs keep them."""
    token = _current.set(what)
    try:
        yield
    finally:
        _current.reset(token)

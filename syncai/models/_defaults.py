"""What an application's settings say of models: the one of agents that name none, and how named ones connect."""

from __future__ import annotations

from collections.abc import Callable

from .._base.frozen import dataclass
from ..settings import HttpOptions
from ._interface import Model

__all__ = ['Defaults', 'defaults', 'set_defaults']


@dataclass(frozen=True, slots=True)
class Defaults:
    """Args:
    model: The model of runs that name none, or its name; None leaves it to the environment.
    http: How models that are made of a name connect; None takes `HttpOptions()`.
    """

    model: Model | str | None = None
    http: HttpOptions | None = None


_NONE = Defaults()
_source: Callable[[], Defaults] | None = None  # set whole by any thread, read by any


def set_defaults(source: Callable[[], Defaults] | None) -> None:
    """From now on `source()` is asked for the defaults of each run; None forgets it."""
    global _source
    _source = source


def defaults() -> Defaults:
    """Those in force.

    Raises:
        UserError: The settings of the application are wrong.
    """
    return _NONE if _source is None else _source()

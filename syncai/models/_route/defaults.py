"""Settings of an application for models: the default model, and the connection of named models."""

from __future__ import annotations

from collections.abc import Callable

from ..._base.frozen import dataclass
from ...settings import HttpOptions
from .._interface import Model

__all__ = ['Defaults', 'defaults', 'set_defaults']


@dataclass(frozen=True, slots=True)
class Defaults:
    """The defaults of an application.

    Args:
        model: The model of runs that name none, or its name; None leaves it to the environment.
        http: The connection options of models made from a name; None takes `HttpOptions()`.
    """

    model: Model | str | None = None
    http: HttpOptions | None = None


_NONE = Defaults()
_source: Callable[[], Defaults] | None = None  # set whole by any thread, read by any


def set_defaults(source: Callable[[], Defaults] | None) -> None:
    """Take the defaults of each run from `source()` from now on; None removes it."""
    global _source
    _source = source


def defaults() -> Defaults:
    """The current defaults.

    Raises:
        UserError: The settings of the application are wrong.
    """
    return _NONE if _source is None else _source()

"""The result types of single runs, each described once: one description takes as long as many runs."""

from __future__ import annotations

from typing import Any

from .._schema import ResultSpec, result_spec

_MOST = 64  # types that are kept: a program that makes a type for each run must not fill the memory


class SpecsOfRuns:
    """The descriptions of the result types of the runs of one agent.

    Any thread reads and adds, under no lock: at worst two of them describe the same type.

    Args:
        own: That of the agent; the result tools of the others have its name.
    """

    def __init__(self, own: ResultSpec[Any]) -> None:
        self._own = own
        self._specs: dict[Any, ResultSpec[Any]] = {}

    def of(self, result_type: Any) -> ResultSpec[Any]:
        """The description of a result type.

        Raises:
            UserError: The type cannot be described to a model.
        """
        if result_type is self._own.result_type:
            return self._own
        try:
            if (same := self._specs.get(result_type)) is not None:
                return same
            keep = len(self._specs) < _MOST
        except TypeError:  # a type that is not hashable, such as one with a list in its `Annotated`
            keep = False
        spec = result_spec(result_type, tool_name=self._own.tool_name)
        if keep:
            self._specs[result_type] = spec
        return spec

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._own,)

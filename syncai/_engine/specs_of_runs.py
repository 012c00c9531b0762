"""The result types of single runs, each described once: that takes as long as many runs do."""

from __future__ import annotations

from typing import Any

from .._schema import ResultSpec, result_spec

_MOST = 64  # types that are kept; programs that make types as they go must not fill the memory


class SpecsOfRuns:
    """What the result types mean that runs of one agent asked for.

    Any thread reads and adds, under no lock: at worst two of them describe the same type.

    Args:
        own: That of the agent; the result tools of the others have its name.
    """

    def __init__(self, own: ResultSpec[Any]) -> None:
        self._own = own
        self._known: dict[Any, ResultSpec[Any]] = {}

    def of(self, result_type: Any) -> ResultSpec[Any]:
        """What a result type means.

        Raises:
            UserError: The type cannot be described to a model.
        """
        if result_type is self._own.result_type:
            return self._own
        try:
            if (known := self._known.get(result_type)) is not None:
                return known
            keep = len(self._known) < _MOST
        except TypeError:  # a type that is not hashable, such as one with a list in its `Annotated`
            keep = False
        spec = result_spec(result_type, tool_name=self._own.tool_name)
        if keep:
            self._known[result_type] = spec
        return spec

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._own,)

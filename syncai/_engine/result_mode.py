"""The way to ask for the result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..models import Model
from ..parameters import ResultSchema

if TYPE_CHECKING:
    from .._schema import ResultSpec
    from .plan import ResultMode

AskedMode: TypeAlias = Literal['auto', 'tool', 'native', 'prompted']


def result_mode_of(mode: AskedMode, spec: ResultSpec[Any], model: Model, tools: Mapping[str, object]) -> ResultMode:
    """The mode of a run. `auto` is `native` if the schema is sure to fit, there are no function tools, and text is not
    a result as well (a schema could only wrap text); otherwise `tool`.

    Args:
        mode: The mode of the agent.
        spec: The type of the result.
        model: The model.
        tools: The function tools of the run.
    """
    if not spec.tools:
        return 'text'
    if mode != 'auto':
        return mode
    holds = not tools and not spec.allow_text and model.holds_schema(result_schema(spec))
    return 'native' if holds else 'tool'


def result_schema(spec: ResultSpec[Any]) -> ResultSchema:
    """The schema of a whole answer, for providers."""
    answer = spec.native_schema()
    return ResultSchema(name=answer.name, schema=answer.schema, description=answer.description)

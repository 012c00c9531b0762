"""The parts of a request besides the conversation: the tools, and the form of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Literal

from ._base.frozen import dataclass

__all__ = ['ModelRequestParameters', 'ResultSchema', 'ToolDefinition']


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolDefinition:
    """A tool as the model sees it.

    Args:
        name: The name by which the model calls it.
        description: What it does, for the model to read.
        parameters_json_schema: JSON schema of its arguments, an object.
        strict: Whether the provider should enforce the schema; None leaves it to the provider.
        outer_typed_dict_key: The key that wraps a result that is not an object, or None.
    """

    name: str
    description: str = ''
    parameters_json_schema: dict[str, Any] = field(default_factory=lambda: {'type': 'object', 'properties': {}})
    strict: bool | None = None
    outer_typed_dict_key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultSchema:
    """A JSON schema that the model's answer must follow.

    Args:
        name: The schema's name, letters, digits, `_` and `-`.
        schema: The JSON schema, an object.
        description: What the answer is for, for the model to read.
        strict: Whether the provider should enforce it; None leaves it to the provider.
    """

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequestParameters:
    """The tools that the model may call, and the form of its answer.

    Args:
        function_tools: Tools that it may call.
        result_tools: Tools whose arguments are the result; calling one ends the run.
        allow_text_result: Whether plain text is a valid answer.
        result_mode: How a structured result is asked for.
        result_schema: The schema of the answer, for the modes `native` and `prompted`.
        json_object: Whether the answer must be a JSON object of any shape.
    """

    function_tools: Sequence[ToolDefinition] = ()
    result_tools: Sequence[ToolDefinition] = ()
    allow_text_result: bool = True
    result_mode: Literal['text', 'tool', 'native', 'prompted'] = 'text'
    result_schema: ResultSchema | None = None
    json_object: bool = False

"""What a request asks of a model beside the conversation: the tools it may call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ['ToolDefinition']


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolDefinition:
    """A tool as the model sees it.

    Args:
        name: The name by which the model calls it.
        description: What it does, for the model to read.
        parameters_json_schema: JSON schema of its arguments, an object.
        strict: Whether the provider should hold the model to the schema; None leaves it to the provider.
        outer_typed_dict_key: The key in which a result that is not an object is wrapped, or None.
    """

    name: str
    description: str = ''
    parameters_json_schema: dict[str, Any] = field(default_factory=lambda: {'type': 'object', 'properties': {}})
    strict: bool | None = None
    outer_typed_dict_key: str | None = None

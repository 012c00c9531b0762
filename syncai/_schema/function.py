"""Functions as tools: their descriptions for the model, and the conversion of its arguments to a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..exceptions import UserError
from .arguments import Arguments
from .docstring import DocstringFormat, parse_docstring
from .signature import docstring_of, function_name, parameters_of

__all__ = ['function_schema', 'FunctionSchema']

_TOOL_NAME = re.compile(r'[a-zA-Z0-9_-]{1,64}')


class _Validator(Protocol):
    def validate(self, args: str | dict[str, Any] | None) -> tuple[list[Any], dict[str, Any]]: ...

    def by_name(self, positional: Sequence[Any], keyword: Mapping[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class FunctionSchema:
    """A function as the model sees it, and the conversion of the model's arguments.

    Args:
        name: The name by which the model calls it.
        description: What it does, or the empty string.
        json_schema: The JSON schema of its arguments, an object.
        takes_ctx: Whether the call takes a RunContext before all other arguments.
    """

    name: str
    description: str
    json_schema: dict[str, Any]
    takes_ctx: bool
    _arguments: _Validator = field(repr=False, compare=False)

    def validate(self, args: str | dict[str, Any] | None) -> tuple[list[Any], dict[str, Any]]:
        """The positional and the keyword arguments of the call, without the context.

        Args:
            args: The model's arguments, as JSON text or decoded; the empty string and None stand for no arguments.

        Raises:
            pydantic.ValidationError: They do not fit the function; see `retry_errors`.
        """
        return self._arguments.validate(args)

    def by_name(self, positional: Sequence[Any], keyword: Mapping[str, Any]) -> dict[str, Any]:
        """The output of `validate` by the names that the model sees, the function's defaults included."""
        return self._arguments.by_name(positional, keyword)


def function_schema(
    function: Callable[..., Any],
    *,
    takes_ctx: bool,
    name: str | None = None,
    description: str | None = None,
    docstring_format: DocstringFormat = 'auto',
    require_parameter_descriptions: bool = False,
) -> FunctionSchema:
    """The schema of `function`, to be built once for each tool.

    A single parameter that is a pydantic model, a dataclass or a TypedDict and has no default is not wrapped in an
    object: the model fills in its fields directly.

    Args:
        function: Any callable with a signature.
        takes_ctx: Whether its first parameter is the RunContext.
        name: The tool's name; by default that of the function.
        description: By default the docstring without its sections.
        docstring_format: How the docstring describes the parameters.
        require_parameter_descriptions: Refuse parameters that nothing describes.

    Raises:
        UserError: The function cannot be a tool as it is; the message says what to change.
    """
    known_as = name or function_name(function)
    check_name(known_as)
    parameters, context_name = parameters_of(function, known_as, takes_ctx=takes_ctx)
    docstring = parse_docstring(docstring_of(function), docstring_format)
    arguments = Arguments(parameters, docstring, known_as, context_name)
    schema = arguments.json_schema
    if require_parameter_descriptions:
        _check_described(schema, known_as)
    text = docstring.description if description is None else description
    if arguments.is_flat and not text:
        text = schema.pop('description', '')
    return FunctionSchema(known_as, text, schema, takes_ctx, arguments)


def check_name(name: str) -> None:
    """Raise UserError unless providers accept the name for a tool."""
    if name == '<lambda>':
        raise UserError('A lambda has no name by which a model could call it: give one (name=...), or use a function')
    if not _TOOL_NAME.fullmatch(name):
        raise UserError(
            f'{name!r} cannot be the name of a tool: providers take 1 to 64 ASCII letters, digits, `_` and `-`; '
            'give another one (name=...)'
        )


def _check_described(schema: dict[str, Any], name: str) -> None:
    missing = [key for key, value in schema.get('properties', {}).items() if 'description' not in value]
    if missing:
        raise UserError(
            f'Nothing describes {", ".join(map(repr, missing))} of {name!r}: name them in the docstring, '
            "or annotate them with Annotated[..., Field(description='...')]"
        )

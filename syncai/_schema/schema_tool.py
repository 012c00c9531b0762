"""Functions as tools with a given JSON schema: they take their arguments as one dict."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from .._base.tool_arguments import decoded_args
from ..exceptions import UserError
from .compiler import KEYWORDS, Problem, check_of
from .function import FunctionSchema, check_name
from .json_schema import inline_root
from .signature import context_and_rest
from .unwrapping import unwrapped

__all__ = ['schema_of_tool']

_NOTES = {'$id', '$schema', 'description', 'title'}
_LITERAL: Any = 'schema_{}'  # pydantic's types require a literal name
_NO_DICTS = {'str', 'int', 'float', 'bool', 'bytes', 'list', 'tuple', 'set'}


def schema_of_tool(
    function: Callable[..., Any], *, name: str, description: str, schema: dict[str, Any], takes_ctx: bool
) -> FunctionSchema:
    """The schema of a tool, to be built once.

    Raises:
        UserError: The schema is no JSON schema, or not one of an object, or the function does not take one dict.
    """
    check_name(name)
    root = _object_schema(schema, name)
    check = check_of(root, f'The schema of tool {name!r}')
    arguments = _DictArguments(name, check, as_keywords=_takes_keywords(function, name, takes_ctx))
    parameters = {key: value for key, value in inline_root(root).items() if key != '$schema'}
    return FunctionSchema(name, description, parameters, takes_ctx, arguments)


class _DictArguments:
    def __init__(self, name: str, check: Callable[[Any], list[Problem]], *, as_keywords: bool) -> None:
        self._name = name
        self._check = check
        self._as_keywords = as_keywords

    def validate(self, args: str | dict[str, Any] | None) -> tuple[list[Any], dict[str, Any]]:
        value = self._checked(args)
        return ([], value) if self._as_keywords else ([value], {})

    def by_name(self, positional: Sequence[Any], keyword: Mapping[str, Any]) -> dict[str, Any]:
        return dict(keyword if self._as_keywords else positional[0])

    def _checked(self, args: str | dict[str, Any] | None) -> dict[str, Any]:
        try:
            value = decoded_args(args)
        except ValueError as reason:
            raise self._error([Problem('json', f'Invalid JSON: {reason}', (), args)]) from None
        problems = self._check(value)
        if not problems:
            return deepcopy(value) if value is args else value  # a copy, which the function may change
        error = self._error(problems)
        again = unwrapped(args, error) if isinstance(args, str) else None
        if again is None:
            raise error
        return self._checked(again)

    def _error(self, problems: list[Problem]) -> ValidationError:
        """The problems as a pydantic ValidationError, as all tools raise it."""
        details = [
            InitErrorDetails(
                type=PydanticCustomError(_LITERAL.format(problem.keyword), '{problem}', {'problem': problem.message}),
                loc=problem.loc,
                input=problem.value,
            )
            for problem in problems
        ]
        return ValidationError.from_exception_data(self._name, details)


def _object_schema(schema: object, name: str) -> dict[str, Any]:
    """The schema, with the type `object` that providers require."""
    if not isinstance(schema, dict):
        hint = ': write `.model_json_schema()` behind it' if hasattr(schema, 'model_json_schema') else ''
        raise UserError(
            f'The schema of tool {name!r} must be a dict, a JSON schema of an object, not {type(schema).__name__}{hint}'
        )
    if schema.keys() - _NOTES and not any(key in KEYWORDS for key in schema):
        raise UserError(
            f'The schema of tool {name!r} has no keyword of JSON Schema ({", ".join(map(str, schema))}): properties '
            "stand one level down, as {'type': 'object', 'properties': {...}}"
        )
    root: dict[str, Any] = schema
    kind = inline_root(root).get('type', 'object')
    if kind != 'object':
        raise UserError(
            f'The schema of tool {name!r} must describe an object, since arguments have names, and its type is '
            f"{kind!r:.100}: put it into one, as {{'type': 'object', 'properties': {{'value': ...}}}}"
        )
    if '$ref' not in root:
        root = {'type': 'object', **root}
        root.setdefault('properties', {})
    return root


def _takes_keywords(function: Callable[..., Any], name: str, takes_ctx: bool) -> bool:
    """Whether the function takes the arguments as `**keywords`, as opposed to one dict.

    Raises:
        UserError: It takes neither.
    """
    if not callable(function):
        raise UserError(f'A tool must be a function, not {function!r:.100}')
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # not written in Python
        return False
    if takes_ctx:
        _, parameters = context_and_rest(parameters, name)
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not required and parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
        return True
    first = parameters[0] if parameters else None
    positional = first is not None and first.kind not in (first.KEYWORD_ONLY, first.VAR_KEYWORD)
    if not positional or required[1:] or _annotated_as(first) in _NO_DICTS:
        raise UserError(
            f'The function of tool {name!r} gets its arguments as one dict: write `def {_known_as(function)}(args: '
            'dict[str, Any])` or `(**args)`, after the RunContext where it takes one; '
            'a function with a parameter for each argument is registered with Tool(function)'
        )
    return False


def _annotated_as(parameter: inspect.Parameter | None) -> str:
    annotation = None if parameter is None else parameter.annotation
    return annotation if isinstance(annotation, str) else getattr(annotation, '__name__', '')


def _known_as(function: Callable[..., Any]) -> str:
    return getattr(function, '__name__', None) or type(function).__name__

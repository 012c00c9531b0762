"""Python types: their names, the members of a union, and the types that are objects in JSON."""

from __future__ import annotations

import inspect
import re
import types
import typing
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typing_extensions
from pydantic import BaseModel, RootModel
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

__all__ = [
    'CANNOT_DESCRIBE',
    'dataclass_docstring',
    'first_line',
    'has_fields',
    'members_of',
    'name_of_type',
    'resolved_alias',
    'tool_suffix',
]

# The errors of pydantic for a type that it cannot validate or describe.
CANNOT_DESCRIBE = (PydanticUserError, SchemaError, AttributeError, NameError, TypeError)

_UNIONS = (Union, types.UnionType)
_ALIASES: tuple[Any, ...] = tuple(
    module.TypeAliasType for module in (typing, typing_extensions) if hasattr(module, 'TypeAliasType')
)


def members_of(kind: Any) -> list[Any]:
    """The members of a union, nested unions and type aliases resolved, each once; any other type is its own member.

    A union within `Annotated`, such as a discriminated one, is one member: the annotation is of the whole union.
    """
    if isinstance(kind, _ALIASES) or isinstance(get_origin(kind), _ALIASES):
        members = members_of(_aliased(kind))
        return members if len(members) > 1 or members == [str] else [kind]
    if get_origin(kind) in _UNIONS:
        flat = [member for part in get_args(kind) for member in members_of(part)]
        return [member for number, member in enumerate(flat) if member not in flat[:number]]
    return [type(None) if kind is None else kind]


def resolved_alias(kind: Any) -> Any:
    """The type behind an alias, resolved through aliases of aliases; any other type unchanged."""
    while isinstance(kind, _ALIASES) or isinstance(get_origin(kind), _ALIASES):
        kind = _aliased(kind)
    return kind


def _aliased(alias: Any) -> Any:
    if isinstance(alias, _ALIASES):
        return alias.__value__
    generic = get_origin(alias)
    arguments = dict(zip(generic.__type_params__, get_args(alias), strict=False))
    # A subscript fills parameters in the order of their appearance, which may differ from that of the declaration.
    return generic.__value__[tuple(arguments[parameter] for parameter in generic.__value__.__parameters__)]


def has_fields(kind: Any) -> bool:
    """Whether it is a pydantic model, a dataclass or a TypedDict: a class whose JSON is an object of its fields."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    kind = get_origin(kind) or kind
    if not isinstance(kind, type):
        return False
    is_model = issubclass(kind, BaseModel) and not issubclass(kind, RootModel)
    return is_model or is_dataclass(kind) or typing_extensions.is_typeddict(kind)


def dataclass_docstring(kind: Any) -> str | None:
    """The docstring of a dataclass, which older versions of pydantic leave out, unless Python made it up."""
    text = kind.__doc__ if isinstance(kind, type) and is_dataclass(kind) else None
    return inspect.cleandoc(text) if text and not text.startswith(f'{kind.__name__}(') else None


def name_of_type(kind: Any) -> str:
    """The type as one would write it, without modules: `Box`, `list[str]`, `int | None`."""
    if kind in (None, type(None)):
        return 'None'
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return name_of_type(args[0])
    if origin in _UNIONS:
        return ' | '.join(name_of_type(arg) for arg in args)
    if origin is Literal:
        return f'Literal[{", ".join(map(repr, args))}]'
    name = getattr(origin or kind, '__name__', None) or repr(kind).replace('typing.', '')
    if origin is None or not args:
        return name
    return f'{name}[{", ".join("..." if arg is Ellipsis else name_of_type(arg) for arg in args)}]'


def tool_suffix(kind: Any) -> str:
    """The type's name in the characters of a tool's name: `Box`, `list_str`, `dict_str_int`, `int_or_None`, `Literal`.

    Whatever is neither an ASCII letter, a digit, `_` nor `-` becomes one `_`.
    """
    name = 'Literal' if get_origin(kind) is Literal else name_of_type(kind).replace(' | ', '_or_')
    return re.sub(r'[^a-zA-Z0-9-]+', '_', name).strip('_') or 'result'


def first_line(error: BaseException) -> str:
    """The problem in pydantic's message, without its advice."""
    line = re.split(r'\n|\. Set ', str(error))[0].rstrip('.')
    return re.sub('; you should .*', ': a type that it names is not', line)

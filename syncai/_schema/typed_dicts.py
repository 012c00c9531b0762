"""`typing.TypedDict` for pydantic on Python 3.11, which takes only that of `typing_extensions` there."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin

import typing_extensions

__all__ = ['for_pydantic', 'keys_of']


def for_pydantic(kind: Any) -> Any:
    """`kind` with each `typing.TypedDict` that it consists of made again, so that pydantic takes it.

    Those within pydantic models and dataclasses stay: these classes belong to the user.
    """
    return kind if typing_extensions.TypedDict is typing.TypedDict else _rebuilt(kind, ())


def keys_of(typed_dict: Any) -> dict[str, tuple[Any, bool]]:
    """The keys of a TypedDict: the type of each, and whether it is required."""
    keys = {}
    for name, hint in typing.get_type_hints(typed_dict, include_extras=True).items():
        qualifier = get_origin(hint)
        if qualifier in (Required, NotRequired):
            keys[name] = get_args(hint)[0], qualifier is Required
        else:
            keys[name] = hint, name in typed_dict.__required_keys__
    return keys


def _rebuilt(kind: Any, within: tuple[Any, ...]) -> Any:
    if typing.is_typeddict(kind) and type(kind).__module__ == 'typing':
        return kind if kind in within else _typed_dict(kind, (*within, kind))
    args = get_args(kind)
    rebuilt = tuple(_rebuilt(arg, within) for arg in args)
    if all(new is old for new, old in zip(rebuilt, args, strict=True)):
        return kind
    origin = get_origin(kind)
    if origin is Annotated:
        return Annotated[rebuilt[0], *kind.__metadata__]
    if origin in (Union, types.UnionType):
        return Union[rebuilt]  # noqa: UP007 - as many as there are
    return kind.copy_with(rebuilt) if hasattr(kind, 'copy_with') else origin[rebuilt]


def _typed_dict(kind: Any, within: tuple[Any, ...]) -> Any:
    fields = {}
    for name, (hint, required) in keys_of(kind).items():
        rebuilt: Any = _rebuilt(hint, within)
        fields[name] = Required[rebuilt] if required else NotRequired[rebuilt]
    make: Any = typing_extensions.TypedDict
    typed_dict = make(kind.__name__, fields)
    typed_dict.__doc__, typed_dict.__module__ = kind.__doc__, kind.__module__
    if config := getattr(kind, '__pydantic_config__', None):
        typed_dict.__pydantic_config__ = config
    return typed_dict

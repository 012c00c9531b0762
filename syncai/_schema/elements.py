"""The elements of a list type, to be validated one by one."""

from __future__ import annotations

import collections
import collections.abc as abc
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter

from .python_types import resolved_alias
from .typed_dicts import for_pydantic

__all__ = ['element_adapter']

_LISTS = (
    list,
    set,
    frozenset,
    collections.deque,
    abc.Sequence,
    abc.MutableSequence,
    abc.Set,
    abc.MutableSet,
    abc.Collection,
    abc.Iterable,
)


def element_adapter(kind: Any) -> TypeAdapter[Any] | None:
    """The adapter of `T` where `kind` is `list[T]`, `Sequence[T]`, `tuple[T, ...]`, `set[T]` or the like, else None."""
    kind = resolved_alias(kind)
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        return element_adapter(args[0])
    if origin is tuple:
        same = len(args) == 2 and args[1] is Ellipsis
        return TypeAdapter(for_pydantic(args[0] if args else Any)) if same or not args else None
    return TypeAdapter(for_pydantic(args[0] if args else Any)) if origin in _LISTS else None

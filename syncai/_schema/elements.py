"""Results that are lists: how their elements are validated, and the whole made of them."""

from __future__ import annotations

import collections
import collections.abc as abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import TypeAdapter

from .python_types import resolved_alias
from .typed_dicts import for_pydantic

__all__ = ['elements_of', 'Elements']

# What pydantic makes of a JSON array for each type; None if that is nothing that could be made of the elements.
_LISTS: dict[Any, Callable[[list[Any]], Any] | None] = {
    list: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
    collections.deque: collections.deque,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Set: None,
    abc.MutableSet: None,
    abc.Collection: None,
    abc.Iterable: None,
}


@dataclass(frozen=True)
class Elements:
    """The elements of a list.

    Attributes:
        key: The key of the object in which the list is wrapped.
        adapter: Validates lists of them, the validators and limits of the list itself left out.
        collect: Makes the result of validated elements; None if the list has validators or limits.
    """

    key: str
    adapter: TypeAdapter[list[Any]]
    collect: Callable[[list[Any]], Any] | None


def elements_of(kind: Any, key: str) -> Elements | None:
    """Those of `list[T]`, `Sequence[T]`, `tuple[T, ...]`, `set[T]` or the like; None for any other type."""
    kind = resolved_alias(kind)
    origin, args = get_origin(kind) or kind, get_args(kind)
    if origin is Annotated:
        inner = elements_of(args[0], key)
        return Elements(key, inner.adapter, None) if inner else None
    if origin not in _LISTS or (origin is tuple and args and args[1:] != (Ellipsis,)):
        return None
    make_list: Any = list
    element = for_pydantic(args[0] if args else Any)
    return Elements(key, TypeAdapter(make_list[element]), _LISTS[origin])

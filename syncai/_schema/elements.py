"""Results that are lists: the validation of their elements, and the list made of them."""

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

# The value that pydantic makes of a JSON array, by type; None if it cannot be made from the elements.
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
        adapter: Validates lists of them, without the validators and limits of the list itself.
        collect: Makes the result of validated elements; None if the list has validators or limits.
    """

    key: str
    adapter: TypeAdapter[list[Any]]
    collect: Callable[[list[Any]], Any] | None


def elements_of(kind: Any, key: str) -> Elements | None:
    """The elements of `list[T]`, `Sequence[T]`, `tuple[T, ...]`, `set[T]` and similar types, or None."""
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

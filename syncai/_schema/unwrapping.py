"""A second attempt at arguments that did not fit: models wrap JSON in JSON text, as a whole or in single values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from .._base.tool_arguments import decoded_args
from .._base.values import to_json_str

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ['unwrapped']


def unwrapped(args: str, error: ValidationError) -> str | None:
    """The arguments with one layer of wrapping taken off, as JSON text; None if there is none.

    Args:
        args: The JSON text that did not fit.
        error: What was wrong with it.
    """
    try:
        value = decoded_args(args)
    except ValueError:
        return None
    changed = not _is_object(args)
    if not changed:
        for problem in error.errors(include_url=False, include_context=False):
            if problem['type'].endswith('_type') and (inner := _container_in(problem['input'])) is not None:
                changed = _replace(value, problem['loc'], problem['input'], inner) or changed
    return to_json_str(value) if changed else None


def _is_object(text: str) -> bool:
    try:
        return isinstance(from_json(text), dict)
    except (ValueError, TypeError):  # halves of surrogate pairs
        return False


def _container_in(value: object) -> Any:
    """The list or object whose JSON text a string is, or None."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ('[', '{'):
        return None
    try:
        return from_json(value)
    except (ValueError, TypeError):
        return None


def _replace(value: Any, loc: tuple[int | str, ...], wrapped: object, inner: Any) -> bool:
    """Replace `wrapped` by `inner`; names of union members at the end of `loc` are not steps of the path."""
    for step in loc:
        try:
            there = value[step]
        except (LookupError, TypeError):
            return False
        if there == wrapped:
            value[step] = inner
            return True
        value = there
    return False

"""The context of charges: the values of placeholders, and the budgets of the runs around a call."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..exceptions import UserError

if TYPE_CHECKING:
    from ._budget import Budget

__all__ = ['of_runs', 'shown', 'values']

values: ContextVar[Mapping[str, str]] = ContextVar('syncai_spending', default=MappingProxyType({}))
of_runs: ContextVar[tuple[Budget, ...]] = ContextVar('syncai_budgets_of_runs', default=())
"""The budgets of the runs and maps around the code, the outermost first."""


def shown(name: str, value: Any) -> str:
    """A value in the name of a budget, with special characters escaped.

    Raises:
        UserError: Its text differs between processes.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | uuid.UUID) or value == '':
        raise UserError(
            f'spending({name}=...) must be a str, an int or a UUID that is not empty, such as the primary key of a '
            f'record, not {value!r:.100}'
        )
    text = str(value)
    return text if text.isalnum() else ''.join(_written(character) for character in text)


def _written(character: str) -> str:
    return f'%{ord(character):02X}' if character in ':%{}|' or not character.isprintable() else character

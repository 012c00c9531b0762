"""The blocks that give the placeholders of budgets their values."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..exceptions import UserError
from ._budget import _in_force
from ._context import shown, values

__all__ = ['spending']


@contextmanager
def spending(**names: str | int | uuid.UUID) -> Iterator[None]:
    """A block whose calls count for the budgets with these values, such as `spending(user=42)` for `'user:{user}'`.

    Blocks add to each other, and the inner one wins. Calls in other threads count too if the thread has a copy of the
    context, as with `asyncio.to_thread` and the tools of agents.

    Args:
        names: The values of placeholders.

    Raises:
        UserError: A value is not a str, int or UUID, or is empty; or a name almost matches a placeholder.
    """
    _check_names(names)
    token = values.set({**values.get(), **{name: shown(name, value) for name, value in names.items()}})
    try:
        yield
    finally:
        values.reset(token)


def _check_names(names: Iterable[str]) -> None:
    """Raise UserError for a name that almost matches a placeholder."""
    placeholders = {name for one in list(_in_force.values()) for name in one.placeholders}
    for name in names:
        if name not in placeholders and (near := difflib.get_close_matches(name, placeholders, n=1, cutoff=0.75)):
            raise UserError(f'No budget has the placeholder {{{name}}}: did you mean spending({near[0]}=...)?')

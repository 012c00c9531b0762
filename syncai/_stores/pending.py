"""The last writes of stores when the loop ends, without importing any store."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ['at_end', 'write_what_is_left']

at_end: list[Callable[[], None]] = []
"""Called on the loop before it ends; stores add themselves when they are imported."""


async def write_what_is_left() -> None:
    """Have the stores write what is pending."""
    for write in at_end:
        write()

"""What stores still have to write when the loop ends; without them it imports none."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ['at_end', 'write_what_is_left']

at_end: list[Callable[[], None]] = []
"""Called on the loop in its last moments; added to where a store is imported."""


async def write_what_is_left() -> None:
    """Have the stores write what they have not."""
    for write in at_end:
        write()

"""The place of a part in a value, for errors; written only when an error is raised."""

from __future__ import annotations


class KeyPlace:
    """A name with the keys and indexes that lead on from it, such as `messages[2].parts[0]`."""

    __slots__ = ('_above', '_key')

    def __init__(self, key: str | int, above: KeyPlace | None = None) -> None:
        self._key = key
        self._above = above

    def at(self, key: str | int) -> KeyPlace:
        """A place in this one."""
        return KeyPlace(key, self)

    def __str__(self) -> str:
        if self._above is None:
            return str(self._key)
        return f'{self._above}[{self._key!r}]'

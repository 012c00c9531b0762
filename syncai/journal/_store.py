"""What a journal needs of the store that holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ._entries import Entry, Rule
from ._owners import Owner


class Desk(Protocol):
    """The owners and notes of a journal, while no other process changes them."""

    def owners(self) -> list[Owner]:
        """All that are registered."""
        ...

    def now(self) -> float:
        """The store's clock, in seconds."""
        ...

    def add(self, owner: Owner) -> None:
        """Register an owner, seen now."""
        ...

    def remove(self, ids: Sequence[str]) -> None:
        """Forget owners; what they have claimed is free."""
        ...

    def note(self, name: str) -> str | None:
        """The text that is kept under a name."""
        ...

    def set_note(self, name: str, text: str | None) -> None:
        """Keep a text under a name; None deletes it."""
        ...


class JournalStore(Protocol):
    """Holds the entries of one journal. Any thread may use it, and so may other processes at the same time.

    Every method raises `StoreError` where the store is lost, locked or full, and has changed nothing then.
    """

    def desk(self) -> AbstractContextManager[Desk]:
        """What one process at a time may change, all of it or nothing."""
        ...

    def find(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """The entries of those keys that have one."""
        ...

    def claim(self, keys: Sequence[str], owner: Owner, rule: Rule) -> Mapping[str, Entry | None]:
        """For each key: None if it is claimed now for the owner, else the entry that keeps it from that."""
        ...

    def release(self, owner: Owner) -> None:
        """Free all that the owner has claimed, and forget it."""
        ...

    def put(self, entries: Sequence[Entry], owner: Owner, rule: Rule) -> None:
        """Keep entries, under the first fingerprint of the rule. One that is done, and counts by it, stays as it is."""
        ...

    def beat(self, owner: Owner) -> None:
        """Say that the owner is alive."""
        ...

    def forget(self, keys: Sequence[str]) -> int:
        """Delete entries; returns how many there were."""
        ...

    def counts(self) -> Mapping[str, int]:
        """How many entries there are of each state."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All entries, read a few at a time."""
        ...

    def close(self) -> None:
        """Close connections that are idle."""
        ...

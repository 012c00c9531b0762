"""The interface of a journal's store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ._entries import Entry, Rule
from ._owners import Owner


class Desk(Protocol):
    """The owners and notes of a journal, while no other process changes them."""

    def owners(self) -> list[Owner]:
        """All registered owners."""
        ...

    def now(self) -> float:
        """The store's clock, in seconds."""
        ...

    def add(self, owner: Owner) -> None:
        """Register an owner, seen now."""
        ...

    def remove(self, ids: Sequence[str]) -> None:
        """Remove owners; their claims are free."""
        ...

    def note(self, name: str) -> str | None:
        """The text stored under a name."""
        ...

    def set_note(self, name: str, text: str | None) -> None:
        """Store a text under a name; None deletes it."""
        ...


class JournalStore(Protocol):
    """Holds the entries of one journal. Any thread may use it, and so may other processes at the same time.

    Every method raises `StoreError` if the store is lost, locked or full, and then changes nothing.
    """

    def desk(self) -> AbstractContextManager[Desk]:
        """The part that one process at a time may change, in one transaction."""
        ...

    def find(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """The entries of those keys that have one."""
        ...

    def claim(self, keys: Sequence[str], owner: Owner, rule: Rule) -> Mapping[str, Entry | None]:
        """For each key: None if it is claimed now for the owner, else the entry that prevents it."""
        ...

    def release(self, owner: Owner) -> None:
        """Release all of the owner's claims, and remove the owner."""
        ...

    def put(self, entries: Sequence[Entry], owner: Owner, rule: Rule) -> None:
        """Store entries, under the first fingerprint of the rule. A done entry that the rule accepts stays."""
        ...

    def beat(self, owner: Owner) -> None:
        """Write the owner's heartbeat."""
        ...

    def forget(self, keys: Sequence[str]) -> int:
        """Delete entries; returns their number."""
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

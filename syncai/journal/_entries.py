"""What a journal keeps of one row, as its stores hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal['claimed', 'sent', 'done', 'failed']
"""Of a row: a process works on it; a batch at the provider holds it; its result or its error is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a journal. Everything but names is JSON text, which any program can read.

    Attributes:
        key: The key of the row, as JSON.
        state: What became of it.
        data: The result, or None.
        error: Why it failed: an object of `class`, `message` and what else the error had; or None.
        messages: The messages of its run, without the history that it began with; or None.
        run: What else its result had, such as `usage`; or None.
        note: What a batch keeps of the row, such as the name of its job; or None.
        fingerprint: The digest of the `Fingerprint` of the run that made it.
        owner: Which map works on it, while it is claimed; or None.
    """

    key: str
    state: State
    data: str | None = None
    error: str | None = None
    messages: str | None = None
    run: str | None = None
    note: str | None = None
    fingerprint: str = ''
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which rows are over and done with, and which are to be worked on.

    Attributes:
        accepted: Digests of the fingerprints whose rows count; rows of others are made again.
        retry_failed: Whether a failed row is tried again.
    """

    accepted: tuple[str, ...]
    retry_failed: bool = True

    def settles(self, entry: Entry) -> bool:
        """Whether the row needs no further work."""
        if entry.fingerprint not in self.accepted or entry.state == 'claimed':
            return False
        return entry.state != 'failed' or not self.retry_failed

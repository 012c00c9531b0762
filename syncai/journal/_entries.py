"""The entry of a row in a journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal['claimed', 'sent', 'done', 'failed']
"""The state of a row: claimed by a process; sent in a batch; with a result; or with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a journal. Everything but names is JSON text, which any program can read.

    Attributes:
        key: The key of the row, as JSON.
        state: Its state.
        data: The result, or None.
        error: The error: an object of `class`, `message` and further attributes; or None.
        messages: The messages of its run, without the history that it began with; or None.
        run: Further data of the result, such as `usage`; or None.
        note: The data of a batch for the row, such as the name of its job; or None.
        fingerprint: The digest of the `Fingerprint` of the run that made it.
        owner: The map that works on it, while it is claimed; or None.
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
    """The rule for rows that need no further work.

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

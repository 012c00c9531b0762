"""Conversations in the memory of the process."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ..messages import ModelMessage
from ._store import checked_id, checked_limit, conflict

__all__ = ['MemoryStore']


class MemoryStore:
    """Keeps conversations as long as it lives itself; any number of threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Both owned by the lock. The tuples are replaced; the last one in the dict changed last.
        self._logs: dict[str, tuple[ModelMessage, ...]] = {}

    def load(self, id: str) -> tuple[list[ModelMessage], int]:  # noqa: A002
        """The messages of a conversation and its version; none and 0 if there is none."""
        log = self._logs.get(checked_id(id), ())
        return list(log), len(log)

    def append(self, id: str, version: int, messages: Sequence[ModelMessage]) -> int:  # noqa: A002
        """Add messages, and give the new version; `ConversationConflict` where the version is an old one."""
        with self._lock:
            log = self._logs.get(checked_id(id), ())
            if len(log) != version:
                raise conflict(id, version)
            if messages:
                self._logs.pop(id, None)
                self._logs[id] = (*log, *messages)
        return version + len(messages)

    def list(self, *, prefix: str = '', limit: int | None = None) -> list[str]:
        """The ids that begin with `prefix`, those that changed last first."""
        with self._lock:
            ids = [id for id in reversed(self._logs) if id.startswith(prefix)]  # noqa: A001
        return ids[: checked_limit(limit)]

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove a conversation; one that is not there is no error."""
        with self._lock:
            self._logs.pop(checked_id(id), None)

    def __repr__(self) -> str:
        return f'<MemoryStore with {len(self._logs)} conversations>'

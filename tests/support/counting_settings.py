"""Settings that count how often they are merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class CountingSettings(Mapping[str, Any]):
    """Settings that count how often all of them are read, as to merge them."""

    def __init__(self) -> None:
        self.merges = 0

    def keys(self) -> Any:
        """The names, for a merge."""
        self.merges += 1
        return {'max_tokens': 100}.keys()

    def __getitem__(self, name: str) -> Any:
        return {'max_tokens': 100}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(['max_tokens'])

    def __len__(self) -> int:
        return 1

"""How the tables came to be as they are."""

from __future__ import annotations

__all__: list[str] = []

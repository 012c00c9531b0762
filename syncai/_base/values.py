"""The base of all values of a conversation."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import UTC, datetime
from typing import Any


def now_utc() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(tz=UTC)


class Value:
    """The base of the dataclasses of a conversation: repr, equality and hash. The repr shows the fields that differ
    from their defaults, so a message reads like the code that makes it. A dataclass would generate these methods again
    for each class, which takes a third of the time to define one.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def _compared(self) -> tuple[Any, ...]:
        return tuple(getattr(self, f.name) for f in fields(self) if f.compare)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        names = (f.name for f in fields(self) if f.repr and not self._is_default(f))  # type: ignore[arg-type]
        return f'{type(self).__name__}({", ".join(f"{name}={getattr(self, name)!r}" for name in names)})'

    def _is_default(self, f: Any) -> bool:
        return f.default is not MISSING and getattr(self, f.name) == f.default


def to_json_str(value: Any, indent: int | None = None) -> str:
    """Any value that pydantic can write, as JSON text."""
    from pydantic_core import to_json

    return to_json(value, indent=indent).decode()

"""The common part of all rows of a journal: model, settings, instructions, tools and the form of results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._canonical import canonical_bytes

FORMAT = 1
"""The version of the content of entries; another version makes another fingerprint."""

_SHOWN = 60  # the most characters of a value in a change
_MOST = 12  # the most changes that are listed


@dataclass(frozen=True)
class Fingerprint:
    """Everything besides the prompts that answers depend on. Two are equal if their parts are.

    Args:
        parts: Each part by its name, such as `model` and `settings`, as values that JSON can hold.
    """

    parts: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the parts, in hexadecimal."""
        return hashlib.sha256(canonical_bytes({'format': FORMAT, **self.parts}, of='fingerprint')).hexdigest()

    def to_json(self) -> str:
        """The parts as JSON, for `from_json`."""
        return json.dumps({'format': FORMAT, **self.parts}, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Fingerprint:
        """The fingerprint that a journal holds."""
        parts = json.loads(text)
        return cls({name: part for name, part in parts.items() if name != 'format' or part != FORMAT})

    def changes_from(self, older: Fingerprint) -> list[str]:
        """The changes, one line each, such as `settings.temperature: 0.2, was 0`."""
        changes = list(_changes('', older.parts, self.parts))
        rest = len(changes) - _MOST
        return changes if rest <= 0 else [*changes[:_MOST], f'and {rest} more']


def _changes(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            inner = f'{path}.{name}' if path else str(name)
            if name not in after:
                yield f'{inner}: none, was {_shown(before[name])}'
            elif name not in before:
                yield f'{inner}: {_shown(after[name])}, was none'
            else:
                yield from _changes(inner, before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f'{path}[{number}]', old, new)
    else:
        begin = _first_difference(before, after)
        yield f'{path}: {_shown(after, begin)}, was {_shown(before, begin)}'


def _first_difference(before: Any, after: Any) -> int:
    """The position of the first difference of two long texts; 0 for other values."""
    if not isinstance(before, str) or not isinstance(after, str) or max(len(before), len(after)) <= _SHOWN:
        return 0
    same = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    return max(0, same - _SHOWN // 3)


def _shown(value: Any, begin: int = 0) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    part = text[begin : begin + _SHOWN]
    part = f'{"..." if begin else ""}{part}{"..." if begin + _SHOWN < len(text) else ""}'
    return repr(part) if isinstance(value, str) else part

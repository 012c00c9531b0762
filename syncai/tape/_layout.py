"""JSON text that is readable and has useful diffs: short values are on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_WIDTH = 110
_HALF_PAIR = re.compile('[\ud800-\udfff]')


def json_lines(value: Any) -> str:
    """The JSON of a value over several lines; half of a surrogate pair, which UTF-8 cannot hold, is an escape."""
    text = '\n'.join(_lines(value, ''))
    return _HALF_PAIR.sub(lambda half: f'\\u{ord(half[0]):04x}', text)


def _lines(value: Any, indent: str) -> Iterator[str]:
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or not value or len(indent) + len(line) <= _WIDTH:
        yield f'{indent}{line}'
        return
    brackets = '{}' if isinstance(value, dict) else '[]'
    yield f'{indent}{brackets[0]}'
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    for number, (key, item) in enumerate(items, start=1):
        first, *rest = _lines(item, f'{indent}  ')
        if isinstance(value, dict):
            first = f'{indent}  {json.dumps(key, ensure_ascii=False)}: {first.lstrip(" ")}'
        *lines, last = [first, *rest]
        yield from lines
        yield f'{last},' if number < len(items) else last
    yield f'{indent}{brackets[1]}'

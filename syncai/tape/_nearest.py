"""The difference between a request and the nearest recorded one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, unified_diff
from typing import Any

from ._layout import json_lines

_MOST_COMPARED = 300
_MOST_LINES = 60


def difference(request: dict[str, Any], recorded: Iterable[dict[str, Any]]) -> str:
    """The lines that differ between a request and the nearest of those recorded; empty if there are none."""
    text = json_lines(request)
    others = [json_lines(form) for form in list(recorded)[-_MOST_COMPARED:]]
    if not others:
        return ''
    lines = text.splitlines()
    nearest = max(others, key=lambda other: _likeness(lines, text, other))
    diff = list(unified_diff(_split(nearest), _split(text), 'recorded', 'asked', lineterm='', n=2))
    left_out = len(diff) - _MOST_LINES
    return '\n'.join([*diff[:_MOST_LINES], *([f'... {left_out} more lines'] if left_out > 0 else [])])


def _split(text: str) -> list[str]:
    """The lines, with multi-line texts split, so that only the changed lines of a long prompt are shown."""
    return text.replace('\\n', '\\n\n      ').splitlines()


def _likeness(lines: list[str], text: str, other: str) -> tuple[float, float]:
    whole = SequenceMatcher(None, other.splitlines(), lines, autojunk=False).ratio()
    return whole, SequenceMatcher(None, other, text, autojunk=False).quick_ratio()

"""The remaining quotas in the headers of providers; pure.

`x-ratelimit-remaining-requests` with `x-ratelimit-reset-requests` as durations (`6m0s`, `12ms`; OpenAI, Azure, Groq) or
seconds (Cerebras), the same without a kind and with a time since 1970 (OpenRouter), and
`anthropic-ratelimit-requests-remaining` with `-reset` as a date: https://platform.openai.com/docs/guides/rate-limits,
https://platform.claude.com/docs/en/api/rate-limits.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime

__all__ = ['exhausted_for']

_REMAINING = re.compile(r'(x-ratelimit-remaining(?P<kind>-[\w-]+)?|anthropic-ratelimit-(?P<named>[\w-]+)-remaining)')
_DURATION = re.compile(r'(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?')
_MILLISECONDS = re.compile(r'(\d+(?:\.\d+)?)ms')
_SECONDS = (86400.0, 3600.0, 60.0, 1.0)


def exhausted_for(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds until every exhausted quota is filled again, or None if no quota is exhausted.

    Args:
        headers: By their names in lower case.
        now: The time in seconds since 1970.
    """
    waits = []
    for name, value in headers.items():
        match = _REMAINING.fullmatch(name) if 'ratelimit' in name else None
        if match is not None and value.strip() in ('0', '0.0'):
            quota = match['named']
            reset = f'anthropic-ratelimit-{quota}-reset' if quota else f'x-ratelimit-reset{match["kind"] or ""}'
            waits.append(_seconds(headers.get(reset, ''), time.time() if now is None else now))
    return max((wait for wait in waits if wait is not None), default=None)


def _seconds(text: str, now: float) -> float | None:
    """A number of seconds, a duration, or the time until a date or until a number of (milli)seconds after 1970."""
    text = text.strip().lower()
    if match := _MILLISECONDS.fullmatch(text):
        return float(match[1]) / 1000
    if text and (match := _DURATION.fullmatch(text)):
        return sum(float(part) * unit for part, unit in zip(match.groups(), _SECONDS, strict=True) if part)
    try:
        number = float(text)
    except ValueError:
        return _until_date(text, now)
    if number >= 1e9:
        number = (number / 1000 if number >= 1e11 else number) - now
    return max(0.0, number) if number < float('inf') else None


def _until_date(text: str, now: float) -> float | None:
    try:
        date = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return max(0.0, date.timestamp() - now) if date.tzinfo else None

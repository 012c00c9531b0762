"""The age of the data about providers. Nothing is fetched: a person compares, and writes the day down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from urllib.parse import urlsplit

import pytest

from syncai.models._catalog.providers import PROVIDERS
from syncai.models._catalog.refresh_days import REFRESHED

SIX_MONTHS = timedelta(days=183)


def stale(refreshed: Mapping[str, tuple[str, str]], today: date) -> list[str]:
    """The providers whose rows are older than six months, each with its day and its page."""
    rows = ((name, date.fromisoformat(day), page) for name, (day, page) in refreshed.items())
    return [f'{name}: {day}, {page}' for name, day, page in rows if today - day > SIX_MONTHS]


def test_rows_older_than_six_months_are_reported() -> None:
    """In the summary of the tests; an error before a release, which runs this with `--runxfail`."""
    rows = stale(REFRESHED, date.today())
    report = 'Older than six months, refresh them as CONTRIBUTING.md says:\n' + '\n'.join(rows)
    if rows:
        pytest.xfail(report)
    assert not rows, report


def test_what_is_reported() -> None:
    rows = {'a': ('2026-01-10', 'https://a.example'), 'b': ('2026-03-01', 'https://b.example')}
    assert stale(rows, date(2026, 7, 12)) == []
    assert stale(rows, date(2026, 7, 13)) == ['a: 2026-01-10, https://a.example']
    assert len(stale(rows, date(2027, 1, 1))) == 2


def test_every_provider_has_a_day_and_a_page() -> None:
    assert [*REFRESHED] == [*PROVIDERS], 'models/_catalog/refresh_days has a day and a page for each row, in order'
    for _, page in REFRESHED.values():
        assert (urlsplit(page).scheme, bool(urlsplit(page).hostname)) == ('https', True)

"""The windows in which an account counts: a minute, a day in a named zone, or forever; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from ..exceptions import UserError

__all__ = ['FOREVER', 'Period', 'period_of', 'Window']

Window = tuple[int, int | None]
"""Its beginning and end in seconds since 1970; a window without an end begins at 0."""

_SECONDS = {'minute': 60, 'hour': 3600}
_DATES = ('day', 'week', 'month', 'year')


@dataclass(frozen=True)
class Period:
    """A division of time into windows.

    Args:
        name: `day`, `week`, `month`, `year` of the zone, a length such as `3600s`, or `ever`.
        zone: Where the days begin.
        seconds: The length of windows other than dates, counted from 1970 in UTC.
    """

    name: str
    zone: tzinfo = UTC
    seconds: int | None = None

    @property
    def key(self) -> str:
        """A text that distinguishes its windows from those of other periods."""
        return self.name if self.zone is UTC or self.name not in _DATES else f'{self.name}@{self.zone}'

    def window(self, now: float) -> Window:
        """The window that contains a time."""
        if self.name in _DATES:
            first, following = _dates(self.name, datetime.fromtimestamp(now, self.zone).date())
            return self._midnight(first), self._midnight(following)
        if self.seconds is None:
            return 0, None
        begins = int(now // self.seconds) * self.seconds
        return begins, begins + self.seconds

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())


FOREVER = Period('ever')


def period_of(per: Any, zone: Any) -> Period:
    """The period for the arguments of a program.

    Args:
        per: `'minute'`, `'hour'`, `'day'`, `'week'` (from Monday), `'month'`, `'year'`, a `timedelta` of whole seconds,
            or None forever.
        zone: A `tzinfo`, or the name of one such as `'Europe/Berlin'`.

    Raises:
        UserError: It is none of these.
    """
    where = _zone(zone)
    if per is None:
        return FOREVER
    if isinstance(per, str) and per in _DATES:
        return Period(per, where)
    seconds = _SECONDS.get(per) if isinstance(per, str) else None
    if isinstance(per, timedelta) and per >= timedelta(seconds=1) and not per % timedelta(seconds=1):
        seconds = per // timedelta(seconds=1)
    if seconds is None:
        raise UserError(
            "per must be 'minute', 'hour', 'day', 'week', 'month', 'year', a timedelta of whole seconds, or None for "
            f'ever, not {per!r:.100}'
        )
    return Period(f'{seconds}s', UTC, seconds)


def _dates(name: str, day: date) -> tuple[date, date]:
    """The first day of the window, and that of the next."""
    match name:
        case 'day':
            return day, day + timedelta(days=1)
        case 'week':
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case 'month':
            first = day.replace(day=1)
            return first, (first + timedelta(days=31)).replace(day=1)
        case 'year':
            return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
        case _:
            raise AssertionError(name)


def _zone(zone: Any) -> tzinfo:
    if isinstance(zone, tzinfo):
        return zone
    if zone == 'UTC':
        return UTC
    if isinstance(zone, str):
        from zoneinfo import ZoneInfo

        try:
            return ZoneInfo(zone)
        except (ValueError, OSError, KeyError):  # a KeyError is raised for an unknown zone
            pass
    raise UserError(f"zone must be the name of a time zone such as 'Europe/Berlin', or a tzinfo, not {zone!r:.100}")

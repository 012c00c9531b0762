"""A bound on what is used in any minute: a sliding window; pure."""

from __future__ import annotations

import math
from collections import deque

__all__ = ['Share', 'Window']


class Share:
    """A part of a window's amount, for one request."""

    __slots__ = ('amount', 'begun')

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self.begun: float | None = None  # when it was used; None while it is only reserved


class Window:
    """At most `most` in any `seconds`; what is reserved counts until it is used, and for `seconds` from then on.

    More than that at once is let through when nothing else is in the window: it would wait forever.

    Args:
        most: The amount.
        seconds: The length of the window.
    """

    def __init__(self, most: int, seconds: float = 60.0) -> None:
        self.most = most
        self._seconds = seconds
        self._used: deque[Share] = deque()  # in the order of their times
        self._sum = 0  # of what is used or reserved
        self._reserved = 0  # shares

    def wait(self, amount: int, now: float) -> float:
        """Seconds until `amount` fits: 0.0 for now, infinite while others that are only reserved are in the way."""
        self._forget(now)
        too_much = self._sum + amount - self.most
        if too_much <= 0 or not self._sum:
            return 0.0
        left = self._sum
        for share in self._used:
            left -= share.amount
            too_much -= share.amount
            if too_much <= 0 or (not left and not self._reserved):
                return max(0.0, self._end(share) - now)
        return math.inf

    def is_used(self, now: float) -> bool:
        """Whether anything counts, or is reserved."""
        self._forget(now)
        return bool(self._used or self._reserved)

    def reserve(self, amount: int) -> Share:
        """A share that counts from now on."""
        self._sum += amount
        self._reserved += 1
        return Share(amount)

    def begin(self, share: Share, now: float) -> None:
        """The share is used now."""
        self._reserved -= 1
        share.begun = now
        self._used.append(share)

    def settle(self, share: Share, amount: int) -> None:
        """Replace the estimate of the share by what was used."""
        if share.begun is None or (self._used and share.begun >= (self._used[0].begun or 0.0)):
            self._sum += amount - share.amount
            share.amount = amount

    def give_back(self, share: Share) -> None:
        """A share that was reserved will not be used."""
        self._reserved -= 1
        self._sum -= share.amount

    def _forget(self, now: float) -> None:
        while self._used and self._end(self._used[0]) <= now:
            self._sum -= self._used.popleft().amount

    def _end(self, share: Share) -> float:
        assert share.begun is not None
        return share.begun + self._seconds

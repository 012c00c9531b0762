"""A sliding window: a bound on the amount used in any minute; pure."""

from __future__ import annotations

import math
from collections import deque

__all__ = ['Share', 'Window']


class Share:
    """A part of a window's amount, for one request."""

    __slots__ = ('amount', 'counts_from')

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self.counts_from: float | None = None  # when it was used; None while it is only reserved


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
        self._shares: deque[Share] = deque()  # in the order of their times
        self._sum = 0  # of what is used or reserved
        self._reserved = 0  # shares

    def wait(self, amount: int, now: float) -> float:
        """Seconds until `amount` fits: 0.0 for now, infinite while others that are only reserved are in the way."""
        self._forget(now)
        too_much = self._sum + amount - self.most
        if too_much <= 0 or not self._sum:
            return 0.0
        total = self._sum
        for share in self._shares:
            total -= share.amount
            too_much -= share.amount
            if too_much <= 0 or (not total and not self._reserved):
                return max(0.0, self._end(share) - now)
        return math.inf

    def is_used(self, now: float) -> bool:
        """Whether anything counts, or is reserved."""
        self._forget(now)
        return bool(self._shares or self._reserved)

    def reserve(self, amount: int) -> Share:
        """A share that counts from now on."""
        self._sum += amount
        self._reserved += 1
        return Share(amount)

    def begin(self, share: Share, now: float) -> None:
        """Count the share from now on."""
        self._reserved -= 1
        share.counts_from = now
        self._shares.append(share)

    def settle(self, share: Share, amount: int) -> None:
        """Replace the estimate of the share by what was used."""
        if share.counts_from is None or (self._shares and share.counts_from >= (self._shares[0].counts_from or 0.0)):
            self._sum += amount - share.amount
            share.amount = amount

    def give_back(self, share: Share) -> None:
        """Release a reserved share that will not be used."""
        self._reserved -= 1
        self._sum -= share.amount

    def _forget(self, now: float) -> None:
        while self._shares and self._end(self._shares[0]) <= now:
            self._sum -= self._shares.popleft().amount

    def _end(self, share: Share) -> float:
        assert share.counts_from is not None
        return share.counts_from + self._seconds

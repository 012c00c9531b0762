"""The limits of a fleet: the requests of all processes with one store to a provider."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from .._base.phases import names_wait, phase
from .._stores.ledger import Claim, Hold, Refusal
from .._stores.teller import LEASE, Teller, teller_of
from ..exceptions import StoreError
from .payers import lasting_keys

if TYPE_CHECKING:
    from ..limits import ProviderLimits
    from .request import HttpRequest

__all__ = ['enter_fleet', 'FleetPlace']

_MINUTE = 60.0
_LEAST_WAIT, _LONGEST_WAIT = 0.01, 1.0  # seconds between checks for room


async def enter_fleet(name: str | None, limits: ProviderLimits, request: HttpRequest) -> FleetPlace:
    """The place of a request; waits until there is room among all processes.

    Raises:
        StoreError: The store is unavailable, and `on_store_error` is `closed`.
        UserError: It cannot be such a store at all.
    """
    assert limits.store is not None
    place = FleetPlace(teller_of(limits.store))
    try:
        with phase('rate limit'):
            while (refusal := await _take(place, name, limits, request)) is not None:
                wait = _LONGEST_WAIT if refusal.frees_in is None else refusal.frees_in
                await place.teller.freed(min(max(wait, _LEAST_WAIT), _LONGEST_WAIT))
    except StoreError:
        if limits.on_store_error == 'closed':
            raise
    return place


@names_wait('its turn under the limits of `syncai.limits` for a fleet')
async def _take(place: FleetPlace, name: str | None, limits: ProviderLimits, request: HttpRequest) -> Refusal | None:
    """Hold everything that a request needs; or hold nothing and return the obstacle."""
    try:
        for kind, claim in _claims(name, limits, request):
            outcome = await place.teller.reserve(claim)
            if isinstance(outcome, Refusal):
                place.leave()
                return outcome
            place.add(kind, outcome, claim.limit)
    except BaseException:
        place.leave()
        raise
    return None


def _claims(name: str | None, limits: ProviderLimits, request: HttpRequest) -> Iterator[tuple[str, Claim]]:
    """A request and its tokens count for a minute; its concurrency slot while it is under way."""
    account = f'limit:{name or "all"}:{_payer(request) if name else ""}'
    rows = (
        ('turn', limits.max_concurrency, 1, LEASE),
        ('requests', limits.requests_per_minute, 1, _MINUTE),
        ('tokens', limits.tokens_per_minute, request.tokens, _MINUTE),
    )
    for kind, most, amount, lease in rows:
        if most is not None:
            yield kind, Claim(f'{account}:{kind}', most, min(amount, most), uuid.uuid4().hex, lease)


def _payer(request: HttpRequest) -> str:
    """A hash that is equal in all processes for a key, and does not reveal the key."""
    return sha256(repr((request.host, *lasting_keys(request))).encode()).hexdigest()[:24]


class FleetPlace:
    """The holds of one attempt in the limits of a fleet; used on the loop thread only."""

    def __init__(self, teller: Teller) -> None:
        self.teller = teller
        self._holds: dict[str, tuple[Hold, int]] = {}
        self._begun = False

    def add(self, kind: str, hold: Hold, most: int) -> None:
        """Keep a hold; the hold of a slot is renewed while the request is under way."""
        self._holds[kind] = hold, most
        if kind != 'turn':
            self.teller.let_end(hold)

    def begin(self) -> None:
        """Begin the time of the request: it is sent now."""
        self._begun = True

    def settle(self, tokens: int) -> None:
        """Count the tokens that were used."""
        if 'tokens' in self._holds:
            hold, most = self._holds['tokens']
            self.teller.resize(hold, min(tokens, most))

    def leave(self) -> None:
        """End the request; one that was never sent counts nothing."""
        turn = self._holds.pop('turn', None)
        if turn is not None:
            self.teller.cancel(turn[0])
        if not self._begun:
            for hold, _ in self._holds.values():
                self.teller.cancel(hold)
            self._holds.clear()

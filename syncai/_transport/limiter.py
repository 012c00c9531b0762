"""The queue of requests under limits of a provider or the whole process. Libraries for this lack what is needed: a fair
queue that can be left at any time, limits of tokens that are only known afterwards, and pauses that a provider
requests.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING

from .._base.phases import names_wait, phase
from .._base.system import warn_in_log
from ..limits import ProviderLimits, limits_in_force, quota_of
from .payers import payer_of
from .retry import spread
from .window import Share, Window

if TYPE_CHECKING:
    from ..settings import HttpOptions
    from .fleet import FleetPlace
    from .request import HttpRequest

__all__ = ['Permit', 'permitted']

_MINUTE = 60.0
_LOOK_SECONDS = 1.0
"""Seconds between a waiting request's checks for changed limits."""
_NO_LIMITS = ProviderLimits()
_FEW_GATES = 32  # gates that are kept without a check for idle ones


async def permitted(request: HttpRequest, options: HttpOptions) -> Permit:
    """The permit to send a request, after all limits let it pass; it must be closed."""
    permit = Permit(options.max_retry_wait)
    try:
        for gate in _gates_of(request):
            permit.add(await gate.enter(request.tokens, keeps_pauses=options.max_retries > 0))
            if gate.limits is not None and gate.limits.store is not None:
                from .fleet import enter_fleet

                permit.add(await enter_fleet(gate.name, gate.limits, request))
    except BaseException:
        permit.close()
        raise
    return permit


class Permit:
    """The places of one attempt in the limits; used on the loop thread only."""

    def __init__(self, longest_pause: float) -> None:
        self._places: list[_Place | FleetPlace] = []
        self._longest_pause = longest_pause

    def add(self, place: _Place | FleetPlace) -> None:
        """Add a place at a gate."""
        self._places.append(place)

    def begin(self) -> None:
        """Begin the time of the request: its head is written now."""
        for place in self._places:
            place.begin()

    def pause(self, pause: float | None) -> None:
        """Have the other requests to the provider wait for `pause` seconds, unless that is beyond the longest wait."""
        if self._places and pause and pause <= self._longest_pause:
            first = self._places[0]  # of this process; the limits of a fleet follow
            assert isinstance(first, _Place)
            first.gate.pause(spread(pause))  # of the model, if that is limited, as most quotas are

    def settle(self, tokens: int) -> None:
        """Replace the estimate by the number of tokens that were used."""
        for place in self._places:
            place.settle(tokens)

    def close(self) -> None:
        """End the place: the answer was read, or is not needed any more. Closing twice has no effect."""
        for place in self._places:
            place.leave()


class _Place:
    """The place of one request at one gate."""

    def __init__(self, gate: _Gate, tokens: int) -> None:
        self.gate = gate
        self._request = (gate.requests, gate.requests.reserve(1)) if gate.requests else None
        self._tokens = (gate.tokens, gate.tokens.reserve(tokens)) if gate.tokens else None
        self._begun = self._left = False

    def begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        for window, share in self._shares():
            window.begin(share, monotonic())
        self.gate.admit()  # the wait of the following requests is only known now

    def settle(self, tokens: int) -> None:
        if self._tokens is not None:
            window, share = self._tokens
            window.settle(share, tokens)
            self.gate.admit()

    def leave(self) -> None:
        if self._left:
            return
        self._left = True
        self.gate.running -= 1
        if not self._begun:
            for window, share in self._shares():
                window.give_back(share)
        self.gate.admit()

    def _shares(self) -> list[tuple[Window, Share]]:
        return [one for one in (self._request, self._tokens) if one is not None]


class _Waiter:
    def __init__(self, tokens: int, keeps_pauses: bool) -> None:
        self.tokens, self.keeps_pauses = tokens, keeps_pauses
        self.place: asyncio.Future[_Place] = asyncio.get_running_loop().create_future()


class _Gate:
    """The limits of a model or provider for one key, or the process, and what waits for them; the loop thread's own."""

    def __init__(self, name: str | None, limits: ProviderLimits) -> None:
        self.name = name
        self._waiting: OrderedDict[int, _Waiter] = OrderedDict()  # in the order in which they came
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = 0.0
        self._warned_of_waiting = False
        self.running = 0
        self.requests: Window | None = None
        self.tokens: Window | None = None
        self.limits: ProviderLimits | None = None
        self.adopt(limits)

    def adopt(self, limits: ProviderLimits) -> None:
        """Apply these limits from now on; the usage of this minute still counts."""
        if limits is self.limits:
            return
        self.limits = limits
        self.requests = _window(self.requests, limits.requests_per_minute)
        self.tokens = _window(self.tokens, limits.tokens_per_minute)
        self.admit()

    def pause(self, seconds: float) -> None:
        """Stop requests for that time, except those that do not wait for pauses."""
        until = monotonic() + seconds
        if self.name is None or until <= self._paused_until:
            return
        if self._paused_until < monotonic():
            warn_in_log('%s asks for a pause of %.1f s: its requests wait', self.name, seconds)
        self._paused_until = until

    @names_wait('its turn under the limits of `syncai.limits`')
    async def enter(self, tokens: int, *, keeps_pauses: bool) -> _Place:
        """A place, in the order in which requests come."""
        waiter = _Waiter(tokens, keeps_pauses)
        self._waiting[id(waiter)] = waiter
        self.admit()
        if waiter.place.done():
            return waiter.place.result()
        self._tell_of_waiting()
        try:
            with phase('concurrency limit' if self._is_full() else 'rate limit'):
                return await waiter.place
        except BaseException:
            if waiter.place.done() and not waiter.place.cancelled():
                waiter.place.result().leave()  # cancelled at the moment of its turn
            self._waiting.pop(id(waiter), None)
            self.admit()
            raise

    def is_idle(self, now: float) -> bool:
        """Whether nothing is under way, waits or counts, so that a new gate would act the same."""
        counts = any(window.is_used(now) for window in (self.requests, self.tokens) if window)
        return not (self.running or self._waiting or counts or now < self._paused_until)

    def admit(self) -> None:
        """Let the allowed requests pass, in order, and schedule a check for the next change by time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while (waiter := self._first()) is not None:
            if (wait := self._wait(waiter.tokens)) > 0.0:
                break
            del self._waiting[id(waiter)]
            waiter.place.set_result(self._take(waiter.tokens))
        else:
            wait = math.inf
        paused = self._paused_until - monotonic()
        wait = min(wait, paused if paused > 0.0 else wait)
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(min(wait, _LOOK_SECONDS), self._look)

    def _look(self) -> None:
        """Apply the current limits: any thread may change them, without access to the waiting requests."""
        limits = limits_in_force.get(self.name, _NO_LIMITS)
        if limits is self.limits:
            self.admit()
        else:
            self.adopt(limits)

    def _first(self) -> _Waiter | None:
        paused = monotonic() < self._paused_until
        able = (one for one in self._waiting.values() if not (paused and one.keeps_pauses))
        return next((one for one in able if not one.place.done()), None)  # except those that were just cancelled

    def _is_full(self) -> bool:
        most = self.limits.max_concurrency if self.limits else None
        return most is not None and self.running >= most

    def _wait(self, tokens: int) -> float:
        if self._is_full():
            return math.inf  # until a request leaves
        now = monotonic()
        waits = ((self.requests, 1), (self.tokens, tokens))
        return max(window.wait(amount, now) if window else 0.0 for window, amount in waits)

    def _take(self, tokens: int) -> _Place:
        self.running += 1
        return _Place(self, tokens)

    def _tell_of_waiting(self) -> None:
        if not self._warned_of_waiting and monotonic() >= self._paused_until:
            self._warned_of_waiting = True
            warn_in_log('The limits of %s are reached: requests wait (%r)', self.name or 'this process', self.limits)


def _window(window: Window | None, most: int | None) -> Window | None:
    if most is None:
        return None
    if window is None:
        return Window(most, _MINUTE)
    window.most = most
    return window


class _Gates(dict[tuple[str | None, int], _Gate]):
    """The gates of a loop. Idle ones are dropped when there are many, such as one for each user's key."""

    def __init__(self) -> None:
        self._most = _FEW_GATES

    def __missing__(self, key: tuple[str | None, int]) -> _Gate:
        if len(self) >= self._most:
            now = monotonic()
            for other in [other for other, gate in self.items() if gate.is_idle(now)]:
                del self[other]
            self._most = max(_FEW_GATES, 2 * len(self))  # so that the check of all of them stays cheap
        gate = self[key] = _Gate(key[0], limits_in_force.get(key[0], _NO_LIMITS))
        return gate


_gates: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Gates] = (
    weakref.WeakKeyDictionary()
)  # each entry belongs to the thread of its loop: a forked process, whose loop is another, begins with none


def _gates_of(request: HttpRequest) -> Iterator[_Gate]:
    """The gates of the model, its provider and the process, if limited, in this order."""
    gates = _gates.setdefault(asyncio.get_running_loop(), _Gates())
    provider, model = quota_of(request.provider or ''), request.model_name
    for name in (f'{provider}:{model}', model, provider, None):
        limits = limits_in_force.get(name)
        if limits is None:
            continue
        gate = gates[name, payer_of(request) if name else 0]
        gate.adopt(limits)
        yield gate

"""Accounts in a cache of Django. Needs Django."""

from __future__ import annotations

import contextlib
import json
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from ..exceptions import StoreError, UserError
from .ledger import Claim, Hold, Ledger, Refusal, State
from .periods import Period

__all__ = ['DjangoCache']

_KEPT = 24 * 3600  # seconds that an account is kept after the end of its window
_LOCK_SECONDS = 10.0  # seconds after which the lock of a dead process is free
_PAUSES = (0.001, 0.02)  # the first and the longest pause in seconds between attempts at a taken lock
_WRITE_PAUSES = (0.001, 0.01, 0.03, 0.1, 0.3)  # seconds between attempts to write
_SETTLED = 100  # the number of settled holds that an account remembers, so that none counts twice
_ALONE = ('locmem.LocMemCache', 'dummy.DummyCache', 'filebased.FileBasedCache')


class DjangoCache(Ledger):
    """Budgets and limits in a cache of Django: as shared and as durable as that cache, by the clock of each machine.
    The only atomic step of a cache is `add`. It is used as a lock for reading and writing an account.

    Args:
        alias: The name of the cache in `CACHES`: Redis, Memcached or a database table. What it evicts is forgotten.
        allow_local: Whether the cache may be one that each process has for itself, as in tests.

    Raises:
        UserError: Django is missing.
    """

    def __init__(self, alias: str = 'default', *, allow_local: bool = False) -> None:
        try:
            import django.core.cache  # noqa: F401
        except ImportError:
            raise UserError("DjangoCache needs Django: pip install 'syncai-client[django]'") from None
        self._alias = alias
        self._allow_local = allow_local

    def reserve(self, claim: Claim) -> Hold | Refusal:
        """Hold an amount; the check whether it fits and the hold are one step."""
        starts, ends = claim.period.window(time.time())
        with self._account((claim.name, starts), ends) as account:
            now = time.time()
            spent, held = account['spent'], sum(amount for amount, _ in account['holds'].values())
            if claim.id not in account['holds']:
                if spent + held + claim.amount > claim.limit:
                    first = min((end for _, end in account['holds'].values()), default=None)
                    return Refusal(spent, held, ends, None if first is None else first - now)
                account['holds'][claim.id] = claim.amount, now + claim.lease
        return Hold(claim.name, starts, ends, claim.id, claim.amount)

    def settle(self, hold: Hold, amount: int) -> None:
        """End a hold, and count `amount` as spent in its window."""
        with self._account(hold.account, hold.ends) as account:
            account['holds'].pop(hold.id, None)
            if hold.id not in account['settled']:  # otherwise it was counted, and the cache failed afterwards
                account['spent'] += amount
                account['settled'] = [*account['settled'][1 - _SETTLED :], hold.id]

    def cancel(self, hold: Hold) -> None:
        """End a hold without spending."""
        with self._account(hold.account, hold.ends) as account:
            account['holds'].pop(hold.id, None)

    def resize(self, hold: Hold, amount: int) -> None:
        """Change the amount of a hold; its end stays."""
        with self._account(hold.account, hold.ends) as account:
            if hold.id in account['holds']:
                account['holds'][hold.id] = amount, account['holds'][hold.id][1]

    def renew(self, holds: Sequence[Hold], lease: float) -> None:
        """Extend active holds to `lease` seconds from now."""
        for one in {hold.account: hold for hold in holds}.values():
            with self._account(one.account, one.ends) as account:
                for hold in holds:
                    if hold.account == one.account and hold.id in account['holds']:
                        account['holds'][hold.id] = account['holds'][hold.id][0], time.time() + lease

    def state(self, name: str, period: Period) -> State:
        """The spent and held amounts of an account now."""
        starts, ends = period.window(time.time())
        with _failures(self):
            account = _read(self._cache().get(_key((name, starts))))
        return State(account['spent'], sum(amount for amount, _ in account['holds'].values()), ends)

    @contextlib.contextmanager
    def _account(self, name: tuple[str, int], ends: int | None) -> Iterator[dict[str, Any]]:
        """A locked account, which is written at the end of the block."""
        cache, key = self._cache(), _key(name)
        with _failures(self), _locked(cache, f'{key}:lock', self):
            text = cache.get(key)
            account = _read(text)
            yield account
            new_text = json.dumps(account)
            if new_text != text:
                self._write(cache, key, new_text, None if ends is None else max(0.0, ends - time.time()) + _KEPT)

    def _write(self, cache: Any, key: str, text: str, seconds: float | None) -> None:
        """Write, and try again while a table is locked: caches of Django drop what they cannot write."""
        for pause in (*_WRITE_PAUSES, None):
            cache.set(key, text, seconds)
            if cache.get(key) == text:
                return
            if pause is not None:
                time.sleep(pause)
        raise StoreError(f'{self} did not keep what was written to it: is it full, or switched off?')

    def _cache(self) -> Any:
        from django.core.cache import InvalidCacheBackendError, caches

        try:
            cache = caches[self._alias]
        except InvalidCacheBackendError as error:
            raise UserError(f'{self}: {error}') from None
        kind = f'{type(cache).__module__.rpartition(".")[2]}.{type(cache).__name__}'
        if kind in _ALONE and not (self._allow_local and 'dummy' not in kind):
            raise UserError(
                f'The cache {self._alias!r} is a {type(cache).__name__}, which processes cannot share safely: name one '
                'in Redis, Memcached or the database, or use SQLite(path) or Redis(url)'
            )
        return cache

    def __repr__(self) -> str:
        return f'DjangoCache({self._alias!r})'


def _key(account: tuple[str, int]) -> str:
    """A key that every cache accepts: Memcached allows at most 250 characters, and no spaces."""
    return f'syncai:{sha256(repr(account).encode()).hexdigest()}'


def _read(text: object) -> dict[str, Any]:
    account: dict[str, Any] = {'spent': 0, 'holds': {}, 'settled': []}
    account |= json.loads(text) if isinstance(text, str) else {}
    now = time.time()
    account['holds'] = {one: (amount, end) for one, (amount, end) in account['holds'].items() if end > now}
    return account


@contextlib.contextmanager
def _locked(cache: Any, key: str, store: object) -> Iterator[None]:
    """A lock for all processes that use the cache. The block must take far less time than the lock lasts."""
    token, pause, deadline = uuid.uuid4().hex, _PAUSES[0], time.monotonic() + _LOCK_SECONDS
    while not cache.add(key, token, _LOCK_SECONDS):
        if time.monotonic() > deadline:
            raise StoreError(f'{store} was locked by another process for {_LOCK_SECONDS:g} s: does it keep values?')
        time.sleep(pause * (0.5 + random.random()))  # noqa: S311
        pause = min(pause * 1.5, _PAUSES[1])
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # the work of the block is done, and the lock ends by itself
            if cache.get(key) == token:
                cache.delete(key)


@contextlib.contextmanager
def _failures(store: object) -> Iterator[None]:
    """Turn the errors of a backend's library into errors that say what to do."""
    try:
        yield
    except (StoreError, UserError):
        raise
    except Exception as error:
        raise StoreError(
            f'{store} failed: {type(error).__name__}: {error}. Is the server of the cache there?'
        ) from error

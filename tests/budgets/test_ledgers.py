"""The accounts of budgets: never above a limit together, free again after a crash, and each store alike."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django_apps import load_applications
from redis_place import PROGRAM, redis_server

from syncai._stores.ledger import Claim, Hold, Ledger, Memory, Refusal
from syncai._stores.periods import FOREVER, Period, period_of
from syncai.budgets import DjangoCache, Redis, SQLite
from syncai.exceptions import StoreError, UserError

DAY = period_of('day', 'UTC')
"""A window that a test does not outlive, unless it runs at midnight."""


@pytest.fixture(scope='module')
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if PROGRAM is None:
        pytest.skip('redis-server is not installed (Debian: redis-server)')
    with redis_server(tmp_path_factory.mktemp('redis')) as url:
        yield url


@pytest.fixture(params=['memory', 'sqlite', 'redis', 'django'])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    match request.param:
        case 'memory':
            made: Ledger = Memory()
        case 'sqlite':
            made = SQLite(tmp_path / 'budgets.db')
        case 'redis':
            made = Redis(request.getfixturevalue('redis_url'), prefix=f'{request.node.name}:')
        case _:
            made = request.getfixturevalue('django_cache')
    yield made
    made.close()


@pytest.fixture
def django_cache() -> DjangoCache:
    pytest.importorskip('django')
    load_applications()
    from django.core.cache import cache

    cache.clear()
    return DjangoCache(allow_local=True)


def claim(number: int = 0, amount: int = 40, *, limit: int = 100, lease: float = 60.0, period: Period = DAY) -> Claim:
    return Claim('account', limit, amount, f'id{number}', lease, period)


def held(outcome: Hold | Refusal) -> Hold:
    assert isinstance(outcome, Hold), outcome
    return outcome


@pytest.mark.slow
def test_what_does_not_fit_is_refused_and_what_is_settled_is_spent(ledger: Ledger) -> None:
    first, second = held(ledger.reserve(claim(1))), held(ledger.reserve(claim(2)))
    refusal = ledger.reserve(claim(3))
    assert isinstance(refusal, Refusal)
    assert (refusal.spent, refusal.held) == (0, 80)
    ledger.settle(first, 10)
    ledger.cancel(second)
    state = ledger.state('account', DAY)
    assert (state.spent, state.held) == (10, 0)
    assert state.resets_at == DAY.window(datetime.now(UTC).timestamp())[1]
    held(ledger.reserve(claim(4, 90)))
    assert isinstance(ledger.reserve(claim(5, 1)), Refusal)


def test_the_same_claim_again_is_the_same_hold(ledger: Ledger) -> None:
    assert ledger.reserve(claim(1, 60)) == ledger.reserve(claim(1, 60))
    assert ledger.state('account', DAY).held == 60


def test_a_hold_whose_process_is_gone_is_over_and_counts_where_it_was_spent(ledger: Ledger) -> None:
    lost = held(ledger.reserve(claim(1, 100, lease=0.001)))
    while isinstance(ledger.reserve(claim(2, 50)), Refusal):
        pass
    ledger.settle(lost, 70)
    state = ledger.state('account', DAY)
    assert (state.spent, state.held) == (70, 50)


def test_a_renewed_hold_lasts_and_a_resized_one_counts_anew(ledger: Ledger) -> None:
    hold = held(ledger.reserve(claim(1, 100, lease=0.5)))
    ledger.renew([hold], 600.0)
    ledger.resize(hold, 30)
    held(ledger.reserve(claim(2, 70)))
    assert ledger.state('account', DAY).held == 100


def test_other_names_and_windows_are_other_accounts(ledger: Ledger) -> None:
    held(ledger.reserve(claim(1, 100)))
    held(ledger.reserve(claim(1, 100, period=FOREVER)))
    held(ledger.reserve(Claim('other:{x}', 100, 100, 'id1', 60.0, DAY)))


@pytest.mark.timeout(60)
def test_threads_never_pass_the_line_together(ledger: Ledger) -> None:
    def use(number: int) -> int:
        outcome = ledger.reserve(claim(number, 10, limit=300))
        if isinstance(outcome, Refusal):
            return 0
        ledger.settle(outcome, 7)
        return 7

    with ThreadPoolExecutor(16) as pool:
        spent = sum(pool.map(use, range(100)))
    state = ledger.state('account', DAY)
    assert (state.spent, state.held) == (spent, 0)
    assert 250 < spent <= 300


# --- each store -------------------------------------------------------------------------------------------------------


def test_a_settlement_that_is_sent_twice_counts_once(redis_url: str) -> None:
    ledger = Redis(redis_url, prefix='twice:')
    hold = held(ledger.reserve(claim(1)))
    ledger.settle(hold, 30)
    ledger.settle(hold, 30)
    assert ledger.state('account', DAY).spent == 30
    ledger.close()


def test_the_clock_of_redis_says_which_window_it_is(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Redis(redis_url, prefix='clock:')
    hour = Period('3600s', UTC, 3600)
    true = held(ledger.reserve(claim(1, 100, period=hour)))
    monkeypatch.setattr('time.time', lambda: true.starts - 100_000.0)
    assert isinstance(ledger.reserve(claim(2, 100, period=hour)), Refusal)
    assert ledger.state('account', hour).held == 100
    ledger.close()


def test_a_lost_redis_is_a_store_error() -> None:
    ledger = Redis('redis://127.0.0.1:1/0')
    with pytest.raises(StoreError, match=r'Redis at 127\.0\.0\.1:1 could not be reached for the budgets'):
        ledger.reserve(claim())


def test_files_that_are_no_budgets_are_errors_and_stay_as_they_are(tmp_path: Path) -> None:
    foreign, text, newer = tmp_path / 'foreign.db', tmp_path / 'text.db', tmp_path / 'newer.db'
    with sqlite3.connect(foreign) as connection:
        connection.execute('CREATE TABLE mine (x)')
    connection.close()
    text.write_text('no database at all, but long enough to be read as the head of one: ' * 20)
    held(SQLite(newer).reserve(claim()))
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE syncai_parts SET version = 9 WHERE name = 'budgets'")
    connection.close()
    for path, words in ((foreign, 'another program'), (text, 'no SQLite database'), (newer, 'newer version of syncai')):
        before = path.read_bytes()
        with pytest.raises(UserError, match=words):
            SQLite(path).reserve(claim())
        assert path.read_bytes() == before


def test_caches_that_processes_cannot_share_are_refused(django_cache: DjangoCache) -> None:
    del django_cache
    with pytest.raises(UserError, match=r'is a LocMemCache, which processes cannot share safely: .*SQLite\(path\)'):
        DjangoCache().reserve(claim())
    with pytest.raises(UserError, match='nowhere'):
        DjangoCache('nowhere').reserve(claim())


def test_missing_packages_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'redis', None)
    with pytest.raises(UserError, match=r"pip install 'syncai-client\[redis]'"):
        Redis('redis://localhost')
    monkeypatch.setitem(sys.modules, 'django.core.cache', None)
    with pytest.raises(UserError, match=r"pip install 'syncai-client\[django]'"):
        DjangoCache()


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('per', 'zone', 'begins', 'ends'),
    [
        ('minute', 'UTC', '2026-03-29T01:30:00+00:00', '2026-03-29T01:31:00+00:00'),
        ('hour', 'UTC', '2026-03-29T01:00:00+00:00', '2026-03-29T02:00:00+00:00'),
        ('day', 'UTC', '2026-03-29T00:00:00+00:00', '2026-03-30T00:00:00+00:00'),
        # The day on which the clocks of Germany go forward has 23 hours: https://www.iana.org/time-zones.
        ('day', 'Europe/Berlin', '2026-03-29T00:00:00+01:00', '2026-03-30T00:00:00+02:00'),
        ('week', 'UTC', '2026-03-23T00:00:00+00:00', '2026-03-30T00:00:00+00:00'),
        ('month', ZoneInfo('America/New_York'), '2026-03-01T00:00:00-05:00', '2026-04-01T00:00:00-04:00'),
        ('year', 'UTC', '2026-01-01T00:00:00+00:00', '2027-01-01T00:00:00+00:00'),
        (timedelta(hours=6), 'UTC', '2026-03-29T00:00:00+00:00', '2026-03-29T06:00:00+00:00'),
    ],
)
def test_windows(per: Any, zone: Any, begins: str, ends: str) -> None:
    now = datetime(2026, 3, 29, 1, 30, 20, tzinfo=UTC).timestamp()
    window = period_of(per, zone).window(now)
    assert window == tuple(int(datetime.fromisoformat(one).timestamp()) for one in (begins, ends))


def test_what_is_no_window() -> None:
    wrong: list[Callable[[], Period]] = [
        lambda: period_of('fortnight', 'UTC'),
        lambda: period_of(timedelta(seconds=1.5), 'UTC'),
        lambda: period_of('day', 'Europe/Atlantis'),
    ]
    for make in wrong:
        with pytest.raises(UserError):
            make()
    assert FOREVER.window(1e9) == (0, None)

"""Which failures are tried again, and after how long: pure functions."""

from __future__ import annotations

import asyncio
import time

import pytest

from syncai._transport.retry import TemporaryFailure, backoff, is_temporary, retry_after, spread, with_retries
from syncai.exceptions import ModelAPIError

RETRY_INFO = {'@type': 'type.googleapis.com/google.rpc.RetryInfo', 'retryDelay': '34.5s'}


@pytest.mark.parametrize('status', [408, 409, 429, 500, 502, 503, 504, 529])
def test_statuses_that_are_tried_again(status: int) -> None:
    assert is_temporary(status, None, {})
    assert not is_temporary(status, None, {'x-should-retry': 'false'})


@pytest.mark.parametrize('status', [301, 400, 401, 403, 404, 413, 422])
def test_statuses_that_are_not(status: int) -> None:
    assert not is_temporary(status, None, {})
    assert is_temporary(status, None, {'x-should-retry': 'true'})


def test_no_credit_left_is_not_tried_again() -> None:
    assert not is_temporary(429, {'error': {'code': 'insufficient_quota'}}, {})
    assert not is_temporary(429, {'error': {'type': 'insufficient_quota'}}, {})
    assert is_temporary(429, {'error': {'code': 'rate_limit_exceeded'}}, {})


@pytest.mark.parametrize(
    ('headers', 'body', 'expected'),
    [
        ({}, None, None),
        ({'retry-after-ms': '1500', 'retry-after': '9'}, None, 1.5),
        ({'retry-after': '2'}, None, 2.0),
        ({'retry-after': 'Thu, 01 Jan 1970 00:01:40 GMT'}, None, 90.0),
        ({'retry-after': 'Thu, 01 Jan 1970 00:01:40'}, None, 90.0),
        ({'retry-after': 'Thu, 01 Jan 1970 00:01:40 -0000'}, None, 90.0),
        ({'retry-after': 'Thu, 01 Jan 1970 01:01:40 +0100'}, None, 90.0),
        ({'retry-after': 'Thursday, 01-Jan-70 00:01:40 GMT'}, None, 90.0),
        ({'retry-after': 'Thu, 01 Jan 1970 00:00:01 GMT'}, None, None),
        ({'retry-after': '0'}, None, None),
        ({'retry-after-ms': '0', 'retry-after': '3'}, None, 3.0),
        ({'retry-after': 'Thu Jan  1 00:01:40 1970'}, None, 90.0),
        ({'retry-after': 'Wed, 31 Dec 1969 19:01:40 EST'}, None, 90.0),
        ({'retry-after': '1970-01-01T00:01:40Z'}, None, 90.0),
        ({'retry-after': '1970-01-01T01:01:40.000+01:00'}, None, 90.0),
        ({'retry-after': '1970-01-01 00:01:40'}, None, 90.0),
        ({'retry-after': ' 90 '}, None, 90.0),
        ({'retry-after': '90s'}, None, 90.0),
        ({'retry-after': '1_0'}, None, None),
        ({'retry-after': '\u0663'}, None, None),
        ({'retry-after': '1e999'}, None, None),
        ({'retry-after': '9999-99-99T00:00:00Z'}, None, None),
        ({'retry-after': 'soon'}, None, None),
        ({'retry-after': '-3'}, None, None),
        ({'retry-after': 'nan'}, None, None),
        ({'retry-after': 'inf'}, None, None),
        ({}, {'error': {'details': [{'@type': 'other'}, RETRY_INFO]}}, 34.5),
        ({}, [{'error': {'details': [RETRY_INFO]}}], 34.5),
        ({}, {'error': {'details': 'none'}}, None),
        ({}, 'text', None),
    ],
)
def test_the_hint_of_the_provider(headers: dict[str, str], body: object, expected: float | None) -> None:
    assert retry_after(headers, body, now=10.0) == expected


@pytest.mark.parametrize('zone', ['America/New_York', 'Asia/Tokyo'])
def test_a_date_without_a_zone_is_not_of_this_machine(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TZ', zone)
    time.tzset()
    try:
        assert retry_after({'retry-after': 'Thu, 01 Jan 1970 00:01:40'}, None, now=10.0) == 90.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_wait_that_was_asked_for_is_never_shortened_and_spread() -> None:
    waits = [spread(8.0) for _ in range(200)]
    assert 8.0 <= min(waits) < max(waits) <= 10.0
    assert len(set(waits)) > 100
    assert max(spread(3600.0) for _ in range(200)) <= 3605.0


def test_the_wait_doubles_up_to_a_limit_and_is_spread() -> None:
    assert [backoff(n, 0.0) for n in (1, 2, 3, 4, 5, 6)] == [0.5, 1, 2, 4, 8, 8]
    assert backoff(1, 1.0) == 0.375
    assert 0.375 <= backoff(1) <= 0.5


def test_attempts_are_counted_and_the_last_error_is_raised_plain() -> None:
    seen: list[int] = []

    async def attempt(number: int) -> str:
        seen.append(number)
        raise TemporaryFailure(ModelAPIError(f'attempt {number}'), 0.0)

    with pytest.raises(ModelAPIError, match='attempt 3') as caught:
        asyncio.run(with_retries(attempt, 2))
    assert seen == [1, 2, 3]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None

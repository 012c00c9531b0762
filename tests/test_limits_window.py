"""The sliding window of limits, and the headers with quotas: without time and without a network."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncai._transport.rate_headers import exhausted_for
from syncai._transport.retry import retry_after
from syncai._transport.window import Window

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
TINY = 1e-9  # what sums of floats may be off by
STEPS = st.lists(
    st.tuples(
        st.integers(1, 12),  # how much
        st.floats(0, 3),  # seconds until it is asked for
        st.floats(0, 2),  # seconds between being let through and being sent
        st.sampled_from(['use', 'use', 'use', 'give back']),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(most=st.integers(1, 20), steps=STEPS)
def test_never_more_in_any_window_and_nobody_waits_in_vain(
    most: int, steps: list[tuple[int, float, float, str]]
) -> None:
    window, now, used = Window(most, 10.0), 0.0, []
    for amount, pause, sending, end in steps:
        now += pause
        while (wait := window.wait(amount, now)) > 0.0:
            assert wait <= 10.0 + TINY  # nothing is only reserved at this point
            now += max(wait, TINY)
        share = window.reserve(amount)
        assert window.wait(most, now) > 0.0
        now += sending
        if end == 'give back':
            window.give_back(share)
            continue
        window.begin(share, now)
        used.append((now, amount))
    for begin, _ in used:
        inside = [amount for time, amount in used if begin <= time < begin + 10.0 - TINY]
        assert sum(inside) <= most or len(inside) == 1  # one that is larger than the window passes alone


@settings(deadline=None)
@given(amounts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=30))
def test_what_is_settled_counts_as_it_was(amounts: list[tuple[int, int]]) -> None:
    window = Window(100, 10.0)
    shares = [window.reserve(estimate) for estimate, _ in amounts]
    for number, share in enumerate(shares):
        window.begin(share, number * 0.1)
    for share, (_, truth) in zip(shares, amounts, strict=True):
        window.settle(share, truth)
    left = 100 - sum(truth for _, truth in amounts)
    assert (window.wait(max(1, left), 5.0) == 0.0) == (left >= 1 or left == 100)
    assert window.wait(100, 50.0) == 0.0
    for share in shares:
        window.settle(share, 1000)  # too late: it has left the window
    assert window.wait(100, 50.0) == 0.0


def test_what_is_only_reserved_is_waited_for_without_end() -> None:
    window = Window(10, 60.0)
    first = window.reserve(10)
    assert window.wait(1, 1e9) == math.inf
    window.begin(first, 100.0)
    assert window.wait(1, 101.0) == 59.0
    assert window.wait(1, 160.0) == 0.0


def test_a_window_waits_no_longer_than_it_must() -> None:
    window = Window(10, 60.0)
    for now in (0.0, 5.0, 10.0):
        window.begin(window.reserve(3), now)
    waits = [window.wait(amount, 10.0) for amount in (1, 2, 5, 8, 11)]
    assert waits == [0.0, 50.0, 55.0, 60.0, 60.0]
    assert all(earlier <= later for earlier, later in pairwise(waits))


@pytest.mark.parametrize(
    ('headers', 'seconds'),
    [
        ({'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0s'}, 360),
        ({'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '12ms'}, 0.012),
        ({'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '1h2m3.5s'}, 3723.5),
        ({'x-ratelimit-remaining-requests-day': '0', 'x-ratelimit-reset-requests-day': '86.5'}, 86.5),
        ({'x-ratelimit-remaining': '0', 'x-ratelimit-reset': str(int(NOW * 1000) + 7000)}, 7),
        ({'x-ratelimit-remaining': '0', 'x-ratelimit-reset': str(int(NOW) + 9)}, 9),
        (
            {
                'anthropic-ratelimit-requests-remaining': '0',
                'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:11Z',
            },
            11,
        ),
        (
            {
                'anthropic-ratelimit-input-tokens-remaining': '0',
                'anthropic-ratelimit-input-tokens-reset': '2026-01-01T00:00:20Z',
                'anthropic-ratelimit-requests-remaining': '0',
                'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:03Z',
            },
            20,
        ),
        ({'x-ratelimit-remaining-requests': '1', 'x-ratelimit-reset-requests': '6m0s'}, None),
        ({'x-ratelimit-remaining-requests': '0'}, None),
        ({'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': 'soon'}, None),
        ({'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': 'inf'}, None),
        ({'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': '2026-01-01'}, None),
        ({}, None),
    ],
)
def test_what_the_headers_tell(headers: dict[str, str], seconds: float | None) -> None:
    found = exhausted_for(headers, NOW)
    assert found is None if seconds is None else found == pytest.approx(seconds)


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_header_breaks_anything(remaining: str, reset: str) -> None:
    for headers in (
        {'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': reset},
        {'anthropic-ratelimit-tokens-remaining': remaining, 'anthropic-ratelimit-tokens-reset': reset},
    ):
        found = exhausted_for(headers)
        assert found is None or 0 <= found < math.inf
    pause = retry_after({'retry-after': reset, 'retry-after-ms': remaining}, None)
    assert pause is None or pause >= 0


def test_the_time_is_that_of_now() -> None:
    later = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 50, UTC).isoformat()
    found = exhausted_for({'anthropic-ratelimit-tokens-remaining': '0', 'anthropic-ratelimit-tokens-reset': later})
    assert found is not None
    assert 40 < found <= 50

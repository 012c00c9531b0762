"""The sixteen faults of the public failover scorecards, each over real sockets with two servers of two wire formats.

One row for each fault: the answers of the servers, the model, the outcome, and the number of requests to each server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from fallbacks import Ask, streamed_async, streamed_sync, two, whole_async, whole_sync

from syncai.exceptions import (
    AllModelsFailed,
    ContentFilterError,
    ContextWindowExceeded,
    IncompleteStreamError,
    ModelAPIError,
    ModelTimeoutError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from syncai.settings import HttpOptions
from syncai.testing import Reply
from syncai.usage import Usage

STREAMS = (streamed_sync, streamed_async)
ALL = (whole_sync, whole_async, *STREAMS)
ONE = Reply('from ', 'one', usage=(3, 4))
TOO_LONG = {'error': {'code': 'context_length_exceeded', 'message': 'maximum context length is 8 tokens', 'type': 'x'}}
FILTERED = {'error': {'code': 'content_filter', 'message': 'filtered', 'type': 'x'}}
SOON = {'retry-after-ms': '50'}
ONCE = HttpOptions(max_retries=0)
RETRIES = HttpOptions(max_retries=2)
QUICK = HttpOptions(max_retries=0, first_event_timeout=0.2, idle_timeout=0.2)


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        first: What the first server answers, request by request.
        second: What the second server always answers; None for a good answer.
        asked: The number of requests to each of the two.
        answers: The text of each call's answer, or the class of its error.
        calls: How many calls are made.
        usage: That of the last answer.
        pause: The least seconds between the first two requests to the first server.
        ways: The forms of a call that know this fault.
    """

    first: Sequence[Reply]
    asked: tuple[int, int]
    answers: Sequence[str | type[Exception]]
    second: Reply | None = None
    http: HttpOptions = ONCE
    options: dict[str, Any] = field(default_factory=dict)
    usage: Usage | None = None
    pause: float = 0.0
    ways: Sequence[Ask] = ALL
    check: Callable[[Exception], bool] | None = None


NO_DONE = b"""data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"whole"},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

"""

SCORECARD: dict[str, Row] = {
    'retry-after is waited for': Row(
        [Reply(status=429, headers={'retry-after': '0.3'}), ONE], (2, 0), ['from one'], http=RETRIES, pause=0.29
    ),
    'persistent 429': Row([Reply(status=429, headers=SOON)] * 3, (3, 1), ['from two'], http=RETRIES),
    'persistent 429 without a fallback is the error': Row(
        [Reply(status=429, headers=SOON)] * 3,
        (3, 3),
        [AllModelsFailed],
        second=Reply(status=429, headers=SOON),
        http=RETRIES,
        check=lambda error: (
            isinstance(error, AllModelsFailed) and [type(one) for one in error.errors] == [RateLimitError] * 2
        ),
    ),
    'one 500': Row([Reply(status=500, headers=SOON), ONE], (2, 0), ['from one'], http=RETRIES),
    '503 with fallback': Row([Reply(status=503)], (1, 1), ['from two']),
    'reset': Row([Reply(ending='reset_before_headers')], (1, 1), ['from two']),
    'silent server': Row([Reply('late', delay_headers=20)], (1, 1), ['from two'], http=QUICK),
    'first-token limit': Row([Reply('late', delay_first_event=20)], (1, 1), ['from two'], http=QUICK),
    'cut stream restarted on a fallback': Row(
        [Reply('never', ending='cut', cut_after_events=0)], (1, 1), ['from two'], ways=STREAMS
    ),
    'cut stream of which a part was read keeps it': Row(
        [Reply('a ', 'b ', 'c ', ending='cut', cut_after_events=3)],
        (1, 0),
        [IncompleteStreamError],
        ways=STREAMS,
        check=lambda error: isinstance(error, ModelAPIError) and bool(error.partial and error.partial.text == 'a b '),
    ),
    'stall before the first text': Row(
        [Reply('never', delay_between_events=20)], (1, 1), ['from two'], http=QUICK, ways=STREAMS
    ),
    'stall in the middle of a stream': Row(
        [Reply('a ', 'b ', delay_between_events=20, events_per_write=2)],
        (1, 0),
        [ModelTimeoutError],
        http=QUICK,
        ways=STREAMS,
        check=lambda error: isinstance(error, ModelTimeoutError) and error.phase == 'next event',
    ),
    'malformed chunk': Row(
        [Reply('never', malformed_event_at=0)],
        (1, 1),
        ['from two'],
        options={'fallback_on': (ModelAPIError, UnexpectedModelBehavior)},
    ),
    'missing [DONE]': Row(
        [Reply('a ', 'b', ending='eof')],
        (1, 0),
        [IncompleteStreamError],
        ways=STREAMS,
        check=lambda error: isinstance(error, ModelAPIError) and bool(error.partial and error.partial.text == 'a b'),
    ),
    'missing [DONE] after the reason why the answer ended': Row(
        [Reply(body=NO_DONE, content_type='text/event-stream')], (1, 0), ['whole'], ways=STREAMS
    ),
    'context length to a bigger model': Row(
        [Reply(status=400, body=TOO_LONG)],
        (1, 1),
        ['from two'],
        http=RETRIES,
        options={'fallback_on': ContextWindowExceeded},
    ),
    'content filter not retried': Row([Reply(status=400, body=FILTERED)], (1, 0), [ContentFilterError], http=RETRIES),
    'flapping primary': Row(
        [Reply(status=500), ONE, Reply(ending='reset_before_headers'), ONE],
        (4, 2),
        ['from two', 'from one'] * 2,
    ),
    'fallback accounting': Row([Reply(status=503)], (1, 1), ['from two'], usage=Usage(2, 5, 7, 12)),
}


@pytest.mark.slow
@pytest.mark.parametrize(('fault', 'ask'), [(fault, ask) for fault, row in SCORECARD.items() for ask in row.ways])
def test_scorecard(fault: str, ask: Ask) -> None:
    row = SCORECARD[fault]
    with two(*row.first, second=row.second) as pair:
        model = pair.model(http=row.http, **row.options)
        for expected in row.answers:
            if isinstance(expected, str):
                response = ask(model)
                assert response.text == expected
                assert not response.incomplete
                assert row.usage is None or response.usage == row.usage
                continue
            with pytest.raises(expected) as caught:
                ask(model)
            assert row.check is None or row.check(caught.value)
        assert pair.asked == row.asked
        times = [request.received_at for request in pair.first.requests]
        assert not row.pause or times[1] - times[0] >= row.pause

"""Limits over real HTTP, from many threads: at a time, in a window, in order, and with waiting requests."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from plain_http import wait_until

from syncai._transport import limiter
from syncai._transport.window import Share, Window
from syncai.direct import model_request, model_request_stream_sync, model_request_sync
from syncai.exceptions import DeadlineExceeded, RateLimitError, UserError
from syncai.limits import ProviderLimits, limit, limits_in_force, remove_limit
from syncai.messages import ModelMessage, ModelRequest
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions, ModelSettings
from syncai.testing import ModelServer, RecordedRequest, Reply

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]


def model_of(server: ModelServer, key: str = 'k', **options: Any) -> OpenAIChatModel:
    return OpenAIChatModel('m', base_url=server.base_url, api_key=key, http=HttpOptions(**options))


def many(server: ModelServer, count: int, threads: int, **settings: Any) -> list[str]:
    model, merged = model_of(server), cast('ModelSettings', settings)

    def one(number: int) -> str:
        return model_request_sync(model, [ModelRequest.user_text_prompt(str(number))], model_settings=merged).text

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(count)))


class Busy:
    """Answers after a while, and keeps how many requests it had at a time: of each model, and of all."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds, self.now, self.most = seconds, Counter[str](), Counter[str]()

    async def __call__(self, request: RecordedRequest) -> Reply:
        names = ('all', str(request.json['model']))
        self.now.update(names)
        self.most |= self.now
        await asyncio.sleep(self.seconds)
        self.now.subtract(names)
        return Reply('x')


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times at which limited requests are sent, as our own clock has them."""
    times: list[float] = []
    begin = Window.begin

    def noted(self: Window, share: Share, now: float) -> None:
        times.append(now)
        begin(self, share, now)

    monkeypatch.setattr(Window, 'begin', noted)
    return times


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No limit is left over, and a minute is as short as half a second."""
    monkeypatch.setattr(limiter, '_MINUTE', 0.5)
    monkeypatch.setenv('OPENAI_API_KEY', 'k')
    yield
    limits_in_force.clear()


def test_never_more_at_a_time() -> None:
    limit('openai', max_concurrency=3)
    busy = Busy()
    with ModelServer(busy) as server:
        assert many(server, 40, threads=16) == ['x'] * 40
    assert busy.most['all'] == 3


def test_the_whole_process_with_several_providers() -> None:
    limit(max_concurrency=2)
    limit('openai', max_concurrency=50)
    busy = Busy()
    with ModelServer(busy) as server:
        models = [model_of(server), AnthropicModel('claude-haiku-4-5', base_url=server.base_url, api_key='k')]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: model_request_sync(models[number % 2], HELLO), range(20)))
        assert len({request.path for request in server.requests}) == 2
    assert busy.most['all'] == 2


def test_a_stream_keeps_its_place_until_it_is_read_or_left() -> None:
    limit('openai', max_concurrency=1)
    slow = Reply('a ', 'b ', delay_between_events=0.05, repeat=100)
    with ModelServer([slow, Reply('next')]) as server, ThreadPoolExecutor(1) as pool:
        with model_request_stream_sync(model_of(server), HELLO) as stream:
            next(iter(stream))
            other = pool.submit(model_request_sync, model_of(server), HELLO)
            time.sleep(0.2)
            assert len(server.requests) == 1
        assert other.result(5).text == 'next'


def test_at_most_so_many_in_a_window(sent: list[float]) -> None:
    limit('openai', requests_per_minute=8)
    with ModelServer(Reply('x')) as server:
        many(server, 24, threads=12)
    assert len(sent) == 24
    assert all(later - earlier >= 0.5 for earlier, later in zip(sent, sent[8:], strict=False))


def test_retries_count_as_requests() -> None:
    limit('openai', requests_per_minute=2)
    again = Reply(status=500, headers={'retry-after-ms': '1'})
    with ModelServer([again, again, Reply('x')]) as server:
        assert model_request_sync(model_of(server), HELLO).text == 'x'
        times = [request.received_at for request in server.requests]
        assert times[2] - times[0] >= 0.3


def test_tokens_are_counted_as_soon_as_they_are_known() -> None:
    limit('openai', tokens_per_minute=1000)
    with ModelServer(Reply('x', usage=(390, 10))) as server:
        model = model_of(server)
        for _ in range(4):
            model_request_sync(model, HELLO)
        with model_request_stream_sync(model, HELLO) as stream:
            list(stream)
        times = [request.received_at for request in server.requests]
        assert times[3] - times[0] >= 0.3  # the first three used 1200


def test_tokens_of_those_under_way_are_reserved() -> None:
    limit('openai', tokens_per_minute=1000)
    busy = Busy()
    with ModelServer(busy) as server:
        many(server, 4, threads=4, max_tokens=450)
    assert busy.most['all'] == 2


@pytest.mark.timing
def test_first_come_first_served() -> None:
    limit('openai', max_concurrency=1)
    with ModelServer([Reply('x', delay_headers=2), *[Reply('x')] * 20]) as server, ThreadPoolExecutor(21) as pool:
        model, calls = model_of(server), [pool.submit(model_request_sync, model_of(server), HELLO)]
        server.wait_for_requests(1)
        for number in range(20):
            prompt: list[ModelMessage] = [ModelRequest.user_text_prompt(f'number {number}')]
            calls.append(pool.submit(model_request_sync, model, prompt))
            wait_until(lambda number=number: waiting() == number + 1)  # type: ignore[misc]
        for call in calls:
            call.result(10)
        order = [request.json['messages'][0]['content'] for request in server.requests[1:]]
    assert order == [f'number {number}' for number in range(20)]


def waiting() -> int:
    return sum(len(gate._waiting) for of_loop in limiter._gates.values() for gate in of_loop.values())


@pytest.mark.timing
def test_a_deadline_while_waiting_says_so_and_gives_the_place_back(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter, '_MINUTE', 1.5)
    limit('openai', requests_per_minute=1)
    with ModelServer(Reply('x')) as server, caplog.at_level(logging.WARNING, 'syncai'):
        model = model_of(server)
        model_request_sync(model, HELLO)
        for _ in range(2):
            with pytest.raises(DeadlineExceeded, match="'rate limit'") as caught:
                model_request_sync(model, HELLO, model_settings={'timeout': 0.25})
            assert caught.value.phase == 'rate limit'
            assert dict(caught.value.phases)['rate limit'] >= 0.1
        assert model_request_sync(model, HELLO, model_settings={'timeout': 5}).text == 'x'
        assert len(server.requests) == 2
    assert [r.getMessage() for r in caplog.records] == [
        f'The limits of openai are reached: requests wait ({ProviderLimits(requests_per_minute=1)!r})'
    ]


def test_a_deadline_while_waiting_for_others() -> None:
    limit('openai', max_concurrency=1)
    with ModelServer([Reply('late', delay_headers=1), Reply('x')]) as server, ThreadPoolExecutor(1) as pool:
        first = pool.submit(model_request_sync, model_of(server), HELLO)
        server.wait_for_requests(1)
        with pytest.raises(DeadlineExceeded) as caught:
            model_request_sync(model_of(server), HELLO, model_settings={'timeout': 0.2})
        assert caught.value.phase == 'concurrency limit'
        assert first.result(5).text == 'late'
        assert model_request_sync(model_of(server), HELLO).text == 'x'


def test_cancelled_at_any_moment_nothing_is_lost() -> None:
    """Many are cancelled while they wait, are let through or are under way; then all places are free."""
    limit('openai', max_concurrency=2)

    async def main(model: OpenAIChatModel) -> None:
        for round_ in range(30):
            calls = [asyncio.create_task(model_request(model, HELLO)) for _ in range(6)]
            await asyncio.sleep(0.001 * round_)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        answers = await asyncio.gather(*(model_request(model, HELLO) for _ in range(10)))
        assert [answer.text for answer in answers] == ['x'] * 10

    with ModelServer(Reply('x', delay_headers=0.005)) as server:
        asyncio.run(main(model_of(server)))
        assert len({id(gate) for gates in limiter._gates.values() for gate in gates.values()}) >= 1
        gates = [gate for gates in limiter._gates.values() for gate in gates.values() if gate.limits is not None]
        wait_until(lambda: all(gate.running == 0 and not gate._waiting for gate in gates))


@pytest.mark.parametrize('hint', [{'retry-after': '1'}, {'retry-after-ms': '600'}])
def test_a_429_pauses_the_others_of_that_key(hint: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    limit('openai')
    wait = 1.0 if 'retry-after' in hint else 0.6
    with ModelServer([Reply(status=429, headers=hint), *[Reply('x')] * 4]) as server, ThreadPoolExecutor(4) as pool:
        model = model_of(server)
        first = pool.submit(model_request_sync, model, HELLO)
        wait_until(lambda: 'asks for a pause' in caplog.text)
        others = [pool.submit(model_request_sync, model, HELLO) for _ in range(2)]
        assert model_request_sync(model_of(server, 'another-key'), HELLO).text == 'x'
        for call in (first, *others):
            assert call.result(5).text == 'x'
        times = [request.received_at for request in server.requests]
        keys = [request.headers['authorization'] for request in server.requests]
    assert keys == ['Bearer k', 'Bearer another-key', *['Bearer k'] * 3]
    assert min(times[2:]) - times[0] >= wait * 0.95
    assert sum('asks for a pause' in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize(
    'headers',
    [
        {'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '400ms'},
        {'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '0.4s'},
    ],
)
def test_the_last_request_of_a_quota_pauses_those_after_it(headers: dict[str, str]) -> None:
    limit('openai')
    with ModelServer([Reply('x', headers=headers), Reply('y')]) as server:
        assert many(server, 2, threads=1) == ['x', 'y']
        first, second = (request.received_at for request in server.requests)
        assert second - first >= 0.38


def test_limits_of_others_change_nothing() -> None:
    limit('anthropic', max_concurrency=1, requests_per_minute=1, tokens_per_minute=1)
    refused = Reply(status=429, headers={'retry-after-ms': '1'})
    with ModelServer([refused, *[Reply('x')] * 5]) as server:
        assert many(server, 5, threads=5) == ['x'] * 5


def test_who_does_not_retry_does_not_wait_for_a_pause() -> None:
    limit('openai')
    refused = Reply(status=429, headers={'retry-after': '30'})
    with ModelServer([refused, refused]) as server:
        for _ in range(2):
            with pytest.raises(RateLimitError):
                model_request_sync(model_of(server, max_retries=0), HELLO)


def test_a_pause_too_long_to_wait_for_is_an_error_for_each() -> None:
    limit('openai')
    refused = Reply(status=429, headers={'retry-after': '3600'})
    with ModelServer([refused, refused]) as server:
        for _ in range(2):
            with pytest.raises(RateLimitError):
                model_request_sync(model_of(server), HELLO)


def test_limits_of_a_model_and_of_its_provider_hold_together() -> None:
    limit('openai', max_concurrency=3)
    limit('openai:small', max_concurrency=1)
    busy = Busy()
    with ModelServer(busy) as server:
        models: list[Model] = [OpenAIChatModel(name, base_url=server.base_url) for name in ('small', 'large')]
        models.append(OpenAIResponsesModel('large', base_url=server.base_url))  # counts for the same quota
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda number: model_request_sync(models[number % 3], HELLO), range(24)))
    assert (busy.most['all'], busy.most['small']) == (3, 1)


def test_a_429_of_one_model_does_not_pause_the_others(caplog: pytest.LogCaptureFixture) -> None:
    limit('openai')
    limit('openai:busy')
    refused = Reply(status=429, headers={'retry-after': '1'})
    with ModelServer([refused, Reply('at once'), Reply('later')]) as server, ThreadPoolExecutor(1) as pool:
        busy = OpenAIChatModel('busy', base_url=server.base_url)
        first = pool.submit(model_request_sync, busy, HELLO)
        wait_until(lambda: 'asks for a pause' in caplog.text)
        assert model_request_sync(OpenAIChatModel('idle', base_url=server.base_url), HELLO).text == 'at once'
        assert first.result(5).text == 'later'


def test_limits_can_be_changed_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, '_MINUTE', 60.0)
    limit('openai', requests_per_minute=1)
    with ModelServer(Reply('x')) as server:
        many(server, 1, threads=1)
        limit('openai', requests_per_minute=3)
        many(server, 2, threads=2, timeout=20)
        with pytest.raises(DeadlineExceeded):
            many(server, 1, threads=1, timeout=0.1)
        remove_limit('openai')
        remove_limit('openai')
        many(server, 10, threads=4, timeout=20)


@pytest.mark.parametrize(
    'change', [lambda: limit('openai', requests_per_minute=9), lambda: remove_limit('openai')], ids=['more', 'none']
)
def test_a_change_is_for_those_who_wait_too(change: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, '_MINUTE', 60.0)
    monkeypatch.setattr(limiter, '_LOOK_SECONDS', 0.1)
    limit('openai', requests_per_minute=1)
    with ModelServer(Reply('x')) as server, ThreadPoolExecutor(2) as pool:
        many(server, 1, threads=1)
        waiting = [pool.submit(many, server, 1, threads=1, timeout=20) for _ in range(2)]
        time.sleep(0.3)
        assert not any(one.done() for one in waiting)
        change()
        assert [one.result(5) for one in waiting] == [['x'], ['x']]


@pytest.mark.timing
def test_a_place_that_is_waited_for_may_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, '_LOOK_SECONDS', 0.1)
    limit('openai', max_concurrency=1)
    with ModelServer([Reply('slow', delay_headers=1.5), Reply('fast')]) as server, ThreadPoolExecutor(2) as pool:
        slow = pool.submit(many, server, 1, threads=1)
        wait_until(lambda: len(server.requests) == 1)
        fast = pool.submit(many, server, 1, threads=1)
        time.sleep(0.2)
        limit('openai', max_concurrency=2)
        assert fast.result(1) == ['fast']
        assert not slow.done()


@pytest.mark.parametrize(
    'wrong',
    [
        {'requests_per_minute': 0},
        {'tokens_per_minute': 1.5},
        {'max_concurrency': True},
        {'name': 'openai:'},
        {'name': 7},
    ],
)
def test_wrong_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        limit(**wrong)
    assert not limits_in_force


@pytest.mark.timing
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
@pytest.mark.filterwarnings('ignore:.*fork.*:DeprecationWarning')
def test_a_forked_process_begins_with_the_limits_unused() -> None:
    limit('openai', max_concurrency=1)
    with ModelServer([Reply('late', delay_headers=1.5), Reply('child'), Reply('x')]) as server:
        model = model_of(server)
        thread = threading.Thread(target=model_request_sync, args=(model, HELLO))
        thread.start()
        server.wait_for_requests(1)
        if (child := os.fork()) == 0:
            try:
                code = 0 if model_request_sync(model, HELLO, model_settings={'timeout': 1.0}).text == 'child' else 1
            except BaseException:
                code = 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        thread.join()
        assert model_request_sync(model, HELLO).text == 'x'


def test_without_limits_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr('syncai._transport.client.permitted', never)
    monkeypatch.setattr('syncai.models._http.model.estimated_tokens', never)
    with ModelServer(Reply('x')) as server:
        assert many(server, 2, threads=2) == ['x', 'x']

"""Limits under load: thousands of calls from many threads, some given up while they wait, over real HTTP.

    python tests/reliability/limits.py [CALLS] [--threads N]

At most 20 at a time and 1000 in any 5 seconds (a minute is made so long), on a server that answers after 2 to 20 ms,
and sometimes with 429; every tenth call has a deadline of 50 ms. Prints one JSON object: the observations of the
server, and the cost of a call with and without limits.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from syncai._transport import limiter
from syncai._transport.window import Share, Window
from syncai.direct import model_request_sync
from syncai.exceptions import AgentRunError
from syncai.limits import limit, remove_limit
from syncai.messages import ModelMessage, ModelRequest
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, RecordedRequest, Reply

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
MOST, RATE = 20, 1000


def answer(request: RecordedRequest) -> Reply:
    if request.number % 400 == 399:
        return Reply(status=429, headers={'retry-after-ms': '100'})
    return Reply('x', delay_headers=random.uniform(0.002, 0.02))


def outcome(model: OpenAIChatModel, number: int) -> str:
    try:
        model_request_sync(model, HELLO, model_settings={'timeout': 0.05 if number % 10 == 9 else 120.0})
    except AgentRunError as error:
        return f'{type(error).__name__}: {getattr(error, "phase", "")}'
    return 'answered'


def most_within(seconds: float, times: list[float]) -> int:
    most, first = 0, 0
    for last, time_ in enumerate(times):
        while times[first] <= time_ - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def watch_sending() -> list[float]:
    """The times at which requests are sent, as our own clock has them."""
    times: list[float] = []
    begin = Window.begin

    def noted(self: Window, share: Share, now: float) -> None:
        times.append(now)
        begin(self, share, now)

    Window.begin = noted  # type: ignore[method-assign]
    return times


def seen(server: ModelServer) -> dict[str, Any]:
    requests = server.requests
    ends = [r.finished_at or r.disconnected_at or r.received_at for r in requests]
    changes = sorted([(r.received_at, 1) for r in requests] + [(end, -1) for end in ends])
    running, most, begun = 0, 0, sorted(r.received_at for r in requests)
    for _, change in changes:
        running += change
        most = max(most, running)
    return {'requests': len(requests), 'most at a time': most, 'most arrived in 4.9 s': most_within(4.9, begun)}


def cost(model: OpenAIChatModel, rounds: int = 300) -> float:
    """The median of a call, in microseconds."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        model_request_sync(model, HELLO)
        times.append(time.perf_counter() - begun)
    return round(statistics.median(times) * 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('calls', nargs='?', type=int, default=10_000)
    parser.add_argument('--threads', type=int, default=64)
    options = parser.parse_args()
    limiter._MINUTE = 5.0
    sent = watch_sending()
    limit('openai', max_concurrency=MOST, requests_per_minute=RATE)
    with ModelServer(answer) as server, ThreadPoolExecutor(options.threads) as pool:
        model = OpenAIChatModel('m', base_url=server.base_url, api_key='k')
        begun = time.monotonic()
        outcomes = collections.Counter(pool.map(lambda number: outcome(model, number), range(options.calls)))
        figures: dict[str, Any] = {'seconds': round(time.monotonic() - begun, 1), **outcomes, **seen(server)}
        gates = [gate for of_loop in limiter._gates.values() for gate in of_loop.values()]
        figures['most sent in 5 s'] = most_within(5.0, sent)
        figures['left running or waiting'] = sum(gate.running + len(gate._waiting) for gate in gates)
    remove_limit('openai')
    with ModelServer(Reply('x'), process=True) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, api_key='k')
        cost(model)
        without, with_ = [], []
        for _ in range(5):  # in turns, for the machine is not always equally fast
            without.append(cost(model))
            limit('openai', max_concurrency=MOST, requests_per_minute=10**6, tokens_per_minute=10**9)
            with_.append(cost(model))
            remove_limit('openai')
        figures |= {'a call without limits, µs': min(without), 'a call with limits, µs': min(with_)}
    print(json.dumps(figures, indent=2, ensure_ascii=False))


if __name__ == '__main__':
    main()

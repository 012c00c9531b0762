"""The cost of an empty call and of an event: `python tests/reliability/gevent_cost.py [gevent]`."""

from __future__ import annotations

import sys

if 'gevent' in sys.argv:
    from gevent import get_hub, monkey

    monkey.patch_all()
    get_hub()

import asyncio
import time
from collections.abc import Callable
from typing import Any

from syncai._bridge import open_sync, run_sync

ROUNDS, CALLS, EVENTS = 9, 2_000, 20_000


async def nothing() -> None:
    """An empty call."""


async def events(channel: Any) -> None:
    for _ in range(EVENTS):
        await channel.emit([1])
        await asyncio.sleep(0)


def calls() -> None:
    for _ in range(CALLS):
        run_sync(nothing)


def stream() -> None:
    consumer = open_sync(events)
    while consumer.next_batch() is not None:
        pass


def cost(work: Callable[[], None], times: int) -> str:
    seen = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        seen.append((time.perf_counter() - began) / times * 1e6)
    return f'best {min(seen):.1f}, median {sorted(seen)[ROUNDS // 2]:.1f}'


if __name__ == '__main__':
    print(f'µs a call: {cost(calls, CALLS)}; µs an event: {cost(stream, EVENTS)}')

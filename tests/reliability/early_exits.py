"""10,000 streams left early, in every way: the resources that remain.

    python tests/reliability/early_exits.py [STREAMS] [THREADS]

Streams of answers, of runs and of events are left by `break`, by an exception, by `close()` in another thread, by being
dropped, and before their first event. At the end the server must have seen every client leave, and tasks, connections,
threads and descriptors must be what they were. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from provider import answer

from syncai import Agent, ModelRequest, model_request_stream_sync
from syncai._bridge import run_sync
from syncai._bridge.bells import drop_bell
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer


class Leaver:
    """The ways to leave a stream that would go on for seconds."""

    def __init__(self, base_url: str, closers: ThreadPoolExecutor) -> None:
        self.model = OpenAIChatModel('m', base_url=base_url, api_key='k')
        self.agent = Agent(self.model)
        self.question = [ModelRequest.user_text_prompt('long')]
        self.closers = closers

    def leave(self, number: int) -> None:
        ways: list[Callable[[], None]] = [
            self.by_break,
            self.by_exception,
            self.by_another_thread,
            self.by_being_dropped,
            self.at_once,
            self.a_run,
            self.events,
        ]
        ways[number % len(ways)]()

    def by_break(self) -> None:
        with model_request_stream_sync(self.model, self.question) as stream:
            for _ in stream:
                break

    def by_exception(self) -> None:
        with contextlib.suppress(LookupError), model_request_stream_sync(self.model, self.question) as stream:
            next(iter(stream))
            raise LookupError

    def by_another_thread(self) -> None:
        stream = model_request_stream_sync(self.model, self.question).__enter__()
        next(iter(stream))
        assert self.closers.submit(stream.close).result()

    def by_being_dropped(self) -> None:
        next(iter(model_request_stream_sync(self.model, self.question).__enter__()))

    def at_once(self) -> None:
        with model_request_stream_sync(self.model, self.question):
            pass

    def a_run(self) -> None:
        with self.agent.run_stream_sync('long') as stream:
            next(stream.stream_text(delta=True, debounce_by=None))

    def events(self) -> None:
        with self.agent.run_stream_events_sync('long') as events:
            next(iter(events))


async def tasks() -> int:
    return len(asyncio.all_tasks()) - 1


def held() -> dict[str, int]:
    """The resources of the process. For an instant, the loop thread may still hold the bell that it has just rung."""
    running = run_sync(tasks)
    drop_bell()  # which this thread keeps for its next wait
    descriptors = len(list(Path('/dev/fd').iterdir()))
    return {'tasks': running, 'threads': threading.active_count(), 'descriptors': descriptors}


def settled(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def measure(streams: int, threads: int) -> dict[str, Any]:
    with ModelServer(answer, process=True) as server, ThreadPoolExecutor(8) as closers:
        leaver = Leaver(server.base_url, closers)
        for number in range(7):
            leaver.leave(number)
        assert settled(lambda: server.connections == 0)
        list(closers.map(time.sleep, [0.05] * 8))  # all its threads are there
        gc.collect()
        before = min((held() for _ in range(10)), key=lambda resources: resources['descriptors'])
        began = time.monotonic()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(leaver.leave, range(streams)))
        seconds = time.monotonic() - began
        after = before

        def is_as_before() -> bool:
            nonlocal after
            after = held()
            return server.connections == 0 and all(after[name] <= before[name] for name in before)

        settled(is_as_before)
        leaked = {f'leaked {name}': after[name] - before[name] for name in before}
        going_on = sum(r.finished_at is None and r.disconnected_at is None for r in server.requests)
        figures = {'streams': streams, 'threads': threads, **leaked, 'connections left': server.connections}
    return {**figures, 'requests going on': going_on, 'seconds': round(seconds, 1)}


def main() -> None:
    figures = measure(*[int(argument) for argument in (sys.argv[1:] + ['10000', '16'][len(sys.argv) - 1 :])])
    print(json.dumps({'python': sys.version.split()[0], **figures}))
    sys.exit(
        any(count > 0 for name, count in figures.items() if name.startswith(('leaked', 'connections', 'requests')))
    )


if __name__ == '__main__':
    main()

"""One measurement of agents, in the process it is run in: `agents.py LIBRARY CASE URL COUNT`.

Prints one JSON object. The cases: `run`, a warm run that is not streamed; `text`, a burst of text read piece by piece;
`events` and `encode`, the same burst as events and as the bytes of a page's stream;
`get_data`, `stream_items`, `stream_structured`, `stream` and `stream_each`, a list of COUNT kB read in each way; `map`,
COUNT runs at a time.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from client import MODEL, PROMPT, httpx, median, short, timed


@dataclasses.dataclass
class Row:
    """An element of the structured result."""

    number: int
    name: str
    tags: list[str]


def syncai(url: str, kind: Any) -> Any:
    """An agent of syncai."""
    from syncai.agent import Agent
    from syncai.models.openai import OpenAIChatModel

    return Agent(OpenAIChatModel(MODEL, base_url=url, api_key='key'), result_type=kind)


def pydantic_ai(url: str, kind: Any) -> Any:
    """An agent of the other library."""
    import httpx as client
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    connection = AsyncOpenAI(base_url=url, api_key='key', http_client=client.AsyncClient(timeout=60))
    return Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=connection)), output_type=kind)


AGENTS: dict[str, Callable[[str, Any], Any]] = {'syncai': syncai, 'pydantic-ai': pydantic_ai}


def run(library: str, url: str, count: int) -> dict[str, float]:
    """Wall time of a warm run in µs; for httpx that of the bare request, which is part of every run."""
    if library == 'httpx':
        return short(httpx(url)[1], count)
    agent = AGENTS[library](url, str)
    return short(lambda: agent.run_sync(PROMPT), count)


def text(library: str, url: str, count: int) -> dict[str, float]:
    """Wall time of an event of `stream_text(delta=True)` in µs: the median of three bursts, after one to warm up."""
    agent = AGENTS[library](url, str)

    def stream() -> None:
        opened = agent.run_stream_sync(PROMPT)
        with opened as result:
            received = sum(len(piece) for piece in result.stream_text(delta=True, debounce_by=None))
        if received < count:
            raise RuntimeError(f'{received} characters of {count} events')

    stream()
    return {'wall_us': median([timed(time.perf_counter, stream) for _ in range(3)]) / count * 1e6}


def events(library: str, case: str, url: str, count: int) -> dict[str, float]:
    """Wall time of an event in µs: of the events of a run, or of the stream of a page."""
    agent = AGENTS[library](url, str)

    def stream() -> None:
        from syncai.web import encode

        opened = agent.run_stream_events_sync(PROMPT)
        if case == 'encode':
            received = sum(piece.count(b'text-delta') for piece in encode(opened))
        else:
            with opened:
                received = sum(1 for _ in opened)
        if received < count:
            raise RuntimeError(f'{received} of {count} events')

    stream()
    return {'wall_us': median([timed(time.perf_counter, stream) for _ in range(5)]) / count * 1e6}


def readings(result: Any, case: str) -> Iterator[Any]:
    """The function that reads a structured stream in the way of the case."""
    if case == 'get_data':
        yield result.get_data()
    elif case == 'stream_items':
        yield from result.stream_items()
    elif case == 'stream_structured':
        yield from result.stream_structured()
    elif hasattr(result, 'stream_output'):
        yield from result.stream_output(debounce_by=None if case == 'stream_each' else 0.1)
    else:
        yield from result.stream(debounce_by=None if case == 'stream_each' else 0.1)


def structured(library: str, case: str, url: str) -> dict[str, float]:
    """Wall time in ms of a whole structured stream, the second one of a process."""
    agent = AGENTS[library](url, list[Row])

    def stream() -> None:
        opened = agent.run_stream_sync(PROMPT)
        with opened as result:
            if sum(1 for _ in readings(result, case)) < 1:
                raise RuntimeError('nothing came')

    if case != 'stream_each':
        stream()
    return {'ms': timed(time.perf_counter, stream) * 1e3}


def many(library: str, url: str, concurrency: int) -> dict[str, float]:
    """Wall time of 1,000 runs as a multiple of the ideal one, with a server that takes 50 ms."""
    agent = AGENTS[library](url, str)
    list(agent.map_sync([PROMPT] * concurrency, max_concurrency=concurrency))
    wall = timed(time.perf_counter, lambda: list(agent.map_sync([PROMPT] * 1000, max_concurrency=concurrency)))
    return {'ideal': wall / (1000 / concurrency * 0.05)}


def measure(library: str, case: str, url: str, count: int) -> dict[str, float]:
    """One measurement."""
    if case == 'run':
        return run(library, url, count)
    if case == 'text':
        return text(library, url, count)
    if case in ('events', 'encode'):
        return events(library, case, url, count)
    if case == 'map':
        return many(library, url, count)
    return structured(library, case, url)


if __name__ == '__main__':
    _, library_name, case_name, base_url, number = sys.argv
    del sys.path[0]  # this folder: no module of it may hide a library
    measured = measure(library_name, case_name, base_url, int(number))
    print('{' + ', '.join(f'"{name}": {value}' for name, value in measured.items()) + '}')

"""One measurement of one library, in the process it is run in: `client.py LIBRARY CASE URL COUNT [THREADS]`.

Prints one JSON object. Each library is imported by its own function only, so that no measurement includes the import of
another.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROMPT = 'What is two and two?'
MODEL = 'gpt-5.4-mini'
Stream = Callable[[], int]
Library = Callable[[str], tuple[Stream, Callable[[], object]]]


def syncai(url: str) -> tuple[Stream, Callable[[], object]]:
    """This project's direct functions."""
    from syncai.direct import model_request_stream_sync, model_request_sync
    from syncai.messages import ModelRequest
    from syncai.models.openai import OpenAIChatModel

    model, messages = OpenAIChatModel(MODEL, base_url=url, api_key='key'), [ModelRequest.user_text_prompt(PROMPT)]

    def stream() -> int:
        with model_request_stream_sync(model, messages) as response:
            return sum(1 for _ in response)

    return stream, lambda: model_request_sync(model, messages)


def openai(url: str) -> tuple[Stream, Callable[[], object]]:
    """The synchronous client of the openai package."""
    from openai import OpenAI

    create = OpenAI(base_url=url, api_key='key').chat.completions.create

    def stream() -> int:
        with create(model=MODEL, messages=[{'role': 'user', 'content': PROMPT}], stream=True) as response:
            return sum(1 for _ in response)

    return stream, lambda: create(model=MODEL, messages=[{'role': 'user', 'content': PROMPT}])


def pydantic_ai(url: str) -> tuple[Stream, Callable[[], object]]:
    """The synchronous direct functions of pydantic-ai, with a model for each thread: it does not share one."""
    import httpx as client
    from openai import AsyncOpenAI
    from pydantic_ai.direct import model_request_stream_sync, model_request_sync
    from pydantic_ai.messages import ModelRequest
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    messages, own = [ModelRequest.user_text_prompt(PROMPT)], threading.local()

    def model() -> OpenAIChatModel:
        if not hasattr(own, 'model'):
            connection = AsyncOpenAI(base_url=url, api_key='key', http_client=client.AsyncClient(timeout=60))
            own.model = OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=connection))
        chat_model: OpenAIChatModel = own.model
        return chat_model

    def stream() -> int:
        with model_request_stream_sync(model(), messages) as response:
            return sum(1 for _ in response)

    return stream, lambda: model_request_sync(model(), messages)


def httpx(url: str) -> tuple[Stream, Callable[[], object]]:
    """Plain synchronous httpx: lines parsed by json.loads, without types."""
    import json

    import httpx

    client = httpx.Client(
        limits=httpx.Limits(max_connections=None), timeout=60, headers={'authorization': 'Bearer key'}
    )
    path, body = f'{url}/chat/completions', {'model': MODEL, 'messages': [{'role': 'user', 'content': PROMPT}]}

    def stream() -> int:
        with client.stream('POST', path, json={**body, 'stream': True}) as response:
            return sum(events_in(response.iter_bytes()))

    def events_in(chunks: Iterator[bytes]) -> Iterator[int]:
        rest = b''
        for chunk in chunks:
            *events, rest = (rest + chunk).split(b'\n\n')
            for data in events:
                if data != b'data: [DONE]':
                    json.loads(data[6:])
                    yield 1

    return stream, lambda: json.loads(client.post(path, json=body).content)


LIBRARIES: dict[str, Library] = {'syncai': syncai, 'openai': openai, 'pydantic-ai': pydantic_ai, 'httpx': httpx}


def peak_memory() -> float:
    """Peak resident memory of this process in MB; not ru_maxrss, which on Linux remembers the process before exec."""
    status = Path('/proc/self/status')
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith('VmHWM')) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == 'darwin' else 1024)


def median(values: list[float]) -> float:
    """The middle value."""
    return sorted(values)[len(values) // 2]


def timed(clock: Callable[[], float], call: Callable[[], object]) -> float:
    """The advance of the clock during the call, in seconds."""
    started = clock()
    call()
    return clock() - started


def complete(stream: Stream, count: int) -> Callable[[], None]:
    """The stream, with a check that all its events came."""

    def checked() -> None:
        if (received := stream()) < count:
            raise RuntimeError(f'{received} of {count} events')

    return checked


def burst(stream: Stream, count: int) -> dict[str, float]:
    """Wall time of an event in µs: the median of five bursts, after one to warm up."""
    checked = complete(stream, count)
    checked()
    return {'wall_us': median([timed(time.perf_counter, checked) for _ in range(5)]) / count * 1e6}


def paced(stream: Stream, count: int) -> dict[str, float]:
    """CPU time of the process for an event, in µs."""
    checked = complete(stream, count)
    checked()
    return {'cpu_us': timed(time.process_time, checked) / count * 1e6}


def threads(stream: Stream, count: int, number: int) -> dict[str, float]:
    """Wall time in s, CPU µs an event, and peak MB above what the process had after imports and one stream."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    complete(stream, count)()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            complete(stream, count)()
        except Exception as error:  # reported as a failed measurement, whatever it is
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(number)]

    def run() -> None:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    memory, cpu = peak_memory(), time.process_time()
    wall = timed(time.perf_counter, run)
    if failures:
        raise RuntimeError(f'{len(failures)} of {number} streams failed, the first with {failures[0]!r}')
    cpu = time.process_time() - cpu
    return {'wall_s': wall, 'cpu_us': cpu / count / number * 1e6, 'memory_mb': peak_memory() - memory}


def short(call: Callable[[], object], count: int) -> dict[str, float]:
    """Wall time of a warm call in µs, the median of `count`."""
    for _ in range(10):
        call()
    return {'wall_us': median([timed(time.perf_counter, call) for _ in range(count)]) * 1e6}


def leave(url: str) -> dict[str, float]:
    """Streams of syncai left after 5 events: ms until the block is left and until the server knows, worst of 20."""
    import json
    import urllib.request

    from syncai.direct import model_request_stream_sync
    from syncai.messages import ModelRequest
    from syncai.models.openai import OpenAIChatModel

    model, messages = OpenAIChatModel(MODEL, base_url=url, api_key='key'), [ModelRequest.user_text_prompt(PROMPT)]
    exits, events = [], []
    for _ in range(20):
        with model_request_stream_sync(model, messages) as response:
            for _event in zip(range(5), response, strict=False):
                pass
            started = time.monotonic()
        exits.append(time.monotonic() - started)
        time.sleep(0.1)
        with urllib.request.urlopen(f'{url.partition("/paced")[0]}/left') as answer:
            events.append(json.load(answer)[-1] - started)
    return {'exit_ms': max(exits) * 1e3, 'seen_ms': max(events) * 1e3}


def interrupt(url: str) -> dict[str, float]:
    """Ctrl-C while the main thread waits for an event or a whole answer: ms until KeyboardInterrupt, worst of 20."""
    import os
    import signal

    from syncai.direct import model_request_stream_sync, model_request_sync
    from syncai.messages import ModelRequest
    from syncai.models.openai import OpenAIChatModel

    model, messages = OpenAIChatModel(MODEL, base_url=url, api_key='key'), [ModelRequest.user_text_prompt(PROMPT)]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background processes ignore it
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    def stream() -> None:
        with model_request_stream_sync(model, messages) as response:
            for _event in response:
                pass

    # The imports of a first request come first, since the loop thread notices nothing during an import.
    syncai(f'{url.partition("/paced")[0]}/short/v1')[1]()
    delays: list[float] = []
    waits: list[Callable[[], object]] = [stream, lambda: model_request_sync(model, messages)]
    for wait in waits * 10:
        threading.Timer(0.1, press).start()
        try:
            wait()
        except KeyboardInterrupt:
            delays.append(time.monotonic() - pressed[-1])
    if len(delays) < 20:
        raise RuntimeError(f'{len(delays)} of 20 waits were interrupted')
    return {'interrupt_ms': max(delays) * 1e3}


def measure(library: str, case: str, url: str, count: int, number: int) -> dict[str, float]:
    """One measurement."""
    stream, call = LIBRARIES[library](url)
    if case == 'burst':
        return burst(stream, count)
    if case == 'paced':
        return paced(stream, count)
    if case == 'threads':
        return threads(stream, count, number)
    if case == 'short':
        return short(call, count)
    if case == 'leave':
        return leave(url)
    if case == 'interrupt':
        return interrupt(url)
    call()
    return {'memory_mb': peak_memory()}


if __name__ == '__main__':
    _, library_name, case_name, base_url, event_count, *rest = sys.argv
    del sys.path[0]  # this folder: no module of it may hide a library
    result = measure(library_name, case_name, base_url, int(event_count), int(rest[0]) if rest else 1)
    print('{' + ', '.join(f'"{name}": {value}' for name, value in result.items()) + '}')

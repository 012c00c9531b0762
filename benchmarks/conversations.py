"""How long a conversation takes to load and to append to, in a SQLite file of many: `conversations.py [COUNT]`.

COUNT conversations (10,000) of 50 messages each, a quarter of which are calls of tools and their returns. Then random
ones are loaded, and two messages are appended to random ones, each a transaction of its own. Prints one JSON object: of
`load` and `append` the median, the 99th percentile and the longest time, in ms, as the caller waits. `disk` is one
write of a page with an fsync to the same disk, for comparison with the 99th percentile of `append`.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from syncai.conversations import SQLiteStore
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.usage import Usage

MESSAGES = 50
ROUNDS = 2_000
WORDS = 'the river runs through the city and its bridges are older than the houses beside it '


def turn(number: int) -> list[ModelMessage]:
    """A prompt and its answer of some 400 characters; every other one calls a tool in between."""
    answer = ModelResponse([TextPart(WORDS * 5)], usage=Usage(1, 900, 120, 1020), model_name='gpt-5.4-mini')
    request = ModelRequest([UserPromptPart(f'{number}: {WORDS}')], instructions='Be brief, and name your sources.')
    if number % 2:
        return [request, answer]
    call = ToolCallPart('search', {'words': WORDS, 'limit': 5}, f'call_{number}')
    returned = ModelRequest([ToolReturnPart('search', {'pages': [WORDS] * 3}, call.tool_call_id)])
    return [request, ModelResponse([call]), returned, answer]


def conversation() -> list[ModelMessage]:
    """The first 50 messages of each conversation."""
    return [message for number in range(MESSAGES) for message in turn(number)][:MESSAGES]


def fill(store: SQLiteStore, count: int) -> None:
    """Write the conversations."""
    messages = conversation()
    for number in range(count):
        store.append(f'user-{number}', 0, messages)


def times(work: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """The milliseconds of each call, the shortest first."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        seconds.append((time.perf_counter() - began) * 1000)
    return sorted(seconds)


def figures(seconds: list[float]) -> dict[str, float]:
    """The printed figures of these times."""
    by_name = {'median': seconds[len(seconds) // 2], 'p99': seconds[len(seconds) * 99 // 100], 'longest': seconds[-1]}
    return {name: round(value, 3) for name, value in by_name.items()}


def main(count: int, path: Path) -> None:
    """Fill the file, and measure."""
    store = SQLiteStore(path)
    fill(store, count)
    more = turn(1)

    def name() -> str:
        return f'user-{random.randrange(count)}'

    def append() -> None:
        chosen = name()
        versions[chosen] = store.append(chosen, versions.get(chosen, MESSAGES), more)

    def to_disk() -> None:
        os.pwrite(page, b'x' * 4096, 0)
        os.fsync(page)

    versions: dict[str, int] = {}
    loaded = times(lambda: store.load(name()))
    appended = times(append)
    page = os.open(path.with_name('page'), os.O_CREAT | os.O_WRONLY)
    synced = times(to_disk, 200)
    os.close(page)
    store.close()
    result = {'conversations': count, 'MB': round(path.stat().st_size / 1e6)}
    print(json.dumps(result | {'load': figures(loaded), 'append': figures(appended), 'disk': figures(synced)}))


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as folder:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, Path(folder) / 'chats.db')

"""One measurement of maps with `TestModel`, in the process it is run in: `maps.py syncai CASE URL COUNT`.

Prints one JSON object. The cases: `journal`, what a journal adds to a map of COUNT rows; `tape`, what recording and
replaying add to COUNT runs; `memory`, the peak of a map of COUNT rows with a journal, of which the caller keeps none.
No server is asked.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROUNDS = 5


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Wall time and CPU of the whole process, in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def journal(folder: Path, count: int) -> dict[str, float]:
    """The time that a journal adds to a row, in µs: the median of pairs of runs with and without it."""
    from syncai import Agent
    from syncai.models.test import TestModel

    agent = Agent(TestModel(custom_result_text='ok'))

    def run(**options: Any) -> None:
        rows = agent.map_sync((f'row {number}' for number in range(count)), **options)
        if sum(row.data == 'ok' for row in rows) != count:
            raise RuntimeError('a row failed')

    run()
    added = []
    for number in range(ROUNDS):
        bare = seconds(run)
        with_journal = seconds(partial(run, journal=folder / f'{number}.sqlite'))
        added.append([(with_it - without) / count * 1e6 for with_it, without in zip(with_journal, bare, strict=True)])
    wall, cpu = (sorted(values)[ROUNDS // 2] for values in zip(*added, strict=True))
    return {'journal_us': wall, 'journal_cpu_us': cpu, 'row_us': bare[0] / count * 1e6}


def tape(folder: Path, count: int) -> dict[str, float]:
    """The time that a tape adds to a run when it records and when it replays, in µs."""
    from syncai import Agent
    from syncai.models.test import TestModel
    from syncai.tape import Tape

    agent = Agent(TestModel(custom_result_text='ok'))

    def run() -> None:
        for number in range(count):
            agent.run_sync(f'row {number}')

    def taped(path: Path, mode: Any) -> None:
        with Tape(path, mode=mode):
            run()

    run()
    bare, recorded, replayed = [], [], []
    for number in range(ROUNDS):
        path = folder / f'{number}.json'
        bare.append(seconds(run)[0])
        recorded.append(seconds(partial(taped, path, 'once'))[0])
        replayed.append(seconds(partial(taped, path, 'replay'))[0])
    least = min(bare)
    return {
        'record_us': (min(recorded) - least) / count * 1e6,
        'replay_us': (min(replayed) - least) / count * 1e6,
    }


def memory(folder: Path, count: int) -> dict[str, float]:
    """The peak of the whole process in MB."""
    from syncai import Agent
    from syncai.models.test import TestModel

    agent = Agent(TestModel(custom_result_text='ok'))
    began = time.perf_counter()
    rows = agent.map_sync((f'row {number}' for number in range(count)), journal=folder / 'run.sqlite')
    if sum(row.data == 'ok' for row in rows) != count:
        raise RuntimeError('a row failed')
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {'memory_mb': peak, 'row_us': (time.perf_counter() - began) / count * 1e6}


CASES: dict[str, Callable[[Path, int], dict[str, float]]] = {'journal': journal, 'tape': tape, 'memory': memory}


if __name__ == '__main__':
    _, _, case_name, _, number = sys.argv
    del sys.path[0]  # this folder: no module of it may hide a library
    with tempfile.TemporaryDirectory() as directory:
        measured = CASES[case_name](Path(directory), int(number))
    print('{' + ', '.join(f'"{name}": {value}' for name, value in measured.items()) + '}')

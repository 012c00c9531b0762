"""A map whose runs are made by the workers of an engine: `fleet_engines.py ENGINE JOURNAL ROWS`.

Leaves the map after a few rows, makes it again to its end, and prints what came as one JSON object. Also the workers'
module: nothing happens when it is imported.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from fleet_agent import agent, as_key, as_prompt

from syncai.exceptions import RateLimitError, UserError


@contextmanager
def executor_of(engine: str) -> Iterator[Executor]:
    if engine == 'processes':
        import multiprocessing

        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('spawn')) as pool:
            yield pool
    elif engine == 'dask':
        distributed: Any = importlib.import_module('distributed')  # its types are half of them

        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client.get_executor(pure=False)
    elif engine == 'ray':
        import ray

        from syncai.contrib.ray import RayExecutor

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
        with RayExecutor(num_cpus=0.5) as pool:
            yield pool
        ray.shutdown()
    else:
        from mpi4py.futures import MPIPoolExecutor

        with MPIPoolExecutor() as pool:
            yield pool


def raises_what_no_pickle_takes() -> None:
    class Odd(Exception):
        pass

    raise Odd('of the worker')


def what_ray_does(executor: Executor) -> dict[str, Any]:
    """What its executor does beside a map."""
    from syncai.contrib.ray import RayExecutor

    error = executor.submit(agent.run_sync, 'row 13').exception()
    waiting = executor.submit(agent.run_sync, 'endless')
    while not Path(os.environ['BEGUN']).exists():  # the server has been asked
        time.sleep(0.05)
    cancelled = waiting.cancel(), waiting.cancel(), waiting.cancelled(), len(wait([waiting], timeout=5).done)
    squares = list(executor.map(pow, [1, 2, 3], [2, 2, 2]))
    odd = executor.submit(raises_what_no_pickle_takes).exception()
    wrong = []
    for attempt in (lambda: RayExecutor(cpus=1), lambda: shut(executor)):
        try:
            attempt()
        except UserError as refused:
            wrong.append(str(refused))
    return {
        'cause': type(error.__cause__).__name__ if error else '',
        'place': 'contrib/ray.py' in str(error.__cause__) if error else False,
        'cancelled': cancelled,
        'squares': squares,
        'odd': [type(odd).__name__, str(odd)],
        'wrong': wrong,
    }


def shut(executor: Executor) -> None:
    left = executor.submit(pow, 2, 3)
    executor.shutdown()
    assert left.result() == 8
    executor.submit(pow, 2, 3)


def main(engine: str, journal: str, count: int) -> None:
    options: dict[str, Any] = {'journal': journal, 'key': as_key, 'prompt': as_prompt, 'max_concurrency': 4}
    with executor_of(engine) as executor:
        rows = agent.map_sync(range(count), executor=executor, **options)
        before = [row.key for row in islice(rows, 5)]
        rows.close()
        after = list(agent.map_sync(range(count), executor=executor, **options))
        calls = what_ray_does(executor) if engine == 'ray' else {}
    failed = [row for row in after if row.error is not None]
    good = [row.data.split() for row in after if row.error is None]
    print(
        json.dumps(
            {
                'before': before,
                'keys': [row.key for row in after],
                'stored': sum(row.stored for row in after),
                'answers': sorted(int(words[-2]) for words in good),
                'elsewhere': os.getpid() not in {int(words[-1]) for words in good},
                'failed': [(row.key, row.error.status_code) for row in failed if isinstance(row.error, RateLimitError)],
                **calls,
                'errors': [repr(row.error) for row in failed],
            }
        )
    )


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

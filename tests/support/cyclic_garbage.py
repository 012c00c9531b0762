"""The objects that calls leave to the cyclic garbage collector, counted in a fresh process."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Callable

from syncai._bridge import run_sync

_WARM_UP = 3  # calls, after which all objects that are made once exist


def left_by(call: Callable[[], object]) -> list[str]:
    """The classes of syncai's objects that one `call` leaves to the collector."""
    for number in range(_WARM_UP + 1):
        if number == _WARM_UP:
            gc.collect()
            gc.disable()
            gc.set_debug(gc.DEBUG_SAVEALL)
        call()
        run_sync(lambda: asyncio.sleep(0.02))
    gc.collect()
    kinds = {type(leftover) for leftover in gc.garbage}
    ours = [kind for kind in kinds if kind.__module__.startswith(('syncai', 'janus', 'httptools'))]
    return sorted(kind.__qualname__ for kind in ours if not kind.__module__.startswith('syncai.testing'))


def left_in_a_process(module: str, case: str) -> str:
    """The output of `garbage_of(case)` of a module of tests in a separate process."""
    code = f'from {module} import garbage_of; print(garbage_of({case!r}))'
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
    process = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    return (process.stdout + process.stderr).strip()

"""Whether a slow loop only waits for a processor or the interpreter, like the rest of its process. Linux counts for
each thread how long it ran, how long it was ready without a processor, and how often it got one:
https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat. A thread that waits for the interpreter wakes up
every few milliseconds; a thread that is blocked in a system call or by a lock does not.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .threads import allocate_lock

if TYPE_CHECKING:
    from .event_loop import BridgeLoop

_SECONDS = 0.05  # of watching the loop
_LATE = 2.0  # factor of the requested sleep, if only our own wait can be measured
_PART = 0.1  # share of the time that other threads of the process must have run


class _Times(NamedTuple):
    computed: float
    ready: float  # without a processor
    turns: int


def is_starved(loop: BridgeLoop) -> bool:
    """Whether other threads or processes slow the loop down; waits some milliseconds to measure it."""
    before, began, cpu_seconds = _times_of(loop), time.monotonic(), time.process_time()
    lock = allocate_lock()
    lock.acquire()
    lock.acquire(timeout=_SECONDS)  # releases the interpreter, and must get it back
    after, seconds, cpu_seconds = _times_of(loop), time.monotonic() - began, time.process_time() - cpu_seconds
    if before is None or after is None:
        return seconds > _LATE * _SECONDS
    if after.ready - before.ready > seconds / 2:
        return True  # other processes use the processors
    computed, others = after.computed - before.computed, cpu_seconds - (after.computed - before.computed)
    return after.turns > before.turns and computed < seconds / 2 and others > seconds * _PART


def _times_of(loop: BridgeLoop) -> _Times | None:
    try:
        computed, ready, turns = Path(f'/proc/self/task/{loop.native_id}/schedstat').read_text().split()
    except (OSError, ValueError):  # another system, or a kernel without these counts
        return None
    return _Times(int(computed) / 1e9, int(ready) / 1e9, int(turns))

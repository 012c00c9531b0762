"""Whether a loop that does not get on waits for a processor or for the interpreter, like the rest of its process.

Linux says of each thread how long it has computed, how long it was ready without a processor, and how often it got one:
https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat. A thread that waits for the interpreter wakes up
every few milliseconds to ask for it; one that is blocked, in a system call or by a lock, does not.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .threads import allocate_lock

if TYPE_CHECKING:
    from .event_loop import BridgeLoop

_SECONDS = 0.05  # that the loop is looked at
_LATE = 2.0  # times as long as asked for: where only our own waiting can be measured
_PART = 0.1  # of the time, which the other threads of the process must have computed


class _Times(NamedTuple):
    computed: float
    ready: float  # without a processor
    turns: int


def is_starved(loop: BridgeLoop) -> bool:
    """Whether others keep the loop from getting on; waits some milliseconds to see it."""
    before, began, used = _times_of(loop), time.monotonic(), time.process_time()
    lock = allocate_lock()
    lock.acquire()
    lock.acquire(timeout=_SECONDS)  # gives the interpreter away, and must get it back
    after, seconds, used = _times_of(loop), time.monotonic() - began, time.process_time() - used
    if before is None or after is None:
        return seconds > _LATE * _SECONDS
    if after.ready - before.ready > seconds / 2:
        return True  # other processes have the processors
    computed, others = after.computed - before.computed, used - (after.computed - before.computed)
    return after.turns > before.turns and computed < seconds / 2 and others > seconds * _PART


def _times_of(loop: BridgeLoop) -> _Times | None:
    try:
        computed, ready, turns = Path(f'/proc/self/task/{loop.native_id}/schedstat').read_text().split()
    except (OSError, ValueError):  # another system, or a kernel that does not count
        return None
    return _Times(int(computed) / 1e9, int(ready) / 1e9, int(turns))

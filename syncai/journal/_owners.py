"""The maps that work on a journal, in any process; each writes a heartbeat."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One map that has a journal open.

    Attributes:
        id: Its random id.
        place: The machine, and on Linux its boot and its name space of processes.
        pid: Its process there.
        shared: Whether it lets others work at the same time.
        seen: The time of its last heartbeat, in seconds of the store's clock.
    """

    id: str
    place: str
    pid: int
    shared: bool
    seen: float = 0.0

    def is_gone(self, now: float, lease: float) -> bool:
        """Whether its process has ended, or was silent for `lease` seconds."""
        return now - self.seen > lease or (self.place == this_place() and not _runs(self.pid))

    def __str__(self) -> str:
        where = 'this machine' if self.place == this_place() else f'machine {self.place.partition(" ")[0]}'
        return f'process {self.pid} on {where}'


@functools.cache
def this_place() -> str:
    """The scope in which this process's ids are unique."""
    words = [socket.gethostname()]
    with contextlib.suppress(OSError):
        # Two containers with the same host name on one machine do not see each other's processes.
        words += [
            Path('/proc/sys/kernel/random/boot_id').read_text().strip(),
            str(Path('/proc/self/ns/pid').readlink()),
        ]
    return ' '.join(words)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether it has ended and its parent has not reaped it; known only on Linux."""
    try:
        status = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False
    return status.rpartition(')')[2].split()[0] in 'ZX'  # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html

"""A long time under load and faults: at the end the process has the resources that it had after the first round.

    python tests/reliability/soak.py [--seconds 900] [--threads 100] [--seed N]

A model server in a process of its own answers in five wire formats, half of the time with a fault. The threads make
calls, runs with tools that fail, streams that are read, left and dropped, maps, submitted calls that are cancelled,
calls with deadlines, and calls inside running loops; the main thread does the same while a SIGINT comes every few
milliseconds. After each round everything stops and what is left is counted: one row of the table. The exit status is 1
when the last row is not where the first was, when a call raised an error of another library, or when one hung.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import ctypes
import faulthandler
import gc
import linecache
import os
import platform
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from soak_work import Workload

import syncai
from syncai._bridge import loop_thread
from syncai._bridge.frames import frames_of_threads
from syncai._transport.pool import ConnectionPool

HANG = 60.0  # seconds; the longest thing to do has timeouts of 1 s, some requests and a retry each
QUIET = 20.0  # seconds for idle connections (2 s) and idle threads (10 s) to go
FEW_BLOCKS = 20_000  # the usual variation of Python's caches and counters, in objects
FEW_MIB = 24.0  # the usual variation of the C allocator after 100 threads


class Held(NamedTuple):
    """The resources of the process while nothing runs."""

    tasks: int
    connections: int
    threads: int
    fds: int
    blocks: int
    mib: float


def held() -> Held:
    """Counted now."""
    loop = loop_thread._loop
    tasks = 0 if loop is None else sum(not task.done() for task in asyncio.all_tasks(loop)) + len(loop.calls)
    connections = sum(len(o.open_connections()) for o in gc.get_objects() if type(o) is ConnectionPool)
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    mib = pages * os.sysconf('SC_PAGESIZE') / 2**20
    fds = len(list(Path('/proc/self/fd').iterdir()))
    return Held(tasks, connections, threading.active_count(), fds, sys.getallocatedblocks(), mib)


def settle() -> Held:
    """The resources after idle connections and threads had time to end."""
    deadline = time.monotonic() + QUIET
    libc = ctypes.CDLL(None)
    while True:
        linecache.clearcache()  # the source of what a warning has shown
        gc.collect()
        libc.malloc_trim(0)
        now = held()
        if (now.tasks == 0 and now.connections == 0 and now.threads <= 2) or time.monotonic() > deadline:
            return now
        time.sleep(0.25)


def grown(first: Held, last: Held) -> list[str]:
    """The resources that grew by more than the usual variation."""
    allowed = Held(0, 0, 0, 0, FEW_BLOCKS, FEW_MIB)
    return [
        f'{name}: {before:g} -> {after:g}'
        for name, before, after, more in zip(Held._fields, first, last, allowed, strict=True)
        if after > before + more
    ]


@contextlib.contextmanager
def provider(seed: int) -> Iterator[str]:
    """The address of a model server in a process of its own. A new one every round, since it records its requests."""
    command = [sys.executable, str(Path(__file__).with_name('soak_provider.py')), str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip()
        finally:
            child.terminate()


class Interrupts:
    """SIGINT to this process at random moments, raised in the main thread while it is at work and never outside."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._armed = False
        self._over = threading.Event()
        self.raised = 0
        signal.signal(signal.SIGINT, self._handle)

    def _handle(self, *_: object) -> None:
        if self._armed:
            self.raised += 1
            raise KeyboardInterrupt

    def _send(self) -> None:
        while not self._over.wait(self._chance.uniform(0.001, 0.1)):
            os.kill(os.getpid(), signal.SIGINT)

    def work(self, workload: Workload, chance: random.Random, deadline: float) -> None:
        """In the main thread: one thing after another, interrupted."""
        self._over.clear()
        sender = threading.Thread(target=self._send)
        sender.start()
        while time.monotonic() < deadline:
            try:
                self._armed = True
                workload.do_one(chance, interrupted=True)
                self._armed = False
            except KeyboardInterrupt:
                self._armed = False
        self._over.set()
        sender.join()


def one_round(number: int, seconds: float, options: argparse.Namespace, interrupts: Interrupts) -> Workload:
    """Run everything at once for that number of seconds, until the last thread is done."""
    seed = options.seed + 1000 * number
    with provider(seed) as base_url:
        workload = Workload(base_url)
        deadline = time.monotonic() + seconds
        threads = [
            threading.Thread(
                target=workload.run, args=(random.Random(seed + n), lambda: time.monotonic() < deadline), daemon=True
            )
            for n in range(1, options.threads + 1)
        ]
        over = threading.Event()
        watching = threading.Thread(target=watch, args=(workload, over))
        for thread in [watching, *threads]:
            thread.start()
        interrupts.work(workload, random.Random(seed), deadline)
        for thread in threads:
            thread.join()
        over.set()
        watching.join()
    return workload


def watch(workload: Workload, over: threading.Event) -> None:
    """End the process if something hangs, and print where, the loop thread first."""
    while not over.wait(1):
        if stuck := workload.overdue(HANG):
            print('Hanging:', *stuck, sep='\n  ')
            print(syncai.debug(quiet=True))
            main = frames_of_threads()[threading.main_thread().ident or 0]
            print('The main thread:', *traceback.format_stack(main), sep='\n', flush=True)
            os._exit(1)


def header() -> None:
    print(f'Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores')
    print('| seconds | calls | errors | interrupts | tasks | connections | threads | descriptors | objects | MiB |')
    print('|---|---|---|---|---|---|---|---|---|---|', flush=True)


def row(seconds: float, outcomes: collections.Counter[str], interrupts: int, now: Held) -> None:
    calls, done = outcomes.total(), outcomes['done']
    print(f'| {seconds:.0f} | {calls} | {calls - done} | {interrupts} | {now.tasks} | {now.connections}', end=' | ')
    print(f'{now.threads} | {now.fds} | {now.blocks} | {now.mib:.1f} |', flush=True)


def soak(options: argparse.Namespace) -> list[str]:
    """The rounds and their table; returns what is wrong."""
    begun, rounds = time.monotonic(), max(3, round(options.seconds / 60))
    interrupts = Interrupts(random.Random(options.seed))
    outcomes: collections.Counter[str] = collections.Counter()
    unexpected: list[BaseException] = []
    measured: list[Held] = []
    header()
    while len(measured) < rounds:
        left = options.seconds - (time.monotonic() - begun)
        seconds = max(3.0, left / (rounds - len(measured)) - 11)  # and 11 to become quiet
        workload = one_round(len(measured), seconds, options, interrupts)
        outcomes += sum(workload.outcomes.values(), collections.Counter())
        unexpected += workload.unexpected
        del workload
        measured.append(settle())
        row(time.monotonic() - begun, outcomes, interrupts.raised, measured[-1])
    print('\nOutcomes:', ', '.join(f'{count} {name}' for name, count in outcomes.most_common()))
    for error in unexpected:
        print(''.join(traceback.format_exception(error)))
    wrong = [f'{len(unexpected)} unexpected errors'] if unexpected else []
    return wrong + grown(measured[0], measured[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').partition('\n')[0])
    parser.add_argument('--seconds', type=float, default=900)
    parser.add_argument('--threads', type=int, default=100)
    parser.add_argument('--seed', type=int, default=int(time.time()))
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter('ignore')
    wrong = soak(options)
    print(f'Seed {options.seed}.', 'Wrong: ' + '; '.join(wrong) if wrong else 'Nothing is left over, nothing was lost.')
    sys.exit(bool(wrong))


if __name__ == '__main__':
    main()

"""Ctrl-C at random moments, thousands of times: leftovers, losses, and whether the next call works.

    python tests/reliability/interrupts.py [TRIALS] [--seed N]

A child process makes calls, streams, runs with tools, lists and maps, over real HTTP, one after another without an end;
this process sends it a SIGINT at a random moment. After each one the child makes sure that nothing goes on and that the
next call works, and at the end that threads, tasks, descriptors and connections are what they were in the beginning.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from provider import answer

from syncai import Agent, ModelRequest, model_request_stream_sync, model_request_sync
from syncai._bridge import loop_thread
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer

LONGEST_WAIT = 0.015  # seconds until the SIGINT; a run with tools takes about that
HANG = 30


class Row(NamedTuple):
    name: str
    number: int


# --- the child --------------------------------------------------------------------------------------------------------


class Workloads:
    """The interrupted work. Each function leaves its `with` blocks and loops wherever the interrupt lands."""

    def __init__(self, base_url: str) -> None:
        self.model = OpenAIChatModel('m', base_url=base_url, api_key='k')
        self.plain = Agent(self.model)
        self.rows = Agent(self.model, result_type=list[Row])
        self.tools = Agent(self.model, system_prompt='Be brief.')
        self.tools.system_prompt(lambda: 'Today is a day.')
        self.tools.result_validator(lambda data: data)
        for name in ('double', 'triple'):
            self.tools.tool_plain(name=name)(lambda n: 2 * n)

    def all(self) -> list[Callable[[], Any]]:
        return [self.call, self.stream, self.run, self.run_stream, self.events, self.items, self.map, self.leave]

    def call(self) -> None:
        model_request_sync(self.model, [ModelRequest.user_text_prompt('short')])

    def stream(self) -> None:
        with model_request_stream_sync(self.model, [ModelRequest.user_text_prompt('long')]) as stream:
            for number, _ in enumerate(stream):
                if number == 30:
                    break

    def run(self) -> None:
        self.tools.run_sync('use the tools')

    def run_stream(self) -> None:
        with self.tools.run_stream_sync('use the tools') as stream:
            for _ in stream.stream_text(debounce_by=None):
                pass

    def events(self) -> None:
        with self.tools.run_stream_events_sync('use the tools') as events:
            for _ in events:
                pass

    def items(self) -> None:
        with self.rows.run_stream_sync('rows') as stream:
            for _ in stream.stream_items():
                pass

    def map(self) -> None:
        for _ in self.tools.map_sync(('short' for _ in range(4)), max_concurrency=2):
            pass

    def leave(self) -> None:
        with self.plain.run_stream_sync('long') as stream:
            next(stream.stream_text(delta=True, debounce_by=None))


class Child:
    """Obeys the harness: one trial for each line of its input."""

    def __init__(self, base_url: str) -> None:
        self.armed = self.fired = False
        self.figures: collections.Counter[str] = collections.Counter()
        self.places: collections.Counter[str] = collections.Counter()
        self.threads, self.descriptors = threading.active_count(), descriptors()
        self.workloads = Workloads(base_url)
        signal.signal(signal.SIGINT, self.interrupt)
        sys.unraisablehook = self.swallowed

    def interrupt(self, *_: object) -> None:
        if self.armed:
            self.armed, self.fired = False, True
            raise KeyboardInterrupt

    def swallowed(self, info: Any) -> None:
        self.places[f'{info.err_msg or "ignored in"} {getattr(info.object, "__qualname__", info.object)}'[:100]] += 1

    def serve(self) -> None:
        for line in sys.stdin:
            faulthandler.dump_traceback_later(HANG, exit=True)
            self.trial(random.Random(line), str(line.strip()))
            print('over', flush=True)
        self.figures['left over'] += self.left_over()
        print(json.dumps({**self.figures, 'swallowed in': dict(self.places)}))

    def trial(self, rnd: random.Random, seed: str) -> None:
        self.fired = False
        try:
            self.work(rnd)
            self.figures['lost'] += 1
        except KeyboardInterrupt:
            self.figures['interrupted'] += 1
        except BaseException as error:
            self.figures[f'odd: {error!r}'[:120]] += 1
        self.armed = False
        if not eventually(lambda: not loop_thread._loop or not loop_thread._loop.calls):
            self.figures['still running'] += 1
            print('still running after the trial', seed, file=sys.stderr)
        self.workloads.call()

    def work(self, rnd: random.Random) -> None:
        """Until the interrupt. Not in the `try` itself: 3.13.0 does not count the turn of a loop as inside of it."""
        works = self.workloads.all()
        self.armed = True
        print('go', flush=True)
        while not self.fired:
            rnd.choice(works)()

    def left_over(self) -> int:
        """Threads and descriptors beyond those of the beginning, after the loop was shut down."""
        assert loop_thread.shutdown()
        enough = eventually(lambda: threading.active_count() <= self.threads and descriptors() <= self.descriptors, 15)
        return 0 if enough else 1


def descriptors() -> int:
    return len(list(Path('/dev/fd').iterdir()))


def eventually(condition: Callable[[], object], seconds: float = 2.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return bool(condition())


# --- the harness ------------------------------------------------------------------------------------------------------


def measure(trials: int, seed: int) -> dict[str, Any]:
    """The figures of that number of interrupts."""
    rnd = random.Random(seed)
    with ModelServer(answer, process=True) as server:
        command = [sys.executable, '-W', 'error', __file__, '--child', server.base_url]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdin is not None
        assert child.stdout is not None
        done = 0
        for trial in range(trials):
            print(f'{seed}.{trial}', file=child.stdin, flush=True)
            if child.stdout.readline() != 'go\n':
                break
            time.sleep(rnd.uniform(0, LONGEST_WAIT))
            os.kill(child.pid, signal.SIGINT)
            if child.stdout.readline() != 'over\n':
                break
            done += 1
        figures = last_words(child)
        going_on = [r for r in server.requests if r.finished_at is None and r.disconnected_at is None]
        requests = len(server.requests)
    poisoned = int(child.returncode != 0)
    return {'trials': done, 'poisoned': poisoned, **figures, 'requests': requests, 'requests going on': len(going_on)}


def last_words(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = child.communicate(timeout=2 * HANG)
    return dict(json.loads(out)) if child.returncode == 0 else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('trials', type=int, nargs='?', default=5000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--child', metavar='URL', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        Child(options.child).serve()
        return
    began = time.monotonic()
    figures = measure(options.trials, options.seed)
    print(json.dumps({'python': sys.version.split()[0], **figures, 'seconds': round(time.monotonic() - began, 1)}))
    sys.exit(bool(figures['poisoned'] or figures['trials'] < options.trials))


if __name__ == '__main__':
    main()

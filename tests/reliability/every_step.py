"""An interrupt at every step of a call: at each point where the interpreter can run a signal handler, one by one.

    python tests/reliability/every_step.py [SCENARIO ...]

The interpreter runs signal handlers where a function begins or is resumed, after a call of a C function, and in one
that waits. A profiler raises KeyboardInterrupt at each of those points once: in our code and in the parts of the
standard library that it stands on. After each, nothing may continue, and the next call must work, from another thread
too. Prints one JSON object for each scenario; `lost` are those that landed in a finalizer or a fork hook, where the
interpreter swallows every exception.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import faulthandler
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import syncai
from syncai import Agent, ModelRequest, model_request_stream_sync
from syncai._bridge import Channel, call_user_function, loop_thread, open_sync, run_sync, submit
from syncai.models.test import TestModel

TRACED = (
    str(Path(syncai.__file__).parent),
    threading.__file__,
    str(Path(threading.__file__).with_name('weakref.py')),
    concurrent.futures._base.__file__,
)
HANG = 20.0
QUESTION = [ModelRequest.user_text_prompt('hi')]


async def one() -> int:
    return 1


async def count(channel: Channel[None]) -> None:
    for number in range(1000):
        await channel.emit([number])
        await asyncio.sleep(0)


async def forever(channel: Channel[None]) -> None:
    await channel.emit([0])
    await asyncio.sleep(3600)


# --- what is interrupted ----------------------------------------------------------------------------------------------


def call() -> None:
    run_sync(one)


def first_call() -> None:
    loop_thread.shutdown()
    run_sync(one)


def call_with_work() -> None:
    run_sync(lambda: call_user_function(len, 'ab'))


def stream_closed() -> None:
    consumer = open_sync(count)
    for _ in range(3):
        consumer.next_batch()
    consumer.close()


def stream_dropped() -> None:
    open_sync(forever).next_batch()


def stream_read() -> None:
    with model_request_stream_sync(TestModel(), QUESTION) as stream:
        for _ in stream:
            pass


def stream_left() -> None:
    with model_request_stream_sync(TestModel(), QUESTION) as stream:
        next(iter(stream))


agent = Agent(TestModel())
agent.tool_plain(name='tool')(lambda: 'done')


def run_streamed() -> None:
    with agent.run_stream_sync('hi') as stream:
        for _ in stream.stream_text(debounce_by=None):
            pass


def runs_mapped() -> None:
    for _ in agent.map_sync(['a', 'b']):
        pass


def submitted() -> None:
    submit(one).result(5)


def submitted_and_awaited() -> None:
    """By what the standard library has for several futures: locks and events of its own, which the loop then meets."""
    futures = [submit(one), submit(one)]
    try:
        list(concurrent.futures.as_completed(futures, 5))
        concurrent.futures.wait([submit(one), *futures], 5)
    except RuntimeError as error:  # as which an interrupt inside a wait may surface there
        raise error.__context__ or error from None


def submitted_and_cancelled() -> None:
    submit(lambda: asyncio.sleep(0.001)).cancel()


def forked() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        sys.setprofile(None)
        os._exit(0)
    os.waitpid(pid, 0)


SCENARIOS: list[Callable[[], None]] = [
    call,
    first_call,
    call_with_work,
    stream_closed,
    stream_dropped,
    stream_read,
    stream_left,
    run_streamed,
    runs_mapped,
    submitted,
    submitted_and_awaited,
    submitted_and_cancelled,
    forked,
]


# --- the tracer -------------------------------------------------------------------------------------------------------


class Tracer:
    """Raises KeyboardInterrupt at the point of the given number, and notes where that was."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.points = 0
        self.place: str | None = None

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        # A C function that waits may be interrupted before it has done anything, others only after.
        waits = event == 'c_call' and getattr(arg, '__name__', '') == 'acquire'
        if (event in ('call', 'c_return') or waits) and frame.f_code.co_filename.startswith(TRACED):
            self._point(frame)

    def _point(self, frame: FrameType) -> None:
        self.points += 1
        if self.points == self.target:
            code = frame.f_code
            self.place = f'{Path(code.co_filename).name}:{frame.f_lineno} {code.co_qualname}'
            raise KeyboardInterrupt


def interrupted_at(number: int, scenario: Callable[[], None]) -> Tracer:
    """The scenario, interrupted at that point."""
    tracer = Tracer(number)
    try:
        sys.setprofile(tracer)
        try:
            scenario()
        finally:
            sys.setprofile(None)
    except KeyboardInterrupt:
        if tracer.place is None:
            raise
    else:
        if tracer.place is not None:
            tracer.place = f'lost: {tracer.place}'
    return tracer


# --- what must hold after each ----------------------------------------------------------------------------------------


def trouble() -> str | None:
    """The damage of the interrupt."""
    loop = loop_thread._loop
    if loop is not None and not eventually(lambda: not loop.calls):
        return 'a call goes on'
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(run_sync(one)), daemon=True)
    thread.start()
    thread.join(8)
    if answers != [1]:
        return 'a call from another thread fails'
    if run_sync(one) != 1:
        return 'the next call fails'
    one_loop = eventually(
        lambda: sum(t.name == 'syncai-loop' and t.ident in sys._current_frames() for t in threading.enumerate()) == 1
    )
    return None if one_loop else 'more than one loop thread'


def eventually(condition: Callable[[], object], seconds: float = 2.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.0002)
    return bool(condition())


def walk(scenario: Callable[[], None]) -> dict[str, Any]:
    """Interrupts the scenario at every point."""
    figures: collections.Counter[str] = collections.Counter()
    broken: dict[str, str] = {}
    lost: collections.Counter[str] = collections.Counter()
    number = 0
    for number in range(1, 100_000):
        faulthandler.dump_traceback_later(HANG, exit=True)
        tracer = interrupted_at(number, scenario)
        place = tracer.place
        if place is None:
            break
        del tracer
        if place.startswith('lost: '):
            lost[place] += 1
        if (what := trouble()) is not None:
            broken[place] = what
            loop_thread.shutdown()
            run_sync(one)
        figures['interrupts'] += 1
    faulthandler.cancel_dump_traceback_later()
    return {'scenario': scenario.__name__, **figures, 'broken': broken, 'lost': dict(lost)}


def main() -> None:
    sys.unraisablehook = lambda _: None  # counted as lost
    sys.setswitchinterval(1e-4)
    run_sync(one)
    names = sys.argv[1:]
    failed = False
    for scenario in SCENARIOS:
        if names and scenario.__name__ not in names:
            continue
        scenario()  # imports and caches are no part of it
        figures = walk(scenario)
        failed |= bool(figures['broken'])
        print(json.dumps(figures), flush=True)
    sys.exit(failed)


if __name__ == '__main__':
    main()

"""Agents over real HTTP in forked and spawned processes, in many threads, in signal handlers and at the exit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import IN_MAKE_PLACES, LONG, asked_model

from syncai import Agent
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer

__all__ = ['asked_model']

pytestmark = pytest.mark.slow

PRELUDE = """
import atexit, multiprocessing, os, signal, sys, threading, time, warnings
from syncai import Agent
from syncai.models.openai import OpenAIChatModel
warnings.filterwarnings('ignore', message='.*fork', category=DeprecationWarning)
agent = Agent(OpenAIChatModel('m', base_url=os.environ['MODEL_URL'], api_key='key'))
def ask(prompt='short'): return agent.run_sync(prompt).data
def stream(prompt='endless', first=lambda: None):
    with agent.run_stream_sync(prompt) as answer:
        for n, _ in enumerate(answer.stream_text(delta=True, debounce_by=None)):
            if n == 3: first()
    return n + 1
"""


def start(server: ModelServer, code: str, folder: Path) -> subprocess.Popen[str]:
    program = folder / 'program.py'
    program.write_text(PRELUDE + textwrap.dedent(code))
    return subprocess.Popen(
        [sys.executable, '-W', 'error', str(program)],
        env={**os.environ, 'MODEL_URL': server.base_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(server: ModelServer, code: str, folder: Path, *, expect: int = 0) -> str:
    process = start(server, code, folder)
    try:
        out, err = process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == expect, out + err
    assert 'Traceback' not in err, err
    return out


# --- processes --------------------------------------------------------------------------------------------------------

WORKERS = """
import concurrent.futures
def work(number): return ask(), stream('long'), os.getpid()
if __name__ == '__main__':
    {before}
    context = multiprocessing.get_context('{method}')
    with context.Pool(1) as pool: done = pool.map(work, range(2))
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        done += executor.map(work, range(2))
    process = context.Process(target=work, args=(1,)); process.start(); process.join()
    print({{(text, count) for text, count, _ in done}}, os.getpid() in {{d[2] for d in done}}, process.exitcode, ask())
"""


@pytest.mark.parametrize('before', ['pass', 'ask()'], ids=['', 'after a call'])
@pytest.mark.parametrize('method', ['fork', 'spawn', 'forkserver'])
def test_multiprocessing(method: str, before: str, asked_model: ModelServer, tmp_path: Path) -> None:
    if method != 'fork' and not IN_MAKE_PLACES:
        pytest.skip('each process imports everything again, which takes seconds: `make places`')
    out = run(asked_model, WORKERS.format(method=method, before=before), tmp_path)
    assert out == f"{{('answer', {LONG})}} False 0 answer\n"


def test_forks_in_the_middle_of_calls(asked_model: ModelServer, tmp_path: Path) -> None:
    """Forks by the same thread, in a stream, and by others that wait; no answer is cut."""
    out = run(
        asked_model,
        """
        counts, children = [], []
        def fork():
            pid = os.fork()
            if pid == 0: os._exit(0 if ask() == 'answer' and stream('long') else 1)
            children.append(pid)
        threads = [threading.Thread(target=lambda: counts.append(stream('long'))) for _ in range(3)]
        for thread in threads: thread.start()
        counts.append(stream('long', fork)); fork()
        for thread in threads: thread.join()
        print(counts, [os.waitpid(pid, 0)[1] for pid in children])
        """,
        tmp_path,
    )
    assert out == f'{[LONG] * 4} [0, 0]\n'


# --- threads ----------------------------------------------------------------------------------------------------------


def test_a_pool_of_64_threads(asked_model: ModelServer) -> None:
    agent = Agent(OpenAIChatModel('m', base_url=asked_model.base_url, api_key='key'))

    def stream() -> int:
        with agent.run_stream_sync('long') as answer:
            return sum(1 for _ in answer.stream_text(delta=True, debounce_by=None))

    with ThreadPoolExecutor(64) as pool:
        calls = [pool.submit(agent.run_sync, 'short') for _ in range(256)]
        streams = [pool.submit(stream) for _ in range(64)]
        assert {job.result().data for job in calls} == {'answer'}
        assert {job.result() for job in streams} == {LONG}
    assert len(asked_model.requests) == 320


# --- signals ----------------------------------------------------------------------------------------------------------


def test_a_signal_handler_asks_in_the_middle_of_a_stream(asked_model: ModelServer, tmp_path: Path) -> None:
    out = run(
        asked_model,
        """
        got = []
        signal.signal(signal.SIGUSR1, lambda *_: got.append(ask()))
        print(stream('long', lambda: os.kill(os.getpid(), signal.SIGUSR1)), got)
        signal.signal(signal.SIGALRM, lambda *_: got.append(stream('long')))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        print(ask('slow'), got)
        """,
        tmp_path,
    )
    assert out == f"{LONG} ['answer']\nanswer ['answer', {LONG}]\n"


@pytest.mark.parametrize('handled', [False, True], ids=['', 'turned into SystemExit'])
def test_sigterm_in_a_stream(handled: bool, asked_model: ModelServer, tmp_path: Path) -> None:
    handler = 'signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))' if handled else ''
    process = start(asked_model, f'{handler}\nstream(first=lambda: print("begun", flush=True))', tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == 'begun\n'
    began = time.monotonic()
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert process.returncode == (7 if handled else -signal.SIGTERM)
    assert err == ''
    assert time.monotonic() - began < 5
    assert asked_model.wait_for_disconnect().finished_at is None


# --- exit -------------------------------------------------------------------------------------------------------------

EXITS = {
    'sys.exit in a stream': 'stream(first=lambda: sys.exit(3))',
    'sys.exit in the block, held by a global': """
        held = agent.run_stream_sync('endless'); held.__enter__()
        next(iter(held.stream_text(delta=True, debounce_by=None))); sys.exit(3)""",
    'a daemon thread goes on streaming': """
        begun = threading.Event()
        threading.Thread(target=stream, kwargs={'first': begun.set}, daemon=True).start()
        begun.wait(); sys.exit(3)""",
    'ten daemon threads': """
        begun = threading.Barrier(11)
        for _ in range(10): threading.Thread(target=stream, kwargs={'first': begun.wait}, daemon=True).start()
        begun.wait(); sys.exit(3)""",
    'daemon threads on a busy machine, whose loop comes late to its end': """
        busy, begun = threading.Event(), threading.Barrier(4)
        @agent.system_prompt
        async def slow(ctx):
            if ctx.prompt == 'busy': busy.set(); time.sleep(2.5)
            return 'x'
        for _ in range(3): threading.Thread(target=stream, kwargs={'first': begun.wait}, daemon=True).start()
        begun.wait(); threading.Thread(target=ask, args=['busy'], daemon=True).start()
        busy.wait(); sys.exit(3)""",
}


@pytest.mark.parametrize('code', EXITS.values(), ids=EXITS)
def test_the_exit_ends_streams(code: str, asked_model: ModelServer, tmp_path: Path) -> None:
    run(asked_model, code, tmp_path, expect=3)
    deadline = time.monotonic() + 3
    while any(r.disconnected_at is None for r in asked_model.requests):
        assert time.monotonic() < deadline, 'a stream outlived the process'
        time.sleep(0.01)


def test_calls_at_exit(asked_model: ModelServer, tmp_path: Path) -> None:
    """In `atexit` handlers, and in a finalizer, where a call works or raises, and hangs in no case."""
    out = run(
        asked_model,
        """
        atexit.register(lambda: print('handler', ask(), stream('long'), flush=True))
        class Last:
            def __del__(self):
                try: print('finalizer', ask(), flush=True)
                except Exception as error: print('finalizer', type(error).__name__, flush=True)
        last = Last(); ask()
        import builtins; builtins.keep = Last()
        """,
        tmp_path,
    )
    lines = out.splitlines()
    assert lines[0] == f'handler answer {LONG}'
    assert set(lines[1:]) <= {'finalizer answer', 'finalizer CallCancelled'}

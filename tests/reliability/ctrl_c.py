"""The time of Ctrl-C: from SIGINT to KeyboardInterrupt in a main thread that waits for a model.

    python tests/reliability/ctrl_c.py [TRIALS]

A child process waits, in turns, for a whole answer that does not come, for the next event of a stream, and for the next
value of a streamed run; this process sends it a SIGINT at a random moment. Both read the same clock. The time holds all
that happens before the user's `except` runs: the request is cancelled, and its connection closed. Prints one JSON
object, times in milliseconds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time

from provider import answer

from syncai import Agent, ModelRequest, model_request_stream_sync, model_request_sync
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer

LONG, SLOW = [ModelRequest.user_text_prompt('long')], [ModelRequest.user_text_prompt('slow')]


def child(base_url: str) -> None:
    model = OpenAIChatModel('m', base_url=base_url, api_key='k')
    agent = Agent(model)

    def stream() -> None:
        with model_request_stream_sync(model, LONG) as events:
            for _ in events:
                pass

    def run() -> None:
        with agent.run_stream_sync('long') as result:
            for _ in result.stream_text(delta=True, debounce_by=None):
                pass

    model_request_sync(model, [ModelRequest.user_text_prompt('short')])
    for number, _ in enumerate(sys.stdin):
        print('go', flush=True)
        try:
            (lambda: model_request_sync(model, SLOW), stream, run)[number % 3]()
        except KeyboardInterrupt:
            print(time.monotonic(), flush=True)


def measure(trials: int) -> dict[str, object]:
    rnd, times = random.Random(0), []
    with ModelServer(answer, process=True) as server:
        command = [sys.executable, __file__, '--child', server.base_url]
        waiting = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert waiting.stdin is not None
        assert waiting.stdout is not None
        for _ in range(trials):
            print(file=waiting.stdin, flush=True)
            assert waiting.stdout.readline() == 'go\n'
            time.sleep(rnd.uniform(0.02, 0.08))
            sent = time.monotonic()
            os.kill(waiting.pid, signal.SIGINT)
            times.append(1000 * (float(waiting.stdout.readline()) - sent))
        waiting.communicate(timeout=30)
        left = sum(r.disconnected_at is not None for r in server.requests)
    cuts = statistics.quantiles(times, n=100)
    figures = {'median': cuts[49], 'p90': cuts[89], 'p99': cuts[98], 'max': max(times)}
    return {'trials': trials, 'disconnects': left, **{name: round(value, 2) for name, value in figures.items()}}


def main() -> None:
    if sys.argv[1:2] == ['--child']:
        child(sys.argv[2])
        return
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    print(json.dumps({'python': sys.version.split()[0], **figures}))


if __name__ == '__main__':
    main()

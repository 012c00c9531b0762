"""10,000 calls from 64 threads with one model and one agent: the number of failures.

    python tests/reliability/calls.py [CALLS] [THREADS]

Whole answers, streams, and runs that call two tools, mixed; each answer is checked. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from provider import answer

from syncai import Agent, ModelRequest, model_request_stream_sync, model_request_sync
from syncai._bridge import loop_thread, run_sync
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer

TEXT = 'four words of text'


class Caller:
    """The counters that the threads share."""

    def __init__(self, base_url: str) -> None:
        self.model = OpenAIChatModel('m', base_url=base_url, api_key='k')
        self.agent = Agent(self.model)
        self.calls: collections.Counter[int] = collections.Counter()  # of the tools, by thread
        for name in ('first', 'second'):
            self.agent.tool_plain(name=name)(self.tool_of_the_caller)

    def tool_of_the_caller(self, n: int) -> int:
        """Counts under the thread that it runs in."""
        self.calls[threading.get_ident()] += 1
        return n

    def call(self, number: int) -> str | None:
        """The problem with a call, or None."""
        try:
            text = (self.whole, self.streamed, self.run)[number % 3](f'question {number}')
        except Exception as error:
            return repr(error)
        return None if text == TEXT else f'wrong text: {text!r}'

    def whole(self, question: str) -> str:
        return model_request_sync(self.model, [ModelRequest.user_text_prompt(question)]).text

    def streamed(self, question: str) -> str:
        with model_request_stream_sync(self.model, [ModelRequest.user_text_prompt(question)]) as stream:
            for _ in stream:
                pass
            return stream.get().text

    def run(self, question: str) -> str:
        me = threading.get_ident()
        before = self.calls[me]
        text = self.agent.run_sync(question).data
        return text if self.calls[me] == before + 2 else 'a tool ran in another thread'


async def tasks() -> int:
    await asyncio.sleep(0.05)
    return len(asyncio.all_tasks()) - 1


def measure(calls: int, threads: int) -> dict[str, object]:
    with ModelServer(answer, process=True) as server, ThreadPoolExecutor(threads) as pool:
        caller = Caller(server.base_url)
        began = time.monotonic()
        wrong = [outcome for outcome in pool.map(caller.call, range(calls)) if outcome is not None]
        seconds = time.monotonic() - began
        requests, left = len(server.requests), run_sync(tasks)
        loop_thread.shutdown()
    figures = {'calls': calls, 'threads': threads, 'failures': len(wrong), 'requests': requests, 'tasks left': left}
    return {**figures, 'seconds': round(seconds, 1), 'first failures': wrong[:3]}


def main() -> None:
    sys.setswitchinterval(1e-4)
    figures = measure(*[int(argument) for argument in (sys.argv[1:] + ['10000', '64'][len(sys.argv) - 1 :])])
    print(json.dumps({'python': sys.version.split()[0], **figures}))
    sys.exit(bool(figures['failures'] or figures['tasks left']))


if __name__ == '__main__':
    main()

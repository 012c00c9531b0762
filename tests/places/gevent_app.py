"""What each test of gevent begins with: everything patched, a clock that ticks while others wait, and an agent."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import faulthandler  # noqa: E402
import os  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from syncai import Agent  # noqa: E402
from syncai.models.openai import OpenAIChatModel  # noqa: E402

faulthandler.dump_traceback_later(30, exit=True)
agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key'))
ticks = [0]


def tick() -> None:
    while True:
        ticks[0] += 1
        gevent.sleep(0.01)


clock = gevent.spawn(tick)


def ask(prompt: str = 'short') -> str:
    return agent.run_sync(prompt).data


def stream(prompt: str) -> int:
    with agent.run_stream_sync(prompt) as answer:
        return sum(1 for _ in answer.stream_text(delta=True, debounce_by=None))


def descriptors() -> int:
    return sum(1 for _ in Path('/proc/self/fd').iterdir())

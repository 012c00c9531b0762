"""Kills a program within a conversation repeatedly; the next process continues from the stored messages.

    python tests/reliability/conversation_kills.py [ROUNDS] [sqlite | django | postgres]

In each round a child asks one prompt after another, whose answers call two tools. It gets SIGKILL in turns between two
steps (before or after one of its calls of the store, within a tool, after it) and at a random moment. Prints one JSON
object: `lost` are prompts, calls and returns that were stored, or runs that had ended, and are no longer there;
`doubled` those that are there twice; `made again` calls of tools whose return was stored; `repeated` calls that were
made twice because the kill came before their return was stored. `django` takes the settings of the environment;
`postgres` is the same with a server of the program's own.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

if __name__ == '__main__':
    sys.path.append(str(Path(__file__).parents[1] / 'support'))

from postgres_place import django_site_on, postgres_server
from stores_by_name import finished_with, store_of

from syncai import Agent, ModelMessage, ModelResponse, RunContext, Tool
from syncai._engine.whole_history import whole_history
from syncai.conversations import Store
from syncai.conversations._log import view_of
from syncai.messages import TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models.function import AgentInfo, FunctionModel

ID = 'killed'
POINTS = 40  # of about three runs


class Points:
    """The points at which a child may kill itself."""

    def __init__(self, fatal: int) -> None:
        self._left = fatal

    def reach(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class WatchedStore:
    """A store with a point before and after each call."""

    def __init__(self, store: Store, points: Points) -> None:
        self._store = store
        self._points = points
        self.list, self.delete = store.list, store.delete

    def load(self, id: str) -> tuple[Sequence[ModelMessage], int]:  # noqa: A002
        self._points.reach()
        loaded = self._store.load(id)
        self._points.reach()
        return loaded

    def append(self, id: str, version: int, messages: Sequence[ModelMessage]) -> int:  # noqa: A002
        self._points.reach()
        new = self._store.append(id, version, messages)
        self._points.reach()
        return new


def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Two calls for a prompt, then a text."""
    if not isinstance(messages[-1].parts[-1], UserPromptPart):
        return ModelResponse([TextPart('ok')])
    number = sum(isinstance(message, ModelResponse) for message in messages)
    return ModelResponse([ToolCallPart('work', {}, f'c{number}_{i}') for i in range(2)])


def talk(store: Store, folder: Path, points: Points, ready: int) -> None:
    """In a child: run after run, until it is killed."""

    def work(ctx: RunContext[None]) -> str:
        points.reach()
        note(folder / 'calls', str(ctx.tool_call_id))
        points.reach()
        return 'done'

    agent = Agent(FunctionModel(answer), tools=[Tool(work, takes_ctx=True)])
    chat = agent.conversation(ID, store=WatchedStore(store, points))
    os.write(ready, b'.')
    while True:
        prompt = f'{os.getpid()} {time.monotonic_ns()}'
        chat.run_sync(prompt)
        note(folder / 'done', prompt)


def note(path: Path, line: str) -> None:
    with path.open('a') as file:
        file.write(f'{line}\n')


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def killed_round(store: Store, folder: Path, *, at_point: bool) -> None:
    """Start a child, and wait until it is killed."""
    finished_with(store)
    ready, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            talk(store, folder, Points(random.randint(1, POINTS) if at_point else 0), theirs)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    os.close(theirs)
    os.read(ready, 1)
    os.close(ready)
    if not at_point:
        time.sleep(random.uniform(0, 0.1))
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == -signal.SIGKILL, 'a child failed'


def said(messages: Sequence[ModelMessage]) -> Counter[tuple[str, str]]:
    """The prompts, calls and returns of a conversation."""
    counts: Counter[tuple[str, str]] = Counter()
    for part in (part for message in messages for part in message.parts):
        if isinstance(part, UserPromptPart):
            counts['prompt', str(part.content)] += 1
        elif isinstance(part, ToolCallPart | ToolReturnPart):
            counts[part.part_kind, part.tool_call_id] += 1
    return counts


def kills(rounds: int, store: Store, folder: Path) -> dict[str, Any]:
    """The figures of that number of kills."""
    figures: Counter[str] = Counter()
    before: Counter[tuple[str, str]] = Counter()
    began, made = time.monotonic(), 0
    for number in range(rounds):
        killed_round(store, folder, at_point=number % 2 == 0)
        messages = view_of(store.load(ID)[0]).messages
        assert whole_history(messages, name='log', repair=False, keep_open=True) is messages
        calls = lines(folder / 'calls')
        figures['made again'] += sum(before['tool-return', call] for call in calls[made:])
        made, now = len(calls), said(messages)
        figures['lost'] += (before - now).total()
        before = now
    finished_with(store)
    figures['lost'] += sum(not before['prompt', prompt] for prompt in lines(folder / 'done'))
    figures['doubled'] = sum(count - 1 for count in before.values())
    figures['repeated'] = made - len({*lines(folder / 'calls')})
    names = ('lost', 'doubled', 'made again', 'repeated')
    seconds = round(time.monotonic() - began, 1)
    return (
        {'rounds': rounds, 'messages': len(messages), 'calls': made}
        | {n: figures[n] for n in names}
        | {'seconds': seconds}
    )


def main(rounds: int, place: str) -> None:
    if place == 'postgres':
        with postgres_server() as port:
            command = [sys.executable, __file__, str(rounds), 'django']
            subprocess.run(command, check=True, env=django_site_on(port, migrate=True))
        return
    with TemporaryDirectory() as folder:
        store = store_of('django' if place == 'django' else f'sqlite:{folder}/chats.db')
        print(json.dumps(kills(rounds, store, Path(folder))))


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300, sys.argv[2] if len(sys.argv) > 2 else 'sqlite')

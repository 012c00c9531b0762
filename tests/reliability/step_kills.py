"""A run in steps whose process is killed repeatedly, and which continues from the stored messages.

    python tests/reliability/step_kills.py [ROUNDS]

Each round is a run of four answers with two calls each, and a call that waits for approval. A child makes one step
after another and commits the messages to SQLite after each; this process sends it SIGKILL, in turns right after a
commit and at a random moment, and starts another, until the run is done. The tools write down each call that is really
made, and whether its return was stored by then. Prints one JSON object: `flaws` are runs whose messages are not those
of a run that was never killed, `made again` are calls that were made though their return was stored, `made twice
between steps` are calls made twice in rounds that were killed between steps alone, and `repeated` are calls of a step
that was killed in the middle, before its commit.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from syncai import Agent, Approve, ModelMessagesTypeAdapter, RunContext
from syncai.messages import ModelMessage, ToolCallPart, ToolReturnPart
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

ANSWERS = 4
KILLS = 6  # of one round, at most
TABLES = """
PRAGMA journal_mode=WAL;
CREATE TABLE runs (id INTEGER PRIMARY KEY, messages BLOB NOT NULL DEFAULT '[]', done INTEGER NOT NULL DEFAULT 0);
CREATE TABLE made (run INTEGER, call TEXT, stored INTEGER);
"""


def answer(request: RecordedRequest) -> Reply:
    """Two calls, four times, of which one waits; then a text."""
    number = sum(message['role'] == 'assistant' for message in request.json['messages'])
    if number == ANSWERS:
        return Reply('Done.')
    name = 'refund' if number == 2 else 'look'
    return Reply(tool_calls=[ToolCall(name, id=f'a{number}'), ToolCall('look', id=f'b{number}')])


def agent_of(base_url: str, db: sqlite3.Connection, run: int) -> Agent[None, str]:
    agent: Agent[None, str] = Agent(OpenAIChatModel('m', base_url=base_url, api_key='k'))

    def made(ctx: RunContext[None]) -> str:
        stored = ctx.tool_call_id in returned(load(db, run))
        db.execute('INSERT INTO made VALUES (?, ?, ?)', (run, ctx.tool_call_id, stored))
        db.commit()
        return f'made {ctx.tool_call_id}'

    @agent.tool
    def look(ctx: RunContext[None]) -> str:
        return made(ctx)

    @agent.tool(approve=True)
    def refund(ctx: RunContext[None]) -> str:
        return made(ctx)

    return agent


def load(db: sqlite3.Connection, run: int) -> list[ModelMessage]:
    [(stored,)] = db.execute('SELECT messages FROM runs WHERE id = ?', (run,))
    return ModelMessagesTypeAdapter.validate_json(stored)


def returned(messages: list[ModelMessage]) -> list[str]:
    return [part.tool_call_id for m in messages for part in m.parts if isinstance(part, ToolReturnPart)]


def go_on(path: str, base_url: str, run: int, parent: socket.socket) -> None:
    """In a child: make steps from the stored messages until the run is done; after each commit the parent lets it
    continue.
    """
    db = sqlite3.connect(path, timeout=20)
    agent = agent_of(base_url, db, run)
    [(done,)] = db.execute('SELECT done FROM runs WHERE id = ?', (run,))
    waiting: dict[str, Any] = {}
    while not done:
        messages = load(db, run)
        waiting = {pending.id: Approve() for pending in getattr(messages[-1], 'pending', ())} if messages else {}
        step = agent.step_sync(messages, None if messages else 'Go', answers=waiting or None)
        done = step.done
        db.execute('UPDATE runs SET messages = ?, done = ? WHERE id = ?', (step.messages_json(), done, run))
        db.commit()
        parent.send(b'.')
        parent.recv(1)


def child(path: str, base_url: str, run: int) -> tuple[int, socket.socket]:
    """The id of a new child, and the socket by which the parent lets it continue after each commit."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            go_on(path, base_url, run, theirs)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    theirs.close()
    return pid, ours


def killed(pid: int, reply: socket.socket, *, between: bool) -> bool:
    """Kill the child, unless it ends before; whether it was killed."""
    with reply:
        if between:
            for _ in range(random.randint(0, 2)):
                reply.recv(1)
                with contextlib.suppress(OSError):  # it has ended
                    reply.send(b'.')
            reply.recv(1)
        else:
            reply.send(b'.' * 20)
            time.sleep(random.uniform(0, 0.06))
        os.kill(pid, signal.SIGKILL)
        return ended(pid)


def finish(pid: int, reply: socket.socket) -> None:
    with reply:
        reply.send(b'.' * 20)
        assert not ended(pid)


def ended(pid: int) -> bool:
    """Whether a child was killed; one that failed by itself ends all."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), 'a child failed'
    return code != 0


def flaw_of(messages: list[ModelMessage]) -> bool:
    """Whether the messages are others than those of a run that was never killed."""
    calls = [part.tool_call_id for m in messages for part in m.parts if isinstance(part, ToolCallPart)]
    expected = [f'{letter}{number}' for number in range(ANSWERS) for letter in 'ab']
    kinds = [message.kind for message in messages]
    paused = ['request', 'response'] * 3 + ['request'] + ['request', 'response'] * 2
    return calls != expected or sorted(returned(messages)) != sorted(expected) or kinds != paused


def main(rounds: int) -> None:
    found: Counter[str] = Counter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ModelServer(answer) as server:
        path = str(Path(folder) / 'runs.db')
        db = sqlite3.connect(path, timeout=20)
        db.executescript(TABLES)
        for run in range(rounds):
            db.execute('INSERT INTO runs (id) VALUES (?)', (run,))
            db.commit()
            between = run % 2 == 0
            for _ in range(KILLS):
                was_killed = killed(*child(path, server.base_url, run), between=between)
                found['kills'] += was_killed
                if not was_killed:
                    break
            else:
                finish(*child(path, server.base_url, run))
            found['flaws'] += flaw_of(load(db, run))
            made = Counter(call for (call,) in db.execute('SELECT call FROM made WHERE run = ?', (run,)))
            twice = sum(count - 1 for count in made.values())
            found['made twice between steps' if between else 'repeated'] += twice
        [(again,)] = db.execute('SELECT COUNT(*) FROM made WHERE stored')
        [(calls,)] = db.execute('SELECT COUNT(*) FROM made')
        db.close()
    names = ('kills', 'flaws', 'made twice between steps', 'repeated')
    figures = {name: found[name] for name in names}
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({'rounds': rounds, 'calls': calls, **figures, 'made again': again, 'seconds': seconds}))


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)

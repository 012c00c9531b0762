"""Maps with a journal, killed with SIGKILL at random times until all rows are there.

    python tests/reliability/journal.py [ROUNDS] [ROWS] [WORKERS]

In each round WORKERS processes go on with one map over ROWS rows, until they are killed after a random time. When all
rows are there, the next round begins a new journal. Each row must be in its journal exactly once, with its own answer,
and the server must have seen one request for each row, and one for each that was asked and not in the journal when its
process was killed. Prints one JSON object for each number of workers.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from syncai import Agent
from syncai.journal import Journal
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, RecordedRequest, Reply

CONCURRENCY = 8
ANSWER_SECONDS = 0.02
LONGEST = 0.25  # seconds until the kill, beyond what a start takes


async def answer(request: RecordedRequest) -> Reply:
    await asyncio.sleep(ANSWER_SECONDS * random.random())
    return Reply(f'answer to {request.json["messages"][-1]["content"]}', usage=(3, 2))


def work(base_url: str, path: str, rows: int, share: bool, started: Any) -> None:
    agent = Agent(OpenAIChatModel('m', base_url=base_url, api_key='k'))
    journal = Journal(path, lease=5)
    items = agent.map_sync(
        range(rows),
        journal=journal,
        key=lambda number: number,
        prompt=lambda number: f'row {number}',
        share=share,
        ordered=False,
        max_concurrency=CONCURRENCY,
    )
    if random.random() < 0.2:
        started.set()  # else when the first row is there, so that a kill lands among the requests
    for row in items:
        started.set()
        assert row.data == f'answer to row {row.key}', row


class Rounds:
    """One journal after another, each until all its rows are there."""

    def __init__(self, server: ModelServer, directory: Path, rows: int, workers: int) -> None:
        self.server = server
        self.directory = directory
        self.rows = rows
        self.workers = workers
        self.context = multiprocessing.get_context('forkserver')
        self.context.set_forkserver_preload(
            ['syncai.agent', 'syncai.journal', 'syncai.models.openai', 'syncai.testing']
        )
        self.kills = self.journals = self.wrong = self.requests = self.in_flight = self.most_in_flight = 0
        self._begin()

    def _begin(self) -> None:
        self.journals += 1
        self.path = self.directory / f'run{self.journals}.sqlite'
        self.before = self.seen = len(self.server.requests)
        self.in_flight_here = 0

    def round(self, *, kill: bool = True) -> None:
        started = [self.context.Event() for _ in range(self.workers)]
        share = self.workers > 1
        processes = [
            self.context.Process(target=work, args=(self.server.base_url, str(self.path), self.rows, share, event))
            for event in started
        ]
        for process in processes:
            process.start()
        if kill:
            for event in started:
                event.wait(30)
            time.sleep(random.random() * LONGEST)
            for process in processes:
                process.kill()
        for process in processes:
            process.join(60)
        self._count(kill and any(process.exitcode == -9 for process in processes))
        self.wrong += sum(process.exitcode not in (0, -9) for process in processes)

    def _count(self, killed: bool) -> None:
        """The requests since the last round, and those without a stored row."""
        asked = [request.json['messages'][-1]['content'] for request in self.server.requests]
        new, self.seen = asked[self.seen :], len(asked)
        done = self._done()
        lost = [prompt for prompt in new if prompt not in done]
        self.in_flight_here += len(lost)
        if killed:
            self.kills += 1
            self.most_in_flight = max(self.most_in_flight, len(lost))
        if len(done) == self.rows:
            self._end(done)

    def _done(self) -> dict[str, str]:
        if not self.path.exists() or not self.path.stat().st_size:
            return {}
        with sqlite3.connect(self.path) as database:
            tables = database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'syncai_journal_rows'").fetchall()
            query = "SELECT key, data FROM syncai_journal_rows WHERE state = 'done'"
            rows = database.execute(query).fetchall() if tables else []
        database.close()
        assert len({key for key, _ in rows}) == len(rows)
        return {f'row {key}': json.loads(data) for key, data in rows}

    def _end(self, done: dict[str, str]) -> None:
        self.wrong += sum(data != f'answer to {prompt}' for prompt, data in done.items())
        asked = self.seen - self.before
        self.wrong += asked != self.rows + self.in_flight_here
        self.requests += asked
        self.in_flight += self.in_flight_here
        self._begin()

    def finish(self) -> None:
        """Let the last journal come to its end."""
        self.round(kill=False)


def measure(rounds: int, rows: int, workers: int) -> dict[str, Any]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, ModelServer(answer) as server:
        loop = Rounds(server, Path(directory), rows, workers)
        while loop.kills < rounds:
            loop.round()
        loop.finish()
        done = loop.journals - 1
    return {
        'kills': loop.kills,
        'workers': workers,
        'journals': done,
        'rows': done * rows,
        'requests': loop.requests,
        'in flight at the kills': loop.in_flight,
        'most at one kill': loop.most_in_flight,
        'wrong': loop.wrong + (loop.requests != done * rows + loop.in_flight),
        'seconds': round(time.monotonic() - began, 1),
    }


def main() -> None:
    stated = [int(argument) for argument in sys.argv[1:]]
    rounds, rows = [*stated[:2], *(200, 1000)[len(stated[:2]) :]]
    wrong = 0
    for workers in stated[2:] or (1, 4):
        figures = measure(rounds, rows, workers)
        print(json.dumps({'python': sys.version.split()[0], **figures}), flush=True)
        wrong += figures['wrong']
    sys.exit(wrong > 0)


if __name__ == '__main__':
    main()

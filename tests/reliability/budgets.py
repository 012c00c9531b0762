"""A budget under load: requests of many processes or threads that together exceed it.

    python tests/reliability/budgets.py sqlite|redis://host:port/0 [requests] [processes] [threads of each]

Prints, as JSON, the numbers of requests and answers, the spending by the store and by the answers, and whether the
budget was exceeded at any check.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

from syncai import Agent
from syncai.budgets import Budget, BudgetExceeded, Redis, SQLite, budget
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

PRICE = Decimal('0.00125')  # of 100 tokens of prompt and 100 of answer, see tests/budgets/test_budgets.py
LOOK = 0.05  # seconds between two checks of the account


def limited(where: str, line: Decimal) -> Budget:
    """The budget of the run, in force in this process."""
    store = Redis(where, prefix='reliability:') if where.startswith('redis') else SQLite(where)
    return budget('all', dollars=line, per='year', store=store, on_store_error='closed', wait=60)


def ask(where: str, line: Decimal, base_url: str, requests: int, threads: int) -> int:
    """The number of answered requests of one process."""
    limited(where, line)
    model = OpenAIChatModel('gpt-4o', base_url=base_url, api_key='key', settings={'max_tokens': 100})
    agent = Agent(model)

    def once(_: int) -> int:
        try:
            agent.run_sync('hello')
        except BudgetExceeded:
            return 0
        return 1

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(once, range(requests)))


def watched(one: Budget, over: threading.Event) -> int:
    """The number of checks at which the spent and held amounts exceeded the budget."""
    above = 0
    while not over.wait(LOOK):
        state = one.state()
        above += state.spent + state.held > state.limit
    return above


def main(where: str, requests: int, processes: int, threads: int) -> dict[str, Any]:
    """Run it; returns the figures."""
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / 'budgets.db') if where == 'sqlite' else where
        line = PRICE * requests * Decimal('0.7')
        one, over = limited(place, line), threading.Event()
        began = time.monotonic()
        with ModelServer(lambda _: Reply('yes', usage=(100, 100), model='gpt-4o')) as server:
            context = multiprocessing.get_context('spawn')
            share = [(place, line, server.base_url, requests // processes, threads)] * processes
            with ThreadPoolExecutor(1) as beside, context.Pool(processes) as pool:
                watching = beside.submit(watched, one, over)
                answered = sum(pool.starmap(ask, share))
                over.set()
                above = watching.result()
            asked = len(server.requests)
        seconds, state = time.monotonic() - began, one.state()
        one.remove()
        one.store.close()
    return {
        'store': where.partition(':')[0],
        'processes': processes,
        'threads': threads,
        'requests': requests,
        'answered': answered,
        'asked at the server': asked,
        'line': str(line),
        'spent': str(state.spent),
        'spent by the answers': str(answered * PRICE),
        'held': str(state.held),
        'looks above the line': above,
        'above the line': state.spent > line or above > 0,
        'seconds': round(seconds, 1),
    }


if __name__ == '__main__':
    print(
        json.dumps(
            main(sys.argv[1], *(int(one) for one in [*sys.argv[2:], *['10000', '16', '8'][len(sys.argv) - 2 :]]))
        )
    )

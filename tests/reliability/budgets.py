"""16 processes and a line: 10,000 requests that together want more than there is.

    python tests/reliability/budgets.py sqlite|redis://host:port/0 [requests] [processes]

Prints what was asked, what was spent by the store and by the answers, and whether the line was passed.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

from syncai import Agent
from syncai.budgets import Budget, BudgetExceeded, Redis, SQLite, budget
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

PRICE = Decimal('0.00125')  # of 100 tokens of prompt and 100 of answer, see tests/budgets/test_budgets.py
THREADS = 8


def limited(where: str, line: Decimal) -> Budget:
    """The budget of the run, in force in this process."""
    store = Redis(where, prefix='reliability:') if where.startswith('redis') else SQLite(where)
    return budget('all', dollars=line, per='year', store=store, on_store_error='closed', wait=60)


def ask(where: str, line: Decimal, base_url: str, requests: int) -> int:
    """How many of the requests of one process were answered."""
    limited(where, line)
    model = OpenAIChatModel('gpt-4o', base_url=base_url, api_key='key', settings={'max_tokens': 100})
    agent = Agent(model)

    def once(_: int) -> int:
        try:
            agent.run_sync('hello')
        except BudgetExceeded:
            return 0
        return 1

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(once, range(requests)))


def main(where: str, requests: int, processes: int) -> None:
    """Run it, and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        where = str(Path(folder) / 'budgets.db') if where == 'sqlite' else where
        line = PRICE * requests * Decimal('0.7')
        one = limited(where, line)
        began = time.monotonic()
        with ModelServer(lambda _: Reply('yes', usage=(100, 100), model='gpt-4o')) as server:
            context = multiprocessing.get_context('spawn')
            share = [(where, line, server.base_url, requests // processes)] * processes
            with context.Pool(processes) as pool:
                answered = sum(pool.starmap(ask, share))
        seconds, state = time.monotonic() - began, one.state()
        print(f'{processes} processes, {requests} requests in {seconds:.1f} s: {answered} answered')
        print(f'line {line:f}, spent {state.spent:f} (answers: {answered * PRICE:f}), held {state.held:f}')
        print('passed the line' if state.spent > line else 'never above the line')
        one.remove()


if __name__ == '__main__':
    main(sys.argv[1], *(int(one) for one in [*sys.argv[2:], *['10000', '16'][len(sys.argv) - 2 :]]))

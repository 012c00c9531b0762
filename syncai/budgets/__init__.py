"""Budgets: the possible cost of a request is held before it is sent, and its true cost is counted afterwards.

    budget('user:{user}', dollars=5, per='day', store=SQLite('budgets.db'), on_store_error='closed')

    with spending(user=42):
        agent.run_sync('...')

Threads and processes that use one store hold money of the same budgets, so that together they never pass a limit.
"""

from __future__ import annotations

from .._stores.cache_ledger import DjangoCache
from .._stores.ledger import Memory
from .._stores.redis_ledger import Redis
from .._stores.sqlite_ledger import SQLite
from ..exceptions import BudgetExceeded
from ._budget import Budget, Spent
from ._registration import budget, remove_budget
from ._spending import spending

__all__ = [
    'Budget',
    'budget',
    'BudgetExceeded',
    'DjangoCache',
    'Memory',
    'Redis',
    'remove_budget',
    'spending',
    'Spent',
    'SQLite',
]

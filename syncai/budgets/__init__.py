"""Money: what a request may cost is held before it is sent, and what it did cost is counted after.

    budget('user:{user}', dollars=5, per='day', store=SQLite('budgets.db'), on_store_error='closed')

    with spending(user=42):
        agent.run_sync('...')

All who use a store hold money of the same budgets, so that neither 64 threads nor 16 processes pass a limit together.
"""

from __future__ import annotations

from .._stores.cache_ledger import DjangoCache
from .._stores.ledger import Memory
from .._stores.redis_ledger import Redis
from .._stores.sqlite_ledger import SQLite
from ..exceptions import BudgetExceeded
from ._budget import Budget, Spent, budget, remove_budget
from ._context import spending

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

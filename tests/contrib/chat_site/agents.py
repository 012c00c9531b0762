"""The agent of the project: its tools write rows and look where they run."""

from __future__ import annotations

import threading

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection

from syncai import Agent, RunContext

agent: Agent[object, str] = Agent(deps_type=object)


@agent.tool
def add_group(ctx: RunContext[object], name: str) -> str:
    """Writes a row, and says where."""
    Group.objects.create(name=name)
    return f'{ctx.deps} {connection.in_atomic_block} {threading.current_thread().name}'


@agent.tool_plain
def add_and_fail(name: str) -> str:
    """Writes a row, and fails after it."""
    Group.objects.create(name=name)
    raise ZeroDivisionError


@agent.tool_plain
def count() -> int:
    """How many users and groups there are."""
    return int(get_user_model().objects.count() + Group.objects.count())


@agent.tool_plain(approve=True)
def refund(order: int) -> str:
    """Waits for a person."""
    return f'refunded {order}'

"""A support desk: sorts messages, looks orders up, and answers; the example of docs/tape.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

from syncai import Agent, ModelRetry, RunContext

ORDERS = {'A-17': 'shipped on Monday', 'B-4': 'waiting for stock'}


class Ticket(BaseModel):
    """What a message is about."""

    kind: Literal['order', 'refund', 'other']
    order: str | None = None


sorter = Agent('openai:gpt-5.4-mini', result_type=Ticket, system_prompt='Sort the message of a customer.')
clerk = Agent('openai:gpt-5.4-mini', deps_type=dict[str, str], system_prompt='Answer in one sentence.')


@clerk.tool
def order_status(ctx: RunContext[dict[str, str]], order: str) -> str:
    """Where an order is."""
    if order not in ctx.deps:
        raise ModelRetry(f'There is no order {order!r}; the orders are {", ".join(ctx.deps)}')
    return ctx.deps[order]


def sort(message: str) -> Ticket:
    """What a message is about."""
    return sorter.run_sync(message).data


def answer(message: str) -> str:
    """The answer to a message."""
    return clerk.run_sync(message, deps=ORDERS).data


def answer_live(message: str) -> Iterator[str]:
    """The answer, as it arrives."""
    with clerk.run_stream_sync(message, deps=ORDERS) as stream:
        yield from stream.stream_text(delta=True, debounce_by=None)


def sort_all(messages: list[str]) -> list[str]:
    """What many messages are about."""
    return [row.data.kind for row in sorter.map_sync(messages)]


def follow_up(first: str, second: str) -> str:
    """The answer to the second of two messages of one customer."""
    before = clerk.run_sync(first, deps=ORDERS)
    return clerk.run_sync(second, deps=ORDERS, message_history=before.all_messages()).data

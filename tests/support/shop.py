"""A shop whose agent has a tool that needs approval and one that does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from agent_faces import Ask, Script, call

from syncai import Agent, RunContext, RunPaused
from syncai.messages import ModelMessage, RetryPromptPart, ToolReturnPart

REFUND = call('refund', {'order': 7, 'amount': 250}, 'r')
LOOK = call('look', {'order': 7}, 'l')


class Shop:
    """An agent with a tool that needs approval and one that does not; records the calls that were made."""

    def __init__(self, *answers: Any, approve: Any = True, **options: Any) -> None:
        self.done: list[Any] = []
        self.script = Script(*answers)
        self.agent: Agent[None, Any] = Agent(self.script.model, **options)

        @self.agent.tool(approve=approve)
        def refund(ctx: RunContext[None], order: int, amount: float = 1.0) -> str:
            self.done.append(('refund', order, amount, ctx.approved))
            return f'refunded {amount}'

        @self.agent.tool_plain
        def look(order: int) -> str:
            self.done.append(('look', order))
            return 'a shoe'

    def paused(self, ask: Ask | None = None, **options: Any) -> RunPaused:
        with pytest.raises(RunPaused) as caught:
            ask(self.agent, 'x', **options) if ask else self.agent.run_sync('x', **options)
        return caught.value


def answers_of(messages: Sequence[ModelMessage]) -> dict[str | None, Any]:
    """The return of each call of a conversation."""
    parts = [part for message in messages for part in message.parts]
    return {part.tool_call_id: part.content for part in parts if isinstance(part, ToolReturnPart | RetryPromptPart)}

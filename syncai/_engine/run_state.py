"""The state of one run, which the parts of the engine share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeGuard, TypeVar

from .._base.phases import Phases
from .._prices import Answers
from ..approvals import Approve, PendingCall
from ..exceptions import UnexpectedModelBehavior
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ToolCallPart,
    ToolReturnPart,
)
from ..models import StreamedResponse
from ..parameters import ToolDefinition
from ..result import RunPaused
from ..runs import RunContext
from ..usage import Usage, priced
from .counted import counted
from .decided import open_at_end, waiting_at_end
from .plan import RunPlan
from .prompts import check_start
from .purses import purses_of
from .shared_usage import SharedUsage, plain
from .whole_history import is_return

if TYPE_CHECKING:
    from .tool_calls import Returned

ResultT = TypeVar('ResultT')


class RunState(Generic[ResultT]):
    """What is known of one run. All of it is the run's own: an agent is shared by threads without a lock.

    The loop thread writes; `messages_so_far` and `usage_so_far` may be called by any thread, since the list only grows
    and everything else is replaced whole.
    """

    def __init__(self, plan: RunPlan[ResultT]) -> None:
        self.messages: list[ModelMessage] = [] if plan.captured is None else plan.captured
        self.approved: dict[int, Approve] = {}  # of the calls of the last answer, those that were
        self.usage = plain(plan.usage)
        self.purses = purses_of(plan)
        self.answers: list[ModelResponse] = []  # those that `usage` counts, with those of nested runs
        self.begin_with(plan)
        self.offered: Sequence[ToolDefinition] = ()
        # What the calls of the last answer have returned, by their numbers, until it is a part of the conversation.
        self.returned: dict[int, Returned] = {}
        self.phases = Phases()
        # The answer that is arriving, how many messages came before it, and what they had used.
        self._live: tuple[int, StreamedResponse, Usage] | None = None

    def begin_with(self, plan: RunPlan[ResultT]) -> None:
        """Begin with the history of a plan; before the run, and in the caller's thread."""
        # What is decided of the calls of the last answer, those of the history before the run; and the calls that wait.
        self.decisions, self.waiting = open_at_end(plan)
        self.plan = plan
        self.check()
        self.messages[:] = plan.history
        self.first_new = len(self.messages)
        # The messages before `first_new` as they are sent: whole, with the system prompts of the agent.
        self.history = plan.whole_history
        before = counted(plan)
        self.run_step = before.responses
        self.tool_calls = before.tool_calls if plan.usage.requests else 0  # limits hold over pauses with `usage` alone
        self.tool_retries = before.tool_retries
        self.result_retries = before.result_retries

    def check(self) -> None:
        """Raise UserError unless the plan is something to answer."""
        check_start(self.plan)

    # --- what a conversation does beside a run -----------------------------------------------------------------------

    left: Callable[[], object] | None = None
    """Called in the caller's thread when the caller has left the run, at whatever point."""
    stopped: Callable[[], bool] | None = None
    """Whether the caller has stopped the run; only a submitted run sets it."""

    async def leave(self) -> None:
        """On the loop of a caller that is a coroutine: call `left` where its sync functions run, cancelled or not."""
        if self.left is not None:
            run = self.plan.run_sync or asyncio.to_thread
            await asyncio.shield(run(self.left))

    async def written(self) -> None:
        """On the loop thread: the conversation has grown by an answer, or by what a tool returned."""

    async def fitted(self) -> list[ModelMessage]:
        """On the loop thread: the messages of the next request."""
        return self.to_send()

    # --- any thread ---------------------------------------------------------------------------------------------------

    def messages_so_far(self) -> list[ModelMessage]:
        """The conversation until now; an answer that is still arriving is its last message, and incomplete."""
        live, messages = self._live, list(self.messages)
        if live is not None and len(messages) == live[0]:
            messages.append(live[1].get())
        return messages

    def usage_so_far(self) -> Usage:
        """What was used until now, as far as the provider has reported of the answer that is still arriving."""
        live, usage, answers = self._live, self.usage, list(self.answers)
        if live is not None and len(self.messages) == live[0]:
            usage = live[2] + _counted(live[1].usage())
            answers.append(live[1].get())
        return priced(usage, Answers(answers, self.plan.usage))

    def response_so_far(self, parts: Sequence[ModelResponsePart]) -> ModelResponse:
        """The last answer, of which `parts` have been read, while it is still arriving."""
        live = self._live
        if live is None:
            last = next((m for m in reversed(self.messages) if isinstance(m, ModelResponse)), ModelResponse(()))
            return replace(last, parts=parts, incomplete=True)
        return ModelResponse(
            parts,
            usage=live[1].usage(),
            model_name=live[1].model_name,
            timestamp=live[1].timestamp,
            provider_name=live[1].provider_name,
            incomplete=True,
        )

    # --- the loop thread ----------------------------------------------------------------------------------------------

    def to_send(self) -> list[ModelMessage]:
        """The conversation as the next request sends it."""
        history, new = self.history, self.messages[self.first_new :]
        if history and new and _are_returns(new[0]) and isinstance(last := history[-1], ModelRequest):
            # The run gave returns that the history lacked: those of one response go in one request.
            # What is said beside them stands behind all of them.
            parts = sorted([*last.parts, *new[0].parts], key=lambda part: not is_return(part))
            return [*history[:-1], replace(new[0], parts=parts), *new[1:]]
        return [*history, *new]

    def returned_parts(self) -> list[ModelRequestPart]:
        """What the calls of the last answer have returned, in their order, and after it what is said beside it."""
        returned = [self.returned[number] for number in sorted(self.returned)]
        return [*(entry.part for entry in returned), *(entry.content for entry in returned if entry.content)]

    def add_request(self, parts: Sequence[ModelRequestPart], instructions: str | None = None) -> None:
        """Add a request to the conversation; what the calls of the last answer returned is in it."""
        self.messages.append(ModelRequest(parts, instructions=instructions, pending=self._pending()))
        self.returned, self.decisions, self.waiting, self.approved = {}, {}, {}, {}

    def keep_returned(self) -> None:
        """Add to the conversation what tools had returned when the run failed, unless that was done."""
        parts = self.returned_parts()
        if any(isinstance(part, ToolReturnPart) for part in parts) or self._waits_anew():
            self.add_request(parts)

    def pause(self) -> RunPaused:
        """Add to the conversation what there is of the returns of the last answer, and which of its calls wait."""
        parts, pending = self.returned_parts(), self._pending()
        if parts or self._waits_anew():
            self.add_request(parts)
        calls = ', '.join(f'{call.tool_name} ({call.id})' for call in pending)
        message = (
            f'The run waits for a decision about {calls}: keep `messages_json()`, and go on with '
            "agent.resume_sync(messages, {id: Approve() | Deny('why') | Answered(value)})"
        )
        return RunPaused(message, pending=pending, messages=self.messages_so_far(), usage=self.usage_so_far())

    def _pending(self) -> tuple[PendingCall, ...]:
        return tuple(self.waiting[number] for number in sorted(self.waiting))

    def _waits_anew(self) -> bool:
        """Whether calls wait of which the conversation does not say so."""
        return bool(self.waiting) and self._pending() != tuple(waiting_at_end(self.messages).values())

    def instruct_last(self, instructions: str) -> None:
        """Give the instructions to the last request of the history, which is sent as it is."""
        self.messages[-1] = _instructed(self.messages[-1], instructions)
        self.history = [*self.history[:-1], _instructed(self.history[-1], instructions)]

    def context(
        self, call: ToolCallPart | None = None, *, retry: int | None = None, approved: bool = False
    ) -> RunContext[Any]:
        """What the user's functions know of the run."""
        failed = self.tool_retries.get(call.tool_name, 0) if call and retry is None else retry or 0
        return RunContext(
            deps=self.plan.deps,
            model=self.plan.model,
            usage=SharedUsage.of(self),
            prompt=self.plan.prompt,
            messages=list(self.messages),  # what the function does with it is its own affair
            run_step=self.run_step,
            retry=failed,
            tool_name=call.tool_name if call else None,
            tool_call_id=call.tool_call_id if call else None,
            approved=approved,
        )

    def count_result_retry(self, reason: str) -> None:
        """Count a failed attempt to give a result, after which the model may try again.

        Raises:
            UnexpectedModelBehavior: It has tried often enough.
        """
        if self.result_retries >= self.plan.result_retries:
            raise UnexpectedModelBehavior(
                f'The model gave no valid result in {self.result_retries + 1} attempts '
                f'(result_retries={self.plan.result_retries}); the last time: {reason}'
            )
        self.result_retries += 1

    def count_tool_calls(self, count: int) -> None:
        """Raise UsageLimitExceeded unless that number of further calls of tools is within the limits."""
        self.plan.limits.check_tool_calls(self.tool_calls + count)
        self.tool_calls += count

    def arriving(self, response: StreamedResponse | None) -> None:
        """Make this the answer that is arriving, or let there be none."""
        self._live = None if response is None else (len(self.messages), response, self.usage)

    def arrived_part(self, index: int) -> ModelResponsePart:
        """A part of the answer that is arriving, as far as it has come."""
        assert self._live is not None
        return self._live[1].get().parts[index]

    def take_arrived(self) -> None:
        """Add to the conversation what has arrived of the answer, unless that was done."""
        if self._live is not None and self._live[0] == len(self.messages):
            self.take(self._live[1].get())

    def take(self, response: ModelResponse) -> None:
        """Add an answer to the conversation, and what it used."""
        # In this order: a reader that sees the message sees its usage too.
        self.count(_counted(response.usage), response)
        self.messages.append(response)

    def count(self, used: Usage, response: ModelResponse) -> None:
        """Add to what was used, also by the run whose function gave its usage to this one."""
        self.usage += used
        self.answers.append(response)
        if isinstance(self.plan.usage, SharedUsage) and (caller := self.plan.usage.run) is not None:
            caller.count(used, response)


def _counted(usage: Usage) -> Usage:
    """The usage of one request; the limit on requests must hold for a model that does not count them."""
    return usage if usage.requests else replace(usage, requests=1)


def _instructed(message: ModelMessage, instructions: str) -> ModelMessage:
    return replace(message, instructions=instructions) if isinstance(message, ModelRequest) else message


def _are_returns(message: ModelMessage) -> TypeGuard[ModelRequest]:
    return isinstance(message, ModelRequest) and any(is_return(part) for part in message.parts)

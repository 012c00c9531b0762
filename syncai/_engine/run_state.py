"""The state of one run, shared by the parts of the engine."""

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
from .call_decisions import open_at_end, waiting_at_end
from .counts import counts_of
from .plan import RunPlan
from .prompts import check_start
from .purses import purses_of
from .shared_usage import SharedUsage, plain
from .whole_history import is_return

if TYPE_CHECKING:
    from .tool_calls import Returned

ResultT = TypeVar('ResultT')


class RunState(Generic[ResultT]):
    """The state of one run. No run shares it with another, so threads share an agent without a lock. The loop thread
    writes. Any thread may call `messages_so_far` and `usage_so_far`: the list only grows, and everything else is
    replaced whole.
    """

    def __init__(self, plan: RunPlan[ResultT]) -> None:
        self.messages: list[ModelMessage] = [] if plan.captured is None else plan.captured
        self.approved: dict[int, Approve] = {}  # the failed calls of the last answer
        self.usage = plain(plan.usage)
        self.purses = purses_of(plan)
        self.answers: list[ModelResponse] = []  # the answers that `usage` counts, those of nested runs included
        self.begin_with(plan)
        self.offered: Sequence[ToolDefinition] = ()
        # The returns of the calls of the last answer, by their numbers, until they are added to the conversation.
        self.returned: dict[int, Returned] = {}
        self.phases = Phases()
        # The arriving answer, the number of messages before it, and the usage until then.
        self._live: tuple[int, StreamedResponse, Usage] | None = None

    def begin_with(self, plan: RunPlan[ResultT]) -> None:
        """Begin with the history of a plan; before the run, and in the caller's thread."""
        # The decisions about the calls of the last answer (before the run: of the history), and the calls that wait.
        self.decisions, self.waiting = open_at_end(plan)
        self.plan = plan
        self.check()
        self.messages[:] = plan.history
        self.first_new = len(self.messages)
        # The messages before `first_new` as they are sent: whole, with the system prompts of the agent.
        self.history = plan.whole_history
        before = counts_of(plan)
        self.run_step = before.responses
        self.tool_calls = before.tool_calls if plan.usage.requests else 0  # else limits end at a pause
        self.tool_retries = before.tool_retries
        self.result_retries = before.result_retries

    def check(self) -> None:
        """Raise UserError unless the model has something to answer."""
        check_start(self.plan)

    # --- what a conversation does beside a run ------------------------------------------------------------------------

    left: Callable[[], object] | None = None
    """Called in the caller's thread when the caller has left the run, at any point."""
    stopped: Callable[[], bool] | None = None
    """Whether the caller has stopped the run; only a submitted run sets it."""

    async def leave(self) -> None:
        """On the loop of an async caller: call `left` where the caller's sync functions run, even if cancelled."""
        if self.left is not None:
            run = self.plan.run_sync or asyncio.to_thread
            await asyncio.shield(run(self.left))

    async def written(self) -> None:
        """On the loop thread: the conversation has a new answer, or new returns of tools."""

    async def fitted(self) -> list[ModelMessage]:
        """On the loop thread: the messages of the next request."""
        return self.to_send()

    # --- any thread ---------------------------------------------------------------------------------------------------

    def messages_so_far(self) -> list[ModelMessage]:
        """The conversation until now. An arriving answer is its last message, and `incomplete`."""
        live, messages = self._live, list(self.messages)
        if live is not None and len(messages) == live[0]:
            messages.append(live[1].get())
        return messages

    def usage_so_far(self) -> Usage:
        """The usage until now; of an arriving answer, as far as the provider has reported."""
        live, usage, answers = self._live, self.usage, list(self.answers)
        if live is not None and len(self.messages) == live[0]:
            usage = live[2] + _counted(live[1].usage())
            answers.append(live[1].get())
        return priced(usage, Answers(answers, self.plan.usage))

    def response_so_far(self, parts: Sequence[ModelResponsePart]) -> ModelResponse:
        """The last answer; while it is arriving, with the parts that have been read."""
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
        """The conversation that the next request sends."""
        history, new = self.history, self.messages[self.first_new :]
        if history and new and _are_returns(new[0]) and isinstance(last := history[-1], ModelRequest):
            # The run added returns that the history lacked: those of one response belong in one request. User content
            # beside them follows all of them.
            parts = sorted([*last.parts, *new[0].parts], key=lambda part: not is_return(part))
            return [*history[:-1], replace(new[0], parts=parts), *new[1:]]
        return [*history, *new]

    def returned_parts(self) -> list[ModelRequestPart]:
        """The returns of the calls of the last answer, in the order of the calls, and then their user content."""
        returned = [self.returned[number] for number in sorted(self.returned)]
        return [*(entry.part for entry in returned), *(entry.content for entry in returned if entry.content)]

    def add_request(self, parts: Sequence[ModelRequestPart], instructions: str | None = None) -> None:
        """Add a request to the conversation; it holds the returns of the last answer."""
        self.messages.append(ModelRequest(parts, instructions=instructions, pending=self._pending()))
        self.returned, self.decisions, self.waiting, self.approved = {}, {}, {}, {}

    def keep_returned(self) -> None:
        """Add the returns of tools to the conversation when the run failed, unless they are there."""
        parts = self.returned_parts()
        if any(isinstance(part, ToolReturnPart) for part in parts) or self._waits_anew():
            self.add_request(parts)

    def pause(self) -> RunPaused:
        """Add the available returns of the last answer to the conversation, and its waiting calls."""
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
        """Whether calls wait that the conversation does not mark as waiting."""
        return bool(self.waiting) and self._pending() != tuple(waiting_at_end(self.messages).values())

    def instruct_last(self, instructions: str) -> None:
        """Put the instructions into the last request of the history, if that is sent again."""
        self.messages[-1] = _instructed(self.messages[-1], instructions)
        self.history = [*self.history[:-1], _instructed(self.history[-1], instructions)]

    def context(
        self, call: ToolCallPart | None = None, *, retry: int | None = None, approved: bool = False
    ) -> RunContext[Any]:
        """The `RunContext` of the user's functions."""
        failed = self.tool_retries.get(call.tool_name, 0) if call and retry is None else retry or 0
        return RunContext(
            deps=self.plan.deps,
            model=self.plan.model,
            usage=SharedUsage.of(self),
            prompt=self.plan.prompt,
            messages=list(self.messages),  # a copy, which the function may change
            run_step=self.run_step,
            retry=failed,
            tool_name=call.tool_name if call else None,
            tool_call_id=call.tool_call_id if call else None,
            approved=approved,
        )

    def count_result_retry(self, reason: str) -> None:
        """Count a failed attempt at a result; returns if the model may try again.

        Raises:
            UnexpectedModelBehavior: No attempt is left.
        """
        if self.result_retries >= self.plan.result_retries:
            raise UnexpectedModelBehavior(
                f'The model gave no valid result in {self.result_retries + 1} attempts '
                f'(result_retries={self.plan.result_retries}); the last time: {reason}'
            )
        self.result_retries += 1

    def count_tool_calls(self, count: int) -> None:
        """Raise UsageLimitExceeded unless the limits allow this number of further tool calls."""
        self.plan.limits.check_tool_calls(self.tool_calls + count)
        self.tool_calls += count

    def arriving(self, response: StreamedResponse | None) -> None:
        """Set the arriving answer; None if there is none."""
        self._live = None if response is None else (len(self.messages), response, self.usage)

    def arrived_part(self, index: int) -> ModelResponsePart:
        """A part of the arriving answer, as far as it has arrived."""
        assert self._live is not None
        return self._live[1].get().parts[index]

    def take_arrived(self) -> None:
        """Add the arrived part of the answer to the conversation, unless it is there."""
        if self._live is not None and self._live[0] == len(self.messages):
            self.take(self._live[1].get())

    def take(self, response: ModelResponse) -> None:
        """Add an answer to the conversation, and count its usage."""
        # In this order: a reader that sees the message also sees its usage.
        self.count(_counted(response.usage), response)
        self.messages.append(response)

    def count(self, usage: Usage, response: ModelResponse) -> None:
        """Add to the usage, also to that of the run whose function passed its usage to this run."""
        self.usage += usage
        self.answers.append(response)
        if isinstance(self.plan.usage, SharedUsage) and (caller := self.plan.usage.run) is not None:
            caller.count(usage, response)


def _counted(usage: Usage) -> Usage:
    """The usage of one request; counts the request itself if the model does not, so that the limit holds."""
    return usage if usage.requests else replace(usage, requests=1)


def _instructed(message: ModelMessage, instructions: str) -> ModelMessage:
    return replace(message, instructions=instructions) if isinstance(message, ModelRequest) else message


def _are_returns(message: ModelMessage) -> TypeGuard[ModelRequest]:
    return isinstance(message, ModelRequest) and any(is_return(part) for part in message.parts)

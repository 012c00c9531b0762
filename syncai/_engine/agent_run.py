"""The run of an agent: asks the model, calls the tools, and asks again, until there is a result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._phases import Phases, phase
from ..exceptions import AgentRunError, SyncAIError, UnexpectedModelBehavior
from ..messages import ModelMessage, ModelRequest, ModelRequestPart, ModelResponse, ModelResponsePart, ToolCallPart
from ..models import ModelRequestParameters, ResultSchema, StreamedResponse
from ..result import RunResult
from ..tools import RunContext, ToolDefinition
from ..usage import Usage
from .final_result import FinalResultMarker
from .model_call import ModelCall, deadline_exceeded
from .offered_tools import offered_tools
from .plan import RunPlan
from .prompts import check_start, first_parts, refresh_dynamic_prompts, unanswered_calls, usable_history
from .results import Final, react
from .tool_calls import Emit
from .traced_call import traced

if TYPE_CHECKING:
    from .._bridge import Channel

ResultT = TypeVar('ResultT')


class AgentRun(Generic[ResultT]):
    """One run. All its state is its own: an agent is shared by threads without a lock.

    The loop thread writes; `messages_so_far` and `usage_so_far` may be called by any thread, since the list only grows
    and everything else is replaced whole.
    """

    def __init__(self, plan: RunPlan[ResultT]) -> None:
        check_start(plan)
        self.plan = plan
        self.messages: list[ModelMessage] = [] if plan.captured is None else plan.captured
        self.messages[:] = usable_history(plan.history)
        self.first_new = len(self.messages)
        self.usage = plan.usage
        self.run_step = 0
        self.tool_calls = 0
        self.tool_retries: dict[str, int] = {}
        self.result_retries = 0
        self.offered: Sequence[ToolDefinition] = ()
        self._phases = Phases()
        # The answer that is arriving, how many messages came before it, and what they had used.
        self._live: tuple[int, StreamedResponse, Usage] | None = None

    # --- any thread ---------------------------------------------------------------------------------------------------

    def messages_so_far(self) -> list[ModelMessage]:
        """The conversation until now; an answer that is still arriving is its last message, and incomplete."""
        live, messages = self._live, list(self.messages)
        if live is not None and len(messages) == live[0]:
            messages.append(live[1].get())
        return messages

    def usage_so_far(self) -> Usage:
        """What was used until now, as far as the provider has told of the answer that is still arriving."""
        live = self._live
        if live is not None and len(self.messages) == live[0]:
            return live[2] + _counted(live[1].usage())
        return self.usage

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

    async def execute(self, emit: Emit | None = None) -> RunResult[ResultT]:
        """The result of the run; with `emit`, its events are handed out in batches as they come."""
        tracing = self.plan.tracing
        try:
            with tracing.run(self) if tracing else nullcontext():
                async with self._deadline():
                    return await self._turns(emit)
        except AgentRunError as error:
            if error.messages is None:
                error.messages = self.messages_so_far()
                error.model_name = error.model_name or self.plan.model.model_name
                error.provider = error.provider or self.plan.model.system
            raise

    def into(self, channel: Channel[RunResult[ResultT]]) -> Any:
        """The work of a channel that streams this run."""
        return self.execute(channel.emit)

    def context(self, call: ToolCallPart | None = None, *, retry: int | None = None) -> RunContext[Any]:
        """What the user's functions are told of the run."""
        failed = self.tool_retries.get(call.tool_name, 0) if call and retry is None else retry or 0
        return RunContext(
            deps=self.plan.deps,
            model=self.plan.model,
            usage=self.usage,
            prompt=self.plan.prompt,
            messages=self.messages,
            run_step=self.run_step,
            retry=failed,
            tool_name=call.tool_name if call else None,
            tool_call_id=call.tool_call_id if call else None,
        )

    def count_result_retry(self, reason: str) -> None:
        """Nothing, while the model may try again to give a result.

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
        """Nothing, while so many further calls of tools are within the limits."""
        self.plan.limits.check_tool_calls(self.tool_calls + count)
        self.tool_calls += count

    async def _turns(self, emit: Emit | None) -> RunResult[ResultT]:
        response = await self._opening(emit)
        while True:
            step = await react(self, response, emit)
            if isinstance(step, Final):
                return self._result(step)
            response = await self._ask(step, emit)

    async def _opening(self, emit: Emit | None) -> ModelResponse:
        """The first answer to react to."""
        with phase('system prompts'):
            self.messages[:] = await refresh_dynamic_prompts(self.plan, self.messages, self.context())
            parts = await first_parts(self.plan, self.context())
        last = self.messages[-1] if self.messages else None
        if not parts and isinstance(last, ModelResponse) and unanswered_calls(last):
            self.offered = await offered_tools(self)
            return last
        return await self._ask(parts, emit)

    async def _ask(self, parts: Sequence[ModelRequestPart], emit: Emit | None) -> ModelResponse:
        plan, instructions = self.plan, self._instructions()
        if parts:
            self.messages.append(ModelRequest(parts, instructions=instructions))
        elif instructions is not None and isinstance(last := self.messages[-1], ModelRequest):
            self.messages[-1] = replace(last, instructions=instructions)
        plan.limits.check_before_request(self.usage)
        self.run_step += 1
        self.offered = await offered_tools(self)
        request = ModelCall(
            model=plan.model,
            messages=list(self.messages),
            settings=plan.settings,
            parameters=self._parameters(),
            phases=self._phases,
        )
        call = traced(request, plan.tracing)
        response = await self._whole(call) if emit is None else await self._stream(call, emit)
        plan.limits.check_tokens(self.usage)
        return response

    async def _whole(self, call: ModelCall) -> ModelResponse:
        response = await call.request()
        self._take(response)
        return response

    async def _stream(self, call: ModelCall, emit: Emit) -> ModelResponse:
        marker = FinalResultMarker(self.plan)

        async def forward(batch: list[Any]) -> None:
            if isinstance(batch[0], StreamedResponse):
                self._live = (len(self.messages), batch[0], self.usage)
            else:
                await emit(marker.marked(batch))

        self._live = None
        try:
            return await call.stream(forward)
        finally:
            # Also an answer that broke off or was left early is part of the conversation, and was paid for.
            if self._live is not None and self._live[0] == len(self.messages):
                self._take(self._live[1].get())

    def _take(self, response: ModelResponse) -> None:
        # In this order: whoever finds the message finds its usage too.
        self.usage += _counted(response.usage)
        self.messages.append(response)

    def _instructions(self) -> str | None:
        return self.plan.spec.prompt_instructions() if self.plan.result_mode == 'prompted' else None

    def _parameters(self) -> ModelRequestParameters:
        plan, schema = self.plan, None
        if plan.result_mode in ('native', 'prompted'):
            answer = plan.spec.native_schema()
            schema = ResultSchema(name=answer.name, schema=answer.schema, description=answer.description)
        return ModelRequestParameters(
            function_tools=self.offered,
            result_tools=[tool.definition for tool in plan.result_tools.values()],
            allow_text_result=plan.spec.allow_text or schema is not None,
            result_mode=plan.result_mode,
            result_schema=schema,
        )

    def _result(self, final: Final) -> RunResult[ResultT]:
        if final.parts:
            self.messages.append(ModelRequest(final.parts))
        return RunResult(
            final.data,
            _messages=tuple(self.messages),
            _first_new=self.first_new,
            _usage=self.usage,
            _result_tool_call_id=final.call.tool_call_id if final.call else None,
        )

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        try:
            with self._phases.observed():
                async with asyncio.timeout(self.plan.timeout) as scope:
                    yield
        except TimeoutError as error:
            if not scope.expired() or isinstance(error, SyncAIError):
                raise
            last = self.messages_so_far()[-1:]
            raise deadline_exceeded(
                f'The run did not end within its timeout of {self.plan.timeout:g} s',
                'give it a longer `timeout`',
                self._phases,
                limit=self.plan.timeout,
                model_name=self.plan.model.model_name,
                provider=self.plan.model.system,
                partial=next((m for m in last if isinstance(m, ModelResponse) and m.incomplete), None),
            ) from None


def _counted(usage: Usage) -> Usage:
    """The usage of one request; the limit on requests must hold for a model that does not count them."""
    return usage if usage.requests else replace(usage, requests=1)

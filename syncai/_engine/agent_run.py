"""The run of an agent: ask the model, call the tools, and ask again until there is a result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from .._base.logs import RUN, is_on
from .._base.phases import phase
from .._bridge import open_async, open_sync, sync_runner
from .._prices import Answers
from ..events import AgentStreamEvent, ResponseEndEvent, ResultRefusedEvent
from ..exceptions import AgentRunError, DeadlineExceeded, UnexpectedModelBehavior
from ..messages import ModelRequestPart, ModelResponse, ModelResponsePart
from ..models import StreamedResponse
from ..parameters import ModelRequestParameters
from ..result import RunPaused, RunResult, Step
from ..usage import priced
from .deadline import Deadline, deadline_exceeded
from .decision import Final
from .endings import correction
from .final_result import EventMarker
from .instructions import written_instructions
from .model_call import Emit, ModelCall, weigh_events
from .offered_tools import offered_tools
from .pauses import parts_before, shifted
from .prompts import first_parts, open_calls
from .purses import pay_from
from .result_mode import result_schema
from .results import react
from .run_log import logged
from .run_state import RunState
from .stored_result import answer_with_result
from .token_warning import warn_uncounted
from .tool_choice import settings_of_step
from .traced_call import traced

if TYPE_CHECKING:
    from .._bridge import AsyncConsumer, Channel, SyncConsumer

ResultT = TypeVar('ResultT')
T = TypeVar('T')
_UNTRACED = nullcontext()


class AgentRun(RunState[ResultT]):
    """One run, from its first request to its result; the loop thread executes it."""

    _marker: EventMarker  # of the streamed answer; used by the loop thread alone
    _channel: Channel[Any] | None = None  # to the reader of a stream

    def execute(self, emit: Emit | None = None) -> Coroutine[Any, Any, RunResult[ResultT]]:
        """The result of the run; with `emit`, its events are handed out in batches as they come.

        Raises:
            RunPaused: Calls of tools wait for a decision.
        """
        return self._bounded(self._turns, emit)

    async def step(self) -> Step[ResultT]:
        """One answer of the model and its tool calls; only the calls if the history ends in open ones.

        Raises:
            RunPaused: Everything left to do waits for a decision.
        """
        try:
            return await self._bounded(self._one_turn, None)
        except RunPaused as paused:
            if len(paused.messages) == self.first_new:
                raise
            return Step(paused.messages, paused.pending, paused.usage)

    async def _bounded(self, turns: Callable[[Emit | None], Awaitable[T]], emit: Emit | None) -> T:
        """The result of `turns(emit)`, within the deadline of the run; its errors carry the conversation."""
        tracing = self.plan.tracing
        if self.plan.run_sync is not None:
            sync_runner.set(self.plan.run_sync)  # of the task of this run
        if self.purses:
            pay_from(self.purses)
        try:
            if tracing is None and self.plan.timeout is None and not is_on(RUN):
                return await turns(emit)  # the usual run, without blocks that would do nothing
            with logged(self), tracing.run(self.plan.agent_name, self.plan.model, self) if tracing else _UNTRACED:
                if self.plan.timeout is None:
                    return await turns(emit)
                async with Deadline(self.plan.timeout, self._late, self.phases):
                    return await turns(emit)
        except AgentRunError as error:
            if error.messages is None:
                error.messages = self.messages_so_far()
                error.model_name = error.model_name or self.plan.model.model_name
                error.provider = error.provider or self.plan.model.system
            raise

    def open_sync(self) -> SyncConsumer[RunResult[ResultT]]:
        """The started run, for a thread that takes its events."""
        model = self.plan.model
        limits, reader_timeout = model.silence_limits, model.reader_timeout
        return open_sync(self._into, weigh=weigh_events, silence_limits=limits, reader_timeout=reader_timeout)

    def open_async(self) -> AsyncConsumer[RunResult[ResultT]]:
        """The started run, for a coroutine on the running loop that takes its events."""
        model = self.plan.model
        limits, reader_timeout = model.silence_limits, model.reader_timeout
        return open_async(self._into, weigh=weigh_events, silence_limits=limits, reader_timeout=reader_timeout)

    def _into(self, channel: Channel[RunResult[ResultT]]) -> Any:
        self._channel = channel
        return self.execute(channel.emit)

    async def _turns(self, emit: Emit | None) -> RunResult[ResultT]:
        if self.plan.goes_on and (known_result := await self._result_before()) is not None:
            return known_result
        response = await self._opening(emit)
        try:
            while not isinstance(reaction := await self._reaction(response, emit), Final):
                response = await self._ask(reaction, emit)
            return self._result(reaction)
        except BaseException:
            self.keep_returned()
            raise

    async def _one_turn(self, emit: Emit | None) -> Step[ResultT]:
        if self.plan.goes_on and (known_result := await self._result_before()) is not None:
            return self._stepped(known_result)
        response = await self._opening(emit)
        try:
            reaction = await self._reaction(response, emit)
            result = self._result(reaction) if isinstance(reaction, Final) else None
            if not isinstance(reaction, Final):
                self.add_request(reaction)
        except BaseException:
            self.keep_returned()
            raise
        return self._stepped(result)

    async def _result_before(self) -> RunResult[ResultT] | None:
        """The result in the history, if its returns are there too."""
        response = answer_with_result(self.plan)
        reaction = None if response is None else await react(self, response, None)
        return self._result(replace(reaction, parts=())) if isinstance(reaction, Final) else None

    def _stepped(self, result: RunResult[ResultT] | None) -> Step[ResultT]:
        return Step(list(self.messages), (), self.usage_so_far(), result)

    async def _reaction(self, response: ModelResponse, emit: Emit | None) -> Final | list[ModelRequestPart]:
        while response.paused and not response.tool_calls:
            response = await self._ask([], emit)
        return await react(self, response, emit)

    async def _opening(self, emit: Emit | None) -> ModelResponse:
        """The first answer to react to."""
        with phase('system prompts'):
            parts = await first_parts(self)
        response = None if parts else open_calls(self.history)
        if response is not None:
            self.offered = await offered_tools(self)
            return response
        return await self._ask(parts, emit)

    async def _ask(self, parts: Sequence[ModelRequestPart], emit: Emit | None) -> ModelResponse:
        """The next answer; the model is asked again if it wrote no valid call of a tool."""
        while True:
            try:
                return await self._ask_once(parts, emit)
            except UnexpectedModelBehavior as error:
                part = correction(self, error)
                if emit is not None:
                    await emit([ResultRefusedEvent(part)])
                parts = [part]

    async def _ask_once(self, parts: Sequence[ModelRequestPart], emit: Emit | None) -> ModelResponse:
        await self._add_next(parts)
        request = await self._next_call()
        await self.written()
        response = await self._answer(request, emit)
        await self.written()
        self._check_answer(response)
        return response

    async def _add_next(self, parts: Sequence[ModelRequestPart]) -> None:
        """Add the next request to the conversation."""
        instructions = await self._instructions()
        if parts:
            self.add_request(parts, instructions)
        elif instructions is not None and len(self.messages) == self.first_new:
            self.instruct_last(instructions)
        self.plan.limits.check_before_request(self.usage)
        self.run_step += 1

    async def _next_call(self) -> ModelCall:
        """The last request of the conversation, ready to be sent."""
        plan = self.plan
        self.offered = await offered_tools(self)
        return ModelCall(
            model=plan.model,
            messages=await self.fitted(),
            settings=settings_of_step(plan, self.run_step),
            parameters=self._parameters(),
            phases=None if plan.timeout is None else self.phases,
        )

    def _check_answer(self, response: ModelResponse) -> None:
        limits = self.plan.limits
        if limits.of_tokens:
            limits.check_tokens(self.usage)
            warn_uncounted(response, self.plan.model.model_name)

    async def _answer(self, request: ModelCall, emit: Emit | None) -> ModelResponse:
        call = traced(request, self.plan.tracing)
        if emit is not None:
            return await self._stream(call, emit)
        try:
            response = await call.request()
        except UnexpectedModelBehavior as error:
            if error.partial is not None:  # it was paid for
                self.take(error.partial)
            raise
        self.take(response)
        return response

    async def _stream(self, call: ModelCall, emit: Emit) -> ModelResponse:
        channel, before = self._channel, parts_before(self.messages[self.first_new :])
        if not before:
            self._marker = EventMarker(self.plan)

        async def opened(response: StreamedResponse) -> None:
            self.arriving(response)

        def marked(batch: list[Any]) -> list[AgentStreamEvent]:
            return self._marker.marked(shifted(batch, before) if before else batch, part_at)

        async def forward(batch: list[Any]) -> None:
            await emit(marked(batch))

        def offer(batch: list[Any]) -> bool:
            if channel is None or not channel.has_room():
                return False
            channel.put(marked(batch))
            return True

        def part_at(index: int) -> ModelResponsePart:
            return self.arrived_part(index - before)

        self.arriving(None)
        try:
            response = await call.stream(forward, opened, offer)
            ends: list[Any] = [*self._marker.end(part_at)]
            await emit(ends if response.paused else [*ends, ResponseEndEvent(response)])
            return response
        finally:
            # An answer that broke off or was left early is part of the conversation too, and was paid for.
            self.take_arrived()

    async def _instructions(self) -> str | None:
        plan = self.plan
        if not plan.instructions and plan.result_mode != 'prompted':
            return None
        texts = [await written_instructions(plan.instructions, self.context) if plan.instructions else None]
        texts.append(plan.spec.prompt_instructions() if plan.result_mode == 'prompted' else None)
        return '\n\n'.join(text for text in texts if text) or None

    def _parameters(self) -> ModelRequestParameters:
        plan, schema = self.plan, None
        if plan.result_mode in ('native', 'prompted'):
            schema = result_schema(plan.spec)
        return ModelRequestParameters(
            function_tools=self.offered,
            result_tools=[tool.definition for tool in plan.result_tools.values()],
            allow_text_result=plan.spec.allow_text or schema is not None,
            result_mode=plan.result_mode,
            result_schema=schema,
        )

    def _result(self, final: Final) -> RunResult[ResultT]:
        if final.parts:
            self.add_request(final.parts)
        return RunResult(
            final.data,
            _messages=tuple(self.messages),
            _first_new=self.first_new,
            _usage=priced(self.usage, Answers(self.answers, self.plan.usage)),
            _result_tool_call_id=final.call.tool_call_id if final.call else None,
        )

    def _late(self) -> DeadlineExceeded:
        last = self.messages_so_far()[-1:]
        return deadline_exceeded(
            f'The run did not end within its timeout of {self.plan.timeout:g} s',
            'give it a longer `timeout`',
            self.phases,
            limit=self.plan.timeout,
            model_name=self.plan.model.model_name,
            provider=self.plan.model.system,
            partial=next((m for m in last if isinstance(m, ModelResponse) and m.incomplete), None),
        )

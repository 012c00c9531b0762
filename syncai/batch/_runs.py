"""The run of one row: from its first request to its result, with a batch between each request and its answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from .._engine.agent_run import AgentRun
from .._engine.decision import Final
from .._engine.endings import correction
from .._engine.model_call import ModelCall
from .._engine.prompts import first_parts
from .._engine.purses import pay_from, purses_of
from .._engine.results import react
from .._prices import Answers
from ..exceptions import AgentRunError, UnexpectedModelBehavior
from ..messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    ToolReturnPart,
)
from ..result import RunResult
from ..usage import Usage, priced

__all__ = ['BatchedRun', 'Sent']

ResultT = TypeVar('ResultT')


@dataclass(frozen=True, slots=True)
class Sent:
    """The job in which a request was asked: the provider's name for it, and when it was sent."""

    job_id: str
    begun: float


class _Turn:
    """One answer of a run for its span, so that spans of several answers count each once."""

    def __init__(self, run: BatchedRun[Any], answer: ModelResponse | AgentRunError) -> None:
        self._run = run
        self._response = answer.partial if isinstance(answer, AgentRunError) else answer

    def messages_so_far(self) -> list[ModelMessage]:
        return self._run.messages_so_far()

    def usage_so_far(self) -> Usage:
        if self._response is None:
            return Usage()
        return priced(self._response.usage, Answers([self._response]))


class BatchedRun(AgentRun[ResultT]):
    """A run that can be stored while it waits for answers outside of the process. Its methods run on the loop thread;
    the user's functions run in the caller's place.

    Attributes:
        rounds: The number of its answers that called tools.
        repairs: Whether its last request asks for a result again.
    """

    rounds = 0
    repairs = False

    async def begin(self) -> None:
        """Make the first request."""
        await self._add_next(await first_parts(self))

    async def call(self) -> ModelCall:
        """The request in which the run waits."""
        return await self._next_call()

    async def take_answer(self, answer: ModelResponse | AgentRunError, sent: Sent) -> RunResult[ResultT] | None:
        """The result, or None if a further request was made.

        Args:
            answer: The model's answer to the last request, or an error.
            sent: The job in which it was asked.

        Raises:
            AgentRunError: The run failed.
        """
        tracing = self.plan.tracing
        if tracing is None:
            return await self._taken(answer)
        call, turn = await self._next_call(), _Turn(self, answer)
        with tracing.run(self.plan.agent_name, self.plan.model, turn, start=sent.begun):
            tracing.batched(call, answer, start=sent.begun, job_id=sent.job_id)
            return await self._taken(answer)

    async def _taken(self, answer: ModelResponse | AgentRunError) -> RunResult[ResultT] | None:
        try:
            if isinstance(answer, AgentRunError):
                await self._take_error(answer)
                return None
            self.take(answer)
            return await self._go_on(answer)
        except AgentRunError as error:
            if error.messages is None:
                error.messages = self.messages_so_far()
            raise

    async def finish_live(self) -> RunResult[ResultT]:
        """The result; sends the remaining requests one by one, at the full price."""
        self.purses = purses_of(self.plan, self.answers)
        if self.purses:
            pay_from(self.purses)  # in the task of this row
        while True:
            response = await self._answer(await self._next_call(), None)
            if (result := await self._go_on(response)) is not None:
                return result

    async def _take_error(self, error: AgentRunError) -> None:
        if not isinstance(error, UnexpectedModelBehavior):
            raise error
        if error.partial is not None:  # it was paid for
            self.take(error.partial)
        await self._ask_for([correction(self, error)])

    async def _go_on(self, response: ModelResponse) -> RunResult[ResultT] | None:
        self._check_answer(response)
        if response.paused and not response.tool_calls:
            await self._ask_for([])
            return None
        self.offered = (await self._next_call()).parameters.function_tools
        try:
            step = await react(self, response, None)
        except BaseException:
            self.keep_returned()
            raise
        if isinstance(step, Final):
            return self._result(step)
        await self._ask_for(step)
        return None

    async def _ask_for(self, parts: list[ModelRequestPart]) -> None:
        functions = {tool.name for tool in self.offered}
        called = any(
            isinstance(part, ToolReturnPart | RetryPromptPart) and part.tool_name in functions for part in parts
        )
        self.rounds += called
        self.repairs = not called and any(isinstance(part, RetryPromptPart) for part in parts)
        await self._add_next(parts)

    # --- written down -------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """The state of the run besides its plan, as values that JSON can hold."""
        history = list(self.history) if self.plan.history else []
        return {
            'messages': ModelMessagesTypeAdapter.dump_python(self.messages[self.first_new :], mode='json'),
            'before': ModelMessagesTypeAdapter.dump_python(self.messages[: self.first_new], mode='json'),
            'history': ModelMessagesTypeAdapter.dump_python(history, mode='json'),
            'usage': {name: value for name, value in asdict(self.usage).items() if value},
            'step': self.run_step,
            'tool_calls': self.tool_calls,
            'tool_retries': self.tool_retries,
            'result_retries': self.result_retries,
            'rounds': self.rounds,
            'repairs': self.repairs,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the stored run."""
        before = ModelMessagesTypeAdapter.validate_python(state['before'])
        self.messages[:] = [*before, *ModelMessagesTypeAdapter.validate_python(state['messages'])]
        self.first_new = len(before)
        if state['history']:
            self.history = ModelMessagesTypeAdapter.validate_python(state['history'])
        names = {field.name for field in fields(Usage)}
        self.usage = Usage(**{name: value for name, value in state['usage'].items() if name in names})
        self.answers = [message for message in self.messages[self.first_new :] if isinstance(message, ModelResponse)]
        if self.answers:
            self.purses = purses_of(self.plan, self.answers)
        self.run_step = state['step']
        self.tool_calls = state['tool_calls']
        self.tool_retries = dict(state['tool_retries'])
        self.result_retries = state['result_retries']
        self.rounds = state['rounds']
        self.repairs = state['repairs']

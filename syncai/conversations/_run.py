"""The run of a conversation: begins with the stored messages, sends those that `keep` chooses, and writes new ones."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from .._base.phases import phase
from .._base.system import warn_in_log
from .._bridge import call_user_function, loop_thread, sync_runner
from .._engine.agent_run import AgentRun
from .._engine.model_call import Emit, ModelCall
from .._engine.offered_tools import offered_tools
from .._engine.prompts import check_start, first_parts, open_calls
from .._engine.waiting_calls import call_tools
from .._engine.whole_history import NOT_ANSWERED, continues_on_server, whole_history
from ..exceptions import AgentRunError, ContextWindowExceeded, DecisionError, UserError
from ..messages import ModelMessage, ModelRequest, ModelRequestPart, ModelResponse, SystemPromptPart, ToolReturnPart
from ..models import context_window, infer_model
from ..models._route.stand_in import model_to_ask
from ..result import RunResult
from ._keep import prompts_in
from ._log import View, rewound
from ._result_tools import check_result_tools
from ._summaries import summarised, summary_message
from ._writer import Writer

if TYPE_CHECKING:
    from .._engine.plan import RunPlan
    from ._conversation import Conversation

ResultT = TypeVar('ResultT')


class ConversationRun(AgentRun[ResultT]):
    """One run of a conversation. Like the user's functions, the store is used in the caller's thread: while the caller
    waits, and once more when the caller has left.
    """

    def __init__(self, plan: RunPlan[ResultT], chat: Conversation[Any, Any]) -> None:
        self._loaded = False
        super().__init__(replace(plan, answers={}))  # they belong to the stored messages
        self._chat = chat
        self._decided = plan.answers
        self._closing = threading.Lock()  # owns the three below
        self._opened = self._is_left = self._closed = False
        self._writer: Writer
        self._view = View()
        self._open: ModelResponse | None = None  # the stored response whose calls have no return
        self._marks: list[ModelMessage] = []  # summaries that are to be written; the loop thread adds

    def check(self) -> None:
        """Raise UserError unless the prompt is valid; whether there is a history is checked later."""
        if self._loaded or self.plan.prompt is not None:
            check_start(self.plan)

    # --- the caller's thread ------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin with the stored messages.

        Raises:
            UserError: The store cannot be used, or the stored conversation cannot be continued.
            StoreError: The store failed.
        """
        if self._is_left:  # a worker thread begins it after its caller has left
            return
        self._chat._begin(self)
        try:
            self._view, version = self._chat._load()
            self._go_on_from(self._view.messages)
            self._writer = Writer(self._chat.store, self._chat.id, self._claimed(version), self.first_new)
        except BaseException:
            self._chat._end(self)
            raise
        with self._closing:
            self._opened, has_left = True, self._is_left
        if has_left:
            self._close(left=True)

    def _claimed(self, version: int) -> int:
        """The version from which this run writes; a new one if it makes calls of the log. So of two runs with the same
        decision or the same open calls, one gets a conflict before it makes any call.
        """
        if not self._decided and (self._open is None or self._chat.on_open != 'run'):
            return version
        length = len(self._view.messages)
        return self._chat.store.append(self._chat.id, version, [rewound(length, length)])

    def open_sync(self) -> Any:
        """The started run, for a thread that takes its events; opened first, in that thread."""
        loop_thread.refuse_on_loop_thread()  # it would wait for the store
        self.open()
        try:
            return super().open_sync()
        except BaseException:
            self.left()
            raise

    def left(self) -> None:  # pyright: ignore - a method in place of a function that may be None
        """Write what exists when the caller has left, unless the run had ended."""
        with self._closing:
            self._is_left, opened = True, self._opened
        if opened:  # otherwise `open` runs in another thread, which closes at its end
            self._close(left=True)

    def was_stopped(self) -> bool:
        """Whether the run was submitted and then cancelled, and so ends soon."""
        return self.stopped is not None and self.stopped()

    def _close(self, *, left: bool = False) -> None:
        """Write the last of it, and let the next run of the conversation begin."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        try:
            self._write(last=True)
        except Exception as error:
            if not left:
                raise
            warn_in_log('The end of a run that was left is not in conversation %r: %s', self._chat.id, error)
        finally:
            self._chat._end(self)

    def _write(self, *, last: bool = False) -> None:
        marks, self._marks = self._marks, []
        self._writer.write(self, last=last, marks=marks)

    def _go_on_from(self, messages: list[ModelMessage]) -> None:
        plan = self.plan
        check_result_tools(messages, plan)
        self._open = self._calls_to_answer(messages)
        history: Sequence[ModelMessage] = messages
        if messages and not continues_on_server(plan.model, plan.settings):
            history = whole_history(
                messages,
                name=f'conversation {self._chat.id!r}',
                repair=True,
                followed=plan.prompt is not None,
                keep_open=self._open is not None or plan.prompt is None,
            )
        if self._open is not None:
            self._open = open_calls(history) or self._open  # with the ids that its calls are sent under
        self._loaded = True
        self.begin_with(replace(plan, history=messages, whole_history=history, answers=self._decided))

    def _calls_to_answer(self, messages: Sequence[ModelMessage]) -> ModelResponse | None:
        last = messages[-1] if messages else None
        if self._decided:
            return None
        if isinstance(last, ModelRequest) and last.pending:
            calls = ', '.join(f'{call.tool_name} ({call.id})' for call in last.pending)
            raise DecisionError(
                f'Conversation {self._chat.id!r} waits for a decision about {calls}: go on with '
                "chat.resume_sync({id: Approve() | Deny('why')}), or take the calls back with chat.rewind(to=...)",
                tools=tuple(dict.fromkeys(call.tool_name for call in last.pending)),
            )
        response = open_calls(messages)
        if response is None or response.incomplete:
            return None
        if self._chat.on_open == 'error':
            calls = ', '.join(f'{call.tool_name} ({call.tool_call_id})' for call in response.tool_calls)
            raise UserError(
                f'Conversation {self._chat.id!r} broke off before these calls had returned: {calls}. '
                "on_open='run' makes them now, on_open='drop' goes on without them"
            )
        return response

    # --- the loop thread ----------------------------------------------------------------------------------------------

    async def execute(self, emit: Emit | None = None) -> RunResult[ResultT]:
        """The result of the run, after it was written."""
        if not self._opened:
            if self.plan.run_sync is not None:
                sync_runner.set(self.plan.run_sync)  # for the store, like the functions of the run
            await call_user_function(self.open)
        try:
            result = await super().execute(emit)
        except Exception as error:
            await self._end_after(error)
            raise
        try:
            await call_user_function(self._close)
        except AgentRunError as error:
            error.messages = error.messages or self.messages_so_far()
            raise
        return result

    async def _end_after(self, error: Exception) -> None:
        try:
            await call_user_function(self._close)
        except Exception as second:
            error.add_note(f'What the run had said until then is not in conversation {self._chat.id!r}: {second}')

    async def written(self) -> None:
        """Write the additions, if each step is to be written."""
        if self._chat.save == 'step':
            await call_user_function(self._write)

    async def _opening(self, emit: Emit | None) -> ModelResponse:
        if self._open is None or (self.plan.prompt is None and self._chat.on_open == 'run'):
            return await super()._opening(emit)
        try:
            self.offered = await offered_tools(self)
            returned = await self._answers(self._open, emit)
            with phase('system prompts'):
                parts = await first_parts(self)
            return await self._ask([*returned, *parts], emit)
        except BaseException:
            self.keep_returned()
            raise

    async def _answers(self, response: ModelResponse, emit: Emit | None) -> list[ModelRequestPart]:
        """The returns of the open calls, which are made unless `on_open` drops them."""
        offered = {tool.name for tool in self.offered} if self._chat.on_open == 'run' else set()
        calls = dict(enumerate(response.tool_calls))
        await call_tools(self, {n: call for n, call in calls.items() if call.tool_name in offered}, emit)
        if self.waiting:
            raise self.pause()
        notes = [call for call in calls.values() if call.tool_name not in offered]
        returns = [ToolReturnPart(call.tool_name, NOT_ANSWERED, call.tool_call_id) for call in notes]
        return [*returns, *self.returned_parts()]

    # --- what is sent -------------------------------------------------------------------------------------------------

    async def fitted(self) -> list[ModelMessage]:
        """The messages of the next request, without those that `keep` leaves out."""
        messages, keep = self.to_send(), self._chat._keep_now
        if keep is None or continues_on_server(self.plan.model, self.plan.settings):
            return messages
        return await self._from(keep.first(self.messages, self._window()), messages)

    async def _answer(self, request: ModelCall, emit: Emit | None) -> ModelResponse:
        try:
            return await super()._answer(request, emit)
        except ContextWindowExceeded:
            keep = self._chat._keep_now
            tighter = None if keep is None else keep.tighter(self.messages, self._window())
            if tighter is None:
                raise
            self._chat._keep_now = tighter  # also for later runs of this object
        return await super()._answer(replace(request, messages=await self.fitted()), emit)

    async def _from(self, first: int, messages: list[ModelMessage]) -> list[ModelMessage]:
        """The messages to send, from the prompt at this position of the conversation.

        Prompts are counted from the end, since a repair may have changed positions.
        """
        if first == 0:
            return messages
        behind = sum(number >= first for number in prompts_in(self.messages))
        prompts = prompts_in(messages)
        if behind > len(prompts):
            return messages
        place = prompts[-behind]
        system = [part for message in messages[:place] for part in message.parts if isinstance(part, SystemPromptPart)]
        summary = await self._summary(first)
        front = [*system, *([] if summary is None else summary.parts)]
        request = messages[place]
        assert isinstance(request, ModelRequest)
        return [replace(request, parts=[*front, *request.parts]), *messages[place + 1 :]]

    def _window(self) -> int | None:
        model = self.plan.model
        try:
            return context_window(f'{model.system}:{model.model_name}')
        except UserError:  # a model without a provider, such as those for tests
            return None

    async def _summary(self, stop: int) -> ModelRequest | None:
        """The summary of the first messages, made once; None without a model for summaries."""
        keep, summaries = self._chat._keep_now, self._view.summaries
        model = None if keep is None else keep.summary
        if model is None or stop in summaries:
            return summaries.get(stop) if model is not None else None
        before = max((number for number in summaries if number < stop), default=0)
        try:
            with phase('summary'):
                writer = model_to_ask(model) or infer_model(model)
                text, responses = await summarised(writer, summaries.get(before), self.messages[before:stop])
        except AgentRunError as error:
            warn_in_log(
                'The beginning of conversation %r (%d messages) is left out without a summary, since its model failed: '
                '%s',
                self._chat.id,
                stop,
                error,
            )
            return None
        for response in responses:
            self.count(response.usage, response)
        summaries[stop] = summary_message(text, stop)
        self._marks.append(summaries[stop])
        await self.written()
        return summaries[stop]

"""The ways to continue with a run: after a pause, or one step at a time."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, Unpack, overload

from typing_extensions import TypeForm, TypeVar

from .._base.missing_await import Unawaited, marked_async
from .._base.tracebacks import only_user_frames
from .._bridge import run_async, run_sync
from .._engine.agent_run import AgentRun
from .._engine.stored_messages import stored_messages
from ..approvals import Decision, PendingCall
from ..exceptions import UserError
from ..messages import ModelMessage
from ..result import RunResult, Step
from ..runs import RunOptions
from ..stream import StreamedRunEvents, StreamedRunEventsSync, StreamedRunResult, StreamedRunResultSync
from .entry_points import EntryPoints, OneT, Prompt
from .options import listing_options

DepsT = TypeVar('DepsT', default=None)
ResultT = TypeVar('ResultT', default=str)
Messages: TypeAlias = Sequence[ModelMessage] | bytes | str
"""A conversation, or the JSON of one."""
Answers: TypeAlias = Mapping[str, Decision] | Mapping[PendingCall, Decision]
"""Decisions about calls that wait, by the ids of the calls or by the `PendingCall`s themselves."""


class Steps(EntryPoints[DepsT, ResultT]):
    """Each continues from stored messages, in any process and at any later time."""

    @overload
    def resume_sync(
        self, messages: Messages, answers: Answers, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> RunResult[ResultT]: ...
    @overload
    def resume_sync(
        self,
        messages: Messages,
        answers: Answers,
        *,
        result_type: TypeForm[OneT],
        **options: Unpack[RunOptions[DepsT]],
    ) -> RunResult[OneT]: ...
    @listing_options(RunOptions)
    def resume_sync(self, messages: Messages, answers: Answers, **options: Any) -> RunResult[Any]:
        """The result of a run that was paused, with the decisions about the calls that wait.

            agent.resume_sync(paused.messages_json(), {call_id: Approve(), other: Deny('not above 100')})

        Nothing runs twice: what tools had returned is in the messages. Calls without a decision keep waiting. All else
        is as in `run_sync`.

        Args:
            messages: `messages` of the `RunPaused`, or the JSON of them.
            answers: The decisions, by the ids of the calls or by the `PendingCall`s themselves.

        Raises:
            UserError: A decision is about a call that does not wait, was shown with other arguments, or whose tool is
                gone; nothing was called or sent.
            RunPaused: Calls without a decision are left, or further calls wait.
            AgentRunError: The run failed.
        """
        with only_user_frames:
            return self.run_sync(None, **_resumed(messages, answers, options))

    @overload
    async def resume(
        self, messages: Messages, answers: Answers, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> RunResult[ResultT]: ...
    @overload
    async def resume(
        self,
        messages: Messages,
        answers: Answers,
        *,
        result_type: TypeForm[OneT],
        **options: Unpack[RunOptions[DepsT]],
    ) -> RunResult[OneT]: ...
    @marked_async
    @listing_options(RunOptions)
    def resume(self, messages: Messages, answers: Answers, **options: Any) -> Coroutine[Any, Any, RunResult[Any]]:
        """The result of a run that was paused, to be awaited on any event loop; otherwise as `resume_sync`."""
        return Unawaited(self._run(None, _resumed(messages, answers, options)), 'agent.resume', 'agent.resume_sync')

    def resume_stream_sync(
        self, messages: Messages, answers: Answers, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResultSync[ResultT]:
        """The result of a run that was paused, as it arrives: `run_stream_sync` from where `resume_sync` continues."""
        return self.run_stream_sync(None, **_resumed(messages, answers, options))

    def resume_stream(
        self, messages: Messages, answers: Answers, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResult[ResultT]:
        """The result of a run that was paused, as it arrives, on any event loop; otherwise as `resume_stream_sync`."""
        return self.run_stream(None, **_resumed(messages, answers, options))

    def resume_stream_events_sync(
        self, messages: Messages, answers: Answers, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEventsSync[ResultT]:
        """The events of a run that was paused: `run_stream_events_sync` from where `resume_sync` continues."""
        return self.run_stream_events_sync(None, **_resumed(messages, answers, options))

    def resume_stream_events(
        self, messages: Messages, answers: Answers, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEvents[ResultT]:
        """The events of a run that was paused, on any event loop; otherwise as `resume_stream_events_sync`."""
        return self.run_stream_events(None, **_resumed(messages, answers, options))

    @overload
    def step_sync(
        self,
        messages: Messages,
        user_prompt: Prompt | None = None,
        *,
        answers: Answers | None = ...,
        result_type: None = None,
        **options: Unpack[RunOptions[DepsT]],
    ) -> Step[ResultT]: ...
    @overload
    def step_sync(
        self,
        messages: Messages,
        user_prompt: Prompt | None = None,
        *,
        answers: Answers | None = ...,
        result_type: TypeForm[OneT],
        **options: Unpack[RunOptions[DepsT]],
    ) -> Step[OneT]: ...
    @listing_options(RunOptions)
    def step_sync(
        self, messages: Messages, user_prompt: Prompt | None = None, *, answers: Answers | None = None, **options: Any
    ) -> Step[Any]:
        """One answer of the model and the calls of its tools: a run in pieces that may be far apart.

            step = agent.step_sync([], 'How old is the tallest tree?')
            while not step.done:
                save(step.messages_json())
                step = agent.step_sync(step.messages, usage=step.usage)

        If the messages end in calls without returns, these calls are made and no request is sent. If their run is done,
        they give its result again. `usage_limits` and `timeout` hold for the step; pass `usage=` of the step before to
        have the limits hold for all steps.

        Args:
            messages: The conversation until now, or the JSON of it; empty for the first step.
            user_prompt: What to ask; only if a new run begins.
            answers: Decisions about calls that wait, as in `resume_sync`.

        Raises:
            UserError: The call is wrong; nothing was sent.
            RunPaused: Only calls without a decision are left.
            AgentRunError: The step failed; `messages` has the conversation, from which the step can be made again.
        """
        run = self._one_step(messages, user_prompt, {**options, 'answers': answers})
        with only_user_frames:
            return run_sync(run.step, name='agent step', silence_limits=run.plan.model.silence_limits)

    @overload
    async def step(
        self,
        messages: Messages,
        user_prompt: Prompt | None = None,
        *,
        answers: Answers | None = ...,
        result_type: None = None,
        **options: Unpack[RunOptions[DepsT]],
    ) -> Step[ResultT]: ...
    @overload
    async def step(
        self,
        messages: Messages,
        user_prompt: Prompt | None = None,
        *,
        answers: Answers | None = ...,
        result_type: TypeForm[OneT],
        **options: Unpack[RunOptions[DepsT]],
    ) -> Step[OneT]: ...
    @marked_async
    @listing_options(RunOptions)
    def step(
        self, messages: Messages, user_prompt: Prompt | None = None, *, answers: Answers | None = None, **options: Any
    ) -> Coroutine[Any, Any, Step[Any]]:
        """One answer of the model and the calls of its tools, awaited on any event loop; all else as `step_sync`."""
        return Unawaited(
            self._step(messages, user_prompt, {**options, 'answers': answers}), 'agent.step', 'agent.step_sync'
        )

    async def _step(self, messages: Messages, user_prompt: Prompt | None, options: Mapping[str, Any]) -> Step[Any]:
        run = self._one_step(messages, user_prompt, options)
        with only_user_frames:
            return await run_async(run.step, name='agent step', silence_limits=run.plan.model.silence_limits)

    def _one_step(self, messages: Messages, user_prompt: Prompt | None, options: Mapping[str, Any]) -> AgentRun[Any]:
        plan = self._plan(user_prompt, {**options, 'message_history': _history(messages, options)})
        return AgentRun(replace(plan, goes_on=user_prompt is None))


def _resumed(messages: Messages, answers: Answers, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the run that continues."""
    if 'answers' in options:
        raise UserError('The answers of a resumed run are its second argument: leave out the option')
    history = _history(messages, options)
    if not history:
        raise UserError('messages is empty: give `messages` or `messages_json()` of the RunPaused')
    return {**options, 'message_history': history, 'answers': {} if answers is None else answers}


def _history(messages: Messages, options: Mapping[str, Any]) -> list[ModelMessage]:
    if options.get('message_history') is not None:
        raise UserError('The messages are the first argument: leave out message_history')
    return stored_messages(messages)

"""The ways to run an agent once: whole or streamed, from a thread or from a coroutine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, Unpack, overload

from typing_extensions import TypeForm, TypeVar

from .._base.missing_await import Unawaited, marked_async
from .._base.tracebacks import only_user_frames
from .._bridge import run_async, run_sync, submit
from .._engine.agent_run import AgentRun
from .._engine.other_options import argument_without_name
from .._engine.overrides import overrides_of
from .._engine.run_options import check_run_options
from ..content import PromptContent
from ..exceptions import UserError
from ..models import Model
from ..result import RunResult
from ..runs import RunOptions
from ..stream import StreamedRunEvents, StreamedRunEventsSync, StreamedRunResult, StreamedRunResultSync
from .options import listing_options

if TYPE_CHECKING:
    from .._engine.plan import RunPlan

DepsT = TypeVar('DepsT', default=None)
ResultT = TypeVar('ResultT', default=str)
OneT = TypeVar('OneT')
"""The type of the result of one run."""
Prompt: TypeAlias = PromptContent | Sequence[PromptContent]


# Of the overloads, those with `type[...]` are for jedi, which completes nothing of a `TypeForm`.


class EntryPoints(ABC, Generic[DepsT, ResultT]):
    """Each makes a complete `RunPlan` in the caller's thread before anything is sent."""

    deps_type: type[DepsT]

    @overload
    def run_sync(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> RunResult[ResultT]: ...
    @overload
    def run_sync(
        self, user_prompt: Prompt | None = None, *, result_type: type[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> RunResult[OneT]: ...
    @overload
    def run_sync(
        self, user_prompt: Prompt | None = None, *, result_type: TypeForm[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> RunResult[OneT]: ...
    @listing_options(RunOptions)
    def run_sync(self, user_prompt: Prompt | None = None, *more: Any, **options: Any) -> RunResult[Any]:
        """The result of a run; waits for it in this thread. Works in any thread, also inside a running event loop.

        The agent's sync functions run in this thread, its async ones on the loop thread.

        Args:
            user_prompt: What to ask: text, or a sequence of text and files.

        Raises:
            UserError: The call is wrong; nothing was sent.
            AgentRunError: The run failed; the class says what to do, `messages` has the conversation.
        """
        with only_user_frames:
            run = self._new_run(user_prompt, options, more)
            try:
                return run_sync(run.execute, name='agent run', silence_limits=run.plan.model.silence_limits)
            finally:
                if run.left is not None:
                    run.left()

    @overload
    async def run(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> RunResult[ResultT]: ...
    @overload
    async def run(
        self, user_prompt: Prompt | None = None, *, result_type: type[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> RunResult[OneT]: ...
    @overload
    async def run(
        self, user_prompt: Prompt | None = None, *, result_type: TypeForm[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> RunResult[OneT]: ...
    @marked_async
    @listing_options(RunOptions)
    def run(self, user_prompt: Prompt | None = None, *more: Any, **options: Any) -> Coroutine[Any, Any, RunResult[Any]]:
        """The result of a run, to be awaited on any event loop. As `run_sync`, but async functions run on that loop."""
        return Unawaited(self._run(user_prompt, options, more), 'agent.run', 'agent.run_sync')

    async def _run(
        self, user_prompt: Prompt | None, options: Mapping[str, Any], more: tuple[Any, ...] = ()
    ) -> RunResult[Any]:
        with only_user_frames:
            run = self._new_run(user_prompt, options, more)
            try:
                return await run_async(run.execute, name='agent run', silence_limits=run.plan.model.silence_limits)
            finally:
                await run.leave()

    @overload
    def run_stream_sync(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResultSync[ResultT]: ...
    @overload
    def run_stream_sync(
        self, user_prompt: Prompt | None = None, *, result_type: type[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResultSync[OneT]: ...
    @overload
    def run_stream_sync(
        self, user_prompt: Prompt | None = None, *, result_type: TypeForm[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResultSync[OneT]: ...
    @listing_options(RunOptions)
    def run_stream_sync(
        self, user_prompt: Prompt | None = None, *more: Any, **options: Any
    ) -> StreamedRunResultSync[Any]:
        """The result of a run as it arrives, to be read in a `with` block; arguments and errors as in `run_sync`."""
        with only_user_frames:
            run = self._new_run(user_prompt, options, more)
            return StreamedRunResultSync(run, run.open_sync)

    @overload
    def run_stream(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResult[ResultT]: ...
    @overload
    def run_stream(
        self, user_prompt: Prompt | None = None, *, result_type: type[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResult[OneT]: ...
    @overload
    def run_stream(
        self, user_prompt: Prompt | None = None, *, result_type: TypeForm[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResult[OneT]: ...
    @listing_options(RunOptions)
    def run_stream(self, user_prompt: Prompt | None = None, *more: Any, **options: Any) -> StreamedRunResult[Any]:
        """The result of a run as it arrives, to be read in an `async with` block on any event loop."""
        with only_user_frames:
            run = self._new_run(user_prompt, options, more)
            return StreamedRunResult(run, run.open_async)

    @overload
    def run_stream_events_sync(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEventsSync[ResultT]: ...
    @overload
    def run_stream_events_sync(
        self, user_prompt: Prompt | None = None, *, result_type: type[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEventsSync[OneT]: ...
    @overload
    def run_stream_events_sync(
        self, user_prompt: Prompt | None = None, *, result_type: TypeForm[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEventsSync[OneT]: ...
    @listing_options(RunOptions)
    def run_stream_events_sync(
        self, user_prompt: Prompt | None = None, *more: Any, **options: Any
    ) -> StreamedRunEventsSync[Any]:
        """All events of a run, tool calls included, and at the end its result; to be read in a `with` block."""
        with only_user_frames:
            run = self._new_run(user_prompt, options, more)
            return StreamedRunEventsSync(run, run.open_sync)

    @overload
    def run_stream_events(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEvents[ResultT]: ...
    @overload
    def run_stream_events(
        self, user_prompt: Prompt | None = None, *, result_type: type[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEvents[OneT]: ...
    @overload
    def run_stream_events(
        self, user_prompt: Prompt | None = None, *, result_type: TypeForm[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEvents[OneT]: ...
    @listing_options(RunOptions)
    def run_stream_events(
        self, user_prompt: Prompt | None = None, *more: Any, **options: Any
    ) -> StreamedRunEvents[Any]:
        """All events of a run, to be read in an `async with` block on any event loop."""
        with only_user_frames:
            run = self._new_run(user_prompt, options, more)
            return StreamedRunEvents(run, run.open_async)

    @overload
    def submit(
        self, user_prompt: Prompt | None = None, *, result_type: None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> Future[RunResult[ResultT]]: ...
    @overload
    def submit(
        self, user_prompt: Prompt | None = None, *, result_type: type[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> Future[RunResult[OneT]]: ...
    @overload
    def submit(
        self, user_prompt: Prompt | None = None, *, result_type: TypeForm[OneT], **options: Unpack[RunOptions[DepsT]]
    ) -> Future[RunResult[OneT]]: ...
    @listing_options(RunOptions)
    def submit(self, user_prompt: Prompt | None = None, *more: Any, **options: Any) -> Future[RunResult[Any]]:
        """The future result of a run that continues in the background; `cancel()` stops it.

        No thread waits for it, so the agent's sync functions run in worker threads.
        """
        with only_user_frames:
            run = self._new_run(user_prompt, options, more)
            future = submit(run.execute, name='agent run', on_end=run.left)
        if run.left is not None:
            run.stopped = future.cancelled
        return future

    def _new_run(
        self, user_prompt: Prompt | None, options: Mapping[str, Any], more: tuple[Any, ...] = ()
    ) -> AgentRun[Any]:
        if more:
            raise UserError(argument_without_name('agent.run_sync(prompt, {}=...)', more[0]))
        return self._run_of(self._plan(user_prompt, options))

    def _run_of(self, plan: RunPlan[Any]) -> AgentRun[Any]:
        return AgentRun(plan)

    def _deps_and_model(self, options: Mapping[str, Any]) -> tuple[Any, Model | str | None]:
        """The dependencies and the model of a run with these options, after a check; `override` wins over them."""
        overrides = overrides_of(self)
        deps = overrides.deps[0] if overrides.deps else options.get('deps')
        check_run_options({**options, 'deps': deps}, self.deps_type)
        return deps, overrides.model or options.get('model')

    @abstractmethod
    def _plan(self, prompt: Prompt | None, options: Mapping[str, Any]) -> RunPlan[Any]:
        """The plan of a run with these options."""

    @abstractmethod
    def _model(self, asked_for: Model | str | None) -> Model:
        """The model of a run: this one, or the agent's if it is None."""

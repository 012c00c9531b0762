"""The ways to run an agent: whole or streamed, once or many times, from a thread or from a coroutine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, Unpack, overload

from typing_extensions import TypeVar

from .._bridge import loop_thread, run_async, run_sync, submit
from .._engine.agent_run import AgentRun
from .._engine.many_runs import ManyRuns, executor_results
from .._engine.overrides import overrides_of
from .._engine.run_options import check_run_options
from ..content import PromptContent
from ..exceptions import UserError
from ..models import Model
from ..result import RunResult
from ..settings import RunOptions
from ..stream import StreamedRunEvents, StreamedRunEventsSync, StreamedRunResult, StreamedRunResultSync

if TYPE_CHECKING:
    from .._engine.plan import RunPlan

DepsT = TypeVar('DepsT', default=None)
ResultT = TypeVar('ResultT', default=str)
Prompt: TypeAlias = PromptContent | Sequence[PromptContent]


class EntryPoints(ABC, Generic[DepsT, ResultT]):
    """Each settles everything in the caller's thread, as a `RunPlan`, before anything is sent."""

    deps_type: type[DepsT]
    model: Model | str | None

    def run_sync(self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]) -> RunResult[ResultT]:
        """The result of a run, waited for in this thread. Works in any thread, also inside a running event loop.

        The agent's sync functions run in this thread, its async ones on the loop thread.

        Args:
            user_prompt: What to ask: text, or a sequence of text and files.
            options: Those of `RunOptions`.

        Raises:
            UserError: The call is wrong; nothing was sent.
            AgentRunError: The run failed; the class says what to do, `messages` has the conversation.
        """
        loop_thread.refuse_on_loop_thread()
        run = AgentRun(self._plan(user_prompt, options))
        return run_sync(run.execute, name='agent run', silence_limits=run.plan.model.silence_limits)

    async def run(self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]) -> RunResult[ResultT]:
        """The result of a run, awaited on any event loop; as `run_sync`, but async functions run on that loop."""
        run = AgentRun(self._plan(user_prompt, options))
        return await run_async(run.execute, name='agent run', silence_limits=run.plan.model.silence_limits)

    def run_stream_sync(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResultSync[ResultT]:
        """The result of a run as it arrives, to be read in a `with` block; arguments and errors as of `run_sync`."""
        loop_thread.refuse_on_loop_thread()
        run = AgentRun(self._plan(user_prompt, options))
        return StreamedRunResultSync(run, run.open_sync)

    def run_stream(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResult[ResultT]:
        """The result of a run as it arrives, to be read in an `async with` block on any event loop."""
        run = AgentRun(self._plan(user_prompt, options))
        return StreamedRunResult(run, run.open_async)

    def run_stream_events_sync(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEventsSync[ResultT]:
        """All events of a run, tool calls included, and at the end its result; to be read in a `with` block."""
        loop_thread.refuse_on_loop_thread()
        run = AgentRun(self._plan(user_prompt, options))
        return StreamedRunEventsSync(run, run.open_sync)

    def run_stream_events(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEvents[ResultT]:
        """All events of a run, to be read in an `async with` block on any event loop."""
        run = AgentRun(self._plan(user_prompt, options))
        return StreamedRunEvents(run, run.open_async)

    def submit(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> Future[RunResult[ResultT]]:
        """The future result of a run that goes on in the background; `cancel()` stops it.

        Nobody waits in whose thread they could run, so the agent's sync functions run in worker threads.
        """
        run = AgentRun(self._plan(user_prompt, options))
        return submit(run.execute, name='agent run')

    @overload
    def map_sync(
        self,
        user_prompts: Iterable[Prompt],
        *,
        max_concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
        executor: Executor | None = ...,
        **options: Unpack[RunOptions[DepsT]],
    ) -> Iterator[RunResult[ResultT]]: ...
    @overload
    def map_sync(
        self,
        user_prompts: Iterable[Prompt],
        *,
        max_concurrency: int = ...,
        return_exceptions: bool,
        executor: Executor | None = ...,
        **options: Unpack[RunOptions[DepsT]],
    ) -> Iterator[RunResult[ResultT] | Exception]: ...
    def map_sync(
        self,
        user_prompts: Iterable[Prompt],
        *,
        max_concurrency: int = 16,
        return_exceptions: bool = False,
        executor: Executor | None = None,
        **options: Unpack[RunOptions[DepsT]],
    ) -> Iterator[Any]:
        """The results of many runs, in the order of their prompts, each as soon as those before it are there.

        Nothing starts before the first result is asked for, and prompts are read as there is room for them (and one
        ahead for every eight runs at a time), in this thread, where the agent's sync functions run too. Leaving the
        loop early stops the runs that go on.

        Args:
            user_prompts: What to ask: any iterable, also one without an end.
            max_concurrency: The most runs at a time.
            return_exceptions: Give the error of a failed run in its place, instead of raising it there.
            executor: Make the runs on the workers of this executor, such as a process pool; agent, prompts, options
                and results travel there and back by pickle.
            options: Those of `RunOptions`, for each run; `timeout` is that of each run.
        """
        loop_thread.refuse_on_loop_thread()
        _check_concurrency(max_concurrency)
        if isinstance(user_prompts, str) or not isinstance(user_prompts, Iterable):
            raise UserError(f'user_prompts must be an iterable of prompts, not {type(user_prompts).__name__}')
        check_run_options({**options, 'deps': self._deps(options)}, self.deps_type)
        if executor is not None:
            if not isinstance(executor, Executor):
                raise UserError(f'executor must be a concurrent.futures.Executor that was made, not {executor!r:.100}')
            travelling: Any = {**options, 'deps': self._deps(options)}  # what overrides them does not travel by itself
            travelling['model'] = overrides_of(self).model or options.get('model')
            calls = (partial(self.run_sync, prompt, **travelling) for prompt in user_prompts)
            return executor_results(executor, calls, max_concurrency, return_exceptions=return_exceptions)
        plans = (partial(self._plan, prompt, options) for prompt in user_prompts)
        asked_for = overrides_of(self).model or options.get('model') or self.model
        limits = asked_for.silence_limits if isinstance(asked_for, Model) else None
        return ManyRuns(plans, max_concurrency, limits).results(return_exceptions=return_exceptions)

    @abstractmethod
    def _plan(self, prompt: Prompt | None, options: RunOptions[DepsT]) -> RunPlan[ResultT]:
        """What a run with these options is to do."""

    @abstractmethod
    def _deps(self, options: RunOptions[DepsT]) -> Any:
        """The dependencies of a run with these options."""


def _check_concurrency(max_concurrency: object) -> None:
    if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 1:
        raise UserError(f'max_concurrency must be an integer above 0, not {max_concurrency!r}')

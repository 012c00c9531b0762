"""The ways to run an agent over many prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from functools import partial
from typing import Any, Literal, Unpack, overload

from typing_extensions import TypeForm, TypeVar

from .._bridge import loop_thread
from .._engine.many_runs import ManyRuns, executor_results
from .._engine.overrides import overrides_of
from .._engine.ready_messages import with_files_read
from .._engine.registry import ready_tools
from .._engine.run_options import check_run_options
from ..exceptions import UserError
from ..result import RunResult
from ..settings import RunOptions
from .entry_points import EntryPoints, OneT, Prompt
from .options import listing_options

DepsT = TypeVar('DepsT', default=None)
ResultT = TypeVar('ResultT', default=str)


class Maps(EntryPoints[DepsT, ResultT]):
    """Runs over the prompts of an iterable."""

    @overload
    def map_sync(
        self,
        user_prompts: Iterable[Prompt],
        *,
        max_concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
        executor: Executor | None = ...,
        result_type: None = ...,
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
        result_type: None = ...,
        **options: Unpack[RunOptions[DepsT]],
    ) -> Iterator[RunResult[ResultT] | Exception]: ...
    @overload
    def map_sync(
        self,
        user_prompts: Iterable[Prompt],
        *,
        max_concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
        executor: Executor | None = ...,
        result_type: TypeForm[OneT],
        **options: Unpack[RunOptions[DepsT]],
    ) -> Iterator[RunResult[OneT]]: ...
    @overload
    def map_sync(
        self,
        user_prompts: Iterable[Prompt],
        *,
        max_concurrency: int = ...,
        return_exceptions: bool,
        executor: Executor | None = ...,
        result_type: TypeForm[OneT],
        **options: Unpack[RunOptions[DepsT]],
    ) -> Iterator[RunResult[OneT] | Exception]: ...
    @listing_options(RunOptions)
    def map_sync(
        self,
        user_prompts: Iterable[Prompt],
        *,
        max_concurrency: int = 16,
        return_exceptions: bool = False,
        executor: Executor | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        """The results of many runs, in the order of their prompts, each as soon as those before it are there.

        Nothing starts before the first result is asked for, and prompts are read as there is room for them (and one
        ahead for every eight runs at a time), in this thread, where the agent's sync functions run too. Leaving the
        loop early stops the runs that go on. The options are those of each run, `timeout` too.

        Args:
            user_prompts: What to ask: any iterable, also one without an end.
            max_concurrency: The most runs at a time.
            return_exceptions: Give the error of a failed run in its place, instead of raising it there.
            executor: Make the runs on the workers of this executor, such as a process pool; agent, prompts, options
                and results travel there and back by pickle.
        """
        loop_thread.refuse_on_loop_thread()
        _check_concurrency(max_concurrency)
        if isinstance(user_prompts, str) or not isinstance(user_prompts, Iterable):
            raise UserError(f'user_prompts must be an iterable of prompts, not {type(user_prompts).__name__}')
        check_run_options({**options, 'deps': self._deps(options)}, self.deps_type)
        if options.get('tools'):
            options['tools'] = ready_tools(options['tools'])  # once, and not for each prompt
        if executor is not None:
            if not isinstance(executor, Executor):
                raise UserError(f'executor must be a concurrent.futures.Executor that was made, not {executor!r:.100}')
            travelling: Any = {**options, 'deps': self._deps(options)}  # what overrides them does not travel by itself
            travelling['model'] = overrides_of(self).model or options.get('model')
            calls = (partial(self.run_sync, with_files_read(prompt), **travelling) for prompt in user_prompts)
            return executor_results(executor, calls, max_concurrency, return_exceptions=return_exceptions)
        plans = (partial(self._plan, prompt, options) for prompt in user_prompts)
        model = self._model(overrides_of(self).model or options.get('model'))
        return ManyRuns(plans, max_concurrency, model.silence_limits).results(return_exceptions=return_exceptions)


def _check_concurrency(max_concurrency: object) -> None:
    if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 1:
        raise UserError(f'max_concurrency must be an integer above 0, not {max_concurrency!r}')

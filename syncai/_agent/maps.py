"""The ways to run an agent over many prompts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from operator import length_hint
from typing import Any, Unpack, overload

from typing_extensions import TypeForm, TypeVar

from .._engine.checks import check_flag
from .._engine.executor_runs import ExecutorRuns
from .._engine.fingerprints import fingerprint_of
from .._engine.many_runs import ManyRuns
from .._engine.map_progress import Progress
from .._engine.map_rows import RowOrder
from .._engine.other_options import argument_without_name
from .._engine.ready_messages import with_files_read
from .._engine.registry import ready_tools
from .._engine.row_source import RowSource
from ..batch._waiting import Waiting, WaitingForCoroutine
from ..exceptions import UserError
from ..journal import Journal, OpenJournal
from ..result import MapRow, RunResult
from .entry_points import EntryPoints, OneT, Prompt
from .map_options import MapArguments, MapOptions, check_batch, taken_from
from .options import listing_options

DepsT = TypeVar('DepsT', default=None)
ResultT = TypeVar('ResultT', default=str)


class Maps(EntryPoints[DepsT, ResultT]):
    """Runs over the prompts of an iterable."""

    @overload
    def map_sync(
        self, user_prompts: Iterable[Any], *, result_type: None = ..., **options: Unpack[MapArguments[DepsT]]
    ) -> Generator[MapRow[ResultT], None, None]: ...
    @overload
    def map_sync(
        self, user_prompts: Iterable[Any], *, result_type: type[OneT], **options: Unpack[MapArguments[DepsT]]
    ) -> Generator[MapRow[OneT], None, None]: ...
    @overload
    def map_sync(
        self, user_prompts: Iterable[Any], *, result_type: TypeForm[OneT], **options: Unpack[MapArguments[DepsT]]
    ) -> Generator[MapRow[OneT], None, None]: ...
    @listing_options(MapOptions)
    def map_sync(
        self,
        user_prompts: Iterable[Any],
        *more: Any,
        max_concurrency: int = 16,
        ordered: bool = True,
        return_exceptions: bool | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> Generator[MapRow[Any], None, None]:
        """The rows of many runs, one for each prompt, in the order of the prompts or as they end.

        Nothing starts before the first row is asked for. Prompts are read in this thread, where the agent's sync
        functions run too, when there is room for them (and one ahead for every eight runs at a time). Leaving the loop
        early stops the runs under way. The options are those of each run, `timeout` too.

        A slow run stops no other: up to 1,000 rows (or 16 times `max_concurrency`, if that is more) are begun and
        not yet given, so that many may wait for it. With `ordered=False` none waits.

        Args:
            user_prompts: What to ask: any iterable, also one without an end. With `prompt=` its items may be anything.
            max_concurrency: The most runs at a time.
            ordered: Give the rows in the order of their prompts; False gives each as soon as its run ends.
            return_exceptions: Give the row of a failed run, with its `error`, instead of raising that in its place;
                None does so with a journal.
            executor: Make the runs on the workers of this executor, such as a process pool; agent, prompts, options
                and results travel there and back by pickle.
        """
        _check_named(more)
        if check_batch(options):
            return self._batched_rows(user_prompts, ordered, return_exceptions, executor, options, Waiting())
        order = _order(ordered, return_exceptions, options)
        return self._runs(user_prompts, max_concurrency, order, executor, options).rows()

    @overload
    def map(
        self, user_prompts: Iterable[Any], *, result_type: None = ..., **options: Unpack[MapArguments[DepsT]]
    ) -> AsyncGenerator[MapRow[ResultT], None]: ...
    @overload
    def map(
        self, user_prompts: Iterable[Any], *, result_type: type[OneT], **options: Unpack[MapArguments[DepsT]]
    ) -> AsyncGenerator[MapRow[OneT], None]: ...
    @overload
    def map(
        self, user_prompts: Iterable[Any], *, result_type: TypeForm[OneT], **options: Unpack[MapArguments[DepsT]]
    ) -> AsyncGenerator[MapRow[OneT], None]: ...
    @listing_options(MapOptions)
    def map(
        self,
        user_prompts: Iterable[Any],
        *more: Any,
        max_concurrency: int = 16,
        ordered: bool = True,
        return_exceptions: bool | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> AsyncGenerator[MapRow[Any], None]:
        """The rows of many runs, for `async for` on any event loop; otherwise as `map_sync`.

        Async functions of the agent run on that loop; its sync functions run in worker threads, and so is the iterable
        read there.
        """
        _check_named(more)
        if check_batch(options):
            waiting = WaitingForCoroutine()
            rows = self._batched_rows(user_prompts, ordered, return_exceptions, executor, options, waiting)
            return waiting.rows(rows)
        order = _order(ordered, return_exceptions, options)
        return self._runs(user_prompts, max_concurrency, order, executor, options).rows_async()

    def _runs(
        self,
        user_prompts: Iterable[Any],
        max_concurrency: int,
        order: RowOrder[Any],
        executor: Executor | None,
        options: dict[str, Any],
    ) -> ManyRuns[Any] | ExecutorRuns[Any]:
        _check_concurrency(max_concurrency)
        _check_prompts(user_prompts)
        map_options = taken_from(options)
        deps, model = self._deps_and_model(options)
        if options.get('tools'):
            options['tools'] = ready_tools(options['tools'])  # once, and not for each prompt
        if map_options['progress']:
            order.progress = Progress(_length_of(user_prompts))
        source = partial(
            RowSource,
            iter(user_prompts),
            order=order,
            most=max_concurrency,
            key=map_options['key'],
            prompt=map_options['prompt'],
            open_journal=self._opening(map_options, options),
        )
        if executor is not None:
            if not isinstance(executor, Executor):
                raise UserError(f'executor must be a concurrent.futures.Executor that was made, not {executor!r:.100}')
            if map_options['dollars'] is not None:
                raise UserError(
                    'dollars= counts in this process: with an executor, put a `budget(..., store=)` in force'
                )
            travelling: Any = {**options, 'deps': deps, 'model': model}  # overrides do not travel by themselves
            history = len(options.get('message_history') or ())
            return ExecutorRuns(executor, source(partial(self._call, travelling)), max_concurrency, order, history)
        plans = source(self._planning(options, map_options['dollars']))
        return ManyRuns(plans, max_concurrency, order, self._model(model).silence_limits)

    def _planning(self, options: dict[str, Any], dollars: Any) -> Callable[[Any], Any]:
        """A function that makes the plan of a row; with `dollars`, all plans share one budget."""
        if dollars is None:
            return lambda prompt: self._plan(prompt, options)
        from ..budgets._registration import purse

        of_map = purse('dollars of the map', dollars)
        return lambda prompt: replace(self._plan(prompt, options), purses=(of_map,))

    def _opening(self, map_options: dict[str, Any], options: dict[str, Any]) -> Callable[[], OpenJournal[Any]] | None:
        """A function that opens the journal of a map, called when the first row is asked for."""
        journal: Journal | None = map_options['journal']
        if journal is None:
            return None

        def opened() -> OpenJournal[Any]:
            plan = self._plan(None, options)
            return journal.open(
                fingerprint_of(plan),
                plan.spec.result_type,
                history=plan.history,
                share=map_options['share'],
                on_change=map_options['on_change'],
                retry_failed=map_options['retry_failed'],
            )

        return opened

    @abstractmethod
    def _batched_rows(
        self,
        rows: Iterable[Any],
        ordered: object,
        return_exceptions: object,
        executor: object,
        options: dict[str, Any],
        waiting: Waiting,
    ) -> Generator[MapRow[Any], None, None]:
        """The rows of a map that goes to a batch API."""

    def _call(self, options: dict[str, Any], prompt: Prompt) -> Callable[[], RunResult[Any]]:
        """The call of a worker, which may run on a machine without the files of the prompt."""
        return partial(self.run_sync, with_files_read(prompt), **options)


def _order(ordered: object, return_exceptions: object, options: dict[str, Any]) -> RowOrder[Any]:
    check_flag('ordered', ordered)
    if return_exceptions is None:
        return_exceptions = options.get('journal') is not None
    check_flag('return_exceptions', return_exceptions)
    return RowOrder(ordered=bool(ordered), return_exceptions=bool(return_exceptions))


def _length_of(items: Iterable[Any]) -> int | None:
    try:
        length = length_hint(items, -1)
    except (TypeError, OverflowError):  # such as of an endless iterator
        return None
    return None if length < 0 else length


def _check_named(more: tuple[Any, ...]) -> None:
    """Raise UserError for a value without a name after the prompts."""
    if more:
        raise UserError(argument_without_name('agent.map_sync(prompts, {}=...)', more[0], 'max_concurrency'))


def _check_prompts(user_prompts: object) -> None:
    if isinstance(user_prompts, str) or not isinstance(user_prompts, Iterable):
        raise UserError(f'user_prompts must be an iterable of prompts, not {type(user_prompts).__name__}')
    if type(user_prompts).__name__ == 'DataFrame':  # of pandas or polars: iterating over one gives its columns
        rows = 'iter_rows(named=True)' if hasattr(user_prompts, 'iter_rows') else 'itertuples()'
        raise UserError(f"A DataFrame gives its columns: pass one, as df['text'], or df.{rows} with prompt=")


def _check_concurrency(max_concurrency: object) -> None:
    if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 1:
        raise UserError(f'max_concurrency must be an integer above 0, not {max_concurrency!r}')

"""Runs of an agent over many prompts at half the price."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sized
from functools import partial
from typing import Any, Literal, Unpack, overload

from typing_extensions import TypeForm, TypeVar

from .._engine.checks import check_flag
from .._engine.map_progress import Progress
from ..batch import BatchJob
from ..batch._setup import setup_of
from ..batch._waiting import Waiting
from ..exceptions import UserError
from ..result import MapRow
from ..runs import RunOptions
from .entry_points import OneT, Prompt
from .maps import Maps
from .options import listing_options

_OF_BATCH: dict[str, Any] = {
    'journal': None,
    'key': None,
    'prompt': None,
    'rounds': None,
    'repair': 'batch',
    'on_change': None,
    'retry_failed': True,
}
"""The options of `batch`, besides those of runs."""

DepsT = TypeVar('DepsT', default=None)
ResultT = TypeVar('ResultT', default=str)


class Batches(Maps[DepsT, ResultT]):
    """Rows that a provider answers within a day."""

    @overload
    def batch(
        self,
        rows: Iterable[Any] | None = ...,
        *,
        journal: Any,
        key: Callable[[Any], Any] | None = ...,
        prompt: Callable[[Any], Prompt] | None = ...,
        rounds: int | None = ...,
        repair: Literal['batch', 'live'] | None = ...,
        on_change: Literal['redo', 'keep'] | None = ...,
        retry_failed: bool = ...,
        result_type: None = ...,
        **options: Unpack[RunOptions[DepsT]],
    ) -> BatchJob[ResultT]: ...
    @overload
    def batch(
        self,
        rows: Iterable[Any] | None = ...,
        *,
        journal: Any,
        key: Callable[[Any], Any] | None = ...,
        prompt: Callable[[Any], Prompt] | None = ...,
        rounds: int | None = ...,
        repair: Literal['batch', 'live'] | None = ...,
        on_change: Literal['redo', 'keep'] | None = ...,
        retry_failed: bool = ...,
        result_type: TypeForm[OneT],
        **options: Unpack[RunOptions[DepsT]],
    ) -> BatchJob[OneT]: ...
    @listing_options(RunOptions)
    def batch(
        self,
        rows: Iterable[Any] | None = None,
        *,
        journal: Any = None,
        key: Callable[[Any], Any] | None = None,
        prompt: Callable[[Any], Prompt] | None = None,
        rounds: int | None = None,
        repair: Literal['batch', 'live'] | None = 'batch',
        on_change: Literal['redo', 'keep'] | None = None,
        retry_failed: bool = True,
        **options: Any,
    ) -> BatchJob[Any]:
        """Send rows to the batch API of the provider, to be answered at half the price within a day; returns at once.

            job = agent.batch(rows, journal='run.sqlite', key=lambda item: item.pk, prompt=as_prompt)
            job.poll()
            for row in job.results(): ...

        Rows that the journal has are not sent, and rows that are under way are not sent twice: the call may be made
        again after any failure. Without rows it is the batch that the journal holds, made by any process. Takes
        OpenAI (Chat and Responses), Azure OpenAI, Anthropic, Gemini, Mistral and Groq.

        Args:
            rows: What to ask: prompts, or whatever `prompt` makes prompts of; None for the batch in the journal.
            journal: A path or a `Journal`, in which everything is kept.
            key: Gives the key of a row, by which it is known again; None makes keys of the prompts.
            prompt: Gives the prompt of a row; None if the rows are prompts.
            rounds: How many batches a row may take part in, where the agent has tools: those are called, in the thread
                that calls `poll` or `results`, between two of them. None is one, or what the journal says.
            repair: What becomes of a result that is not valid: asked for again in a further `'batch'`, or `'live'`, at
                the full price; or None, which makes it an error.
            on_change: What to do with a journal whose rows were made by another model, other settings or tools: None
                is an error that lists the changes, `'redo'` makes them again, `'keep'` keeps them.
            retry_failed: Whether rows that failed are sent again.

        Raises:
            UserError: The call is wrong, or the provider has no batch API; nothing was sent.
            ModelAPIError: The provider refused a job or cannot be reached; the call may be made again.
            StoreError: The journal is lost, full or locked.
        """
        terms = {'rounds': rounds, 'repair': repair, 'on_change': on_change, 'retry_failed': retry_failed}
        return self._job(rows, Waiting(), {'journal': journal, 'key': key, 'prompt': prompt, **terms, **options})

    def _job(
        self, rows: Iterable[Any] | None, waiting: Waiting, arguments: dict[str, Any], dollars: Any = None
    ) -> BatchJob[Any]:
        """The job of `batch`, after a check of its arguments; with `dollars`, its rows share one budget."""
        options = {name: value for name, value in arguments.items() if name not in _OF_BATCH}
        own = {**_OF_BATCH, **{name: arguments[name] for name in _OF_BATCH if name in arguments}}
        key, prompt = own.pop('key'), own.pop('prompt')
        if isinstance(rows, str) or (rows is not None and not isinstance(rows, Iterable)):
            raise UserError(f'rows must be an iterable of prompts, not {type(rows).__name__}')
        _check_functions(key=key, prompt=prompt)
        check_flag('retry_failed', own['retry_failed'])
        setup = setup_of(
            self._planning(options, dollars),
            **own,
            result_type=self._result_type(options),
            attach=rows is None,
            options=options,
            waiting=waiting,
        )
        return BatchJob.found(setup) if rows is None else BatchJob.sent(setup, rows, key, prompt)

    def _batched_rows(
        self,
        rows: Iterable[Any],
        ordered: object,
        return_exceptions: object,
        executor: object,
        options: dict[str, Any],
        waiting: Waiting,
    ) -> Generator[MapRow[Any], None, None]:
        return_exceptions = True if return_exceptions is None else return_exceptions
        check_flag('ordered', ordered)
        check_flag('return_exceptions', return_exceptions)
        del options['batch']
        if executor is not None or options.pop('share', False):
            raise UserError(
                'batch=True takes neither an executor nor share: the provider makes the rows, for one process'
            )
        dollars, progress = options.pop('dollars', None), options.pop('progress', False)
        check_flag('progress', progress)
        bar = Progress(len(rows) if isinstance(rows, Sized) else None) if progress else None
        make = partial(self._job, rows, waiting, options, dollars)
        return self._waited_for(make, bool(ordered), bool(return_exceptions), bar)

    def _waited_for(
        self,
        make: Callable[[], BatchJob[Any]],
        ordered: bool,
        return_exceptions: bool,
        progress: Progress | None,
    ) -> Generator[MapRow[Any], None, None]:
        try:
            if progress is not None:
                progress.look()
            for row in make().results(ordered=ordered, return_exceptions=return_exceptions):
                if progress is not None:
                    progress.add(row)
                yield row
        finally:
            if progress is not None:
                progress.close()

    def _result_type(self, options: dict[str, Any]) -> Any:
        """The type of the results of a run, as it was written."""
        return self._plan('a prompt', options).spec.result_type


def _check_functions(**functions: object) -> None:
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise UserError(f'{name} must be a function of one row, not {function!r:.60}')

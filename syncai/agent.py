"""A model with a task: its instructions, the tools it may use, and the type of its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from types import NoneType
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, Unpack, cast, overload

from typing_extensions import TypeForm
from typing_extensions import TypeVar as TypeVarWithDefault

from ._bridge import loop_thread, open_async, open_sync, run_async, run_sync, submit
from ._engine.agent_options import check_agent_options
from ._engine.agent_run import AgentRun
from ._engine.many_runs import ManyRuns, executor_results
from ._engine.model_call import weigh_events
from ._engine.naming import variable_name
from ._engine.overrides import Overrides, capture_run_messages, captured_messages, overridden, overrides_of
from ._engine.plan import EndStrategy, ResultMode, RunPlan
from ._engine.registry import Registry
from ._engine.run_options import check_run_options
from ._engine.traced_call import instrument_everything, tracing_of
from ._schema import result_spec
from ._transport import close_clients
from .content import UserContent
from .exceptions import UserError
from .instrumentation import InstrumentationSettings
from .models import KnownModelName, Model, infer_model
from .result import RunResult
from .settings import ModelSettings, RunOptions, check_settings, merge_settings
from .stream import StreamedRunEvents, StreamedRunEventsSync, StreamedRunResult, StreamedRunResultSync
from .tools import RunContext, Tool, ToolOptions, check_retries
from .usage import Usage, UsageLimits

__all__ = ['Agent', 'capture_run_messages']

DepsT = TypeVarWithDefault('DepsT', default=None)
ResultT = TypeVarWithDefault('ResultT', default=str)
P = ParamSpec('P')
R = TypeVar('R')
F = TypeVar('F', bound=Callable[..., Any])
Prompt = str | Sequence[UserContent]

loop_thread.on_shutdown(close_clients)


class Agent(Generic[DepsT, ResultT]):
    """A model with a task, to be made once and run any number of times, from any number of threads.

    Args:
        model: `'provider:name'`, such as `'openai:gpt-5.4-mini'`, or a `Model`; None: each run names its own.
        result_type: The type of the result. `str` allows text; any other member of a union is asked for by a tool.
        system_prompt: Instructions for the model; further ones come from `@agent.system_prompt`.
        deps_type: The type of `deps`, for type checkers, and checked where it is a class.
        name: What the agent is called in traces; None takes the name of the variable that holds it.
        model_settings: Settings of every request; those of a run go over them.
        retries: How many times in a row the model may mend a failed call of a tool.
        result_retries: How many times in a run it may mend its result; None takes `retries`.
        result_tool_name: The name of the tool by which it gives a structured result.
        result_tool_description: What that tool is for; None takes the docstring of the type.
        result_mode: How a structured result is asked for: by a `'tool'`, by the provider's own (`'native'`) JSON
            schema, or `'prompted'`, in words. `'auto'` is `'tool'`.
        tools: Functions and `Tool`s that the model may call.
        end_strategy: Whether tools that are called along with a result still run: `'early'` no, `'exhaustive'` yes.
        usage_limits: What one run may use; by default 50 requests.
        instrument: Whether and how OpenTelemetry traces the runs (extra `otel`); None does as `instrument_all` says.
        defer_model_check: Look for the model's provider and key at the first run, not here.

    Raises:
        UserError: An argument is wrong; says which and what it must be.
        MissingKeyError: The provider's key is not set.
    """

    def __init__(
        self,
        model: Model | KnownModelName | str | None = None,
        *,
        result_type: TypeForm[ResultT] = cast('Any', str),  # noqa: B008
        system_prompt: str | Sequence[str] = (),
        deps_type: type[DepsT] = cast('Any', NoneType),  # noqa: B008
        name: str | None = None,
        model_settings: ModelSettings | None = None,
        retries: int = 1,
        result_retries: int | None = None,
        result_tool_name: str = 'final_result',
        result_tool_description: str | None = None,
        result_mode: Literal['auto', 'tool', 'native', 'prompted'] = 'auto',
        tools: Sequence[Tool[DepsT] | Callable[..., Any]] = (),
        end_strategy: EndStrategy = 'early',
        usage_limits: UsageLimits | None = None,
        instrument: InstrumentationSettings | bool | None = None,
        defer_model_check: bool = False,
    ) -> None:
        check_agent_options(locals())
        check_settings(model_settings)
        self._spec = result_spec(result_type, tool_name=result_tool_name, tool_description=result_tool_description)
        self._registry = Registry(system_prompt, tools, self._spec)
        self._result_mode = _resolved_mode(result_mode, structured=bool(self._spec.tools))
        self.name = name
        self.deps_type = deps_type
        self.model = model if defer_model_check or model is None else infer_model(model)
        self.model_settings = model_settings
        self.end_strategy = _one_of('end_strategy', end_strategy, ('early', 'exhaustive'))
        self._retries = check_retries(retries, 'retries')
        self._result_retries = retries if result_retries is None else check_retries(result_retries, 'result_retries')
        self._limits = usage_limits or UsageLimits()
        self.instrument = instrument
        tracing_of(instrument)  # what is wrong with it, or missing for it, is told now
        self._name_sought = False  # by any thread: at worst two of them find the same name

    # --- running ------------------------------------------------------------------------------------------------------

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
        return run_sync(run.execute, name='agent run')

    async def run(self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]) -> RunResult[ResultT]:
        """The result of a run, awaited on any event loop; as `run_sync`, but async functions run on that loop."""
        run = AgentRun(self._plan(user_prompt, options))
        return await run_async(run.execute, name='agent run')

    def run_stream_sync(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResultSync[ResultT]:
        """The result of a run as it arrives, to be read in a `with` block; arguments and errors as of `run_sync`."""
        loop_thread.refuse_on_loop_thread()
        run = AgentRun(self._plan(user_prompt, options))
        return StreamedRunResultSync(run, lambda: open_sync(run.into, weigh=weigh_events))

    def run_stream(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResult[ResultT]:
        """The result of a run as it arrives, to be read in an `async with` block on any event loop."""
        run = AgentRun(self._plan(user_prompt, options))
        return StreamedRunResult(run, lambda: open_async(run.into, weigh=weigh_events))

    def run_stream_events_sync(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEventsSync[ResultT]:
        """All events of a run, tool calls included, and at the end its result; to be read in a `with` block."""
        loop_thread.refuse_on_loop_thread()
        run = AgentRun(self._plan(user_prompt, options))
        return StreamedRunEventsSync(run, lambda: open_sync(run.into, weigh=weigh_events))

    def run_stream_events(
        self, user_prompt: Prompt | None = None, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEvents[ResultT]:
        """All events of a run, to be read in an `async with` block on any event loop."""
        run = AgentRun(self._plan(user_prompt, options))
        return StreamedRunEvents(run, lambda: open_async(run.into, weigh=weigh_events))

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
        return ManyRuns(plans, max_concurrency).results(return_exceptions=return_exceptions)

    # --- functions ----------------------------------------------------------------------------------------------------

    @overload
    def tool(
        self, function: Callable[Concatenate[RunContext[DepsT], P], R], /, **options: Unpack[ToolOptions[DepsT]]
    ) -> Callable[Concatenate[RunContext[DepsT], P], R]: ...
    @overload
    def tool(
        self, **options: Unpack[ToolOptions[DepsT]]
    ) -> Callable[[Callable[Concatenate[RunContext[DepsT], P], R]], Callable[Concatenate[RunContext[DepsT], P], R]]: ...
    def tool(self, function: Any = None, **options: Any) -> Any:
        """Register a function that the model may call, and whose first parameter is the `RunContext`.

        To be used as `@agent.tool` or as `@agent.tool(...)` with the options of `Tool`; the function stays as it is.
        """
        return self._register(function, takes_ctx=True, options=options)

    @overload
    def tool_plain(self, function: F, /, **options: Unpack[ToolOptions[DepsT]]) -> F: ...
    @overload
    def tool_plain(self, **options: Unpack[ToolOptions[DepsT]]) -> Callable[[F], F]: ...
    def tool_plain(self, function: Any = None, **options: Any) -> Any:
        """Register a function that the model may call, and that needs no `RunContext`; else as `tool`."""
        return self._register(function, takes_ctx=False, options=options)

    @overload
    def system_prompt(self, function: F, /) -> F: ...
    @overload
    def system_prompt(self, *, dynamic: bool = False) -> Callable[[F], F]: ...
    def system_prompt(self, function: Any = None, *, dynamic: bool = False) -> Any:
        """Register a function that writes a system prompt: `() -> str` or `(ctx) -> str`, sync or async.

        Args:
            function: The function.
            dynamic: Write the prompt anew also when a `message_history` is continued.
        """
        if function is None:
            return lambda function: self._registry.add_prompt(function, dynamic=dynamic)
        return self._registry.add_prompt(function, dynamic=dynamic)

    def result_validator(self, function: F, /) -> F:
        """Register a function that sees every result: `(data)` or `(ctx, data)`, sync or async.

        It returns the result, the same or another, or raises `ModelRetry` to send it back to the model.
        """
        return self._registry.add_validator(function)

    # --- in between ---------------------------------------------------------------------------------------------------

    @contextmanager
    def override(self, *, model: Model | KnownModelName | str | None = None, deps: Any = ...) -> Iterator[None]:
        """Inside the block, and in this context alone, runs use another model or other `deps` than they ask for."""
        with overridden(self, Overrides(None if model is None else infer_model(model), () if deps is ... else (deps,))):
            yield

    @staticmethod
    def instrument_all(instrument: InstrumentationSettings | bool = True) -> None:
        """Trace all agents and direct calls that do not say otherwise by their own `instrument`."""
        instrument_everything(instrument)

    def __repr__(self) -> str:
        model = self.model.model_name if isinstance(self.model, Model) else self.model
        return f'Agent(model={model!r}, name={self.name!r}, result_type={self._spec.result_type!r})'

    def __getstate__(self) -> dict[str, Any]:
        # A copy, here or in another process, takes tools of its own.
        return {**self.__dict__, '_registry': self._registry.copy()}

    def _register(self, function: Any, *, takes_ctx: bool, options: dict[str, Any]) -> Any:
        def register(function: Any) -> Any:
            self._registry.add_tool(Tool(function, takes_ctx=takes_ctx, **options))
            return function

        return register if function is None else register(function)

    def _plan(self, prompt: Prompt | None, options: RunOptions[DepsT]) -> RunPlan[ResultT]:
        overrides = overrides_of(self)
        deps = self._deps(options)
        check_run_options({**options, 'deps': deps}, self.deps_type)
        registry = self._registry
        return RunPlan(
            agent_name=self._known_name(),
            model=self._model(overrides.model or options.get('model')),
            prompt=prompt,
            deps=deps,
            history=list(options.get('message_history') or ()),
            settings=merge_settings(self.model_settings, options.get('model_settings')),
            limits=options.get('usage_limits') or self._limits,
            usage=options.get('usage') or Usage(),
            timeout=options.get('timeout'),
            system_prompts=registry.system_prompts,
            prompt_functions=tuple(registry.prompt_functions),
            tools=dict(registry.tools),
            retries=self._retries,
            spec=self._spec,
            result_mode=self._result_mode,
            result_retries=self._result_retries,
            validators=tuple(registry.validators),
            end_strategy=self.end_strategy,
            captured=captured_messages(),
            tracing=tracing_of(self.instrument),
        )

    def _known_name(self) -> str | None:
        if self.name is None and not self._name_sought:
            self._name_sought = True
            self.name = variable_name(self)
        return self.name

    def _deps(self, options: RunOptions[DepsT]) -> Any:
        overrides = overrides_of(self)
        return overrides.deps[0] if overrides.deps else options.get('deps')

    def _model(self, asked_for: Model | str | None) -> Model:
        if asked_for is not None:
            return infer_model(asked_for)
        if self.model is None:
            raise UserError(
                "The run has no model: give one to the agent, as Agent('openai:gpt-5.4-mini'), or model=..."
            )
        if not isinstance(self.model, Model):
            self.model = infer_model(self.model)  # by any thread: at worst two of them make the same model
        return self.model


def _check_concurrency(max_concurrency: object) -> None:
    if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 1:
        raise UserError(f'max_concurrency must be an integer above 0, not {max_concurrency!r}')


def _resolved_mode(mode: str, *, structured: bool) -> ResultMode:
    _one_of('result_mode', mode, ('auto', 'tool', 'native', 'prompted'))
    if not structured:
        return 'text'
    return 'tool' if mode == 'auto' else cast('ResultMode', mode)


def _one_of(name: str, value: Any, known: Sequence[str]) -> Any:
    if value not in known:
        raise UserError(f'{name} must be one of {", ".join(map(repr, known))}, not {value!r}')
    return value

"""A model with a task: its instructions, its tools, and the type of its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import NoneType
from typing import TYPE_CHECKING, Any, Unpack, overload

from typing_extensions import TypeForm, TypeVar

from ._agent.batches import Batches
from ._agent.decorators import Decorators
from ._agent.entry_points import OneT, Prompt
from ._agent.options import listing_options
from ._agent.steps import Steps
from ._base.other_names import NEVER_ASSIGNED, OF_AGENTS, OtherNames
from ._base.tracebacks import only_user_frames
from ._bridge import loop_thread
from ._engine.agent_options import check_agent_options, explaining_other_names
from ._engine.checks import check_flag
from ._engine.instructions import instruction_sources
from ._engine.naming import variable_name
from ._engine.other_options import argument_without_name
from ._engine.overrides import (
    Overrides,
    capture_run_messages,
    captured_messages,
    overridden,
    overridden_everywhere,
)
from ._engine.plan import EndStrategy, RunPlan
from ._engine.ready_messages import ready_messages
from ._engine.registry import Registry
from ._engine.result_mode import AskedMode, result_mode_of
from ._engine.specs_of_runs import SpecsOfRuns
from ._engine.surroundings import surroundings
from ._engine.traced_call import instrument_everything, tracing_of
from ._engine.whole_history import continues_on_server, whole_history
from ._schema import ResultSpec, result_spec
from ._transport import close_clients
from .content import user_content
from .conversations import Conversation, Keep, OnOpen, Save, Store
from .exceptions import UserError
from .instrumentation import InstrumentationSettings
from .messages import ModelMessage
from .models import KnownModelName, Model, infer_model
from .models._infer import check_model
from .models._route.choice import chosen_model, default_model
from .models._route.stand_in import model_to_ask
from .runs import AskOptions, Instructions
from .settings import ModelSettings, check_settings, merge_settings
from .tools import Tool, check_retries
from .usage import Usage, UsageLimits

__all__ = ['Agent', 'ask', 'capture_run_messages']

_NOTHING_USED = Usage()
DepsT = TypeVar('DepsT', default=None)
ResultT = TypeVar('ResultT', default=str)

loop_thread.on_shutdown(close_clients)


class Agent(Batches[DepsT, ResultT], Steps[DepsT, ResultT], Decorators[DepsT], OtherNames):
    """A model with a task. Make it once and run it any number of times, from any thread.

    Args:
        model: `'provider:name'`, such as `'openai:gpt-5.4-mini'`, or a `Model`. Its key and its address are read at the
            first run. None takes the model of the run, else the variable `SYNCAI_MODEL`, else a model of the first
            provider whose key is set.
        result_type: The type of the result. `str` allows text; every other member of a union becomes a tool.
        system_prompt: Instructions for the model; further ones come from `@agent.system_prompt`.
        instructions: The beginning of every request, not part of the conversation: text, functions that
            write it again for each request, or a list of both; further ones come from `@agent.instructions`.
        deps_type: The type of `deps`, for type checkers, and checked if it is a class.
        name: What the agent is called in traces; None takes the name of the variable that holds it.
        model_settings: Settings of every request; those of a run go over them.
        retries: How many times in a row the model may correct a failed call of a tool.
        result_retries: How many times in a run it may correct its result; None takes `retries`.
        result_tool_name: The name of the tool by which it gives a structured result.
        result_tool_description: What that tool is for; None takes the docstring of the type.
        result_mode: How a structured result is asked for: by a `'tool'`, by the provider's own (`'native'`) JSON
            schema, or `'prompted'`, in words. `'auto'` is `'native'` where the provider holds its answers to the schema
            and the agent has no tools, else `'tool'`.
        tools: Functions and `Tool`s that the model may call.
        end_strategy: Whether tools that are called along with a result still run: `'early'` no, `'exhaustive'` yes.
        usage_limits: What one run may use; by default 50 requests.
        repair_history: Whether a `message_history` that providers would refuse is sent as a repaired copy, with a
            warning in the log; False makes it a `UserError`.
        instrument: Whether and how OpenTelemetry traces the runs (extra `otel`); None does as `instrument_all` says.

    Raises:
        UserError: An argument is wrong, or there is no such provider; says which and what it must be.
    """

    _other_names = OF_AGENTS

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            a_value = not callable(value) or isinstance(value, type)  # a mock may be assigned
            if name in NEVER_ASSIGNED and type(self) is Agent and a_value:
                raise AttributeError(f'{name!r} of an agent cannot be assigned: {NEVER_ASSIGNED[name]}')
            super().__setattr__(name, value)

    # A name becomes a model on first use, in any thread; at worst, two threads make the same one.
    _model_or_name: Model | str | None

    @explaining_other_names
    def __init__(
        self,
        model: Model | KnownModelName | str | None = None,
        *,
        result_type: TypeForm[ResultT] = str,  # type: ignore[assignment]
        system_prompt: str | Sequence[str] = (),
        instructions: Instructions[DepsT] | None = None,
        deps_type: type[DepsT] = NoneType,  # type: ignore[assignment]
        name: str | None = None,
        model_settings: ModelSettings | None = None,
        retries: int = 1,
        result_retries: int | None = None,
        result_tool_name: str = 'final_result',
        result_tool_description: str | None = None,
        result_mode: AskedMode = 'tool',
        tools: Sequence[Tool[DepsT] | Callable[..., Any]] = (),
        end_strategy: EndStrategy = 'early',
        usage_limits: UsageLimits | None = None,
        repair_history: bool = True,
        instrument: InstrumentationSettings | bool | None = None,
    ) -> None:
        check_agent_options(locals())
        check_settings(model_settings)
        self._spec = result_spec(result_type, tool_name=result_tool_name, tool_description=result_tool_description)
        self._registry = Registry(system_prompt, tools, self._spec, instructions)
        self._result_mode: AskedMode = _one_of('result_mode', result_mode, ('auto', 'tool', 'native', 'prompted'))
        self._specs = SpecsOfRuns(self._spec)
        self.name = name
        self.deps_type = deps_type
        self.model = model
        self.model_settings = model_settings
        self.end_strategy = _one_of('end_strategy', end_strategy, ('early', 'exhaustive'))
        self._retries = check_retries(retries, 'retries')
        self._result_retries = retries if result_retries is None else check_retries(result_retries, 'result_retries')
        self._limits = usage_limits or UsageLimits()
        self._repair_history = repair_history
        self.instrument = instrument
        tracing_of(instrument)  # raises now what is wrong or missing
        self._name_sought = False  # set by any thread; at worst, two find the same name

    @property
    def model(self) -> Model | None:
        """The model of runs that name no other, made on first access; None if the environment chooses it.

        Raises:
            MissingKeyError: The provider's key is not set.
        """
        if isinstance(self._model_or_name, str):
            self._model_or_name = infer_model(self._model_or_name)
        return self._model_or_name

    @model.setter
    def model(self, model: Model | KnownModelName | str | None) -> None:
        """Set the model of later runs; raise UserError unless it is one, or the name of one."""
        if model is not None:
            check_model(model)  # a wrong name is an error now; the key may be set later
        self._model_or_name = model

    def conversation(
        self,
        id: str | None = None,  # noqa: A002
        *,
        store: Store | None = None,
        keep: Keep | None = None,
        save: Save = 'step',
        on_open: OnOpen = 'run',
    ) -> Conversation[DepsT, ResultT]:
        """A conversation, whose runs continue from what was said before; nothing is loaded before its first use.

        Args:
            id: Its id in the store, such as the name of a user; None makes an id.
            store: Where it is kept, such as `SQLiteStore('chats.db')`; None keeps it in the memory of this object.
            keep: The messages that are sent: `Last(count)`, `Fit(share)`; None sends all.
            save: When a run is written: after each `'step'`, or once at its `'end'`.
            on_open: What happens to tool calls without a return after a crash: the next run makes them (`'run'`), the
                model reads that they have no return (`'drop'`), or the next run fails (`'error'`).

        Raises:
            UserError: An argument is wrong; says which.
        """
        return Conversation(self, id, store=store, keep=keep, save=save, on_open=on_open)

    # --- in between ---------------------------------------------------------------------------------------------------

    @contextmanager
    def override(
        self, *, model: Model | KnownModelName | str | None = None, deps: Any = ..., all_threads: bool = False
    ) -> Iterator[None]:
        """Inside the block, runs use this model and these `deps` instead of their own.

        Args:
            model: The model; None leaves it to the runs.
            deps: The dependencies.
            all_threads: Whether this holds for runs in all threads, such as those of a server; else only for this
                context: this thread or task, and whatever it starts with its context.
        """
        check_flag('all_threads', all_threads)
        block = overridden_everywhere if all_threads else overridden
        with block(self, Overrides(None if model is None else infer_model(model), () if deps is ... else (deps,))):
            yield

    @staticmethod
    def instrument_all(instrument: InstrumentationSettings | bool = True) -> None:
        """Trace all agents and direct calls that do not set their own `instrument`."""
        instrument_everything(instrument)

    def __repr__(self) -> str:
        model = self._model_or_name
        model = model.model_name if isinstance(model, Model) else model
        return f'Agent(model={model!r}, name={self.name!r}, result_type={self._spec.result_type!r})'

    def __getstate__(self) -> dict[str, Any]:
        # A copy, here or in another process, has its own tools.
        return {**self.__dict__, '_registry': self._registry.copy()}

    def _plan(self, prompt: Prompt | None, options: Mapping[str, Any]) -> RunPlan[Any]:
        deps, asked_for = self._deps_and_model(options)
        registry, spec = self._functions(options)
        model = self._model(asked_for)
        settings = merge_settings(self.model_settings, options.get('model_settings'))
        history = ready_messages(options.get('message_history') or ())
        around = surroundings()
        return RunPlan(
            agent_name=self._known_name() if options.get('infer_name', True) else self.name,
            model=model,
            prompt=None if prompt is None else user_content(prompt, 'The prompt'),
            deps=deps,
            history=history,
            whole_history=self._whole_history(history, prompt, model, settings, options.get('repair_history')),
            settings=settings,
            limits=options.get('usage_limits') or self._limits,
            usage=options.get('usage') or _NOTHING_USED,
            timeout=options.get('timeout'),
            system_prompts=registry.system_prompts,
            prompt_functions=tuple(registry.prompt_functions),
            instructions=(*registry.instructions, *instruction_sources(options.get('instructions'))),
            foreign_prompts=registry.foreign_prompts,
            tools=around.tools(registry.tools),
            retries=self._retries,
            spec=spec,
            result_mode=result_mode_of(self._result_mode, spec, model, registry.tools),
            result_retries=self._result_retries,
            validators=tuple(registry.validators),
            end_strategy=self.end_strategy,
            captured=captured_messages(),
            tracing=tracing_of(self.instrument),
            run_sync=around.run_sync,
            approve=options.get('approve'),
            answers=options.get('answers') or {},
            goes_on=options.get('answers') is not None,
        )

    def _functions(self, options: Mapping[str, Any]) -> tuple[Registry, ResultSpec[Any]]:
        """The functions and the result type of a run."""
        registry, spec, tools = self._registry, self._spec, options.get('tools') or ()
        if (result_type := options.get('result_type')) is not None:
            spec = self._specs.of(result_type)
            if registry.validators and spec is not self._spec:
                raise UserError(
                    'result_type of a run is not that of the agent, whose result validators are made for its own: '
                    'make another agent for that type, without them'
                )
        return (registry.for_run(spec, tools) if tools or spec is not self._spec else registry), spec

    def _whole_history(
        self,
        history: Sequence[ModelMessage],
        prompt: Prompt | None,
        model: Model,
        settings: ModelSettings,
        repair: bool | None,
    ) -> Sequence[ModelMessage]:
        if not history or continues_on_server(model, settings):
            return history
        return whole_history(
            history,
            name='message_history',
            repair=self._repair_history if repair is None else repair,
            followed=prompt is not None,
            keep_open=prompt is None,
        )

    def _known_name(self) -> str | None:
        if self.name is None and not self._name_sought:
            self._name_sought = True
            self.name = variable_name(self)
        return self.name

    def _model(self, asked_for: Model | str | None) -> Model:
        if (stand_in := model_to_ask(self._model_or_name if asked_for is None else asked_for)) is not None:
            return stand_in
        if asked_for is not None:
            return infer_model(asked_for)
        if self._model_or_name is None:
            if (default := default_model()) is not None:
                return default  # not kept: the settings of tests change
            self._model_or_name = chosen_model()
        model = self.model
        assert model is not None
        return model


def _one_of(name: str, value: Any, names: Sequence[str]) -> Any:
    if value not in names:
        raise UserError(f'{name} must be one of {", ".join(map(repr, names))}, not {value!r}')
    return value


class _Asked(Agent[Any, str]):
    """The agent of `ask`, which chooses a model for each run."""

    def _model(self, asked_for: Model | str | None) -> Model:
        if (stand_in := model_to_ask(asked_for)) is not None:
            return stand_in
        return infer_model(asked_for or default_model() or chosen_model())


_ASKED = _Asked(name='ask')


@overload
def ask(prompt: Prompt, *, model: Model | str | None = None, **options: Unpack[AskOptions]) -> str: ...
@overload
def ask(
    prompt: Prompt,
    result_type: type[OneT],
    *,
    model: Model | str | None = None,
    **options: Unpack[AskOptions],
) -> OneT: ...
@overload
def ask(
    prompt: Prompt,
    result_type: TypeForm[OneT],
    *,
    model: Model | str | None = None,
    **options: Unpack[AskOptions],
) -> OneT: ...
@listing_options(AskOptions)
def ask(
    prompt: Prompt,
    result_type: Any = str,
    *more: Any,
    model: Model | str | None = None,
    **options: Any,
) -> Any:
    """The answer to a prompt, validated as `result_type`: one run of an agent without any other task.

        city = ask('Where were the Olympics held in 2012?', City)

    Works in any thread, also inside a running event loop. For the messages and the usage of a run, use
    `Agent(...).run_sync(...)`.

    Args:
        prompt: What to ask: text, or a sequence of text and files.
        result_type: The type of the answer: any that pydantic can validate, or a union of them.
        model: `'provider:name'` or a `Model`; None takes the name in the environment variable `SYNCAI_MODEL`, else a
            model of the first provider whose key is set.

    Raises:
        UserError: The call is wrong, or there is no model; nothing was sent.
        AgentRunError: The run failed; the class says what to do, `messages` has the conversation.
    """
    if more:
        raise UserError(argument_without_name("ask('...', City, {}=...)", more[0]))
    if isinstance(result_type, str | Model):
        raise UserError(f"The prompt comes first, then a type, not {result_type!r:.100}: ask('...', City, model='...')")
    with only_user_frames:
        return _ASKED.run_sync(prompt, result_type=result_type, model=model, **options).data

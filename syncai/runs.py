"""Options of runs, and the context that a run passes to the functions it calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict, cast

from typing_extensions import TypeVar

from ._base.frozen import dataclass
from ._base.other_names import OF_CONTEXTS, OtherNames
from .usage import Usage

if TYPE_CHECKING:
    from .approvals import Decision, PendingCall
    from .content import UserContent
    from .messages import ModelMessage
    from .models import Model
    from .settings import ModelSettings
    from .tools import Tool
    from .usage import UsageLimits

__all__ = ['ApproveFunction', 'AskOptions', 'Instructions', 'InstructionsFunction', 'RunContext', 'RunOptions']

DepsT = TypeVar('DepsT', default=Any)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext(OtherNames, Generic[DepsT]):
    """The context of a run, for its tools, system prompts and result validators. A unit test of such a function makes
    one with the needed fields, such as `RunContext(deps=Database())`.

    Attributes:
        deps: The `deps` of the run.
        model: The model; None only in a context that a test made without one.
        usage: What the run has used so far.
        prompt: The user's prompt.
        messages: The conversation so far, earlier runs included.
        run_step: How many requests the run has made.
        retry: How many times in a row this tool, or the result, has failed in this run.
        tool_name: The tool that is called, or None.
        tool_call_id: The call's id, or None.
        approved: Whether the call of this tool waited for a decision, and was approved.
    """

    deps: DepsT = field(default=cast('Any', None), repr=False)  # it may hold passwords
    model: Model = cast('Any', None)
    usage: Usage = field(default_factory=Usage)
    prompt: str | Sequence[UserContent] | None = None
    messages: Sequence[ModelMessage] = field(default=(), repr=False)
    run_step: int = 0
    retry: int = 0
    tool_name: str | None = None
    tool_call_id: str | None = None
    approved: bool = False

    _other_names = OF_CONTEXTS

    def __setstate__(self, state: list[Any]) -> None:
        """Take the fields of a pickle; one of an earlier version has fewer."""
        for number, this_field in enumerate(fields(self)):
            object.__setattr__(self, this_field.name, state[number] if number < len(state) else this_field.default)


InstructionsFunction: TypeAlias = (
    Callable[[RunContext[DepsT]], str | Awaitable[str | None] | None] | Callable[[], str | Awaitable[str | None] | None]
)
"""Called before each request: returns a part of its instructions, or None."""

ApproveFunction: TypeAlias = Callable[['PendingCall'], 'Decision | bool | Awaitable[Decision | bool | None] | None']
"""Decides about a call that waits, or returns None to leave it waiting."""

Instructions: TypeAlias = str | InstructionsFunction[DepsT] | Sequence[str | InstructionsFunction[DepsT]]
"""The beginning of each request: a text, a function that returns one, or a list of both."""


class AskOptions(TypedDict, Generic[DepsT], total=False):
    """Options of one run, all optional; `ask` takes them, and every way to run an agent.

    Attributes:
        message_history: The conversation before this prompt, from `all_messages()` of an earlier run or from JSON.
        deps: The value of `RunContext.deps` for tools, prompts and validators.
        model_settings: Settings for this run; they win over those of the agent and of the model.
        usage_limits: The limits of this run, instead of the agent's.
        usage: Usage before this run; it counts towards the limits and is part of `usage()`. A tool that passes
            `ctx.usage` has this run counted for its own run too.
        timeout: Seconds that the whole run may take: waiting, every request, tools and streaming included.
        tools: Functions and `Tool`s that the model may call in this run, besides the agent's own.
        instructions: The beginning of every request of this run, after the agent's own: text, functions that write it,
            or a list of both.
        approve: Called for each call that waits for a decision, in the caller's thread: returns `Approve()`,
            `Deny('why')`, `Answered(value)`, True or False; None leaves it waiting. Without this function the run ends
            with `RunPaused`.
        repair_history: Whether a `message_history` that providers would refuse is sent as a repaired copy; False makes
            it a `UserError` that names the message. None takes the agent's setting.
        infer_name: Whether an agent without a name may take that of the variable that holds it; True if left out.
    """

    message_history: Sequence[ModelMessage] | None
    deps: DepsT
    model_settings: ModelSettings | None
    usage_limits: UsageLimits | None
    usage: Usage | None
    timeout: float | None
    tools: Sequence[Tool[DepsT] | Callable[..., Any]] | None
    instructions: Instructions[DepsT] | None
    approve: ApproveFunction | None
    repair_history: bool | None
    infer_name: bool


class RunOptions(AskOptions[DepsT], Generic[DepsT], total=False):
    """Options of one run of an agent, all optional; every way to start a run takes them and those of `AskOptions`.

    Attributes:
        model: The model for this run, instead of the agent's.
    """

    # Not `KnownModelName`, with which type checkers list all names at each mistake in an overloaded function.
    model: Model | str | None

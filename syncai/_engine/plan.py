"""The plan of a run: everything that is decided before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from .._base.frozen import dataclass
from .._bridge import RunSync
from ..content import UserContent
from ..messages import ModelMessage
from ..models import Model
from ..settings import ModelSettings
from ..tools import Tool
from ..usage import Usage, UsageLimits
from .instructions import Source
from .user_functions import PromptFunction, UserFunction

if TYPE_CHECKING:
    from .._schema import ResultSpec, ResultTool
    from .._telemetry.tracing import Tracing
    from ..approvals import Decision, PendingCall
    from ..budgets import Budget
    from ..runs import ApproveFunction

ResultT = TypeVar('ResultT')

EndStrategy: TypeAlias = Literal['early', 'exhaustive']
ResultMode: TypeAlias = Literal['text', 'tool', 'native', 'prompted']


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan(Generic[ResultT]):
    """Made in the caller's thread, and never changed."""

    agent_name: str | None
    model: Model
    prompt: str | Sequence[UserContent] | None
    deps: Any
    history: Sequence[ModelMessage]
    whole_history: Sequence[ModelMessage]
    settings: ModelSettings
    limits: UsageLimits
    usage: Usage
    timeout: float | None
    system_prompts: Sequence[str]
    prompt_functions: Sequence[PromptFunction]
    instructions: Sequence[Source]
    foreign_prompts: set[str]
    """System prompts of other agents that were logged in a warning; shared by the runs of the agent."""
    tools: Mapping[str, Tool[Any]]
    retries: int
    spec: ResultSpec[ResultT]
    result_mode: ResultMode
    result_retries: int
    validators: Sequence[UserFunction]
    end_strategy: EndStrategy
    captured: list[ModelMessage] | None
    tracing: Tracing | None
    run_sync: RunSync | None
    approve: ApproveFunction | None
    answers: Mapping[str | PendingCall, Decision]
    """Decisions about the calls at the end of the history."""
    goes_on: bool
    """Whether the history ends within this run, so that its counts continue."""
    purses: tuple[Budget, ...] = ()
    """Budgets of what the run is a part of, such as a map; its own `price_limit` is added."""

    @property
    def result_tools(self) -> Mapping[str, ResultTool[ResultT]]:
        """The tools by which the model gives its result."""
        return self.spec.tools if self.result_mode == 'tool' else {}

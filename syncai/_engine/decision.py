"""What an answer of the model means for the run: a result, calls to make, calls to refuse, or a failed attempt. Pure
decisions: this module calls nothing, counts nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeAlias

from .._base.frozen import dataclass
from ..approvals import Approve
from ..messages import ModelRequestPart, ModelResponse, RetryPromptPart, ThinkingPart, ToolCallPart, ToolReturnPart
from ..models._http.error_endings import failure_of
from .endings import (
    is_json,
    kinds_beside_text,
    refuse_cut_calls,
    refuse_empty,
    refuse_unfinished,
)
from .pauses import whole_text
from .tool_calls import Returned, retry_prompt
from .tool_outcome import Rejected

if TYPE_CHECKING:
    from .run_state import RunState

Calls: TypeAlias = Mapping[int, ToolCallPart]
"""Calls of one answer, by their numbers in it."""

PROCESSED = 'Final result processed.'
"""The return of a result tool whose result was accepted."""
_NOT_USED = 'Result tool not used: another result was accepted.'
_NOT_CALLED = 'Tool not called: the final result had been given already.'


@dataclass(frozen=True, slots=True)
class Final:
    """The run is over.

    Attributes:
        data: The result.
        call: The call of the result tool that gave it, or None.
        parts: The returns of the calls of the last answer, so that the conversation can continue from here.
    """

    data: Any
    call: ToolCallPart | None = None
    parts: Sequence[ModelRequestPart] = field(default_factory=list)


# --- what an answer is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskAgain:
    """A failed attempt to give a result: the model is asked again with `content`; `reason` is for the last error."""

    content: str
    reason: str


@dataclass(frozen=True, slots=True)
class TakeText:
    """A text that is the result, or JSON of it where `is_json` is set."""

    text: str
    is_json: bool


@dataclass(frozen=True, slots=True)
class TakeCalls:
    """Calls; each is of a result tool, of a function, or of an unknown tool."""

    results: Calls
    functions: Calls
    unknown: Calls


def decide(run: RunState[Any], response: ModelResponse) -> TakeCalls | TakeText | AskAgain:
    """The kind of an answer.

    Raises:
        UnexpectedModelBehavior: It failed or was cut off; asking again would not help.
        ContentFilterError: The provider withheld it.
    """
    if (failure := failure_of(response)) is not None:
        raise failure
    if response.tool_calls:
        refuse_cut_calls(run, response)
        return _calls_of(run, response)
    if text := whole_text(run.messages, response):
        return _text_of(run, response, text)
    refuse_empty(response)
    if kinds := kinds_beside_text(response):
        return AskAgain('The answer held no text, and no call of a tool.', f'the answer held no text, but {kinds}')
    only_thoughts = any(isinstance(part, ThinkingPart) and part.content for part in response.parts)
    reason = 'the answer held thoughts and no text' if only_thoughts else 'the answer was empty'
    return AskAgain('The answer was empty.', reason)


def _calls_of(run: RunState[Any], response: ModelResponse) -> TakeCalls:
    offered, calls = {tool.name for tool in run.offered}, dict(enumerate(response.tool_calls))
    results = {n: call for n, call in calls.items() if call.tool_name in run.plan.result_tools}
    functions = {n: call for n, call in calls.items() if call.tool_name in offered or _needs_no_tool(run, n)}
    names = results | functions
    return TakeCalls(results, functions, {n: call for n, call in calls.items() if n not in names})


def _needs_no_tool(run: RunState[Any], number: int) -> bool:
    """Whether a call is not made, regardless of its tool: it waits, or was denied or answered."""
    decision = run.decisions.get(number)
    return number in run.waiting if decision is None else not isinstance(decision, Approve)


def _text_of(run: RunState[Any], response: ModelResponse, text: str) -> TakeText | AskAgain:
    plan = run.plan
    if plan.result_mode in ('native', 'prompted'):
        last = response.text  # the JSON may be complete after a continuation
        return TakeText(last if text != last and is_json(last) else text, is_json=True)
    if plan.spec.allow_text:
        return TakeText(text, is_json=False)
    refuse_unfinished(run, response)
    names = ', '.join((*plan.result_tools, *(tool.name for tool in run.offered)))
    content = f'Plain text is not a valid answer here: call one of the tools ({names}).'
    return AskAgain(content, content)


# --- what becomes of its calls ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """The outcome of all calls of an answer, after those of result tools were validated.

    Attributes:
        final: The result, or None.
        returned: What the calls of result tools return, by their numbers.
        functions: The calls to make now.
        refused: The returns of the calls that are not made.
        rejected: Why the attempt fails before any function is called, or None.
        unknown: Why it fails after they were called, or None.
    """

    final: Final | None
    returned: Mapping[int, Returned]
    functions: Calls
    refused: Mapping[int, Returned]
    rejected: str | None
    unknown: str | None


def settle(
    run: RunState[Any], response: ModelResponse, calls: TakeCalls, outcomes: Mapping[int, Final | Rejected]
) -> Settled:
    """The outcome of all calls of an answer.

    Args:
        run: The run.
        response: The answer.
        calls: Its calls.
        outcomes: The outcomes of the calls of result tools, up to the first valid one.

    Raises:
        UnexpectedModelBehavior: No result is valid, and the answer was cut off.
        ContentFilterError: No result is valid, and the provider withheld a part of the answer.
    """
    final = next((outcome for outcome in outcomes.values() if isinstance(outcome, Final)), None)
    rejected = [outcome for outcome in outcomes.values() if isinstance(outcome, Rejected)] if final is None else []
    if rejected:
        refuse_unfinished(run, response)
    unknown = next(iter(calls.unknown.values()), None) if final is None and not rejected else None
    functions = calls.functions if final is None or run.plan.end_strategy == 'exhaustive' else {}
    not_made = {n: call for n, call in calls.functions.items() if n not in functions}
    return Settled(
        final=final,
        returned={n: Returned(_of_result(call, outcomes.get(n), final)) for n, call in calls.results.items()},
        functions=functions,
        refused={
            **{n: Returned(_note(call, _NOT_CALLED)) for n, call in not_made.items()},
            **{n: Returned(_no_such_tool(run, call)) for n, call in calls.unknown.items()},
        },
        rejected=str(rejected[0].content) if rejected else None,
        unknown=None if unknown is None else f'there is no tool {unknown.tool_name!r}',
    )


def _of_result(
    call: ToolCallPart, outcome: Final | Rejected | None, final: Final | None
) -> ToolReturnPart | RetryPromptPart:
    if isinstance(outcome, Rejected) and final is None:
        return retry_prompt(outcome, call)
    return _note(call, PROCESSED if isinstance(outcome, Final) else _NOT_USED)


def _note(call: ToolCallPart, content: str) -> ToolReturnPart:
    return ToolReturnPart(call.tool_name, content, call.tool_call_id)


def _no_such_tool(run: RunState[Any], call: ToolCallPart) -> RetryPromptPart:
    names = ', '.join((*(tool.name for tool in run.offered), *run.plan.result_tools)) or 'none'
    content = f'There is no tool {call.tool_name!r}. The tools are: {names}.'
    return RetryPromptPart(content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)

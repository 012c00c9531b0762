"""Calls of function tools: run each in its place, and collect the returns for the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .._base.functions import is_async
from .._base.json_values import sendable_text
from .._base.phases import phase
from .._bridge import run_together, takes_turns
from ..approvals import PendingCall
from ..events import FunctionToolCallEvent, FunctionToolResultEvent
from ..exceptions import UnexpectedModelBehavior
from ..messages import RetryPromptPart, ToolCallPart, ToolReturnPart, UserPromptPart
from ..tools import ToolReturn
from .tool_outcome import Paused, Rejected, outcome_of

if TYPE_CHECKING:
    from ..tools import Tool
    from .model_call import Emit
    from .run_state import RunState


@dataclass(frozen=True, slots=True)
class Returned:
    """The return of a call, and the user content of its tool, which follows all returns."""

    part: ToolReturnPart | RetryPromptPart
    content: UserPromptPart | None = None


async def make_calls(run: RunState[Any], calls: Mapping[int, ToolCallPart], emit: Emit | None) -> None:
    """Put the returns of the tools into `run.returned`, and the calls whose tools ask for a decision into
    `run.waiting`. Each is added as soon as it is known, under the number of its call. Async tools and those in threads
    run concurrently. All calls that began run to their end, even if one raises: what a tool has done is not done again
    when the run continues.

    Raises:
        Exception: The error of a tool; of several, that of the first call.
    """
    if not calls:
        return
    if emit is not None:
        await emit([FunctionToolCallEvent(_effective(run, number, call)) for number, call in calls.items()])
    errors = await run_together([_one_by_one(run, lane, emit) for lane in _lanes(run, calls)])
    error = next((error for error in errors if error is not None), None)
    try:
        if error is not None:
            raise error
    finally:
        del error, errors  # the traceback knows this frame, which must not know the error


def _lanes(run: RunState[Any], calls: Mapping[int, ToolCallPart]) -> list[dict[int, ToolCallPart]]:
    """The calls in lanes. The calls of one lane run one after another, and none begins after one has failed."""
    tools = run.plan.tools
    turns = {i: call for i, call in calls.items() if takes_turns() and _in_callers_thread(tools[call.tool_name])}
    lanes = [{i: call} for i, call in calls.items() if i not in turns]
    return [turns, *lanes] if turns else lanes


def _in_callers_thread(tool: Tool[Any]) -> bool:
    return tool.run_in == 'caller' and not is_async(tool.function)


async def _one_by_one(run: RunState[Any], calls: Mapping[int, ToolCallPart], emit: Emit | None) -> Exception | None:
    """Make the calls up to the first that raises; returns its error."""
    for number, call in calls.items():
        try:
            outcome = await _call(run, number, call)
            if isinstance(outcome, PendingCall):
                run.waiting[number] = outcome
            else:
                await take_return(run, number, outcome, emit)
        except Exception as error:
            return error
    return None


async def take_return(run: RunState[Any], number: int, returned: Returned, emit: Emit | None) -> None:
    """Keep the return of a call, and hand out its event."""
    run.returned[number] = returned
    await run.written()
    if emit is not None:
        await emit([FunctionToolResultEvent(returned.part)])


async def _call(run: RunState[Any], number: int, call: ToolCallPart) -> Returned | PendingCall:
    tool = run.plan.tools[call.tool_name]
    tracing = run.plan.tracing
    effective = _effective(run, number, call)
    span: Any = tracing.tool(effective, tool.definition.description) if tracing else nullcontext()
    with phase(f'tool {call.tool_name!r}'), span as end_span:
        value = await outcome_of(tool, run.context(call, approved=number in run.approved), effective.args)
        if isinstance(value, Paused):
            return pending_call(call, value)
        returned = returned_of(call, value)
        if end_span is not None:
            end_span(returned.part.content, isinstance(value, Rejected))
    return returned if effective is call else _with_note(returned, effective)


def _effective(run: RunState[Any], number: int, call: ToolCallPart) -> ToolCallPart:
    """The call with the approved arguments instead of the model's."""
    approved = run.approved.get(number)
    return call if approved is None or approved.args is None else replace(call, args=approved.args)


def _with_note(returned: Returned, call: ToolCallPart) -> Returned:
    """The return of a call, with a note that it ran with other arguments than those that the model sees."""
    arguments = call.args_as_json_str()
    note = f'The call {call.tool_call_id} of {call.tool_name!r} was made with other arguments: {arguments}'
    content: Any = returned.content.content if returned.content else ()
    return replace(returned, content=UserPromptPart([note, *([content] if isinstance(content, str) else content)]))


def pending_call(call: ToolCallPart, paused: Paused) -> PendingCall:
    """A call that waits."""
    return PendingCall(call.tool_call_id, call.tool_name, call.args_as_dict(), paused.reason, paused.details)


def returned_of(call: ToolCallPart, value: Any) -> Returned:
    """The return of a call, from the value of its tool or from its failure."""
    if isinstance(value, Rejected):
        return Returned(retry_prompt(value, call))
    if not isinstance(value, ToolReturn):
        return Returned(ToolReturnPart(call.tool_name, value, call.tool_call_id))
    part = ToolReturnPart(call.tool_name, value.value, call.tool_call_id, metadata=value.metadata)
    content: Any = value.content  # whose files `ready_value` has read
    return Returned(part, None if content is None else UserPromptPart(content))


def retry_prompt(rejected: Rejected, call: ToolCallPart | None) -> RetryPromptPart:
    """The request for a correction: of the arguments of a call, or of the whole answer."""
    content = rejected.content
    if isinstance(content, str):
        content = sendable_text(content, 'A ModelRetry')
    name, call_id = (call.tool_name, call.tool_call_id) if call else (None, None)
    return RetryPromptPart(content, tool_name=name, tool_call_id=call_id)


def count_failures(run: RunState[Any], returned: Sequence[ToolReturnPart | RetryPromptPart]) -> None:
    """Count the failed tools, each once for the whole answer, and reset the counts of the others.

    Raises:
        UnexpectedModelBehavior: A tool has failed too often.
    """
    failures = {part.tool_name: part for part in returned if isinstance(part, RetryPromptPart)}
    for name in {part.tool_name for part in returned if part.tool_name not in failures}:
        run.tool_retries.pop(str(name), None)
    for name, part in failures.items():
        _count_failure(run, run.plan.tools[str(name)], part)


def _count_failure(run: RunState[Any], tool: Tool[Any], last: RetryPromptPart) -> None:
    allowed = run.plan.retries if tool.retries is None else tool.retries
    failed = run.tool_retries.get(tool.name, 0)
    if failed >= allowed:
        raise UnexpectedModelBehavior(
            f'Tool {tool.name!r} failed {failed + 1} times in a row (retries={allowed}); the last time: {last.content}'
        )
    run.tool_retries[tool.name] = failed + 1

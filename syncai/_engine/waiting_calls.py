"""The calls of a response that wait for a decision, and the calls that were decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, assert_never

from .._base.phases import phase
from .._bridge import call_user_function
from ..approvals import Answered, Approve, Decision, Deny, PendingCall
from ..events import ToolCallPausedEvent
from ..exceptions import ModelRetry, Pause, UserError
from ..messages import ToolCallPart, ToolReturnPart
from .call_decisions import check_decision
from .tool_calls import Returned, make_calls, pending_call, retry_prompt, returned_of, take_return
from .tool_outcome import Paused, Rejected, validated
from .tool_values import ready_value

if TYPE_CHECKING:
    from ..tools import Tool
    from .model_call import Emit
    from .run_state import RunState

_DENIED = 'The call was denied, and not made.'


async def call_tools(run: RunState[Any], calls: Mapping[int, ToolCallPart], emit: Emit | None) -> None:
    """Make the calls that need no decision or have one; the outcomes go into `run.returned` and `run.waiting`. The
    calls that need no decision run first; then the run's `approve` decides about the others, one after another.
    """
    if not calls:
        return
    run.count_tool_calls(len(calls))
    while calls:
        await make_calls(run, await _ready(run, calls, emit), emit)
        decided = await _ask(run, [number for number in calls if number in run.waiting])
        calls = {number: calls[number] for number in decided}
    if emit is not None and run.waiting:
        await emit([ToolCallPausedEvent(run.waiting[number]) for number in sorted(run.waiting)])


async def _ready(run: RunState[Any], calls: Mapping[int, ToolCallPart], emit: Emit | None) -> dict[int, ToolCallPart]:
    """The calls to make now; the others are recorded as returned or as waiting."""
    ready: dict[int, ToolCallPart] = {}
    for number, call in calls.items():
        decision = run.decisions.pop(number, None)
        if decision is None and number in run.waiting:
            continue
        outcome = await (_undecided(run, call) if decision is None else _decided(run, number, call, decision))
        if isinstance(outcome, PendingCall):
            run.waiting[number] = outcome
            continue
        run.waiting.pop(number, None)
        if outcome is None:
            ready[number] = call
        else:
            await take_return(run, number, outcome, emit)
    return ready


# --- calls without a decision -----------------------------------------------------------------------------------------


async def _undecided(run: RunState[Any], call: ToolCallPart) -> Returned | PendingCall | None:
    """Why the call waits, or is refused because its arguments are wrong; None if it is made."""
    tool = run.plan.tools[call.tool_name]
    if tool.approve is False:
        return None
    with phase(f'approve of tool {tool.name!r}'):
        outcome = await _asked_of(run, tool, call)
    if isinstance(outcome, Rejected):
        return Returned(retry_prompt(outcome, call))
    return None if outcome is None else pending_call(call, outcome)


async def _asked_of(run: RunState[Any], tool: Tool[Any], call: ToolCallPart) -> Rejected | Paused | None:
    arguments = await call_user_function(validated, tool, call.args)
    if isinstance(arguments, Rejected):
        return arguments
    if not callable(tool.approve):
        return Paused(None)
    try:
        by_name = tool.schema.by_name(arguments.positional, arguments.keyword)
        reason = await call_user_function(tool.approve, run.context(call), by_name)
    except ModelRetry as retry:
        return Rejected(retry.message)
    except Pause as pause:
        return Paused(pause.message, pause.details)
    return Paused(reason if isinstance(reason, str) else None) if reason else None


# --- calls with one ---------------------------------------------------------------------------------------------------


async def _decided(run: RunState[Any], number: int, call: ToolCallPart, decision: Decision) -> Returned | None:
    """The return of a call that is not made; None if it is made."""
    match decision:
        case Approve():
            run.approved[number] = decision
            return None
        case Deny():
            why = f'{_DENIED} The reason: {decision.reason}' if decision.reason else _DENIED
            return Returned(ToolReturnPart(call.tool_name, why, call.tool_call_id))
        case Answered():
            return returned_of(call, await call_user_function(ready_value, call.tool_name, decision.value))
        case _:
            assert_never(decision)


async def _ask(run: RunState[Any], numbers: list[int]) -> list[int]:
    """Ask the run's `approve` function about these calls; returns the decided ones."""
    approve = run.plan.approve
    if approve is None:
        return []
    for number in numbers:
        pending = run.waiting[number]
        with phase('approve of the run'):
            answer = await call_user_function(approve, pending)
            decision = _decision(pending, answer)
            if decision is not None:
                await call_user_function(check_decision, run.plan, pending, decision)
                run.decisions[number] = decision
    return [number for number in numbers if number in run.decisions]


def _decision(pending: PendingCall, answer: object) -> Decision | None:
    if isinstance(answer, bool):
        return Approve() if answer else Deny()
    if answer is None or isinstance(answer, Approve | Deny | Answered):
        return answer
    raise UserError(
        f'approve returned {answer!r:.100} for the call {pending.id} of {pending.tool_name!r}: it must return '
        "Approve(), Deny('why'), Answered(value), True, False, or None to leave the call waiting"
    )

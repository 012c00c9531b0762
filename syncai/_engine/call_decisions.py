"""Decisions about the calls at the end of a history, checked in the caller's thread before the run starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..approvals import Approve, Decision, PendingCall
from ..exceptions import DecisionError, ModelRetry, UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart
from .prompts import open_calls

if TYPE_CHECKING:
    from .plan import RunPlan


def waiting_at_end(messages: Sequence[ModelMessage]) -> dict[int, PendingCall]:
    """The open calls that the end of a conversation marks as waiting, by their numbers among the open calls."""
    marked: list[PendingCall] = []
    for message in reversed(messages):
        if not isinstance(message, ModelRequest):
            break
        marked.extend(message.pending)  # the latest first
    if not marked:
        return {}
    marks = {number: _mark_of(call, marked) for number, call in enumerate(_calls(open_calls(messages)))}
    return {number: mark for number, mark in marks.items() if mark is not None}


def _mark_of(call: ToolCallPart, marked: Sequence[PendingCall]) -> PendingCall | None:
    """The stored `PendingCall` of a call; one with other arguments only if no other has its id."""
    of_id = [pending for pending in marked if pending.id == call.tool_call_id]
    if not of_id:
        return None
    args_hash = _as_pending(call).args_hash
    return next((pending for pending in of_id if pending.args_hash == args_hash), of_id[0])


def open_at_end(plan: RunPlan[Any]) -> tuple[dict[int, Decision], dict[int, PendingCall]]:
    """The decisions of a run and its waiting calls, by the numbers of the open calls at the end of its history.

    Raises:
        UserError: A decision matches no open call, is about a call that was shown with other arguments, or approves a
            call that cannot be made; names them by their ids.
    """
    answers = plan.answers
    if plan.prompt is not None:
        if answers:
            raise UserError('answers go with a history alone: resume the run, and give its messages to the next prompt')
        return {}, {}
    calls = _calls(open_calls(plan.history))
    waiting = waiting_at_end(plan.history)
    if not answers:
        return {}, waiting
    _refuse_strangers(plan, calls)
    decisions: dict[int, Decision] = {}
    for key, decision in answers.items():
        number = _number_of(key, decision, calls)
        _check_unchanged(key, decision, calls[number], waiting.get(number))
        check_decision(plan, _as_pending(calls[number]), decision)
        decisions[number] = decision
    return decisions, waiting


def _calls(response: ModelResponse | None) -> list[ToolCallPart]:
    return response.tool_calls if response else []


def _id_of(key: str | PendingCall) -> str:
    return key if isinstance(key, str) else key.id


def _as_pending(call: ToolCallPart) -> PendingCall:
    return PendingCall(call.tool_call_id, call.tool_name, call.args_as_dict())


# --- which call a decision is about -----------------------------------------------------------------------------------


def _refuse_strangers(plan: RunPlan[Any], calls: Sequence[ToolCallPart]) -> None:
    """Raise DecisionError for decisions about calls that are not open; gives each id and the reason."""
    open_ids = {call.tool_call_id for call in calls if call.tool_name not in plan.result_tools}
    strangers = dict.fromkeys(key for key in map(_id_of, plan.answers) if key not in open_ids)
    if not strangers:
        return
    reasons = '; '.join(f'{key!r} {reason}' for key, reason in zip(strangers, _reasons(plan, strangers), strict=True))
    waiting = ', '.join(repr(call_id) for call_id in sorted(open_ids)) or 'none'
    raise DecisionError(f'answers are about calls that do not wait: {reasons}. Those that do: {waiting}')


def _reasons(plan: RunPlan[Any], strangers: Mapping[str, None]) -> Iterator[str]:
    called = {part.tool_call_id: part for m in plan.history for part in m.parts if isinstance(part, ToolCallPart)}
    for call_id in strangers:
        call = called.get(call_id)
        if call is None:
            yield 'is no call of this conversation'
        elif call.tool_name in plan.result_tools:
            yield 'gives the result, and needs no decision'
        else:
            yield 'has its return already, or the conversation went on without it'


def _number_of(key: str | PendingCall, decision: Decision, calls: Sequence[ToolCallPart]) -> int:
    """The number of the open call that a decision is about."""
    call_id, args_hash = _id_of(key), _hash_of(key, decision)
    numbers = [number for number, call in enumerate(calls) if call.tool_call_id == call_id]
    if len(numbers) > 1 and args_hash is not None:
        same = [number for number in numbers if _as_pending(calls[number]).args_hash == args_hash]
        numbers = same[:1] or numbers
    if len(numbers) > 1:
        raise UserError(
            f'{len(numbers)} calls that wait have the id {call_id!r}: decide by the PendingCall itself, '
            'as {pending: Approve()}, one for each'
        )
    return numbers[0]


def _hash_of(key: str | PendingCall, decision: Decision) -> str | None:
    return decision.args_hash or (None if isinstance(key, str) else key.args_hash)


def _check_unchanged(
    key: str | PendingCall, decision: Decision, call: ToolCallPart, pending: PendingCall | None
) -> None:
    """Raise DecisionError if the arguments of a call differ from those that were shown for the decision."""
    now = _as_pending(call).args_hash
    hashes = (_hash_of(key, decision), None if pending is None else pending.args_hash)
    if any(one is not None and one != now for one in hashes):
        raise DecisionError(
            f'The call {call.tool_call_id!r} of {call.tool_name!r} has other arguments in these messages than when it '
            'was paused: show it again, and decide about what it is now'
        )


# --- what is decided --------------------------------------------------------------------------------------------------


def check_decision(plan: RunPlan[Any], pending: PendingCall, decision: Decision) -> None:
    """Raise UserError if an approved call cannot be made, because of its tool or the arguments in the decision."""
    if not isinstance(decision, Approve):
        return
    tool = plan.tools.get(pending.tool_name)
    if tool is None:
        raise UserError(
            f'The call {pending.id!r} is approved, and this agent has no tool {pending.tool_name!r}: give the agent '
            "that tool again, or decide Deny('why') or Answered(value)"
        )
    if decision.args is None:
        return
    from pydantic import ValidationError

    try:
        tool.schema.validate(decision.args)
    except (ValidationError, ModelRetry) as error:
        raise UserError(
            f'Approve(args=...) of the call {pending.id!r} does not fit the tool {pending.tool_name!r}: {error}'
        ) from None

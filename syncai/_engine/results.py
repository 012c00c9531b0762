"""The reaction to an answer of the model: act on the decision, and end in a result or in the next request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from .._base.phases import phase
from .._bridge import call_user_function
from ..events import ResultRefusedEvent
from ..exceptions import ModelRetry, UserError
from ..messages import ModelRequestPart, ModelResponse, RetryPromptPart, ToolCallPart
from .decision import AskAgain, Calls, Final, Settled, TakeCalls, TakeText, decide, settle
from .endings import refuse_cut_arguments, refuse_unfinished, warn_of_part
from .tool_calls import count_failures, retry_prompt
from .tool_outcome import Rejected
from .waiting_calls import call_tools

if TYPE_CHECKING:
    from .model_call import Emit
    from .run_state import RunState


async def react(run: RunState[Any], response: ModelResponse, emit: Emit | None) -> Final | list[ModelRequestPart]:
    """The end of the run, or the parts of the next request.

    Raises:
        RunPaused: Calls of the answer wait for a decision; a result in it is validated again after the decision.
    """
    match decision := decide(run, response):
        case TakeCalls():
            return await _take_calls(run, response, decision, emit)
        case TakeText():
            return await _take_text(run, response, decision, emit)
        case AskAgain():
            return [await _refused(run, RetryPromptPart(decision.content), decision.reason, emit)]
        case _:
            assert_never(decision)


async def _refused(run: RunState[Any], part: RetryPromptPart, reason: str, emit: Emit | None) -> RetryPromptPart:
    """The correction for the model, after the failed attempt was counted and its event handed out."""
    if emit is not None:
        await emit([ResultRefusedEvent(part)])
    run.count_result_retry(reason)
    return part


async def _take_text(
    run: RunState[Any], response: ModelResponse, text: TakeText, emit: Emit | None
) -> Final | list[ModelRequestPart]:
    if text.is_json:
        outcome = await _validated(run, partial(run.plan.spec.validate_answer, text.text), None)
    else:
        outcome = await _accepted(run, text.text, None)
    if isinstance(outcome, Rejected):
        refuse_unfinished(run, response)
        return [await _refused(run, retry_prompt(outcome, None), str(outcome.content), emit)]
    if not text.is_json:
        await warn_of_part(run, response)
    return Final(outcome.data)


async def _take_calls(
    run: RunState[Any], response: ModelResponse, calls: TakeCalls, emit: Emit | None
) -> Final | list[ModelRequestPart]:
    run.returned = {}
    settled = settle(run, response, calls, await _outcomes(run, calls.results))
    if emit is not None and (refusals := _refusals(settled)):
        await emit(refusals)
    if settled.rejected is not None:
        run.count_result_retry(settled.rejected)
        run.returned.update(settled.returned)
    await call_tools(run, settled.functions, emit)
    if run.waiting:
        run.returned.update(settled.refused)
        raise run.pause()
    run.returned.update(settled.returned)
    if settled.final is None:
        last = run.returned.get(len(response.tool_calls) - 1)
        refuse_cut_arguments(run, response, last.part if last else None)
        count_failures(run, [run.returned[number].part for number in settled.functions])
        if settled.unknown is not None:
            run.count_result_retry(settled.unknown)
    run.returned.update(settled.refused)
    parts = run.returned_parts()
    return Final(settled.final.data, settled.final.call, parts) if settled.final else parts


def _refusals(settled: Settled) -> list[ResultRefusedEvent]:
    """The events of refused results and of calls of unknown tools."""
    parts = [entry.part for entry in (*settled.returned.values(), *settled.refused.values())]
    return [ResultRefusedEvent(part) for part in parts if isinstance(part, RetryPromptPart)]


async def _outcomes(run: RunState[Any], calls: Calls) -> dict[int, Final | Rejected]:
    """The outcomes of the calls of result tools, up to the first valid one."""
    outcomes: dict[int, Final | Rejected] = {}
    for number, call in calls.items():
        tool = run.plan.result_tools[call.tool_name]
        outcome = outcomes[number] = await _validated(run, partial(tool.validate, call.args), call)
        if isinstance(outcome, Final):
            break
    return outcomes


# --- validation -------------------------------------------------------------------------------------------------------


async def _validated(run: RunState[Any], validate: Callable[[], Any], call: ToolCallPart | None) -> Final | Rejected:
    """The result after pydantic and the user's validators, which all run in the caller's thread."""
    with phase('result validation'):
        value = await call_user_function(_by_pydantic, validate)
    return value if isinstance(value, Rejected) else await _accepted(run, value, call)


def _by_pydantic(validate: Callable[[], Any]) -> Any:
    from pydantic import ValidationError

    from .._schema import retry_errors

    try:
        return validate()
    except ValidationError as error:
        return Rejected(retry_errors(error))
    except ModelRetry as retry:  # raised by a validator in the type; pydantic passes it on
        return Rejected(retry.message)


async def _accepted(run: RunState[Any], data: Any, call: ToolCallPart | None) -> Final | Rejected:
    for validator in run.plan.validators:
        context = run.context(call, retry=run.result_retries)
        arguments = (context, data) if validator.takes_ctx else (data,)
        try:
            with phase('result validation'):
                returned = await call_user_function(validator.function, *arguments)
        except ModelRetry as retry:
            return Rejected(retry.message)
        if returned is None and data is not None and not run.plan.spec.may_be_none:
            name = getattr(validator.function, '__name__', validator.function)
            raise UserError(f'The result validator {name!r} returned nothing: it must return the result')
        data = returned
    return Final(data, call)

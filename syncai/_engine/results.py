"""What an answer of the model means for the run: a result, or what to send back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._base.phases import phase
from .._bridge import call_user_function
from ..exceptions import ModelRetry, UserError
from ..messages import (
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from .endings import (
    cut_off,
    is_cut_off,
    is_json,
    kinds_beside_text,
    refuse_cut_arguments,
    refuse_cut_calls,
    refuse_empty,
    refuse_failed,
    refuse_filtered,
    warn_of_part,
)
from .pauses import whole_text
from .tool_calls import Rejected, Returned, call_tools, count_failures, retry_prompt

if TYPE_CHECKING:
    from .model_call import Emit
    from .run_state import RunState

RESULT_PROCESSED = 'Final result processed.'
_NOT_USED = 'Result tool not used: another result was accepted.'
_NOT_CALLED = 'Tool not called: the final result had been given already.'


@dataclass(frozen=True, slots=True)
class Final:
    """The run is over.

    Attributes:
        data: The result.
        call: The call of the result tool that gave it, or None.
        parts: What the calls of the last answer returned, so that the conversation can go on from here.
    """

    data: Any
    call: ToolCallPart | None = None
    parts: Sequence[ModelRequestPart] = field(default_factory=list)


async def react(run: RunState[Any], response: ModelResponse, emit: Emit | None) -> Final | list[ModelRequestPart]:
    """The end of the run, or the parts of the next request."""
    if response.tool_calls:
        refuse_cut_calls(run, response)
        return await _to_calls(run, response, emit)
    if whole_text(run.messages, response):
        refuse_failed(response)
        return await _to_text(run, response)
    refuse_empty(response)
    if kinds := kinds_beside_text(response):
        run.count_result_retry(f'the answer held no text, but {kinds}')
        return [RetryPromptPart('The answer held no text, and no call of a tool.')]
    only_thoughts = any(isinstance(part, ThinkingPart) and part.content for part in response.parts)
    run.count_result_retry('the answer held thoughts and no text' if only_thoughts else 'the answer was empty')
    return [RetryPromptPart('The answer was empty.')]


# --- text -------------------------------------------------------------------------------------------------------------


async def _to_text(run: RunState[Any], response: ModelResponse) -> Final | list[ModelRequestPart]:
    plan, text = run.plan, whole_text(run.messages, response)
    if plan.result_mode in ('native', 'prompted'):
        written = response.text if text != response.text and is_json(response.text) else text
        outcome = await _validated(run, lambda: plan.spec.validate_answer(written), None)
    elif plan.spec.allow_text:
        outcome = await _accepted(run, text, None)
    else:
        names = ', '.join((*plan.result_tools, *(tool.name for tool in run.offered)))
        outcome = Rejected(f'Plain text is not a valid answer here: call one of the tools ({names}).')
    if isinstance(outcome, Rejected):
        return [_retry(run, response, outcome, None)]
    if plan.result_mode not in ('native', 'prompted'):
        await warn_of_part(run, response)
    return Final(outcome.data)


# --- calls ------------------------------------------------------------------------------------------------------------


async def _to_calls(run: RunState[Any], response: ModelResponse, emit: Emit | None) -> Final | list[ModelRequestPart]:
    plan, calls = run.plan, response.tool_calls
    known = {tool.name for tool in run.offered}
    returned = run.returned = {}
    final = await _first_result(run, response)
    rejected = bool(returned) and final is None  # counted already
    functions = {number: call for number, call in enumerate(calls) if call.tool_name in known}
    if final is None or plan.end_strategy == 'exhaustive':
        await call_tools(run, functions, emit)
        if final is None:
            last = returned.get(len(calls) - 1)
            refuse_cut_arguments(run, response, last.part if last else None)
            count_failures(run, [returned[number].part for number in functions])
    strangers = [call for number, call in enumerate(calls) if number not in returned]
    if final is None and strangers and not rejected:
        run.count_result_retry(f'there is no tool {strangers[0].tool_name!r}')
    for number, call in enumerate(calls):
        if number not in returned:
            returned[number] = Returned(_unanswered(run, call, call.tool_name in known))
    parts = run.returned_parts()
    return Final(final.data, final.call, parts) if final else parts


async def _first_result(run: RunState[Any], response: ModelResponse) -> Final | None:
    """The first valid result among the calls; what each call of a result tool returns is put into `run.returned`."""
    final: Final | None = None
    rejected: list[tuple[int, ToolCallPart, Rejected]] = []
    for number, call in enumerate(response.tool_calls):
        tool = run.plan.result_tools.get(call.tool_name)
        if tool is None:
            continue
        if final is not None:
            run.returned[number] = Returned(ToolReturnPart(call.tool_name, _NOT_USED, call.tool_call_id))
            continue
        outcome = await _validated(run, lambda tool=tool, args=call.args: tool.validate(args), call)  # type: ignore[misc]
        if isinstance(outcome, Rejected):
            rejected.append((number, call, outcome))
        else:
            final = outcome
            run.returned[number] = Returned(ToolReturnPart(call.tool_name, RESULT_PROCESSED, call.tool_call_id))
    for number, call, outcome in rejected:
        run.returned[number] = Returned(
            ToolReturnPart(call.tool_name, _NOT_USED, call.tool_call_id)
            if final
            else _retry(run, response, outcome, call, first=number == rejected[0][0])
        )
    return final


def _unanswered(run: RunState[Any], call: ToolCallPart, known: bool) -> ToolReturnPart | RetryPromptPart:
    """The return of a call that was not made: the result came first, or there is no such tool."""
    if known:
        return ToolReturnPart(call.tool_name, _NOT_CALLED, call.tool_call_id)
    names = ', '.join((*(tool.name for tool in run.offered), *run.plan.result_tools)) or 'none'
    content = f'There is no tool {call.tool_name!r}. The tools are: {names}.'
    return RetryPromptPart(content, tool_name=call.tool_name, tool_call_id=call.tool_call_id)


# --- validation -------------------------------------------------------------------------------------------------------


async def _validated(run: RunState[Any], validate: Callable[[], Any], call: ToolCallPart | None) -> Final | Rejected:
    """The result after pydantic and the user's validators, all run where the caller is."""
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
    except ModelRetry as retry:  # of a validator in the type, which pydantic lets through
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


def _retry(
    run: RunState[Any], response: ModelResponse, rejected: Rejected, call: ToolCallPart | None, *, first: bool = True
) -> RetryPromptPart:
    refuse_filtered(response)
    if is_cut_off(run, response):
        raise cut_off(response)
    if first:
        run.count_result_retry(str(rejected.content))
    return retry_prompt(rejected, call)

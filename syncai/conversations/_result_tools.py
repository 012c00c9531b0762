"""Whether a stored conversation is one that the agent can continue with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._engine.decision import PROCESSED
from .._engine.plan import RunPlan
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ToolCallPart, ToolReturnPart

__all__ = ['check_result_tools']


def check_result_tools(messages: Sequence[ModelMessage], plan: RunPlan[Any]) -> None:
    """Raise UserError unless the results in a conversation match the agent's result type.

    The model would treat them as examples. A result tool with an unknown name, or a result that does not match the type
    of its name, belongs to another agent.
    """
    calls = {part.tool_call_id: part for m in messages for part in m.parts if isinstance(part, ToolCallPart)}
    names = set()
    for call_id in _accepted(messages):
        call = calls.get(call_id)
        if call is None or call.tool_name in plan.tools:
            continue
        family = plan.spec.tool_name
        if call.tool_name != family and not call.tool_name.startswith(f'{family}_'):
            raise _foreign(call, 'a tool that this agent does not have')
        if call.tool_name in plan.spec.tools and (key := (call.tool_name, call.args_as_json_str())) not in names:
            names.add(key)
            _check_args(call, plan)


def _accepted(messages: Sequence[ModelMessage]) -> Iterator[str]:
    """The ids of calls that gave a result."""
    for message in messages:
        if isinstance(message, ModelRequest):
            for part in message.parts:
                if isinstance(part, ToolReturnPart) and part.content == PROCESSED:
                    yield part.tool_call_id


def _check_args(call: ToolCallPart, plan: RunPlan[Any]) -> None:
    from pydantic import ValidationError

    try:
        plan.spec.tools[call.tool_name].validate(call.args)
    except ValidationError:
        raise _foreign(call, 'a result of another type than that of this agent') from None
    except Exception:  # a validator of the user, which may demand more than the type
        return


def _foreign(call: ToolCallPart, what: str) -> UserError:
    return UserError(
        f'The conversation has a result of {call.tool_name!r}, {what}: it belongs to another agent. Give each agent an '
        'id of its own, such as the name of the agent before that of the user'
    )

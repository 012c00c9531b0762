"""The result that a history already holds, such as when the last step of a run is made twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..messages import ModelRequest, ModelResponse, ToolReturnPart
from .decision import PROCESSED
from .whole_history import is_return

if TYPE_CHECKING:
    from .plan import RunPlan


def answer_with_result(plan: RunPlan[Any]) -> ModelResponse | None:
    """The answer at the end of the history that gave the result and holds nothing else; or None."""
    if not plan.goes_on or not plan.history:
        return None
    last = plan.history[-1]
    if isinstance(last, ModelResponse):
        over = last.parts and not (last.tool_calls or last.incomplete or last.paused)
        return last if over else None
    before = plan.history[-2] if len(plan.history) > 1 else None
    return _of_result_tool(plan, before, last) if isinstance(before, ModelResponse) else None


def _of_result_tool(plan: RunPlan[Any], response: ModelResponse, request: ModelRequest) -> ModelResponse | None:
    if not all(is_return(part) for part in request.parts):
        return None
    accepted = {
        part.tool_call_id
        for part in request.parts
        if isinstance(part, ToolReturnPart) and part.tool_name in plan.result_tools and part.content == PROCESSED
    }
    calls = [call for call in response.tool_calls if call.tool_call_id in accepted]
    return replace(response, parts=calls[:1]) if calls else None

"""The tool choice of a request of a run: only for the first step if the result is not given by such a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..exceptions import UserError
from ..settings import ModelSettings
from .one_setting import setting

if TYPE_CHECKING:
    from ..models import Model
    from .plan import RunPlan


def settings_of_step(plan: RunPlan[Any], step: int) -> ModelSettings:
    """The settings of a request.

    A `tool_choice` that forces a call holds for the first step alone if such a call cannot end the run: otherwise the
    model would have to call tools forever.

    Args:
        plan: The plan of the run.
        step: The number of the request in the run, from 1.

    Raises:
        UserError: `tool_choice` allows no tool call, and the result needs one.
    """
    if step == 1:
        _refuse_unreachable(plan)
        return plan.settings
    if not _is_forced(plan.model, plan.settings) or _can_end(plan):
        return plan.settings
    rest = cast('ModelSettings', {name: value for name, value in plan.settings.items() if name != 'tool_choice'})
    if _is_forced(plan.model, rest):  # from the settings of a model; None wins over them
        return cast('ModelSettings', {**rest, 'tool_choice': None})
    return rest


def _is_forced(model: Model, settings: ModelSettings) -> bool:
    """Whether the settings of the run or of its model force a call."""
    if setting(model, settings, 'tool_choice') not in (None, 'auto', 'none'):
        return True
    return any(_is_forced(inner, settings) for inner in getattr(model, 'models', ()))


def _can_end(plan: RunPlan[Any]) -> bool:
    """Whether a forced call can be the result."""
    choice = setting(plan.model, plan.settings, 'tool_choice')
    names = choice if isinstance(choice, list | tuple) else plan.result_tools
    return any(name in plan.result_tools for name in names)


def _refuse_unreachable(plan: RunPlan[Any]) -> None:
    if setting(plan.model, plan.settings, 'tool_choice') == 'none' and plan.result_tools and not plan.spec.allow_text:
        raise UserError(
            "tool_choice is 'none', and the model gives this result by calling a tool: leave out tool_choice, or ask "
            "for the result in another way (result_mode='native' or 'prompted')"
        )

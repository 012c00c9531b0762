"""The function tools that one request offers to the model."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from .._base.phases import phase
from .._bridge import call_user_function
from ..exceptions import UserError
from ..parameters import ToolDefinition

if TYPE_CHECKING:
    from .run_state import RunState


async def offered_tools(run: RunState[Any]) -> list[ToolDefinition]:
    """The tools as their `prepare` functions return them, without those that these leave out."""
    offered = []
    for tool in run.plan.tools.values():
        definition: Any = tool.definition
        if tool.prepare is not None:
            with phase(f'prepare of tool {tool.name!r}'):
                # A copy: the function may change the schema, and runs and threads share the agent.
                definition = await call_user_function(tool.prepare, run.context(), deepcopy(definition))
            _check(tool.name, definition)
        if definition is not None:
            offered.append(definition)
    return offered


def _check(name: str, definition: object) -> None:
    if definition is None or (isinstance(definition, ToolDefinition) and definition.name == name):
        return
    raise UserError(
        f'prepare of tool {name!r} must return a ToolDefinition of that name, or None to leave the tool out, '
        f'not {definition!r:.200}'
    )

"""The arguments of an agent, checked when it is made."""

from __future__ import annotations

from typing import Any, get_origin

from ..exceptions import UserError
from ..models import Model
from ..usage import UsageLimits

_TYPING_MODULES = ('types', 'typing', 'typing_extensions')


def check_agent_options(options: dict[str, Any]) -> None:
    """Nothing, when every argument that nobody else looks at is of the right type.

    Raises:
        UserError: Names the argument and what it must be.
    """
    for name, (kinds, wanted) in _KINDS.items():
        value = options[name]
        if not isinstance(value, kinds):
            raise UserError(f'{name} must be {wanted}, not {value!r:.100}')
    deps_type = options['deps_type']
    is_type = isinstance(deps_type, type) or get_origin(deps_type) is not None or deps_type is None
    if not is_type and type(deps_type).__module__ not in _TYPING_MODULES:
        raise UserError(
            f'deps_type must be a type, not a value of {type(deps_type).__name__}: give that type, and deps to the run'
        )


_NONE = type(None)
_TEXT = ((str, _NONE), 'a str or None')
_KINDS: dict[str, tuple[Any, str]] = {
    'model': ((str, Model, _NONE), "a Model or a name like 'openai:gpt-5.4-mini'"),
    'name': _TEXT,
    'result_tool_name': (str, 'a str'),
    'result_tool_description': _TEXT,
    'usage_limits': ((UsageLimits, _NONE), 'UsageLimits(...) or None'),
    'repair_history': (bool, 'True or False'),
    'defer_model_check': (bool, 'True or False'),
}

"""The arguments of an agent, checked when it is made."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast, get_origin

from .._base.tracebacks import only_user_frames
from ..exceptions import UserError
from ..models import Model
from ..usage import UsageLimits
from .other_options import unknown_option_of_agent

MakeT = TypeVar('MakeT', bound=Callable[..., None])

_TYPING_MODULES = ('types', 'typing', 'typing_extensions')
_FORMER = 'defer_model_check'  # of the first documents: its effect is always on


def explaining_other_names(make: MakeT) -> MakeT:
    """The constructor; for each unknown argument it raises a `UserError` that names the remedy."""
    code = make.__code__
    names = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])

    @functools.wraps(make)
    def checked(self: Any, *args: Any, **options: Any) -> None:
        with only_user_frames:
            _check_names(names, args, options)
            make(self, *args, **options)

    return cast('MakeT', checked)


def _check_names(names: frozenset[str], args: tuple[Any, ...], options: dict[str, Any]) -> None:
    if not names.issuperset(options):
        options.pop(_FORMER, None)
        for name in options:
            if name not in names:
                raise UserError(unknown_option_of_agent(name, args[0] if args else options.get('model'), names))
    if len(args) > 1:
        raise UserError('Of the arguments of an agent only the model has no name: write system_prompt=..., tools=...')


def check_agent_options(options: Mapping[str, Any]) -> None:
    """Raise UserError unless the arguments have the right types; the message names the wrong one."""
    for name, (kinds, description) in _KINDS.items():
        value = options[name]
        if not isinstance(value, kinds):
            raise UserError(f'{name} must be {description}, not {value!r:.100}')
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
}

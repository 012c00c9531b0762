"""The options of one run, checked before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, get_origin

from ..approvals import Answered, Approve, Deny, PendingCall
from ..content import FROM_OPENAI, of_openai
from ..exceptions import UserError
from ..messages import ModelRequest, ModelResponse
from ..settings import check_settings
from ..usage import Usage, UsageLimits
from .checks import check_flag, check_parts
from .other_options import RUN_OPTIONS, unknown_option_of_run


def check_run_options(options: Mapping[str, Any], deps_type: Any) -> None:
    """Raise UserError unless every option is known and of the right type.

    Raises:
        UserError: Names the option and what it must be.
    """
    for name in options:
        if name not in RUN_OPTIONS:
            raise UserError(unknown_option_of_run(name))
    for name, value in options.items():
        if name in _CHECKS and (value is not None or name == 'infer_name'):
            _CHECKS[name](value)
    _check_deps(options.get('deps'), deps_type)


def _check_history(history: object) -> None:
    if not isinstance(history, list | tuple) or not all(isinstance(m, ModelRequest | ModelResponse) for m in history):
        if of_openai(history):
            raise UserError(FROM_OPENAI.format('message_history'))
        raise UserError(
            'message_history must be a list of messages, as all_messages() gives them; from JSON: '
            'ModelMessagesTypeAdapter.validate_json(...)'
        )
    check_parts(history)


def _check_answers(answers: object) -> None:
    """Raise UserError unless it maps calls to decisions."""
    if not isinstance(answers, Mapping):
        raise UserError(f'answers must be a dict, as {{call_id: Approve()}}, not {answers!r:.100}')
    for key, decision in answers.items():
        if not isinstance(key, str | PendingCall):
            raise UserError(f'The keys of answers must be ids of calls, or the PendingCalls, not {key!r:.100}')
        if not isinstance(decision, Approve | Deny | Answered):
            raise UserError(
                f"answers[{key!r}] must be Approve(), Deny('why') or Answered(value), not {decision!r:.100}"
            )


def _check_timeout(timeout: object) -> None:
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not number or not math.isfinite(timeout) or timeout <= 0:  # type: ignore[arg-type, operator]
        raise UserError(f'timeout must be a number of seconds above 0, not {timeout!r}')


def _check_usage(usage: object) -> None:
    if not isinstance(usage, Usage):
        raise UserError(f'usage must be Usage(...), not {type(usage).__name__}')


def _check_limits(limits: object) -> None:
    if not isinstance(limits, UsageLimits):
        raise UserError(f'usage_limits must be UsageLimits(...), not {type(limits).__name__}')


def _check_approve(approve: object) -> None:
    if not callable(approve):
        raise UserError(f'approve of a run must be a function that is given a PendingCall, not {approve!r:.100}')


_CHECKS: Mapping[str, Callable[[Any], None]] = {
    'message_history': _check_history,
    'timeout': _check_timeout,
    'model_settings': check_settings,
    'usage_limits': _check_limits,
    'usage': _check_usage,
    'infer_name': partial(check_flag, 'infer_name'),
    'answers': _check_answers,
    'approve': _check_approve,
    'repair_history': partial(check_flag, 'repair_history'),
}
"""What is looked at of the options that are given; `deps` by themselves, and the others where they are used."""


def _check_deps(deps: object, deps_type: Any) -> None:
    """Check deps against a deps_type that is a class or a union of classes, and not the default."""
    if deps_type is NoneType:
        return
    origin = get_origin(deps_type)
    deps_type = deps_type if origin is None or origin is UnionType else origin
    if deps_type is Annotated or getattr(deps_type, '_is_protocol', False):
        return
    try:
        fits = isinstance(deps, deps_type) or (deps_type is float and isinstance(deps, int))
    except TypeError:
        return
    if not fits:
        actual = 'none were given' if deps is None else f'not {type(deps).__name__}'
        name = getattr(deps_type, '__name__', str(deps_type))
        raise UserError(f'deps must be of the type {name} (the deps_type of the agent), {actual}')

"""The thinking and the token limit of a request to Claude; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._providers.provider import Provider
from ...exceptions import UserError
from .._http.answers import warn_dropped
from .models import ModelTraits

DEFAULT_MAX_TOKENS = 16_384
"""Used where `max_tokens` is not set: the API demands a limit, and thinking counts towards it."""

DEFAULT_MAX_TOKENS_OF_GREAT_EFFORT = 64_000
"""The limit for an effort of `xhigh` or `max`, whose thinking alone may pass the usual limit."""

BUDGETS: Mapping[object, int] = {
    True: 8192,
    'minimal': 1024,
    'low': 4096,
    'medium': 8192,
    'high': 16_384,
    'xhigh': 32_768,
    'max': 49_152,
}
"""The budget in tokens for each level of `thinking`, with models that take a budget."""

_LEAST_BUDGET = 1024  # the API's own limit


@dataclass(frozen=True, slots=True)
class Thinking:
    """The fields of a request about thinking.

    Attributes:
        field: The request's `thinking`, or None to leave it out.
        effort: The request's `output_config.effort`, or None.
        max_tokens: The request's `max_tokens`.
    """

    field: dict[str, Any] | None
    effort: str | None
    max_tokens: int

    @property
    def asked_for(self) -> bool:
        """Whether thinking is requested; then other features are restricted."""
        return self.field is not None and self.field.get('type') in ('enabled', 'adaptive')


def thinking_of(
    model_name: str, provider: Provider, traits: ModelTraits, settings: Mapping[str, Any], *, possible: bool = True
) -> Thinking:
    """The fields that follow from the settings `thinking`, `anthropic_thinking`, `anthropic_effort` and `max_tokens`.

    Args:
        model_name: The model, for warnings.
        provider: The provider, for warnings.
        traits: What the model takes.
        settings: The settings of the call.
        possible: Whether the conversation allows a budget: not in the middle of tool calls that were made without
            thinking.

    Raises:
        UserError: `anthropic_thinking` is no dict.
    """
    level = settings.get('thinking')
    field: dict[str, Any] | None = _own_words(settings.get('anthropic_thinking'))
    effort: str | None = settings.get('anthropic_effort')
    if field is not None:
        pass
    elif level is False or level == 'none':
        field = dict(traits.thinking_off or {}) or None
        if traits.thinking_off is None:  # the lowest effort of such a model
            effort = effort or 'low'
    elif level is not None and traits.thinking == 'adaptive':
        field = {'type': 'adaptive', 'display': 'summarized'} if traits.hides_thoughts else {'type': 'adaptive'}
        effort = effort or _effort(level, traits)
    elif level is not None and traits.thinking == 'budget':
        field = _with_budget(BUDGETS[level], settings.get('max_tokens'), traits) if possible else None
    if level and level != 'none' and field is None:
        when = '' if possible else ' between tools that it called without thinking'
        warn_dropped('thinking', model_name, provider, when)
    return Thinking(field, effort, settings.get('max_tokens') or _default_max_tokens(field, effort, traits))


def _own_words(thinking: object) -> dict[str, Any] | None:
    if thinking is None or isinstance(thinking, Mapping):
        return dict(thinking) if thinking else None
    raise UserError(f"anthropic_thinking must be a dict such as {{'type': 'adaptive'}}, not {thinking!r:.100}")


def _effort(level: object, traits: ModelTraits) -> str | None:
    """The level, or the next lower one that the model knows; True leaves it to the model."""
    if level is True:
        return None
    if level == 'minimal':
        return 'low'
    return str(level) if level in traits.efforts else 'high'


def _with_budget(budget: int, max_tokens: int | None, traits: ModelTraits) -> dict[str, Any] | None:
    """A budget that leaves tokens for the answer; None if there are too few."""
    room = traits.max_output if max_tokens is None else max_tokens
    if room <= _LEAST_BUDGET:
        return None
    return {'type': 'enabled', 'budget_tokens': max(_LEAST_BUDGET, min(budget, room * 3 // 4))}


def _default_max_tokens(field: dict[str, Any] | None, effort: str | None, traits: ModelTraits) -> int:
    default = DEFAULT_MAX_TOKENS_OF_GREAT_EFFORT if effort in ('xhigh', 'max') else DEFAULT_MAX_TOKENS
    budget = (field or {}).get('budget_tokens')
    return min(traits.max_output, default + (budget if isinstance(budget, int) else 0))

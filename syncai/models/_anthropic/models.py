"""The differences between generations of Claude, from the model pages and migration guides of platform.claude.com."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

_NAME = re.compile(r'claude-(?:([a-z]+)-)?(\d+)(?:[-.](\d{1,2}))?(?!\d)(?:-([a-z]+))?')
_FAMILIES = ('fable', 'haiku', 'instant', 'mythos', 'opus', 'sonnet')
_LAST_WITHOUT_FAMILY = 2  # `claude-2.1`
_NEWEST = (99, 0)
_ALL_EFFORTS = ('low', 'medium', 'high', 'xhigh', 'max')
_OFF = MappingProxyType({'type': 'disabled'})
_OFF_BUT_BETWEEN_TOOLS = MappingProxyType({'type': 'between_tools'})
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelTraits:
    """The features of a model.

    Attributes:
        max_output: The most tokens that it generates, thinking included.
        thinking: How it is asked to think: not at all, with a budget of tokens, or as much as it sees fit.
        thinking_off: The `thinking` that turns thinking off; empty if it is off unless asked for, None if it
            cannot be turned off.
        hides_thoughts: Whether it returns thinking without its text unless asked for a summary.
        binds_thoughts: Whether it takes its thoughts back only after what stood before them.
        efforts: The levels that `output_config.effort` takes.
        forced_tools: Whether it can be made to call a tool.
        sampling: Which of `temperature`, `top_p` and `top_k` it takes: all of them, not `temperature` and `top_p`
            together, or none.
        structured: Whether it holds its answer and its calls to a JSON schema.
    """

    max_output: int
    thinking: Literal['none', 'budget', 'adaptive']
    thinking_off: Mapping[str, str] | None
    hides_thoughts: bool
    binds_thoughts: bool
    efforts: tuple[str, ...]
    forced_tools: Literal['always', 'without_thinking', 'never']
    sampling: Literal['all', 'one', 'none']
    structured: bool


OF_OTHERS = ModelTraits(
    max_output=8192,
    thinking='budget',
    thinking_off=_NOTHING,
    hides_thoughts=False,
    binds_thoughts=False,
    efforts=(),
    forced_tools='always',
    sampling='all',
    structured=True,
)
"""Models other than Claude, on a server of the same format."""


@lru_cache(maxsize=256)
def traits_of(model_name: str, *, elsewhere: bool = False) -> ModelTraits:
    """The features of a model, by its name.

    Args:
        model_name: The model; an unknown Claude is taken for one of the newest generation.
        elsewhere: Whether the address is not Anthropic's own. There, a name that no Claude has is an alias of any
            model: the server itself refuses what that does not take.
    """
    if 'claude' not in model_name or (elsewhere and not _is_of_a_claude(model_name)):
        return OF_OTHERS
    family, version = _family_and_version(model_name)
    return ModelTraits(
        max_output=_max_output(family, version),
        thinking='none' if version < (3, 7) else 'budget' if version < (4, 6) else 'adaptive',
        thinking_off=_thinking_off(family, version),
        hides_thoughts=version >= (4, 7),
        binds_thoughts=version >= ((5, 1) if family == 'fable' else (5, 5)) and family != 'mythos',
        efforts=_efforts(family, version),
        forced_tools=_forced_tools(family, version),
        sampling='all' if version < (4, 1) else 'one' if version < (4, 7) else 'none',
        structured=version >= (4, 5) or (family, version) == ('opus', (4, 1)),
    )


def _is_of_a_claude(model_name: str) -> bool:
    match = _NAME.search(model_name)
    if match is None:
        return False
    family, major, _, family_behind = match.groups()
    return (family or family_behind) in _FAMILIES or (family is None and int(major) <= _LAST_WITHOUT_FAMILY)


def _family_and_version(model_name: str) -> tuple[str, tuple[int, int]]:
    """Both of `claude-opus-4-1-20250805` and of the older order, `claude-3-5-haiku-20241022`."""
    match = _NAME.search(model_name)
    if match is None:
        return model_name.partition('claude-')[2].partition('-')[0], _NEWEST
    family, major, minor, family_behind = match.groups()
    return family or family_behind or '', (int(major), int(minor or 0))


def _max_output(family: str, version: tuple[int, int]) -> int:
    if version < (3, 7):
        return 4096 if version < (3, 5) else 8192
    if family == 'opus' and version < (4, 5):
        return 32_000
    return 64_000 if version < (4, 6) else 128_000


def _thinking_off(family: str, version: tuple[int, int]) -> Mapping[str, str] | None:
    if version < (5, 0):
        return _NOTHING
    if family in ('fable', 'mythos') or (family == 'opus' and version >= (5, 5)):
        return None
    return _OFF_BUT_BETWEEN_TOOLS if family == 'sonnet' and version >= (5, 5) else _OFF


def _efforts(family: str, version: tuple[int, int]) -> tuple[str, ...]:
    if version < (4, 6):
        return _ALL_EFFORTS[:3] if (family, version) == ('opus', (4, 5)) else ()
    return _ALL_EFFORTS if version >= (4, 7) else ('low', 'medium', 'high', 'max')


def _forced_tools(family: str, version: tuple[int, int]) -> Literal['always', 'without_thinking', 'never']:
    if family in ('fable', 'mythos') or (family != 'haiku' and version >= (5, 5)):
        return 'never'
    return 'always' if version >= (4, 8) else 'without_thinking'

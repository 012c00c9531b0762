"""The amount of thinking, in the fields of the provider; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._catalog.providers import Provider
from .._http.answers import warn_dropped


def reasoning_effort(model_name: str, settings: Mapping[str, Any], provider: Provider) -> str | None:
    """The reasoning effort in the provider's word; None if the provider decides."""
    own: str | None = settings.get('openai_reasoning_effort')
    thinking: bool | str | None = settings.get('thinking')
    if own or thinking is None or thinking is True:
        return own
    if _is_no(thinking):
        return provider.chat.thinking_off.get('reasoning_effort') if _can_be_asked_to_stop(provider) else None
    if provider.chat.supports_reasoning_effort is False:
        warn_dropped('thinking', model_name, provider)
        return None
    return provider.chat.efforts.get(str(thinking), str(thinking))


def thinking_fields(model_name: str, settings: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    """The fields of a request for the amount of thinking; empty if the provider decides."""
    effort, thinking = reasoning_effort(model_name, settings, provider), settings.get('thinking')
    fields: Any = effort
    for name in reversed(provider.chat.effort_path):
        fields = {name: fields}
    effort_fields = {} if effort is None else fields
    if thinking is None or settings.get('openai_reasoning_effort'):
        return dict(effort_fields)
    if _is_no(thinking):
        return dict(provider.chat.thinking_off) if _can_be_asked_to_stop(provider) else {}
    return {**provider.chat.thinking_on, **effort_fields}


def when_asked(provider: Provider, settings: Mapping[str, Any]) -> Provider:
    """The row for these settings: some models take more settings when thinking is off."""
    chat = provider.chat
    free = chat.settings_without_thinking
    if not free or not _is_thinking_off(settings, provider):
        return provider
    chat = replace(
        chat,
        unsupported_settings=chat.unsupported_settings - free,
        supports_forced_tool_choice=chat.supports_forced_tool_choice or 'tool_choice' in free,
    )
    return replace(provider, chat=chat)


def _is_no(thinking: object) -> bool:
    return thinking is False or thinking == 'none'


def _can_be_asked_to_stop(provider: Provider) -> bool:
    """A model without efforts does not know the field of efforts, and probably does not think."""
    return provider.chat.supports_reasoning_effort is not False or 'reasoning_effort' not in provider.chat.thinking_off


def _is_thinking_off(settings: Mapping[str, Any], provider: Provider) -> bool:
    if own := settings.get('openai_reasoning_effort'):
        return bool(own == 'none')
    least = provider.chat.thinking_off.get('reasoning_effort', 'none')  # some can only think less
    return _is_no(settings.get('thinking')) and least == 'none' and _can_be_asked_to_stop(provider)

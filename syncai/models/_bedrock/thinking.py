"""The thinking of a request to a model on Bedrock: each family of models has its own fields; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._providers.provider import Provider
from .._anthropic.models import traits_of
from .._anthropic.thinking import Thinking, thinking_of
from .._http.answers import warn_dropped

_EFFORTS: Mapping[object, str] = {
    True: 'medium',
    'minimal': 'low',
    'low': 'low',
    'medium': 'medium',
    'high': 'high',
    'xhigh': 'high',
    'max': 'high',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BedrockThinking:
    """The fields of a request about thinking.

    Attributes:
        fields: The fields of this family.
        max_tokens: The limit on generated tokens, or None for the model's.
        can_force: Whether a tool can be forced at the same time.
        of_claude: The fields in Anthropic's form, for a Claude.
    """

    fields: dict[str, Any]
    max_tokens: int | None
    can_force: bool = True
    of_claude: Thinking | None = None


def thinking_of_bedrock(
    model_name: str, provider: Provider, settings: Mapping[str, Any], turns: Sequence[dict[str, Any]]
) -> BedrockThinking:
    """The fields that follow from the settings `thinking` and `max_tokens` of a model.

    Claude takes `thinking` and `output_config` as at Anthropic, Nova 2 `reasoningConfig`, the models of OpenAI
    `reasoning_effort`; see https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html,
    https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html and
    https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html.
    """
    if 'claude' in model_name:
        return _claude(model_name, provider, settings, turns)
    level, max_tokens = settings.get('thinking'), settings.get('max_tokens')
    off = level is False or level == 'none'
    fields: dict[str, Any] = {}
    if level is None:
        pass
    elif 'nova-2' in model_name:
        on = {} if off else {'maxReasoningEffort': _EFFORTS[level]}
        fields = {'reasoningConfig': {'type': 'disabled' if off else 'enabled', **on}}
    elif 'openai.' in model_name:
        fields = {'reasoning_effort': 'low' if off else _EFFORTS[level]}
    elif not off:
        warn_dropped('thinking', model_name, provider)
    return BedrockThinking(fields=fields, max_tokens=max_tokens)


def _claude(
    model_name: str, provider: Provider, settings: Mapping[str, Any], turns: Sequence[dict[str, Any]]
) -> BedrockThinking:
    traits = traits_of(model_name)
    of_settings = {name: settings[name] for name in ('thinking', 'max_tokens') if settings.get(name) is not None}
    thinking = thinking_of(model_name, provider, traits, of_settings, possible=not _lacks_thoughts(turns))
    fields: dict[str, Any] = {'thinking': thinking.field} if thinking.field else {}
    if thinking.effort:
        fields['output_config'] = {'effort': thinking.effort}
    return BedrockThinking(
        fields=fields,
        max_tokens=thinking.max_tokens if 'budget_tokens' in (thinking.field or {}) else of_settings.get('max_tokens'),
        can_force=traits.forced_tools == 'always'
        or (traits.forced_tools == 'without_thinking' and not thinking.asked_for),
        of_claude=thinking,
    )


def _lacks_thoughts(turns: Sequence[dict[str, Any]]) -> bool:
    """Whether the last tool calls were made without thinking: the API refuses a thinking budget then."""
    if len(turns) < 2 or 'toolResult' not in turns[-1]['content'][0]:
        return False
    return 'reasoningContent' not in turns[-2]['content'][0]

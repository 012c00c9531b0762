"""The class of each wire format, and the code that makes a model of it."""

from __future__ import annotations

from collections.abc import Mapping

from ..._providers.provider import Wire
from .providers import PROVIDERS

HOMES: Mapping[Wire, tuple[str, str]] = {
    'anthropic': ('anthropic', 'AnthropicModel'),
    'bedrock': ('bedrock', 'BedrockModel'),
    'google': ('google', 'GoogleModel'),
    'google-vertex': ('google', 'GoogleVertexModel'),
    'openai-chat': ('openai', 'OpenAIChatModel'),
    'openai-responses': ('openai_responses', 'OpenAIResponsesModel'),
}
"""The module and the class of each wire format, imported on first use."""


def written_model(provider: str, model_name: str, *arguments: str) -> str:
    """The code that makes a model."""
    _, kind = HOMES[PROVIDERS[provider].wire]
    default = 'openai' if kind == 'OpenAIChatModel' else PROVIDERS[provider].wire
    named = () if provider == default else (f'provider={provider!r}',)
    return f'{kind}({", ".join((repr(model_name), *named, *arguments))})'


def module_of(provider: str) -> str:
    """The module of the class of a provider's models."""
    return f'syncai.models.{HOMES[PROVIDERS[provider].wire][0]}'

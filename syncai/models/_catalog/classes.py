"""The class of each wire format, and the code that makes a model of it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ..._providers.provider import Wire
from ..._providers.table import PROVIDERS

__all__ = ['code_of_model', 'model_class', 'module_of']

_CLASSES: Mapping[Wire, tuple[str, str]] = {
    'anthropic': ('anthropic', 'AnthropicModel'),
    'bedrock': ('bedrock', 'BedrockModel'),
    'google': ('google', 'GoogleModel'),
    'google-vertex': ('google', 'GoogleVertexModel'),
    'openai-chat': ('openai', 'OpenAIChatModel'),
    'openai-responses': ('openai_responses', 'OpenAIResponsesModel'),
}
_MODELS = __name__.rpartition('._catalog')[0]


def model_class(provider: str) -> Any:
    """The class of a provider's models; its module is imported at the first use."""
    return getattr(import_module(module_of(provider)), _CLASSES[PROVIDERS[provider].wire][1])


def module_of(provider: str) -> str:
    """The module of the class of a provider's models."""
    return f'{_MODELS}.{_CLASSES[PROVIDERS[provider].wire][0]}'


def code_of_model(provider: str, model_name: str, *arguments: str) -> str:
    """The code that makes a model."""
    _, kind = _CLASSES[PROVIDERS[provider].wire]
    default = 'openai' if kind == 'OpenAIChatModel' else PROVIDERS[provider].wire
    provider_argument = () if provider == default else (f'provider={provider!r}',)
    return f'{kind}({", ".join((repr(model_name), *provider_argument, *arguments))})'

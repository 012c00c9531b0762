"""The row of a provider, and the row as it applies to one of its models."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from ..._providers.dialect import ChatDialect
from ..._providers.provider import Provider, Wire
from ..._providers.table import ENDED, PROVIDERS

__all__ = ['ChatDialect', 'ENDED', 'for_model', 'is_openai_reasoning_model', 'Provider', 'PROVIDERS', 'Wire']

_SAMPLING = frozenset({'temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'logit_bias'})
# https://developers.openai.com/api/docs/guides/structured-outputs: schemas are enforced since GPT-4o.
_OPENAI_NAMES = ('gpt-', 'chatgpt-', 'ft:')
_OLDER_THAN_SCHEMAS = ('gpt-3', 'gpt-4-', 'chatgpt-4o', 'o1-mini', 'o1-preview')


def for_model(provider: Provider, model_name: str) -> Provider:
    """The row as it applies to one of the provider's models."""
    if provider.openai_rules:
        provider = _by_openai_rules(provider, model_name.rpartition('openai/')[2])
    for pattern, changes in provider.variants.items():
        if fnmatchcase(model_name, pattern):
            provider = replace(provider, chat=replace(provider.chat, **changes))
    return provider


def _by_openai_rules(provider: Provider, model_name: str) -> Provider:
    chat = provider.chat
    reasoning = is_openai_reasoning_model(model_name)
    applies = reasoning or provider.deployments or model_name.startswith(_OPENAI_NAMES)
    if model_name == 'gpt-4' or model_name.startswith(_OLDER_THAN_SCHEMAS):
        chat = replace(chat, holds_schemas=None)
    elif not applies:
        # Another model means another server: llama.cpp, for example, accepts a schema in Responses and ignores it.
        chat = replace(chat, holds_schemas='perhaps')
    if reasoning:
        chat = _reasoning(chat, model_name)
    elif not provider.deployments or model_name.startswith('gpt-'):  # a deployment may have any name
        chat = replace(chat, supports_reasoning_effort=False)
    return replace(provider, chat=chat)


def _reasoning(chat: ChatDialect, model_name: str) -> ChatDialect:
    return replace(
        chat,
        supports_reasoning_effort=True,
        system_role='user' if model_name.startswith(('o1-mini', 'o1-preview')) else 'developer',
        unsupported_settings=chat.unsupported_settings | _SAMPLING,
        settings_without_thinking=_SAMPLING,
        thinking_off={'reasoning_effort': _least_effort(model_name)},
    )


def _least_effort(model_name: str) -> str:
    """The first reasoning models, and gpt-6, cannot turn thinking off."""
    if model_name.startswith(('o', 'gpt-6')):
        return 'low'
    return 'minimal' if model_name == 'gpt-5' or model_name.startswith('gpt-5-') else 'none'


def is_openai_reasoning_model(model_name: str) -> bool:
    """Whether a model of OpenAI reasons, by its name: the o series, and gpt-5 and later except for chat variants."""
    if model_name.startswith(('o1', 'o3', 'o4')):
        return True
    family, _, rest = model_name.removeprefix('gpt-').partition('-')
    major = family.partition('.')[0]
    return model_name.startswith('gpt-') and major.isdigit() and int(major) >= 5 and not rest.startswith('chat')

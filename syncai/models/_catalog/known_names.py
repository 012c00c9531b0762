"""Known names of models; any other name is allowed, and the provider may refuse it."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

from ..._providers.names import provider_name

KnownModelName: TypeAlias = Literal[
    'anthropic:claude-fable-5',
    'anthropic:claude-fable-5-1',
    'anthropic:claude-haiku-4-5',
    'anthropic:claude-haiku-5-5',
    'anthropic:claude-opus-4-1',
    'anthropic:claude-opus-4-5',
    'anthropic:claude-opus-4-6',
    'anthropic:claude-opus-4-7',
    'anthropic:claude-opus-4-8',
    'anthropic:claude-opus-5',
    'anthropic:claude-opus-5-5',
    'anthropic:claude-sonnet-4-5',
    'anthropic:claude-sonnet-4-6',
    'anthropic:claude-sonnet-5',
    'anthropic:claude-sonnet-5-5',
    'bedrock:amazon.nova-lite-v1:0',
    'bedrock:amazon.nova-micro-v1:0',
    'bedrock:amazon.nova-pro-v1:0',
    'bedrock:global.amazon.nova-2-lite-v1:0',
    'bedrock:global.anthropic.claude-haiku-4-5-20251001-v1:0',
    'bedrock:global.anthropic.claude-haiku-5-5',
    'bedrock:global.anthropic.claude-opus-5',
    'bedrock:global.anthropic.claude-opus-5-5',
    'bedrock:global.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'bedrock:global.anthropic.claude-sonnet-5-5',
    'bedrock:mistral.mistral-large-3-675b-instruct',
    'bedrock:openai.gpt-oss-120b-1:0',
    'bedrock:openai.gpt-oss-20b-1:0',
    'bedrock:qwen.qwen3-32b-v1:0',
    'bedrock:us.amazon.nova-2-lite-v1:0',
    'bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0',
    'bedrock:us.anthropic.claude-haiku-5-5',
    'bedrock:us.anthropic.claude-opus-5',
    'bedrock:us.anthropic.claude-opus-5-5',
    'bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    'bedrock:us.anthropic.claude-sonnet-5-5',
    'cerebras:gpt-oss-120b',
    'cerebras:qwen-3.8-27b',
    'cerebras:zai-glm-4.7',
    'deepseek:deepseek-chat',
    'deepseek:deepseek-flash',
    'deepseek:deepseek-reasoner',
    'deepseek:deepseek-v4-flash',
    'deepseek:deepseek-v4-pro',
    'fireworks:accounts/fireworks/models/deepseek-v4-pro',
    'fireworks:accounts/fireworks/models/glm-5p3',
    'fireworks:accounts/fireworks/models/gpt-oss-120b',
    'fireworks:accounts/fireworks/models/gpt-oss-20b',
    'fireworks:accounts/fireworks/models/kimi-k2p7-code',
    'fireworks:accounts/fireworks/models/minimax-m3',
    'fireworks:accounts/fireworks/models/qwen3p8-max',
    'google-vertex:gemini-2.5-flash',
    'google-vertex:gemini-2.5-flash-lite',
    'google-vertex:gemini-2.5-pro',
    'google-vertex:gemini-3-flash-preview',
    'google-vertex:gemini-3.1-flash-lite',
    'google-vertex:gemini-3.1-pro-preview',
    'google-vertex:gemini-3.5-flash',
    'google-vertex:gemini-3.5-flash-lite',
    'google-vertex:gemini-3.6-flash',
    'google-vertex:gemini-3.7-flash',
    'google-vertex:gemini-3.8-flash',
    'google:gemini-2.5-flash',
    'google:gemini-2.5-flash-lite',
    'google:gemini-2.5-pro',
    'google:gemini-3-flash-preview',
    'google:gemini-3.1-flash-lite',
    'google:gemini-3.1-pro-preview',
    'google:gemini-3.5-flash',
    'google:gemini-3.5-flash-lite',
    'google:gemini-3.6-flash',
    'google:gemini-3.7-flash',
    'google:gemini-3.8-flash',
    'google:gemini-flash-latest',
    'google:gemini-flash-lite-latest',
    'google:gemini-pro-latest',
    'groq:llama-3.1-8b-instant',
    'groq:llama-3.3-70b-versatile',
    'groq:meta-llama/llama-4-scout-17b-16e-instruct',
    'groq:openai/gpt-oss-120b',
    'groq:openai/gpt-oss-20b',
    'groq:qwen/qwen3.8-27b',
    'huggingface:MiniMaxAI/MiniMax-M2',
    'huggingface:openai/gpt-oss-120b',
    'huggingface:openai/gpt-oss-20b',
    'mistral:codestral-latest',
    'mistral:devstral-medium-latest',
    'mistral:magistral-medium-latest',
    'mistral:ministral-8b-latest',
    'mistral:mistral-large-4-0',
    'mistral:mistral-large-latest',
    'mistral:mistral-medium-3-5',
    'mistral:mistral-medium-latest',
    'mistral:mistral-small-latest',
    'moonshot:kimi-k2.5',
    'moonshot:kimi-k2.6',
    'moonshot:kimi-k2.7-code',
    'moonshot:kimi-k2.7-code-highspeed',
    'moonshot:kimi-k3',
    'moonshot:moonshot-v1-128k',
    'moonshot:moonshot-v1-32k',
    'moonshot:moonshot-v1-8k',
    'moonshot:moonshot-v1-auto',
    'ollama:deepseek-r1',
    'ollama:gemma3',
    'ollama:gpt-oss:20b',
    'ollama:llama3.2',
    'ollama:llama3.3',
    'ollama:mistral',
    'ollama:qwen3',
    'openai-responses:codex-mini-latest',
    'openai-responses:gpt-4.1',
    'openai-responses:gpt-4.1-mini',
    'openai-responses:gpt-4o',
    'openai-responses:gpt-4o-mini',
    'openai-responses:gpt-5',
    'openai-responses:gpt-5-codex',
    'openai-responses:gpt-5-mini',
    'openai-responses:gpt-5-nano',
    'openai-responses:gpt-5-pro',
    'openai-responses:gpt-5.1',
    'openai-responses:gpt-5.1-codex',
    'openai-responses:gpt-5.2',
    'openai-responses:gpt-5.2-pro',
    'openai-responses:gpt-5.4-mini',
    'openai-responses:gpt-5.5',
    'openai-responses:gpt-6-astra',
    'openai-responses:o1',
    'openai-responses:o1-pro',
    'openai-responses:o3',
    'openai-responses:o3-mini',
    'openai-responses:o3-pro',
    'openai-responses:o4-mini',
    'openai:gpt-4.1',
    'openai:gpt-4.1-mini',
    'openai:gpt-4.1-nano',
    'openai:gpt-4o',
    'openai:gpt-4o-mini',
    'openai:gpt-5',
    'openai:gpt-5-mini',
    'openai:gpt-5-nano',
    'openai:gpt-5.1',
    'openai:gpt-5.2',
    'openai:gpt-5.4',
    'openai:gpt-5.4-mini',
    'openai:gpt-5.4-nano',
    'openai:gpt-5.5',
    'openai:gpt-5.6',
    'openai:gpt-6-astra',
    'openai:o1',
    'openai:o3',
    'openai:o3-mini',
    'openai:o4-mini',
    'openrouter:anthropic/claude-sonnet-4.5',
    'openrouter:mistralai/mistral-small',
    'test',
    'together:Qwen/Qwen3.7-Max',
    'together:deepseek-ai/DeepSeek-V4-Pro',
    'together:deepseek-ai/DeepSeek-V4.1-Flash',
    'together:google/gemma-4-31B-it',
    'together:meta-llama/Llama-3.3-70B-Instruct-Turbo',
    'together:moonshotai/Kimi-K2.7-Code',
    'together:moonshotai/Kimi-K3',
    'together:zai-org/GLM-5.3',
    'xai:grok-3',
    'xai:grok-3-mini',
    'xai:grok-4',
    'xai:grok-4-1-fast-non-reasoning',
    'xai:grok-4-1-fast-reasoning',
    'xai:grok-4.20',
    'xai:grok-4.3',
    'xai:grok-4.5',
    'xai:grok-4.6',
    'xai:grok-4.7',
    'xai:grok-code-fast-1',
    'zai:glm-4.7',
    'zai:glm-5',
    'zai:glm-5.1',
    'zai:glm-5.2',
]
"""Model names with their providers, for completion in an editor; models come out daily, so others work as well."""

KNOWN_MODEL_NAMES: tuple[str, ...] = get_args(KnownModelName)


# Prefixes of names that only one provider uses. Not `gpt-oss`: it is open, and others serve it.
_PROVIDER_OF = {
    re.compile(r'(gpt-(?!oss)|o\d(-|$))'): 'openai',
    re.compile('claude-'): 'anthropic',
    re.compile('gemini-'): 'google',
}


def full_model_name(name: str) -> str:
    """`provider:model` if a name without provider shows its provider; else the name unchanged."""
    provider, colon, model = name.partition(':')
    if colon:
        return f'{provider_name(provider)}:{model.strip()}'
    by_pattern = next((provider for pattern, provider in _PROVIDER_OF.items() if pattern.match(name)), None)
    return name if by_pattern is None else f'{by_pattern}:{name}'


def known_model_names(provider: str | None = None) -> list[str]:
    """The names in `KnownModelName` as a list, those of one provider alone if it is given; sorted."""
    return [name for name in KNOWN_MODEL_NAMES if provider is None or name.startswith(f'{provider}:')]


def nearest_model_names(provider: str, model_name: str) -> list[str]:
    """Up to three known names of `provider` that resemble `model_name`, without the provider."""
    prefix = f'{provider}:'
    names = [name.removeprefix(prefix) for name in KNOWN_MODEL_NAMES if name.startswith(prefix)]
    from difflib import get_close_matches

    return get_close_matches(model_name, (name for name in names if name != model_name), n=3, cutoff=0.5)


def did_you_mean(name: str, names: list[str]) -> str:
    """A sentence with the nearest of the known names, or with all of them if none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f'Did you mean {" or ".join(repr(n) for n in near)}?'
    return f'Known are {", ".join(repr(n) for n in names)}.'

"""The context windows of models, in tokens, from their providers or from catalogues of models, in 2026.

From developers.openai.com, platform.claude.com, ai.google.dev, docs.x.ai, docs.mistral.ai, platform.kimi.ai and
api-docs.deepseek.com, as the catalogues models.dev and genai-prices have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from .known_names import full_model_name

_MILLION = 1_000_000
_MEBI = 1024 * 1024

# The first matching pattern counts; a model that matches none is unknown.
_WINDOWS: Mapping[str, int] = {
    'anthropic:claude-haiku-4-5*': 200_000,
    'anthropic:claude-sonnet-4-5*': 200_000,
    'anthropic:claude-opus-4-1*': 200_000,
    'anthropic:claude-opus-4-5*': 200_000,
    'anthropic:claude-opus-4-[678]*': _MILLION,
    'anthropic:claude-sonnet-4-6*': _MILLION,
    'anthropic:claude-fable-5*': _MILLION,
    'anthropic:claude-haiku-5*': _MILLION,
    'anthropic:claude-opus-5*': _MILLION,
    'anthropic:claude-sonnet-5*': _MILLION,
    'cerebras:gpt-oss-120b': 131_072,
    'cerebras:zai-glm-4.7': 131_072,
    'deepseek:deepseek-chat': _MILLION,
    'deepseek:deepseek-flash': _MILLION,
    'deepseek:deepseek-v4-*': _MILLION,
    'fireworks:accounts/fireworks/models/glm-5p3': 1_048_573,
    'google:gemini-2.5-flash': _MEBI,
    'google:gemini-2.5-flash-lite': _MEBI,
    'google:gemini-2.5-pro': _MEBI,
    'google:gemini-3.1-pro-preview': _MEBI,
    'google:gemini-3.5-flash': _MEBI,
    'google:gemini-3.7-flash': _MEBI,
    'groq:openai/gpt-oss-*': 131_072,
    'groq:qwen/qwen3.8-27b': 131_042,
    'mistral:codestral-latest': 256_000,
    'mistral:magistral-medium-latest': 128_000,
    'mistral:mistral-large-latest': 262_144,
    'mistral:mistral-medium-3-5': 262_144,
    'mistral:mistral-medium-latest': 262_144,
    'moonshot:kimi-k2*': 262_144,
    'moonshot:kimi-k3': _MEBI,
    'moonshot:moonshot-v1-8k*': 8_192,
    'moonshot:moonshot-v1-32k*': 32_768,
    'moonshot:moonshot-v1-128k*': 131_072,
    'openai:gpt-4.1*': _MILLION,
    'openai:gpt-4o*': 128_000,
    'openai:gpt-5': 400_000,
    'openai:gpt-5-codex': 400_000,
    'openai:gpt-5-mini': 400_000,
    'openai:gpt-5-nano': 400_000,
    'openai:gpt-5-pro': 400_000,
    'openai:gpt-5.1': 400_000,
    'openai:gpt-5.1-codex': 400_000,
    'openai:gpt-5.2': 400_000,
    'openai:gpt-5.4': 1_050_000,
    'openai:gpt-5.5': 1_050_000,
    'openai:gpt-5.6': 1_050_000,
    'openai:gpt-6-astra*': 1_050_000,
    'openai:o1': 200_000,
    'openai:o3*': 200_000,
    'openai:o4-mini*': 200_000,
    'xai:grok-3*': 131_072,
    'xai:grok-4': 256_000,
    'xai:grok-4-0709': 256_000,
    'xai:grok-4-1-fast*': 2_000_000,
    'xai:grok-4-fast*': 2_000_000,
    'xai:grok-4.3*': _MILLION,
    'xai:grok-4.5*': 500_000,
    'xai:grok-4.7*': 500_000,
    'xai:grok-code-fast-1': 256_000,
}

_SAME_MODELS = {
    'openai-responses:': 'openai:',
    'azure:': 'openai:',
    'google-vertex:': 'google:',
}


def context_window(name: str) -> int | None:
    """The most tokens that a model holds, question and answer together; None if that is not known.

    Some providers limit the prompt to a part of it, or have a higher price beyond a part. Models are added daily, and a
    deployment or your own server may set another size. So use the number as a hint, and rely on
    `ContextWindowExceeded`.

    Args:
        name: The model with its provider, such as `openai:gpt-5.5`.
    """
    name = full_model_name(name)
    for other, same in _SAME_MODELS.items():
        if name.startswith(other):
            name = same + name.removeprefix(other)
    return next((size for pattern, size in _WINDOWS.items() if fnmatchcase(name, pattern)), None)

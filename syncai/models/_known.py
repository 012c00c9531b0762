"""The names of models that are known; any other name is allowed, and is the provider's to refuse."""

from __future__ import annotations

import difflib
from typing import Literal, TypeAlias, get_args

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
    'openai:gpt-5.4-mini',
    'openai:gpt-5.5',
    'openai:gpt-6-astra',
    'openai:o1',
    'openai:o3',
    'openai:o3-mini',
    'openai:o4-mini',
    'test',
]
"""Model names with their providers, for completion in an editor; models come out daily, so others work as well."""

KNOWN_MODEL_NAMES: tuple[str, ...] = get_args(KnownModelName)


def nearest_model_names(provider: str, model_name: str) -> list[str]:
    """Up to three known names of `provider` that resemble `model_name`, without the provider."""
    prefix = f'{provider}:'
    known = [name.removeprefix(prefix) for name in KNOWN_MODEL_NAMES if name.startswith(prefix)]
    return difflib.get_close_matches(model_name, (name for name in known if name != model_name), n=3, cutoff=0.5)


def did_you_mean(name: str, known: list[str]) -> str:
    """A sentence with the nearest of the known names, or with all of them where none is near."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f'Did you mean {" or ".join(repr(n) for n in near)}?'
    return f'Known are {", ".join(repr(n) for n in known)}.'

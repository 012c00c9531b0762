"""The names of the providers: those of the table, and other common names."""

from __future__ import annotations

from collections.abc import Mapping

PROVIDER_NAMES = (
    'openai',
    'openai-responses',
    'anthropic',
    'bedrock',
    'google',
    'google-vertex',
    'azure',
    'cerebras',
    'deepseek',
    'fireworks',
    'groq',
    'huggingface',
    'mistral',
    'moonshot',
    'openrouter',
    'together',
    'xai',
    'zai',
    'litellm',
    'llamacpp',
    'lmstudio',
    'ollama',
    'vllm',
)
"""The names in the table of `models`, in its order."""

_OTHER_NAMES: Mapping[str, str] = {
    'amazon': 'bedrock',
    'amazon-bedrock': 'bedrock',
    'aws': 'bedrock',
    'aws-bedrock': 'bedrock',
    'azure-openai': 'azure',
    'chatgpt': 'openai',
    'claude': 'anthropic',
    'fireworks-ai': 'fireworks',
    'gemini': 'google',
    'google-genai': 'google',
    'google-gla': 'google',
    'gpt': 'openai',
    'grok': 'xai',
    'hf': 'huggingface',
    'hugging-face': 'huggingface',
    'kimi': 'moonshot',
    'llama-cpp': 'llamacpp',
    'llama.cpp': 'llamacpp',
    'lm-studio': 'lmstudio',
    'mistralai': 'mistral',
    'moonshotai': 'moonshot',
    'openai-chat': 'openai',
    'together-ai': 'together',
    'togetherai': 'together',
    'vertex': 'google-vertex',
    'vertex-ai': 'google-vertex',
    'vertexai': 'google-vertex',
    'x-ai': 'xai',
    'z-ai': 'zai',
    'z.ai': 'zai',
}


def provider_name(name: str) -> str:
    """The table's name of a provider, which may be written in upper or lower case; an unknown name is unchanged."""
    plain = name.strip().lower().replace('_', '-')
    plain = _OTHER_NAMES.get(plain, plain)
    return plain if plain in PROVIDER_NAMES else name


def setting_prefix(provider: str) -> str:
    """The prefix of a provider's own settings."""
    return provider.replace('-', '_') + '_'

"""The names of the providers: those of the table, and others by which people know them."""

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
"""Those of the table of `models`, in its order."""

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
    """The name that the table has for a provider, in any case of letters; one that is not known stays as it is."""
    plain = name.strip().lower().replace('_', '-')
    plain = _OTHER_NAMES.get(plain, plain)
    return plain if plain in PROVIDER_NAMES else name


def setting_prefix(provider: str) -> str:
    """What the names of a provider's own settings begin with."""
    return provider.replace('-', '_') + '_'

"""When the rows of each provider were last compared with its documentation, and the address of that.

A refresh of a provider covers its names in `known_names`, its sizes in `context` and its row in `_providers`.
CONTRIBUTING.md says how; a test reports what is older than six months.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ['REFRESHED']

REFRESHED: Mapping[str, tuple[str, str]] = {
    'openai': ('2026-11-23', 'https://developers.openai.com/api/docs/models'),
    'openai-responses': ('2026-11-23', 'https://developers.openai.com/api/docs/models'),
    'anthropic': ('2026-11-23', 'https://platform.claude.com/docs/en/about-claude/models/overview'),
    'bedrock': ('2026-11-23', 'https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html'),
    'google': ('2026-11-23', 'https://ai.google.dev/gemini-api/docs/models'),
    'google-vertex': ('2026-11-23', 'https://cloud.google.com/vertex-ai/generative-ai/docs/models'),
    'azure': ('2026-11-23', 'https://learn.microsoft.com/azure/ai-foundry/openai/reference'),
    'cerebras': ('2026-11-23', 'https://inference-docs.cerebras.ai/models/overview'),
    'deepseek': ('2026-11-23', 'https://api-docs.deepseek.com/quick_start/pricing'),
    'fireworks': ('2026-11-23', 'https://fireworks.ai/models'),
    'groq': ('2026-11-23', 'https://console.groq.com/docs/models'),
    'huggingface': ('2026-11-23', 'https://huggingface.co/docs/inference-providers'),
    'mistral': ('2026-11-23', 'https://docs.mistral.ai/getting-started/models'),
    'moonshot': ('2026-11-23', 'https://platform.kimi.ai/docs'),
    'openrouter': ('2026-11-23', 'https://openrouter.ai/models'),
    'together': ('2026-11-23', 'https://docs.together.ai/docs/serverless-models'),
    'xai': ('2026-11-23', 'https://docs.x.ai/docs/models'),
    'zai': ('2026-11-23', 'https://docs.z.ai/api-reference/llm/chat-completion'),
    'litellm': ('2026-11-23', 'https://docs.litellm.ai/docs/reasoning_content'),
    'llamacpp': ('2026-11-23', 'https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md'),
    'lmstudio': ('2026-11-23', 'https://lmstudio.ai/docs'),
    'ollama': ('2026-11-23', 'https://ollama.com/library'),
    'vllm': ('2026-11-23', 'https://docs.vllm.ai/en/latest'),
}
"""The day of the last refresh of each provider, and the page that it was compared with."""

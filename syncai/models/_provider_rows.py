"""The providers, as data: a server that speaks a known wire format is one more row."""

from __future__ import annotations

from collections.abc import Mapping

from ._provider import Provider

_ROWS = (
    Provider(
        name='openai',
        title='OpenAI',
        key_variables=('OPENAI_API_KEY',),
        base_url_variables=('OPENAI_BASE_URL',),
        default_base_url='https://api.openai.com/v1',
        supports_allowed_tools=True,
        supports_reasoning_effort=None,
    ),
    Provider(
        name='ollama',
        title='Ollama',
        key_variables=('OLLAMA_API_KEY',),
        base_url_variables=('OLLAMA_BASE_URL',),
        default_base_url='http://localhost:11434/v1',
        needs_key=False,
        max_tokens_field='max_tokens',
        supports_strict_tools=False,
        supports_parallel_tool_calls_flag=False,
        supports_forced_tool_choice=False,
        supports_files=False,
        supports_audio=False,
        unsupported_settings=frozenset({'top_k', 'logit_bias'}),
    ),
)

PROVIDERS: Mapping[str, Provider] = {row.name: row for row in _ROWS}

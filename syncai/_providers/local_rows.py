"""Servers that users run themselves, and a proxy in front of others: they need no key unless one is set."""

from __future__ import annotations

from .dialect import ChatDialect
from .provider import Provider

_TOP_K_AND_BIAS = frozenset({'top_k', 'logit_bias'})

SELF_HOSTED = (
    Provider(
        name='litellm',
        title='LiteLLM',
        key_variables=('LITELLM_API_KEY', 'LITELLM_MASTER_KEY'),
        base_url_variables=('LITELLM_BASE_URL',),
        default_base_url='http://localhost:4000',
        needs_key=False,
        chat=ChatDialect(
            max_tokens_field='max_tokens',
            thinks_first=True,
            replay_reasoning='thinking_blocks',  # https://docs.litellm.ai/docs/reasoning_content
            unsupported_settings=frozenset(),
        ),
    ),
    Provider(
        name='llamacpp',
        title='llama.cpp',
        other_names=('llama-cpp', 'llama.cpp'),
        key_variables=('LLAMA_API_KEY',),
        base_url_variables=('LLAMACPP_BASE_URL',),
        default_base_url='http://localhost:8080/v1',
        needs_key=False,
        chat=ChatDialect(
            holds_schemas='always',
            max_tokens_field='max_tokens',
            supports_strict_tools=False,
            schema_in_prompt=True,
            supports_files=False,
            supports_reasoning_effort=False,
            thinking_off={'chat_template_kwargs': {'enable_thinking': False}},
            thinks_first=True,
            replay_reasoning='reasoning_content',  # which its server reads: common/chat.cpp
            unsupported_settings=frozenset(),
        ),
    ),
    Provider(
        name='lmstudio',
        title='LM Studio',
        other_names=('lm-studio',),
        key_variables=('LMSTUDIO_API_KEY', 'LM_API_TOKEN'),
        base_url_variables=('LMSTUDIO_BASE_URL',),
        default_base_url='http://localhost:1234/v1',
        needs_key=False,
        chat=ChatDialect(
            holds_schemas='always',
            max_tokens_field='max_tokens',
            supports_strict_tools=False,
            supports_json_object=False,
            supports_parallel_tool_calls_flag=False,
            supports_image_url=False,
            supports_files=False,
            supports_audio=False,
            thinks_first=True,
            unsupported_settings=frozenset(),
        ),
    ),
    Provider(
        name='ollama',
        title='Ollama',
        key_variables=('OLLAMA_API_KEY',),
        base_url_variables=('OLLAMA_BASE_URL',),
        default_base_url='http://localhost:11434/v1',
        needs_key=False,
        chat=ChatDialect(
            holds_schemas='always',
            max_tokens_field='max_tokens',
            supports_strict_tools=False,
            supports_strict_schema=False,
            supports_parallel_tool_calls_flag=False,
            supports_forced_tool_choice=False,
            supports_files=False,
            supports_audio=False,
            replay_reasoning='reasoning',
            thinks_first=True,
            unsupported_settings=_TOP_K_AND_BIAS,
        ),
    ),
    Provider(
        name='vllm',
        title='vLLM',
        key_variables=('VLLM_API_KEY',),
        base_url_variables=('VLLM_BASE_URL',),
        default_base_url='http://localhost:8000/v1',
        needs_key=False,
        chat=ChatDialect(
            holds_schemas='always',
            single_system_message=True,
            max_tokens_field='max_tokens',
            supports_strict_tools=False,
            schema_in_prompt=True,
            supports_files=False,
            supports_video=True,  # https://docs.vllm.ai/en/latest/features/multimodal_inputs.html
            thinking_off={'chat_template_kwargs': {'enable_thinking': False}},
            thinks_first=True,
            replay_reasoning='reasoning',  # https://docs.vllm.ai/en/latest/features/interleaved_thinking/
            unsupported_settings=frozenset(),
        ),
    ),
)

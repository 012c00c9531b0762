"""Services that users have an account with."""

from __future__ import annotations

from .dialect import ChatDialect
from .provider import Provider

_SAMPLING = frozenset({'temperature', 'top_p', 'presence_penalty', 'frequency_penalty'})
_TOP_K_AND_BIAS = frozenset({'top_k', 'logit_bias'})
_UP_TO_HIGH: dict[str, str] = {'minimal': 'low', 'xhigh': 'high', 'max': 'high'}
_ON_OR_OFF: dict[str, str] = dict.fromkeys(('minimal', 'low', 'medium', 'xhigh', 'max'), 'high')

HOSTED = (
    Provider(
        name='openai',
        title='OpenAI',
        other_names=('chatgpt', 'gpt', 'openai-chat'),
        key_variables=('OPENAI_API_KEY',),
        base_url_variables=('OPENAI_BASE_URL',),
        default_base_url='https://api.openai.com/v1',
        openai_rules=True,
        chat=ChatDialect(
            holds_schemas='strict',
            longest_tool_call_id=40,
            supports_allowed_tools=True,
            supports_reasoning_effort=None,
        ),
    ),
    Provider(
        name='openai-responses',
        title='OpenAI Responses',
        wire='openai-responses',
        key_variables=('OPENAI_API_KEY',),
        base_url_variables=('OPENAI_BASE_URL',),
        default_base_url='https://api.openai.com/v1',
        openai_rules=True,
        chat=ChatDialect(
            holds_schemas='strict',
            supports_reasoning_effort=None,
            unsupported_settings=_TOP_K_AND_BIAS | {'seed', 'stop_sequences', 'presence_penalty', 'frequency_penalty'},
        ),
    ),
    Provider(
        name='anthropic',
        title='Anthropic',
        other_names=('claude',),
        wire='anthropic',
        key_variables=('ANTHROPIC_API_KEY',),
        key_header='x-api-key',
        base_url_variables=('ANTHROPIC_BASE_URL',),
        default_base_url='https://api.anthropic.com/v1',
        headers={'anthropic-version': '2023-06-01'},
    ),
    Provider(
        name='bedrock',
        title='Amazon Bedrock',
        other_names=('amazon', 'amazon-bedrock', 'aws', 'aws-bedrock'),
        wire='bedrock',
        key_variables=('AWS_BEARER_TOKEN_BEDROCK',),
        base_url_variables=('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'AWS_ENDPOINT_URL'),
        needs_key=False,  # without one, requests are signed
    ),
    Provider(
        name='google',
        title='Google Gemini',
        other_names=('gemini', 'google-genai', 'google-gla'),
        wire='google',
        key_variables=('GOOGLE_API_KEY', 'GEMINI_API_KEY'),
        key_header='x-goog-api-key',
        base_url_variables=('GOOGLE_GEMINI_BASE_URL',),
        default_base_url='https://generativelanguage.googleapis.com/v1beta',
    ),
    Provider(
        name='google-vertex',
        title='Google Vertex AI',
        other_names=('vertex', 'vertex-ai', 'vertexai'),
        wire='google-vertex',
        base_url_variables=('GOOGLE_VERTEX_BASE_URL',),
        needs_key=False,  # it takes a token, which google-auth finds
    ),
    Provider(
        name='azure',
        title='Azure OpenAI',
        other_names=('azure-openai',),
        key_variables=('AZURE_OPENAI_API_KEY',),
        key_header='api-key',
        base_url_variables=('AZURE_OPENAI_ENDPOINT',),
        deployments=True,
        openai_rules=True,
        chat=ChatDialect(
            longest_tool_call_id=40,
            holds_schemas='strict',
            supports_files=False,
            supports_reasoning_effort=None,
        ),
    ),
    Provider(
        name='cerebras',
        title='Cerebras',
        key_variables=('CEREBRAS_API_KEY',),
        base_url_variables=('CEREBRAS_BASE_URL',),
        default_base_url='https://api.cerebras.ai/v1',
        # https://inference-docs.cerebras.ai/capabilities/reasoning: as its `raw` format has them.
        variants={'gpt-oss*': {'replay_reasoning': 'content'}},
        chat=ChatDialect(
            supports_files=False,
            supports_audio=False,
            efforts=_UP_TO_HIGH,
            replay_reasoning='think_tags',
            unsupported_settings=_TOP_K_AND_BIAS | {'presence_penalty', 'frequency_penalty'},
        ),
    ),
    Provider(
        name='deepseek',
        title='DeepSeek',
        key_variables=('DEEPSEEK_API_KEY',),
        base_url_variables=('DEEPSEEK_BASE_URL',),
        default_base_url='https://api.deepseek.com',
        variants={
            # The name of models without thinking, so the restrictions of thinking do not apply.
            'deepseek-chat': {
                'supports_reasoning_effort': False,
                'supports_forced_tool_choice': True,
                'replay_reasoning': None,
                'unsupported_settings': _TOP_K_AND_BIAS | {'seed'},
            },
            'deepseek-flash*': {'supports_images': True},
            'deepseek-v4-flash*': {'supports_images': True},  # an older name of the same
        },
        chat=ChatDialect(
            max_tokens_field='max_tokens',
            supports_strict_tools=False,
            supports_json_schema=False,
            supports_parallel_tool_calls_flag=False,
            supports_forced_tool_choice=False,
            supports_images=False,
            supports_files=False,
            supports_audio=False,
            thinking_on={'thinking': {'type': 'enabled'}},
            thinking_off={'thinking': {'type': 'disabled'}},
            replay_reasoning='reasoning_content',
            requires_reasoning=True,
            unsupported_settings=_TOP_K_AND_BIAS | {'seed', 'temperature', 'presence_penalty', 'frequency_penalty'},
            settings_without_thinking=frozenset(
                {'temperature', 'presence_penalty', 'frequency_penalty', 'tool_choice'}
            ),
        ),
    ),
    Provider(
        name='fireworks',
        title='Fireworks',
        other_names=('fireworks-ai',),
        key_variables=('FIREWORKS_API_KEY',),
        base_url_variables=('FIREWORKS_BASE_URL',),
        default_base_url='https://api.fireworks.ai/inference/v1',
        chat=ChatDialect(
            holds_schemas='always',
            max_tokens_field='max_tokens',
            supports_files=False,
            supports_audio=False,
            efforts=_UP_TO_HIGH,
            thinks_first=True,
            unsupported_settings=frozenset(),
        ),
    ),
    Provider(
        name='groq',
        title='Groq',
        key_variables=('GROQ_API_KEY',),
        base_url_variables=('GROQ_BASE_URL',),
        default_base_url='https://api.groq.com/openai/v1',
        variants={'openai/gpt-oss-*': {'holds_schemas': 'strict'}},  # https://console.groq.com/docs/structured-outputs
        chat=ChatDialect(
            supports_strict_tools=False,
            supports_files=False,
            supports_audio=False,
            efforts=_UP_TO_HIGH,
            replay_reasoning='reasoning',  # https://console.groq.com/docs/api-reference: a field of assistant messages
            stream_usage='always',
            unsupported_settings=_TOP_K_AND_BIAS,
        ),
    ),
    Provider(
        # https://huggingface.co/docs/inference-providers: a router to many servers of open models.
        name='huggingface',
        title='Hugging Face',
        other_names=('hf', 'hugging-face'),
        key_variables=('HF_TOKEN', 'HUGGINGFACE_API_KEY'),
        base_url_variables=('HUGGINGFACE_BASE_URL',),
        default_base_url='https://router.huggingface.co/v1',
        chat=ChatDialect(
            max_tokens_field='max_tokens',
            supports_strict_tools=False,
            supports_files=False,
            supports_audio=False,
            efforts=_UP_TO_HIGH,
            thinks_first=True,
            unsupported_settings=frozenset(),
        ),
    ),
    Provider(
        name='mistral',
        title='Mistral',
        other_names=('mistralai',),
        key_variables=('MISTRAL_API_KEY',),
        base_url_variables=('MISTRAL_BASE_URL',),
        default_base_url='https://api.mistral.ai/v1',
        variants={
            'mistral-small-latest': {'supports_reasoning_effort': True, 'efforts': _ON_OR_OFF},
            'mistral-small-2603': {'supports_reasoning_effort': True, 'efforts': _ON_OR_OFF},
            'mistral-medium-latest': {'supports_reasoning_effort': True, 'efforts': _ON_OR_OFF},
            'mistral-medium-3-5*': {'supports_reasoning_effort': True, 'efforts': _ON_OR_OFF},
            'mistral-large-4*': {'supports_reasoning_effort': True, 'efforts': _UP_TO_HIGH},
        },
        chat=ChatDialect(
            holds_schemas='strict',
            max_tokens_field='max_tokens',
            answers_tools_first=True,
            tool_call_id_length=9,
            supports_file_url=True,
            file_part='document_url',
            supports_audio=False,
            supports_reasoning_effort=False,
            replay_reasoning='thinking_parts',
            stream_usage='always',
            unsupported_settings=_TOP_K_AND_BIAS,
            setting_names={'seed': 'random_seed'},
        ),
    ),
    Provider(
        name='moonshot',
        title='Moonshot',
        other_names=('kimi', 'moonshotai'),
        key_variables=('MOONSHOT_API_KEY', 'MOONSHOTAI_API_KEY'),
        base_url_variables=('MOONSHOT_BASE_URL',),
        default_base_url='https://api.moonshot.ai/v1',
        variants={
            'kimi-*': {'unsupported_settings': _TOP_K_AND_BIAS | _SAMPLING},
            'kimi-k3*': {
                'supports_json_schema': True,
                'supports_reasoning_effort': True,
                'efforts': {'minimal': 'low', 'medium': 'high', 'xhigh': 'high'},
                'thinking_off': {'reasoning_effort': 'low'},
            },
            'moonshot-v1*': {'thinking_off': {}, 'replay_reasoning': None},
        },
        chat=ChatDialect(
            supports_strict_tools=False,
            supports_json_schema=False,
            supports_forced_tool_choice=False,
            supports_image_url=False,
            supports_files=False,
            supports_audio=False,
            supports_reasoning_effort=False,
            thinking_off={'thinking': {'type': 'disabled'}},
            replay_reasoning='reasoning_content',
            requires_reasoning=True,
            thinking_tags=None,
            unsupported_settings=_TOP_K_AND_BIAS,
        ),
    ),
    Provider(
        name='openrouter',
        title='OpenRouter',
        key_variables=('OPENROUTER_API_KEY',),
        base_url_variables=('OPENROUTER_BASE_URL',),
        default_base_url='https://openrouter.ai/api/v1',
        chat=ChatDialect(
            max_tokens_field='max_tokens',
            supports_file_url=True,
            supports_video=True,  # https://openrouter.ai/docs/features/multimodal/videos
            effort_path=('reasoning', 'effort'),
            thinking_on={'reasoning': {'enabled': True}},
            thinking_off={'reasoning': {'enabled': False}},
            replay_reasoning='reasoning_details',
            # https://openrouter.ai/docs/features/multimodal/pdfs: with these a file is not parsed, and paid, again.
            replay_details=('annotations', 'images'),
            unsupported_settings=frozenset(),
        ),
    ),
    Provider(
        name='together',
        title='Together',
        other_names=('together-ai', 'togetherai'),
        key_variables=('TOGETHER_API_KEY',),
        base_url_variables=('TOGETHER_BASE_URL',),
        default_base_url='https://api.together.xyz/v1',
        chat=ChatDialect(
            max_tokens_field='max_tokens',
            supports_files=False,
            supports_audio=False,
            efforts=_UP_TO_HIGH,
            thinks_first=True,
            unsupported_settings=frozenset(),
        ),
    ),
    Provider(
        name='xai',
        title='xAI',
        other_names=('grok', 'x-ai'),
        key_variables=('XAI_API_KEY',),
        base_url_variables=('XAI_BASE_URL',),
        default_base_url='https://api.x.ai/v1',
        variants={
            'grok-3-mini*': {'supports_reasoning_effort': True, 'efforts': {**_UP_TO_HIGH, 'medium': 'low'}},
            'grok-4*': {
                'unsupported_settings': _TOP_K_AND_BIAS | {'presence_penalty', 'frequency_penalty', 'stop_sequences'},
            },
            'grok-4*non-reasoning*': {'unsupported_settings': _TOP_K_AND_BIAS},
            'grok-4.[3-9]*': {'supports_reasoning_effort': True, 'efforts': _UP_TO_HIGH},
            # These cannot turn thinking off.
            'grok-4.[5-9]*': {'thinking_off': {'reasoning_effort': 'low'}},
            'grok-4.7*': {'efforts': {'minimal': 'low', 'max': 'xhigh'}},
        },
        chat=ChatDialect(
            holds_schemas='always',
            supports_files=False,
            supports_audio=False,
            supports_reasoning_effort=False,
            thinking_tags=None,
            unsupported_settings=_TOP_K_AND_BIAS,
        ),
    ),
    Provider(
        # https://docs.z.ai/api-reference/llm/chat-completion: of `tool_choice` it takes `auto` alone, and no schema.
        name='zai',
        title='Z.ai',
        other_names=('z-ai', 'z.ai'),
        key_variables=('ZAI_API_KEY',),
        base_url_variables=('ZAI_BASE_URL',),
        default_base_url='https://api.z.ai/api/paas/v4',
        variants={
            'glm-5.[2-9]*': {'supports_reasoning_effort': True},  # earlier models turn thinking on or off
            # https://docs.z.ai/guides/capabilities/thinking-mode: thoughts go back with the results of tools.
            'glm-4-*': {'thinking_on': {}, 'thinking_off': {}, 'replay_reasoning': None},
        },
        chat=ChatDialect(
            max_tokens_field='max_tokens',
            supports_strict_tools=False,
            supports_json_schema=False,
            supports_parallel_tool_calls_flag=False,
            supports_forced_tool_choice=False,
            supports_files=False,
            supports_audio=False,
            supports_video=True,
            supports_reasoning_effort=False,
            thinking_on={'thinking': {'type': 'enabled'}},
            thinking_off={'thinking': {'type': 'disabled'}},
            replay_reasoning='reasoning_content',
            stream_usage='always',
            unsupported_settings=_TOP_K_AND_BIAS | {'presence_penalty', 'frequency_penalty'},
        ),
    ),
)

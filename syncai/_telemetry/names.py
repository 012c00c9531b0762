"""Every name that goes into a span or a metric.

Source: OpenTelemetry's semantic conventions for generative AI, as published with version 0.66b2 of the Python package
`opentelemetry-semantic-conventions`, and the metrics page of the repository `semantic-conventions-genai`. They have no
names for money yet: those here are of their draft, https://github.com/open-telemetry/semantic-conventions-genai/pull/443,
which has them on spans of requests alone. The price of a run has a name of this package, so that sums count it once.
"""

from __future__ import annotations

from collections.abc import Mapping

SCOPE = 'syncai'

# --- spans ------------------------------------------------------------------------------------------------------------

OPERATION_NAME = 'gen_ai.operation.name'
CHAT, INVOKE_AGENT, EXECUTE_TOOL = 'chat', 'invoke_agent', 'execute_tool'
AGENT_NAME = 'gen_ai.agent.name'
PROVIDER_NAME = 'gen_ai.provider.name'
REQUEST_MODEL = 'gen_ai.request.model'
REQUEST_STREAM = 'gen_ai.request.stream'
OUTPUT_TYPE = 'gen_ai.output.type'
RESPONSE_ID = 'gen_ai.response.id'
RESPONSE_MODEL = 'gen_ai.response.model'
FINISH_REASONS = 'gen_ai.response.finish_reasons'
TIME_TO_FIRST_CHUNK = 'gen_ai.response.time_to_first_chunk'
INPUT_TOKENS = 'gen_ai.usage.input_tokens'
OUTPUT_TOKENS = 'gen_ai.usage.output_tokens'
COST_AMOUNT = 'gen_ai.usage.cost.amount'
COST_CURRENCY = 'gen_ai.usage.cost.currency'
COST_SOURCE = 'gen_ai.usage.cost.source'
DOLLARS = 'USD'
STATED, ESTIMATED = 'provider', 'local'
RUN_PRICE = 'syncai.run.price'
BATCH_JOB = 'syncai.batch.job_id'
TOOL_NAME = 'gen_ai.tool.name'
TOOL_TYPE = 'gen_ai.tool.type'
TOOL_DESCRIPTION = 'gen_ai.tool.description'
TOOL_CALL_ID = 'gen_ai.tool.call.id'
SERVER_ADDRESS = 'server.address'
SERVER_PORT = 'server.port'
ERROR_TYPE = 'error.type'

SETTINGS: Mapping[str, str] = {
    'max_tokens': 'gen_ai.request.max_tokens',
    'temperature': 'gen_ai.request.temperature',
    'top_p': 'gen_ai.request.top_p',
    'top_k': 'gen_ai.request.top_k',
    'seed': 'gen_ai.request.seed',
    'presence_penalty': 'gen_ai.request.presence_penalty',
    'frequency_penalty': 'gen_ai.request.frequency_penalty',
    'stop_sequences': 'gen_ai.request.stop_sequences',
}

USAGE_DETAILS: Mapping[str, str] = {
    'cached_tokens': 'gen_ai.usage.cache_read.input_tokens',
    'cache_read_tokens': 'gen_ai.usage.cache_read.input_tokens',
    'cache_write_tokens': 'gen_ai.usage.cache_creation.input_tokens',
    'reasoning_tokens': 'gen_ai.usage.reasoning.output_tokens',
}

# Only with `include_content`: these may hold private data of the user.
INPUT_MESSAGES = 'gen_ai.input.messages'
OUTPUT_MESSAGES = 'gen_ai.output.messages'
SYSTEM_INSTRUCTIONS = 'gen_ai.system_instructions'
TOOL_CALL_ARGUMENTS = 'gen_ai.tool.call.arguments'
TOOL_CALL_RESULT = 'gen_ai.tool.call.result'

PROVIDER_NAMES: Mapping[str, str] = {
    'openai-responses': 'openai',
    'azure': 'azure.ai.openai',
    'google': 'gcp.gemini',
    'google-vertex': 'gcp.vertex_ai',
    'bedrock': 'aws.bedrock',
    'mistral': 'mistral_ai',
    'xai': 'x_ai',
}

# --- metrics: name, unit, what it measures ----------------------------------------------------------------------------

TOKEN_USAGE = ('gen_ai.client.token.usage', '{token}', 'Tokens of prompts and answers')
TOKEN_TYPE = 'gen_ai.token.type'  # noqa: S105
COST = ('gen_ai.client.operation.cost', 'USD', 'Prices of model requests')
CHAT_DURATION = ('gen_ai.client.operation.duration', 's', 'Duration of model requests')
FIRST_CHUNK = ('gen_ai.client.operation.time_to_first_chunk', 's', 'Time to the first chunk of a streamed answer')
RUN_DURATION = ('gen_ai.invoke_agent.duration', 's', 'Duration of runs of agents')
TOOL_DURATION = ('gen_ai.execute_tool.duration', 's', 'Duration of calls of tools')

TOKEN_BUCKETS = tuple(float(4**power) for power in range(14))
COST_BUCKETS = tuple(4**power / 10**6 for power in range(14))
DURATION_BUCKETS = tuple(0.01 * 2**power for power in range(14))

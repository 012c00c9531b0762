"""What to write for names that `syncai` itself does not have; loaded only after a failed look-up."""

from __future__ import annotations

import sys

__all__ = ['HOMES', 'remedy']

_NAMES = {
    'approvals': ('Decision',),
    'batch': ('BatchCounts', 'BatchJob', 'BatchPart', 'BatchState'),
    'budgets': ('Budget', 'DjangoCache', 'Memory', 'Redis', 'SQLite', 'Spent', 'budget', 'remove_budget', 'spending'),
    'content': ('MultiModalContent', 'UrlContent', 'UserContent'),
    'conversations': (
        'Conversation',
        'Fit',
        'Keep',
        'Last',
        'MemoryStore',
        'OnOpen',
        'Record',
        'RedisStore',
        'SQLiteStore',
        'Save',
        'Store',
        'messages_of',
        'record_of',
    ),
    'events': (
        'AgentStreamEvent',
        'FinalResultEvent',
        'FunctionToolCallEvent',
        'FunctionToolResultEvent',
        'PartDeltaEvent',
        'PartEndEvent',
        'PartStartEvent',
        'ResponseEndEvent',
        'ResultRefusedEvent',
        'ToolCallPausedEvent',
    ),
    'journal': (
        'Entry',
        'Fingerprint',
        'Journal',
        'OpenJournal',
        'RowCodec',
        'key_text',
        'key_value',
        'messages_text',
        'prompt_key',
        'prompt_messages',
        'prompt_of',
    ),
    'limits': ('ProviderLimits', 'limit', 'remove_limit'),
    'messages': (
        'FinishReason',
        'ModelRequestPart',
        'ModelResponsePart',
        'ModelResponsePartDelta',
        'ModelResponseStreamEvent',
        'RetryPromptPart',
        'SystemPromptPart',
        'TextPart',
        'TextPartDelta',
        'ThinkingPart',
        'ThinkingPartDelta',
        'ToolCallPart',
        'ToolCallPartDelta',
        'ToolReturnPart',
        'UserPromptPart',
    ),
    'models': (
        'ALLOW_MODEL_REQUESTS',
        'KnownModelName',
        'Model',
        'StreamedResponse',
        'check_allow_model_requests',
        'context_window',
        'infer_model',
        'known_model_names',
        'override_allow_model_requests',
    ),
    'models.anthropic': ('AnthropicModel', 'AnthropicModelSettings'),
    'models.bedrock': ('AwsCredentials', 'BedrockModel', 'BedrockModelSettings'),
    'models.fallback': ('FallbackModel', 'FallbackOn'),
    'models.function': (
        'AgentInfo',
        'DeltaToolCall',
        'DeltaToolCalls',
        'FunctionDef',
        'FunctionModel',
        'StreamFunctionDef',
    ),
    'models.google': ('GoogleCredentials', 'GoogleModel', 'GoogleModelSettings', 'GoogleVertexModel'),
    'models.keys': ('AccessToken', 'ApiKey', 'Expiring', 'Secret'),
    'models.openai': ('OpenAIChatModel', 'OpenAIChatModelSettings', 'OpenAIModel', 'OpenAIModelSettings'),
    'models.openai_responses': ('OpenAIResponsesModel', 'OpenAIResponsesModelSettings'),
    'models.test': ('TestModel',),
    'notebook': ('TextStream', 'show'),
    'parameters': ('ModelRequestParameters', 'ResultSchema'),
    'result': ('Step', 'messages_json'),
    'runs': ('ApproveFunction',),
    'settings': (
        'AskOptions',
        'AsyncTransport',
        'ClientCertificate',
        'ThinkingLevel',
        'ToolChoice',
        'check_settings',
        'merge_settings',
    ),
    'stream': (
        'StreamedResponseAsync',
        'StreamedResponseSync',
        'StreamedRunEvents',
        'StreamedRunEventsSync',
        'StreamedRunResult',
        'StreamedRunResultSync',
    ),
    'tape': ('Rewriting', 'Tape', 'TapeMode'),
    'testing': ('BatchPlan', 'ModelServer', 'RecordedRequest', 'Reply', 'ToolCall', 'model_requests_forbidden'),
    'testing.batch_plan': ('BatchEnding',),
    'testing.script': ('Ending',),
    'tools': ('Instructions', 'InstructionsFunction', 'ToolApprove', 'ToolOptions', 'ToolPrepare'),
    'web': (
        'Approval',
        'ChatRequest',
        'EncodedStream',
        'EncodedStreamAsync',
        'ErrorReply',
        'Form',
        'chat_app',
        'encode',
        'encode_async',
        'headers',
        'read_chat',
        'status_of',
    ),
}
# Without `format_as_xml`: that is also the name of its module, which `from syncai import` gives.
HOMES = {name: home for home, names in _NAMES.items() for name in names}
"""The module of each name."""

_ASK = "`ask('What is ...?')`, or `Agent('openai:gpt-5.4-mini').run_sync('...')`"
_AGENT = "`Agent('openai:gpt-5.4-mini')`, or for a model by itself `OpenAIChatModel('...')` of `syncai.models.openai`"
_STREAM = "`with Agent('openai:gpt-5.4-mini').run_stream_sync('...') as stream`"
_KEY = "`OpenAIChatModel('gpt-5.4-mini', api_key=...)` of `syncai.models.openai`, or set OPENAI_API_KEY"
_RESULT_TYPE = '`result_type=...` of an agent or a run, which takes any type'
_TOOL = '`@agent.tool_plain`, or `Tool(function)`'
_LOGS = "`logging.getLogger('syncai').setLevel('DEBUG')`, or `syncai.debug()` for the open calls"
_BY_NAME = "`OpenAIChatModel('name', base_url=...)` of `syncai.models.openai`, or `Agent('{}:name')`"
_OTHERS = {
    **dict.fromkeys(('chat', 'complete', 'completion', 'completions', 'generate', 'prompt', 'query', 'run'), _ASK),
    **dict.fromkeys(('run_sync', 'responses', 'message', 'text', 'Chain', 'Predict', 'Runner', 'Signature'), _ASK),
    **dict.fromkeys(('acompletion', 'aask', 'ask_async'), "`await Agent('openai:gpt-5.4-mini').run('...')`"),
    **dict.fromkeys(('ask_stream', 'ask_streaming', 'Stream', 'stream_text', 'StreamedResponse'), _STREAM),
    **dict.fromkeys(('Anthropic', 'AsyncAnthropic', 'AsyncOpenAI', 'AzureOpenAI', 'OpenAI', 'OpenAIClient'), _AGENT),
    **dict.fromkeys(('AsyncAgent', 'AsyncClient', 'ChatAgent', 'Chat', 'Client', 'LLM', 'Model', 'SyncAI'), _AGENT),
    **dict.fromkeys(('ChatAnthropic', 'ChatOllama', 'ChatOpenAI', 'init_chat_model', 'from_openai', 'patch'), _AGENT),
    **dict.fromkeys(('instructor', 'openai', 'LM', 'ChatPromptTemplate', 'PromptTemplate', 'Prompt'), _AGENT),
    **dict.fromkeys(('api_key', 'config', 'configure', 'set_key', 'OpenAIProvider', 'Provider', 'providers'), _KEY),
    **dict.fromkeys(('default_model', 'set_model'), 'the environment variable SYNCAI_MODEL, or `Agent(model)`'),
    **dict.fromkeys(('function_tool', 'tool', 'FunctionTool', 'FunctionToolset', 'Toolset', 'StructuredTool'), _TOOL),
    **dict.fromkeys(('MCPServer', 'MCPServerStdio', 'MCPServerHTTP'), _TOOL),
    **dict.fromkeys(('NativeOutput', 'PromptedOutput', 'ToolOutput'), "`Agent(..., result_mode='native')`"),
    **dict.fromkeys(('BaseModel', 'Field'), '`from pydantic import BaseModel, Field`'),
    **dict.fromkeys(('StructuredOutput', 'StructuredDict', 'TextOutput'), _RESULT_TYPE),
    **dict.fromkeys(
        ('AIMessage', 'ChatMessage', 'HumanMessage', 'Message', 'SystemMessage', 'UserMessage', 'UserPrompt'),
        "`ModelRequest.user_text_prompt('...')`, or `messages_from_openai([{'role': 'user', 'content': '...'}])`",
    ),
    **dict.fromkeys(('APIError', 'AgentError', 'LLMError', 'OpenAIError'), '`ModelAPIError`, or `AgentRunError`'),
    **dict.fromkeys(('APIConnectionError', 'ConnectionError'), '`ModelConnectionError`'),
    **dict.fromkeys(('APIStatusError', 'HTTPError', 'ModelHttpError'), '`ModelHTTPError`'),
    **dict.fromkeys(('APITimeoutError', 'Timeout', 'TimeoutError'), '`ModelTimeoutError`'),
    'InternalServerError': '`ServerError`',
    'UnexpectedModelBehaviour': '`UnexpectedModelBehavior`',
    'UnprocessableEntityError': '`BadRequestError`',
    **dict.fromkeys(('File', 'Image', 'ImageContent'), '`BinaryContent.from_path(path)` or `ImageUrl`'),
    **dict.fromkeys(('Limits', 'RunUsage', 'UsageLimit'), '`UsageLimits`, or `Usage` for what was used'),
    **dict.fromkeys(('AgentResult', 'AgentRunResult', 'Result', 'RunResultSync'), '`RunResult`'),
    **dict.fromkeys(('enable_logging', 'log', 'logger', 'set_debug', 'verbose'), _LOGS),
    **dict.fromkeys(('Settings', 'GenerateConfig'), '`ModelSettings`, or `HttpOptions` for connections'),
    **dict.fromkeys(('FakeModel', 'FakeListChatModel', 'MockModel'), '`from syncai.models.test import TestModel`'),
    **dict.fromkeys(('FakeServer', 'MockServer'), '`from syncai.testing import ModelServer`'),
    **dict.fromkeys(('ClaudeModel', 'Claude'), '`from syncai.models.anthropic import AnthropicModel`'),
    **dict.fromkeys(('Gemini', 'GeminiModel'), '`from syncai.models.google import GoogleModel`'),
    **{
        f'{name}Model': _BY_NAME.format(name.lower())
        for name in ('Groq', 'Mistral', 'Ollama', 'OpenRouter', 'DeepSeek', 'Cerebras', 'HuggingFace')
    },
    **dict.fromkeys(('AzureModel', 'AzureOpenAIModel'), "`Agent('azure:name')`"),
    **dict.fromkeys(
        ('embed', 'embedding', 'Embedding', 'embeddings', 'image', 'transcribe', 'Embedder'),
        "code for the provider's own client: syncai only asks models for answers",
    ),
    'version': '`syncai.__version__`',
}


def remedy(package: str, name: str) -> str | None:
    """What to write for a name that a module does not have, in backticks; None where that is not known."""
    names: list[str] = sys.modules['syncai'].__all__  # loaded before each of its modules
    homes = {**HOMES, **dict.fromkeys(names, '')}
    if name not in homes and name in _OTHERS:
        return _OTHERS[name]
    if name not in homes:
        from difflib import get_close_matches

        folded = {one.lower(): one for one in homes}
        near = folded.get(name.lower()) or next(iter(get_close_matches(name, homes, n=1, cutoff=0.8)), None)
        if near is None:
            return None
        name = near
    home = f'syncai.{homes[name]}'.rstrip('.')
    return f'`{name}`' if home == package else f'`from {home} import {name}`'

"""Names of arguments in other libraries, and what to write here instead."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    'OF_FILES',
    'OF_HTTP',
    'OF_LIMIT',
    'OF_MESSAGES',
    'OF_MODELS',
    'OF_READING',
    'OF_RETURNS',
    'OF_SETTINGS',
    'OF_TEST_MODELS',
    'OF_TOOLS',
    'OF_USAGE_LIMITS',
]


def _called(name: str, *others: str) -> dict[str, str]:
    return dict.fromkeys(others, name)


OF_MODELS: Mapping[str, str] = {
    **_called('api_key', 'apikey', 'key', 'token', 'openai_api_key', 'anthropic_api_key', 'google_api_key'),
    **_called('base_url', 'api_base', 'azure_endpoint', 'endpoint', 'host', 'openai_api_base', 'server_url', 'url'),
    **_called('headers', 'default_headers', 'extra_headers'),
    **_called('region', 'aws_region', 'region_name', 'location'),
    **_called('settings', 'model_settings', 'model_kwargs'),
    **dict.fromkeys(('model', 'model_id', 'name'), 'the name of the model is the first argument, or model_name=...'),
    **dict.fromkeys(
        ('max_tokens', 'seed', 'stop', 'temperature', 'top_p'),
        "it is a setting: settings={'temperature': ...}, or that of an agent or a run as model_settings={...}",
    ),
    **dict.fromkeys(('max_retries', 'proxy', 'verify'), 'it belongs to http=HttpOptions(...)'),
    **dict.fromkeys(
        ('timeout', 'request_timeout'),
        'give timeout=... to the run, or http=HttpOptions(idle_timeout=...) to the model',
    ),
    **dict.fromkeys(
        ('client', 'http_client', 'openai_client'), 'write http=HttpOptions(...), which takes a transport=... of httpx'
    ),
    **dict.fromkeys(('stream', 'streaming'), 'a stream is `with agent.run_stream_sync(prompt) as stream`'),
}
OF_SETTINGS: Mapping[str, str] = {
    **_called('thinking', 'effort', 'max_thinking_tokens', 'reasoning', 'reasoning_effort', 'thinking_budget'),
    **_called(
        'max_tokens', 'max_completion_tokens', 'max_length', 'max_new_tokens', 'max_output_tokens', 'num_predict'
    ),
    **_called('max_tokens', 'max_response_tokens', 'max_tokens_to_sample'),
    **_called('stop_sequences', 'stop', 'stop_words'),
    **_called('temperature', 'temp'),
    **_called('timeout', 'request_timeout'),
    **dict.fromkeys(('metadata', 'user'), "write 'extra_body': {...}, which is sent as it is"),
    'model': "give it to the agent or to the run, as model='openai:gpt-5.4-mini'",
    'response_format': 'give result_type=... to the agent or to the run',
    'stream': 'a stream is `with agent.run_stream_sync(prompt) as stream`',
    **_called('extra_headers', 'headers'),
}
OF_HTTP: Mapping[str, str] = {
    **_called('idle_timeout', 'read_timeout', 'sock_read'),
    **_called('proxy', 'proxies'),
    **_called('verify', 'ssl_verify', 'verify_ssl', 'ssl', 'ssl_context'),
    **_called('max_retries', 'retries', 'retry'),
    **_called('max_connections', 'limits', 'pool_size'),
    'timeout': 'give it to the run, as agent.run_sync(prompt, timeout=...); here are connect_timeout, '
    'first_event_timeout and idle_timeout',
    'headers': "give a model OpenAIChatModel(..., headers=...), a run model_settings={'extra_headers': ...}",
    'base_url': "it belongs to the model: OpenAIChatModel('gpt-5.4-mini', base_url=...)",
    'api_key': "it belongs to the model: OpenAIChatModel('gpt-5.4-mini', api_key=...)",
}
OF_USAGE_LIMITS: Mapping[str, str] = {
    **_called('request_limit', 'requests', 'max_requests', 'requests_limit', 'max_turns', 'max_steps'),
    **_called('request_tokens_limit', 'input_tokens_limit', 'prompt_tokens_limit', 'max_input_tokens'),
    **_called('response_tokens_limit', 'output_tokens_limit', 'completion_tokens_limit', 'max_output_tokens'),
    **_called('total_tokens_limit', 'total_tokens', 'tokens', 'token_limit'),
    **_called('tool_calls_limit', 'tool_calls', 'max_tool_calls', 'tool_call_limit'),
    **_called('price_limit', 'cost_limit', 'dollars', 'max_cost', 'budget'),
    'max_tokens': "for one answer it is model_settings={'max_tokens': ...}, for a run response_tokens_limit=...",
}
OF_LIMIT: Mapping[str, str] = {
    **_called('requests_per_minute', 'rpm', 'max_rpm'),
    **_called('tokens_per_minute', 'tpm', 'max_tpm'),
    **_called('max_concurrency', 'concurrency', 'max_parallel', 'max_workers'),
    'requests_per_second': 'write requests_per_minute=60 for one in a second',
    **dict.fromkeys(('provider', 'model'), "its name is the first argument: limit('openai', requests_per_minute=500)"),
}
OF_READING: Mapping[str, str] = {
    **_called('debounce_by', 'debounce', 'debounce_seconds', 'interval', 'throttle'),
    **_called('delta', 'deltas', 'diff', 'incremental'),
    'delta': 'write stream.stream_text(delta=True), which gives the text in pieces',
    'timeout': 'give it to the run, as agent.run_stream_sync(prompt, timeout=...)',
}
OF_MESSAGES: Mapping[str, str] = {
    **dict.fromkeys(
        ('prompt', 'question', 'user_prompt'), "write messages=[ModelRequest.user_text_prompt('...')], or ask('...')"
    ),
    **_called('model_settings', 'settings', 'generation_config'),
    **dict.fromkeys(
        ('max_tokens', 'seed', 'temperature', 'timeout', 'top_p', 'tool_choice'),
        "it is a setting: model_settings={'temperature': ...}",
    ),
    **dict.fromkeys(
        ('output_type', 'response_format', 'result_type', 'tools'),
        'write ask(prompt, result_type), or Agent(..., result_type=..., tools=[...])',
    ),
    'message_history': 'the conversation is messages=[...], with the question as the last one',
    'stream': 'write `with model_request_stream_sync(...) as stream`',
}
OF_TEST_MODELS: Mapping[str, str] = {
    **_called('custom_result_text', 'custom_output_text', 'output', 'reply', 'text'),
    **_called('custom_result_args', 'custom_output_args', 'data'),
}
OF_TOOLS: Mapping[str, str] = {
    **_called('retries', 'retry', 'max_retries'),
    **_called('function', 'fn', 'func', 'callable'),
    **_called('description', 'desc', 'docstring'),
    **_called('takes_ctx', 'takes_context'),
}
OF_RETURNS: Mapping[str, str] = {
    **_called('value', 'return_value', 'result', 'output'),
    **_called('content', 'contents', 'files'),
}
OF_FILES: Mapping[str, str] = {
    **_called('media_type', 'mime_type', 'mimetype', 'content_type', 'mime'),
    **_called('data', 'content', 'bytes', 'blob'),
    **_called('url', 'uri', 'href', 'link'),
    **dict.fromkeys(('path', 'file', 'filename'), 'a file of this machine is BinaryContent.from_path(path)'),
}

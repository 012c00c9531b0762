"""Remedies for unknown options of agents and runs: names of other libraries, and options of another place."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from .._base.other_arguments import OF_SETTINGS
from ..models import Model
from ..models._catalog.classes import code_of_model
from ..models._infer import provider_and_name
from ..runs import RunOptions
from ..settings import ModelSettings
from ..usage import UsageLimits

RUN_OPTIONS = (*RunOptions.__annotations__, 'result_type', 'answers')  # the last is an argument of `resume` and `step`
_OF_AGENTS = (
    'deps_type',
    'end_strategy',
    'instrument',
    'result_mode',
    'result_retries',
    'result_tool_description',
    'result_tool_name',
    'name',
    'retries',
)
_OF_MODELS = ('api_key', 'api_version', 'base_url', 'default_query', 'http', 'organization', 'project', 'region')

_SAME: Mapping[str, str] = {
    'context': 'deps',
    'dependencies': 'deps',
    'variables': 'deps',
    'vars': 'deps',
    'functions': 'tools',
    'tool_functions': 'tools',
    'toolsets': 'tools',
    'llm': 'model',
    'max_retries': 'retries',
    'model_id': 'model',
    'model_name': 'model',
    'output_mode': 'result_mode',
    'output_retries': 'result_retries',
    'format': 'result_type',
    'json': 'result_type',
    'json_mode': 'result_type',
    'json_schema': 'result_type',
    'output': 'result_type',
    'output_schema': 'result_type',
    'output_type': 'result_type',
    'response_format': 'result_type',
    'response_model': 'result_type',
    'response_schema': 'result_type',
    'response_type': 'result_type',
    'result': 'result_type',
    'return_type': 'result_type',
    'schema': 'result_type',
    'structured_output': 'result_type',
    'type': 'result_type',
    'generation_config': 'model_settings',
    'model_kwargs': 'model_settings',
    'settings': 'model_settings',
    'chat_history': 'message_history',
    'history': 'message_history',
    'memory': 'message_history',
    'messages': 'message_history',
    'backstory': 'system_prompt',
    'description': 'system_prompt',
    'goal': 'system_prompt',
    'role': 'system_prompt',
    'system': 'system_prompt',
    'system_instruction': 'system_prompt',
    'system_message': 'system_prompt',
    'system_prompts': 'system_prompt',
    'deadline': 'timeout',
    'max_time': 'timeout',
    'request_timeout': 'timeout',
    'timeout_seconds': 'timeout',
}
"""Names of other libraries, and the names of the same things here."""

_CONVERSATION = "a conversation that is kept is agent.conversation('id').run_sync(prompt)"
_EVENTS = 'events are read in a loop: `with agent.run_stream_events_sync(prompt) as events`'
_CHECKS = 'a check of the result is registered with @agent.result_validator'
_EXTRA = "to the provider it goes as model_settings={'extra_body': ...}"
_LOGS = "write logging.getLogger('syncai').setLevel('DEBUG'), or call syncai.debug()"
_LIMIT = 'it is a limit of runs: usage_limits=UsageLimits({}=...)'
_OTHER: Mapping[str, str] = {
    **dict.fromkeys(('chat_id', 'conversation_id', 'id', 'session', 'session_id', 'store', 'thread_id'), _CONVERSATION),
    **dict.fromkeys(('callback', 'callbacks', 'event_stream_handler', 'hooks', 'on_event', 'on_token'), _EVENTS),
    **dict.fromkeys(('guardrails', 'input_guardrails', 'output_guardrails', 'output_validator'), _CHECKS),
    **dict.fromkeys(('result_validator', 'validate', 'validator', 'validators'), _CHECKS),
    **dict.fromkeys(
        ('max_iterations', 'max_iter', 'max_requests', 'max_rounds', 'max_steps', 'max_turns', 'recursion_limit'),
        _LIMIT.format('request_limit'),
    ),
    **dict.fromkeys(('limit', 'limits', 'request_limit'), _LIMIT.format('request_limit')),
    **dict.fromkeys(('max_tool_calls', 'tool_calls_limit'), _LIMIT.format('tool_calls_limit')),
    **dict.fromkeys(('max_total_tokens', 'total_tokens_limit'), _LIMIT.format('total_tokens_limit')),
    **dict.fromkeys(('budget', 'max_cost', 'price_limit'), _LIMIT.format('price_limit')),
    **dict.fromkeys(('debounce_by', 'delta'), 'it belongs to a method of the stream: stream.stream_text(delta=True)'),
    **dict.fromkeys(('debug', 'verbose'), _LOGS),
    **dict.fromkeys(('metadata', 'tags', 'user', 'user_id'), _EXTRA),
    **dict.fromkeys(
        ('http_client', 'proxies', 'proxy', 'ssl_verify', 'transport', 'verify'),
        "it belongs to the model: OpenAIChatModel('gpt-5.4-mini', http=HttpOptions(...))",
    ),
    **dict.fromkeys(
        ('api_base', 'client', 'default_headers', 'endpoint', 'headers', 'host', 'url'),
        "it belongs to the model: OpenAIChatModel('gpt-5.4-mini', base_url=..., api_key=..., headers=...)",
    ),
    **dict.fromkeys(('rate_limit', 'rpm', 'tpm'), "write syncai.limits.limit('openai', requests_per_minute=...)"),
    **dict.fromkeys(('mcp', 'mcp_servers', 'builtin_tools'), 'tools are functions: tools=[...], or @agent.tool_plain'),
    **dict.fromkeys(('handoffs', 'sub_agents', 'agents'), 'a tool may run another agent: write a function that does'),
    **dict.fromkeys(('max_thinking_tokens', 'thinking_budget'), "it is a setting: model_settings={'thinking': ...}"),
    **dict.fromkeys(('n', 'num_responses'), 'write agent.map_sync([prompt] * n)'),
    'provider': "it is the first part of the name of the model: 'openai:gpt-5.4-mini'",
    'streaming': 'write agent.run_stream_sync(prompt)',
    'cache': 'answers are kept by agent.map_sync(prompts, journal=...), or in tests by a tape',
}
"""What to write in place of further names."""

_CONCURRENCY = frozenset({'concurrency', 'max_workers', 'n_jobs', 'num_workers', 'parallel', 'threads', 'workers'})
_OF_MAPS = frozenset(
    {'dollars', 'executor', 'journal', 'key', 'max_concurrency', 'on_change', 'ordered', 'progress', 'retry_failed'}
    | {'return_exceptions', 'share'}
)
_MAP_ARGUMENTS: Mapping[str, str] = {
    **dict.fromkeys(('as_completed', 'order', 'unordered'), 'rows come as they end with ordered=False'),
    **dict.fromkeys(
        ('errors', 'ignore_errors', 'on_error', 'raise_errors', 'raise_exceptions', 'return_errors'),
        'rows of failed runs come, with their `.error`, with return_exceptions=True',
    ),
    **dict.fromkeys(('show_progress', 'tqdm'), 'the progress of a map is shown with progress=True'),
    **dict.fromkeys(('checkpoint', 'resume'), "a map goes on where it stopped with journal='run.sqlite'"),
    **dict.fromkeys(('batch_size', 'chunk_size', 'chunksize'), 'the number of runs at a time is max_concurrency=...'),
    **dict.fromkeys(('prompt_template', 'template'), 'prompts are made of the items by prompt=lambda item: ...'),
}
_FILES = frozenset({'attachments', 'audio', 'documents', 'file', 'files', 'image', 'images', 'pdf', 'urls'})
_PROMPTS = ('content', 'input', 'message', 'prompt', 'question', 'query', 'text', 'user_message')


def unknown_option_of_agent(name: str, model: object, names: Collection[str]) -> str:
    """The error text for an argument that agents do not have."""
    return f'Unknown argument {name!r} of an agent: {_meant_of_agent(name, model, names)}'


def unknown_option_of_run(name: str) -> str:
    """The error text for an option that runs do not have."""
    return f'Unknown option {name!r} of a run: {_meant_of_run(name)}'


def argument_without_name(call: str, value: object, number: str = 'timeout') -> str:
    """The error text for a second value without a name.

    Args:
        call: The call as it is to be written, with a placeholder for the name.
        value: The value, whose type says what it is meant as.
        number: What a number is meant as.
    """
    if isinstance(value, str | Model):
        name = 'model'
    elif isinstance(value, int | float):
        name = number
    elif isinstance(value, UsageLimits):
        name = 'usage_limits'
    elif isinstance(value, dict):
        name = 'model_settings'
    elif isinstance(value, list | tuple):
        name = 'tools' if value and callable(value[0]) else 'message_history'
    else:
        name = 'result_type' if isinstance(value, type) or hasattr(value, '__origin__') else 'deps'
    return f'Of the arguments of a run only the first has no name: write {call.format(name)}'


def _meant_of_agent(name: str, model: object, names: Collection[str]) -> str:
    same = _SAME.get(name, name)
    if same in ('deps', 'deps_type'):
        return 'give deps=... to the run, and its type to the agent as deps_type=...'
    if same in names and same != 'model':
        return f'it is called {same}=... here'
    if same == 'model':
        return "write Agent('openai:gpt-5.4-mini')"
    if name in _OF_MODELS:
        return f'it belongs to the model: Agent({_model_with(name, model)})'
    if same != 'timeout' and (setting := _setting(same)):
        return f'it is a setting of the model: Agent(..., model_settings={{{setting!r}: ...}})'
    if same in RUN_OPTIONS:
        return f'it is an option of a run: agent.run_sync(prompt, {same}=...)'
    if name == 'stream':
        return 'write agent.run_stream_sync(prompt)'
    if name in _PROMPTS:
        return 'the prompt is given to the run: agent.run_sync(prompt)'
    if remedy := _elsewhere(name):
        return remedy
    return _near(name, [known_name for known_name in names if known_name != 'self'])


def _meant_of_run(name: str) -> str:
    same = _SAME.get(name, name)
    if same in RUN_OPTIONS:
        return f'it is called {same}=... here'
    if setting := _setting(same):
        return f'it is a setting of the model: model_settings={{{setting!r}: ...}}'
    if same == 'system_prompt':
        return 'it belongs to the agent: Agent(..., system_prompt=...); one run takes instructions=...'
    if same in _OF_AGENTS:
        return f'it belongs to the agent: Agent(..., {same}=...)'
    if name in _OF_MODELS:
        return f'it belongs to the model: model={_model_with(name, None)}'
    if name in _PROMPTS:
        return 'the prompt is the first argument, or user_prompt=...'
    if name == 'stream':
        return 'write agent.run_stream_sync(prompt)'
    if remedy := _elsewhere(name):
        return remedy
    return _near(name, RUN_OPTIONS)


def _elsewhere(name: str) -> str | None:
    """What to write for a name that is an option of neither agents nor runs."""
    if name in _OF_MAPS:
        return f'it is an option of many runs: agent.map_sync(prompts, {name}=...)'
    if name in _CONCURRENCY:
        return 'the number of runs at a time is agent.map_sync(prompts, max_concurrency=...)'
    if name in _FILES:
        return "files are a part of the prompt: agent.run_sync(['What is this?', pathlib.Path('page.png')])"
    return _OTHER.get(name) or _MAP_ARGUMENTS.get(name)


def _setting(name: str) -> str | None:
    setting = OF_SETTINGS.get(name, name)
    return setting if setting in ModelSettings.__annotations__ else None


def _model_with(argument: str, model: object) -> str:
    """Code that makes a model with an argument: the model in use if it has a name, else an example."""
    if isinstance(model, Model):
        return f'{type(model).__name__}({model.model_name!r}, {argument}=...)'
    provider, name = provider_and_name(model) if isinstance(model, str) else ('openai', 'gpt-5.4-mini')
    return code_of_model(*(('openai', 'name') if provider == 'test' else (provider, name)), f'{argument}=...')


def _near(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.72)
    return f'did you mean {near[0]!r}?' if near else f'known are {", ".join(sorted(names))}'

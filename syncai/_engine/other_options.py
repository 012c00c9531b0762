"""Remedies for unknown options of agents and runs: names of other libraries, and options of another place."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from ..models import Model
from ..models._catalog.classes import code_of_model
from ..models._infer import provider_and_name
from ..runs import RunOptions
from ..settings import ModelSettings

RUN_OPTIONS = (*RunOptions.__annotations__, 'result_type', 'answers')  # the last is an argument of `resume` and `step`
_OF_AGENTS = (
    'deps_type',
    'end_strategy',
    'instrument',
    'result_mode',
    'result_retries',
    'result_tool_description',
    'result_tool_name',
    'retries',
)
_OF_MODELS = ('api_key', 'api_version', 'base_url', 'default_query', 'http', 'organization', 'project', 'region')

_SAME: Mapping[str, str] = {
    'context': 'deps',
    'dependencies': 'deps',
    'functions': 'tools',
    'llm': 'model',
    'max_retries': 'retries',
    'model_name': 'model',
    'output_mode': 'result_mode',
    'output_retries': 'result_retries',
    'output_schema': 'result_type',
    'output_type': 'result_type',
    'response_format': 'result_type',
    'response_model': 'result_type',
    'response_type': 'result_type',
    'return_type': 'result_type',
    'schema': 'result_type',
    'settings': 'model_settings',
    'chat_history': 'message_history',
    'history': 'message_history',
    'messages': 'message_history',
    'role': 'system_prompt',
    'system': 'system_prompt',
    'system_instruction': 'system_prompt',
    'system_message': 'system_prompt',
    'system_prompts': 'system_prompt',
}
"""Names of other libraries, and the names of the same things here."""

_SETTINGS: Mapping[str, str] = {
    'effort': 'thinking',
    'max_completion_tokens': 'max_tokens',
    'max_output_tokens': 'max_tokens',
    'reasoning': 'thinking',
    'reasoning_effort': 'thinking',
    'stop': 'stop_sequences',
}
_CONCURRENCY = frozenset({'concurrency', 'max_workers', 'n_jobs', 'num_workers', 'parallel', 'threads', 'workers'})
_FILES = frozenset({'attachments', 'documents', 'file', 'files', 'image', 'images', 'pdf'})
_PROMPTS = ('content', 'input', 'message', 'prompt', 'question', 'text', 'user_message')


def unknown_option_of_agent(name: str, model: object, known: Collection[str]) -> str:
    """The error text for an argument that agents do not have."""
    return f'Unknown argument {name!r} of an agent: {_meant_of_agent(name, model, known)}'


def unknown_option_of_run(name: str) -> str:
    """The error text for an option that runs do not have."""
    return f'Unknown option {name!r} of a run: {_meant_of_run(name)}'


def _meant_of_agent(name: str, model: object, known: Collection[str]) -> str:
    same = _SAME.get(name, name)
    if same in ('deps', 'deps_type'):
        return 'give deps=... to the run, and its type to the agent as deps_type=...'
    if same in known and same != 'model':
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
    return _near(name, [known_name for known_name in known if known_name != 'self'])


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
    if name in _CONCURRENCY:
        return 'the number of runs at a time is agent.map_sync(prompts, max_concurrency=...)'
    if name in _FILES:
        return "files are a part of the prompt: agent.run_sync(['What is this?', pathlib.Path('page.png')])"
    return _near(name, RUN_OPTIONS)


def _setting(name: str) -> str | None:
    setting = _SETTINGS.get(name, name)
    return setting if setting in ModelSettings.__annotations__ else None


def _model_with(argument: str, model: object) -> str:
    """Code that makes a model with an argument: the model in use if it has a name, else an example."""
    if isinstance(model, Model):
        return f'{type(model).__name__}({model.model_name!r}, {argument}=...)'
    provider, name = provider_and_name(model) if isinstance(model, str) else ('openai', 'gpt-5.4-mini')
    return code_of_model(*(('openai', 'name') if provider == 'test' else (provider, name)), f'{argument}=...')


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f'did you mean {near[0]!r}?' if near else f'known are {", ".join(sorted(known))}'

"""A request of Anthropic Messages from messages, settings and parameters; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...exceptions import UserError
from ...messages import ModelMessage
from ...parameters import ToolDefinition
from ...settings import is_header_value
from .._catalog.providers import Provider
from .._http.answers import warn_dropped, warn_strict, warn_unknown
from .._http.extra_body import with_extra_body
from .._http.requests import chosen_names, offered_tools
from .container import container_of
from .content import text_block
from .messages import anthropic_messages, system_texts
from .models import ModelTraits, traits_of
from .schema import anthropic_schema
from .thinking import Thinking, thinking_of

if TYPE_CHECKING:
    from ...parameters import ModelRequestParameters

_PROVIDER_FIELDS = {
    'anthropic_metadata': 'metadata',
    'anthropic_service_tier': 'service_tier',
    'anthropic_speed': 'speed',
    'anthropic_inference_geo': 'inference_geo',
}
_OWN_SETTINGS = frozenset(
    {
        'anthropic_betas',
        'anthropic_container',
        'anthropic_cache',
        'anthropic_effort',
        'anthropic_thinking',
        *_PROVIDER_FIELDS,
    }
)
_UNSUPPORTED = ('frequency_penalty', 'logit_bias', 'presence_penalty', 'seed')
_BINDING_BETA = 'thinking-binding-controls-2026-08-01'
_THOUGHTS = ('thinking', 'redacted_thinking')
_CACHED = ('tools', 'system', 'messages')
_LIFETIMES = ('1h', '5m')  # the API refuses a longer lifetime after a shorter one
_LEAST_TOP_P_WITH_THINKING = 0.95


def anthropic_request(
    model_name: str,
    provider: Provider,
    messages: Sequence[ModelMessage],
    settings: Mapping[str, Any],
    parameters: ModelRequestParameters,
    *,
    stream: bool,
    traits: ModelTraits | None = None,
) -> dict[str, Any]:
    """The JSON body of the request; `traits` are the features of the model, or None to look them up by its name.

    Raises:
        UserError: The request asks for a feature that the model lacks; names it.
    """
    traits = traits or traits_of(model_name)
    turns = anthropic_messages(messages, provider.name)
    thinking = thinking_of(model_name, provider, traits, settings, possible=not _lacks_thoughts(turns))
    body: dict[str, Any] = {'model': model_name, 'max_tokens': thinking.max_tokens, 'messages': turns}
    cached = cache_lifetimes(settings, 'anthropic_cache')
    system = system_texts(messages, cached='system' in cached)
    if system:
        body['system'] = '\n\n'.join(system)
    body.update(_tools(model_name, provider, traits, settings, parameters, thinking) or _tools_of_history(turns))
    field = thinking.field if settings.get('anthropic_thinking') else _with_binding(thinking.field, traits, turns)
    if field is not None:
        body['thinking'] = field
    if output_config := _output_config(model_name, traits, parameters, thinking):
        body['output_config'] = output_config
    body.update(_settings(model_name, provider, traits, settings, thinking))
    if container := container_of(settings.get('anthropic_container'), messages, provider.name):
        body['container'] = container
    body['stream'] = stream
    _mark_for_cache(body, system, cached)
    return with_extra_body(body, settings)


def beta_header(settings: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, str]:
    """The header with the names in `anthropic_betas`, and those that the body needs.

    Raises:
        UserError: `anthropic_betas` is not a list of names.
    """
    betas = settings.get('anthropic_betas') or []
    if not isinstance(betas, list | tuple) or not all(is_header_value(beta) for beta in betas):
        raise UserError("anthropic_betas must be a list of names such as ['files-api-2025-04-14']")
    needed = [_BINDING_BETA] if 'block_binding' in (body.get('thinking') or {}) else []
    names = dict.fromkeys([*betas, *needed])
    return {'anthropic-beta': ','.join(names)} if names else {}


def _with_binding(
    field: dict[str, Any] | None, traits: ModelTraits, turns: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """The request's `thinking`, set so that thoughts which no longer match the text before them are dropped.

    The newest models tie a thought to the instructions, tools and turns before it, which may change from one request to
    the next. Otherwise they refuse the request; see
    https://platform.claude.com/docs/en/build-with-claude/preserved-thinking.
    """
    kinds = {block.get('type') for turn in turns if turn['role'] == 'assistant' for block in turn['content']}
    if not traits.binds_thoughts or kinds.isdisjoint(_THOUGHTS) or (field and field['type'] != 'adaptive'):
        return field
    return {'type': 'adaptive', **(field or {}), 'block_binding': {'prefix_mismatch_behavior': 'drop_block'}}


def _lacks_thoughts(turns: Sequence[dict[str, Any]]) -> bool:
    """Whether the last tool calls were made without thinking, by a model without it or of another provider. A request
    with a thinking budget cannot continue from there: such a turn must begin with thoughts.
    """
    if len(turns) < 2 or turns[-1]['content'][0]['type'] != 'tool_result':
        return False
    return turns[-2]['content'][0].get('type') not in _THOUGHTS


# --- settings ---------------------------------------------------------------------------------------------------------


def _settings(
    model_name: str, provider: Provider, traits: ModelTraits, settings: Mapping[str, Any], thinking: Thinking
) -> Iterator[tuple[str, Any]]:
    for name in _UNSUPPORTED:
        if settings.get(name) is not None:
            warn_dropped(name, model_name, provider)
    for name in ('temperature', 'top_p', 'top_k'):
        if settings.get(name) is None:
            continue
        if takes_sampling(name, traits, settings, thinking):
            yield name, settings[name]
        else:
            warn_dropped(name, model_name, provider)
    if settings.get('stop_sequences'):
        yield 'stop_sequences', list(settings['stop_sequences'])
    for name, field in _PROVIDER_FIELDS.items():
        if settings.get(name) is not None:
            yield field, settings[name]
    warn_unknown(settings, 'anthropic_', _OWN_SETTINGS, model_name, provider)


def takes_sampling(name: str, traits: ModelTraits, settings: Mapping[str, Any], thinking: Thinking) -> bool:
    """Whether the model takes a sampling setting together with the others."""
    if traits.sampling == 'none':
        return False
    if name == 'top_p' and traits.sampling == 'one' and settings.get('temperature') is not None:
        return False
    least = {'temperature': 1, 'top_p': _LEAST_TOP_P_WITH_THINKING}.get(name)
    return not thinking.asked_for or (least is not None and bool(settings[name] >= least))


def _output_config(
    model_name: str, traits: ModelTraits, parameters: ModelRequestParameters, thinking: Thinking
) -> dict[str, Any]:
    config: dict[str, Any] = {'effort': thinking.effort} if thinking.effort else {}
    schema = parameters.result_schema
    if parameters.result_mode == 'native' and schema is not None:
        if not traits.structured:
            raise UserError(f"{model_name} cannot hold an answer to a JSON schema: use result_mode 'tool'")
        described = {'description': schema.description} if schema.description else {}
        config['format'] = {'type': 'json_schema', 'schema': anthropic_schema({**described, **schema.schema})}
    elif parameters.json_object and parameters.result_mode != 'prompted':
        raise UserError(
            'Anthropic cannot hold an answer to JSON without a schema: '
            "give result_schema with result_mode 'native', or ask for JSON in the prompt"
        )
    return config


# --- tools ------------------------------------------------------------------------------------------------------------


def _tools(
    model_name: str,
    provider: Provider,
    traits: ModelTraits,
    settings: Mapping[str, Any],
    parameters: ModelRequestParameters,
    thinking: Thinking,
) -> dict[str, Any]:
    tools, names = offered_tools(settings, parameters), chosen_names(settings)
    choice = settings.get('tool_choice')
    if not tools:
        return {}
    if not traits.structured:
        warn_strict(tools, model_name, provider)
    forced = choice == 'required' or bool(names) or (choice is None and not parameters.allow_text_result)
    possible = traits.forced_tools == 'always' or (traits.forced_tools == 'without_thinking' and not thinking.asked_for)
    if forced and not possible and choice is not None:
        warn_dropped('tool_choice', model_name, provider)
    forced = forced and possible
    one = forced and len(names) == 1
    # A choice of several tools, or one that cannot be forced, is made by offering only these.
    offered = [tool for tool in tools if one or not names or tool.name in names]
    tool_choice: dict[str, Any] = {'type': 'none' if choice == 'none' else 'any' if forced else 'auto'}
    if one:
        tool_choice = {'type': 'tool', 'name': names[0]}
    parallel = settings.get('parallel_tool_calls')
    if parallel is not None and choice != 'none':
        tool_choice['disable_parallel_tool_use'] = not parallel
    return {'tools': [_tool(tool, traits) for tool in offered], 'tool_choice': tool_choice}


def _tool(tool: ToolDefinition, traits: ModelTraits) -> dict[str, Any]:
    schema = tool.parameters_json_schema
    strict = tool.strict if traits.structured else None
    form: dict[str, Any] = {
        'name': tool.name,
        'description': tool.description,
        'input_schema': anthropic_schema(schema) if strict else {'type': 'object', **schema},
    }
    return form if strict is None else {**form, 'strict': strict}


def _tools_of_history(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Names of the tools called before, if no tool may be called now: the API requires their definitions."""
    blocks = [block for turn in turns for block in turn['content'] if block['type'] == 'tool_use']
    names = dict.fromkeys(block['name'] for block in blocks)
    if not names:
        return {}
    stubs = [{'name': name, 'description': '', 'input_schema': {'type': 'object'}} for name in names]
    return {'tools': stubs, 'tool_choice': {'type': 'none'}}


# --- prompt caching ---------------------------------------------------------------------------------------------------


def _mark_for_cache(body: dict[str, Any], system: Sequence[str], lifetimes: Mapping[str, str]) -> None:
    """Mark the last tool, the end of each system text and of the last user turn, as `anthropic_cache` asks."""
    if 'tools' in lifetimes and body.get('tools'):
        body['tools'][-1] = {**body['tools'][-1], **_marker(lifetimes['tools'])}
    if 'system' in lifetimes and system:
        body['system'] = [{**text_block(text), **_marker(lifetimes['system'])} for text in system]
    if 'messages' in lifetimes:
        last = next(turn for turn in reversed(body['messages']) if turn['role'] == 'user')
        last['content'][-1] = {**last['content'][-1], **_marker(lifetimes['messages'])}


def _marker(lifetime: str) -> dict[str, Any]:
    return {'cache_control': {'type': 'ephemeral', 'ttl': lifetime}}


def cache_lifetimes(settings: Mapping[str, Any], setting: str) -> Mapping[str, str]:
    """The cache lifetimes of tools, system prompts and messages that the setting names.

    Raises:
        UserError: The setting is invalid.
    """
    value = settings.get(setting)
    if not value:
        return {}
    lifetimes = dict.fromkeys(_CACHED, '5m') if value is True else value
    if isinstance(lifetimes, Mapping) and set(lifetimes) <= set(_CACHED):
        in_order = [lifetimes[name] for name in _CACHED if name in lifetimes]
        if all(one in _LIFETIMES for one in in_order) and in_order == sorted(in_order, key=_LIFETIMES.index):
            return lifetimes
    raise UserError(
        f"{setting} must be True or a dict such as {{'tools': '1h', 'system': '1h', 'messages': '5m'}}, "
        f"in which '1h' does not come after '5m', not {value!r:.100}"
    )

"""A request of Converse from messages, settings and parameters; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..._base.values import to_json_str
from ..._providers.provider import Provider
from ...exceptions import UserError
from ...messages import ModelMessage
from ...parameters import ToolDefinition
from .._anthropic.messages import system_texts
from .._anthropic.models import traits_of
from .._anthropic.request import cache_lifetimes, takes_sampling
from .._anthropic.schema import anthropic_schema
from .._http.answers import warn_dropped, warn_strict, warn_unknown
from .._http.extra_body import with_extra_body
from .._http.requests import chosen_names, offered_tools
from .messages import converse_messages
from .thinking import BedrockThinking, thinking_of_bedrock

if TYPE_CHECKING:
    from ...parameters import ModelRequestParameters

_PROVIDER_FIELDS = {
    'bedrock_guardrail': 'guardrailConfig',
    'bedrock_performance': 'performanceConfig',
    'bedrock_prompt_variables': 'promptVariables',
    'bedrock_request_metadata': 'requestMetadata',
    'bedrock_response_fields': 'additionalModelResponseFieldPaths',
    'bedrock_service_tier': 'serviceTier',
}
_OWN_SETTINGS = frozenset({'bedrock_cache', 'bedrock_request_fields', *_PROVIDER_FIELDS})
_UNSUPPORTED = ('frequency_penalty', 'logit_bias', 'parallel_tool_calls', 'presence_penalty', 'seed')
_INFERENCE_FIELDS = {'temperature': 'temperature', 'top_p': 'topP', 'stop_sequences': 'stopSequences'}


def converse_request(
    model_name: str,
    provider: Provider,
    messages: Sequence[ModelMessage],
    settings: Mapping[str, Any],
    parameters: ModelRequestParameters,
) -> dict[str, Any]:
    """The JSON body of the request; the same for a stream, which only has another address.

    Raises:
        UserError: The request asks for a feature that the model lacks; names it.
    """
    turns = converse_messages(messages, provider.name, status=_is_one_of(model_name, 'claude', 'nova'))
    thinking = thinking_of_bedrock(model_name, provider, settings, turns)
    cached = cache_lifetimes(settings, 'bedrock_cache')
    body: dict[str, Any] = {'messages': turns}
    if system := [{'text': text} for text in system_texts(messages, cached='system' in cached)]:
        body['system'] = _with_marks(system, cached.get('system'))
    if inference := dict(_inference(model_name, provider, settings, thinking)):
        body['inferenceConfig'] = inference
    if tools := _tools(model_name, provider, settings, parameters, thinking) or _tools_of_history(turns):
        body['toolConfig'] = tools
        tools['tools'] += _mark(cached.get('tools'))
    if 'messages' in cached:
        last = next(turn for turn in reversed(turns) if turn['role'] == 'user')
        last['content'] += _mark(cached['messages'])
    if output := _output_config(model_name, parameters):
        body['outputConfig'] = output
    fields = {**_top_k(model_name, provider, settings), **thinking.fields}
    if fields := {**fields, **(settings.get('bedrock_request_fields') or {})}:
        body['additionalModelRequestFields'] = fields
    body |= {field: settings[name] for name, field in _PROVIDER_FIELDS.items() if settings.get(name) is not None}
    return with_extra_body(body, settings)


def _is_one_of(model_name: str, *families: str) -> bool:
    return any(family in model_name for family in families)


# --- settings ---------------------------------------------------------------------------------------------------------


def _inference(
    model_name: str, provider: Provider, settings: Mapping[str, Any], thinking: BedrockThinking
) -> Iterator[tuple[str, Any]]:
    for name in _UNSUPPORTED:
        if settings.get(name) is not None:
            warn_dropped(name, model_name, provider)
    warn_unknown(settings, 'bedrock_', _OWN_SETTINGS, model_name, provider)
    if thinking.max_tokens is not None:
        yield 'maxTokens', thinking.max_tokens
    for name, field in _INFERENCE_FIELDS.items():
        if settings.get(name) in (None, [], ()):
            continue
        if name == 'stop_sequences':
            yield field, list(settings[name])
        elif _takes(name, model_name, settings, thinking):
            yield field, settings[name]
        else:
            warn_dropped(name, model_name, provider)


def _takes(name: str, model_name: str, settings: Mapping[str, Any], thinking: BedrockThinking) -> bool:
    claude = thinking.of_claude
    return claude is None or takes_sampling(name, traits_of(model_name), settings, claude)


def _top_k(model_name: str, provider: Provider, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Converse has no field for it: each family of models has its own."""
    top_k = settings.get('top_k')
    if top_k is None:
        return {}
    if 'nova' in model_name:
        return {'inferenceConfig': {'topK': top_k}}
    if _is_one_of(model_name, 'mistral') or ('claude' in model_name and traits_of(model_name).sampling != 'none'):
        return {'top_k': top_k}
    warn_dropped('top_k', model_name, provider)
    return {}


def _output_config(model_name: str, parameters: ModelRequestParameters) -> dict[str, Any]:
    schema = parameters.result_schema
    if parameters.result_mode == 'native' and schema is not None:
        if not traits_of(model_name).structured:
            raise UserError(f"{model_name} cannot hold an answer to a JSON schema: use result_mode 'tool'")
        described = {'description': schema.description} if schema.description else {}
        form = {'name': schema.name, 'schema': to_json_str(anthropic_schema(schema.schema)), **described}
        return {'textFormat': {'type': 'json_schema', 'structure': {'jsonSchema': form}}}
    if parameters.json_object and parameters.result_mode != 'prompted':
        raise UserError(
            'Bedrock cannot hold an answer to JSON without a schema: '
            "give result_schema with result_mode 'native', or ask for JSON in the prompt"
        )
    return {}


# --- tools ------------------------------------------------------------------------------------------------------------


def _tools(
    model_name: str,
    provider: Provider,
    settings: Mapping[str, Any],
    parameters: ModelRequestParameters,
    thinking: BedrockThinking,
) -> dict[str, Any]:
    tools, names = offered_tools(settings, parameters), chosen_names(settings)
    choice = settings.get('tool_choice')
    if not tools:
        return {}
    if not traits_of(model_name).structured:
        warn_strict(tools, model_name, provider)
    if choice == 'none':  # Converse lacks this choice: no tool is offered, unless one was called before
        return {}
    must = choice == 'required' or bool(names)
    forced = (must and thinking.can_force) or (
        choice is None and not parameters.allow_text_result and thinking.can_force and _can_force(model_name)
    )
    if must and not forced:
        warn_dropped('tool_choice', model_name, provider)
    by_name = forced and len(names) == 1 and _is_one_of(model_name, 'claude', 'nova')
    offered = [tool for tool in tools if by_name or not names or tool.name in names]
    config: dict[str, Any] = {'tools': [_tool(tool, model_name) for tool in offered]}
    if forced:
        config['toolChoice'] = {'tool': {'name': names[0]}} if by_name else {'any': {}}
    elif choice == 'auto':
        config['toolChoice'] = {'auto': {}}
    return config


def _can_force(model_name: str) -> bool:
    """Whether the model is known to take a choice of tools."""
    return _is_one_of(model_name, 'claude', 'nova', 'mistral')


def _tool(tool: ToolDefinition, model_name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {'type': 'object', **tool.parameters_json_schema}
    strict = tool.strict if traits_of(model_name).structured else None
    form: dict[str, Any] = {
        'name': tool.name,
        'inputSchema': {'json': anthropic_schema(schema) if strict else schema},
    }
    if tool.description:
        form['description'] = tool.description
    if strict is not None:
        form['strict'] = strict
    return {'toolSpec': form}


def _tools_of_history(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Names of the tools called before, if no tool is offered now: the API requires their definitions."""
    blocks = [block['toolUse'] for turn in turns for block in turn['content'] if 'toolUse' in block]
    names = dict.fromkeys(block['name'] for block in blocks)
    return {'tools': [{'toolSpec': {'name': name, 'inputSchema': _NO_ARGUMENTS}} for name in names]} if names else {}


_NO_ARGUMENTS = {'json': {'type': 'object'}}


# --- prompt caching ---------------------------------------------------------------------------------------------------


def _with_marks(texts: Sequence[dict[str, Any]], lifetime: str | None) -> list[dict[str, Any]]:
    return [block for text in texts for block in (text, *_mark(lifetime))]


def _mark(lifetime: str | None) -> list[dict[str, Any]]:
    if lifetime is None:
        return []
    # Every model keeps five minutes; only some know another time.
    return [{'cachePoint': {'type': 'default', **({'ttl': lifetime} if lifetime != '5m' else {})}}]

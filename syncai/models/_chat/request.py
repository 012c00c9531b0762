"""A request of OpenAI Chat Completions from messages, settings and parameters; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..._providers.names import setting_prefix
from ...exceptions import UserError
from ...messages import ModelMessage
from ...parameters import ToolDefinition
from .._catalog.providers import Provider
from .._http.answers import warn_dropped, warn_strict
from .._http.extra_body import with_extra_body
from .._http.requests import offered_tools, with_properties
from .._http.strict_schema import strict_schema, strict_where_it_fits
from .messages import chat_messages, with_schema
from .thinking import thinking_fields, when_asked

if TYPE_CHECKING:
    from ...parameters import ModelRequestParameters, ResultSchema

_SETTING_FIELDS = {
    'temperature': 'temperature',
    'top_p': 'top_p',
    'top_k': 'top_k',
    'seed': 'seed',
    'presence_penalty': 'presence_penalty',
    'frequency_penalty': 'frequency_penalty',
    'logit_bias': 'logit_bias',
    'stop_sequences': 'stop',
}

_PROVIDER_FIELDS = {
    'openai_user': 'user',
    'openai_safety_identifier': 'safety_identifier',
    'openai_service_tier': 'service_tier',
    'openai_logprobs': 'logprobs',
    'openai_top_logprobs': 'top_logprobs',
    'openai_store': 'store',
    'openai_metadata': 'metadata',
    'openai_prediction': 'prediction',
    'openai_verbosity': 'verbosity',
    'openai_prompt_cache_key': 'prompt_cache_key',
    'openai_prompt_cache_options': 'prompt_cache_options',
    'openai_modalities': 'modalities',
    'openai_audio': 'audio',
    'openai_web_search_options': 'web_search_options',
}

_OPENAI_SETTINGS = frozenset({*_PROVIDER_FIELDS, 'openai_reasoning_effort'})


def chat_request(
    model_name: str,
    provider: Provider,
    messages: Sequence[ModelMessage],
    settings: Mapping[str, Any],
    parameters: ModelRequestParameters,
    *,
    stream: bool,
) -> dict[str, Any]:
    """The JSON body of the request.

    Raises:
        UserError: The request asks for a feature that the provider lacks; names it.
    """
    body: dict[str, Any] = {'model': model_name, 'messages': chat_messages(messages, provider)}
    body.update(_tools(model_name, settings, parameters, provider))
    if response_format := _response_format(model_name, parameters, provider):
        body['response_format'] = response_format
        if provider.chat.schema_in_prompt and 'json_schema' in response_format:
            body['messages'] = with_schema(body['messages'], response_format['json_schema']['schema'], provider)
    body.update(_settings(model_name, settings, provider))
    body['stream'] = stream
    if stream and provider.chat.stream_usage == 'include_usage':
        body['stream_options'] = {'include_usage': True}
    return with_extra_body(body, settings)


def asks_for_logprobs(settings: Mapping[str, Any], provider: str) -> bool:
    """Whether the request asks for log probabilities, in one of the ways to set a field."""
    extra = settings.get('extra_body')
    more = extra.get('logprobs') if isinstance(extra, Mapping) else None
    return bool(settings.get('openai_logprobs') or settings.get(f'{provider}_logprobs') or more)


# --- settings ---------------------------------------------------------------------------------------------------------


def common_settings(model_name: str, settings: Mapping[str, Any], provider: Provider) -> Iterator[tuple[str, Any]]:
    """The fields of the common settings; a setting that the model lacks is dropped with a warning."""
    provider = when_asked(provider, settings)
    if settings.get('max_tokens') is not None:
        yield provider.chat.max_tokens_field, settings['max_tokens']
    for name, field in _SETTING_FIELDS.items():
        value = settings.get(name)
        if value is None:
            continue
        if name in provider.chat.unsupported_settings:
            warn_dropped(name, model_name, provider)
        else:
            yield provider.chat.setting_names.get(name, field), value


def _settings(model_name: str, settings: Mapping[str, Any], provider: Provider) -> Iterator[tuple[str, Any]]:
    if not settings:
        return
    yield from thinking_fields(model_name, settings, provider).items()
    yield from common_settings(model_name, settings, provider)
    for name, field in _PROVIDER_FIELDS.items():
        if settings.get(name) is not None:
            yield field, settings[name]
    own = setting_prefix(provider.name)
    for name, value in settings.items():
        if value is None or name in _OPENAI_SETTINGS:
            continue
        if name.startswith('openai_'):
            warn_dropped(name, model_name, provider)
        elif name.startswith(own):  # `groq_service_tier` is the field `service_tier` of Groq
            yield name.removeprefix(own), value


# --- tools and the form of the answer ---------------------------------------------------------------------------------


def _tools(
    model_name: str, settings: Mapping[str, Any], parameters: ModelRequestParameters, provider: Provider
) -> dict[str, Any]:
    provider = when_asked(provider, settings)
    tools = offered_tools(settings, parameters)
    choice = settings.get('tool_choice')
    if not tools:
        return {}
    if not provider.chat.supports_strict_tools:
        warn_strict(tools, model_name, provider)
    body: dict[str, Any] = {'tools': [_tool(tool, provider) for tool in tools]}
    if choice is None:
        forced = not parameters.allow_text_result and provider.chat.supports_forced_tool_choice
        body['tool_choice'] = 'required' if forced else 'auto'
    elif isinstance(choice, str):
        body['tool_choice'] = choice
    else:
        body.update(_named_tools(list(choice), body['tools'], provider))
    if choice not in (None, 'none', 'auto') and not provider.chat.supports_forced_tool_choice:
        warn_dropped('tool_choice', model_name, provider)
        body['tool_choice'] = 'auto'
    if settings.get('parallel_tool_calls') is not None:
        if provider.chat.supports_parallel_tool_calls_flag:
            body['parallel_tool_calls'] = settings['parallel_tool_calls']
        else:
            warn_dropped('parallel_tool_calls', model_name, provider)
    return body


def _tool(tool: ToolDefinition, provider: Provider) -> dict[str, Any]:
    strict = tool.strict if provider.chat.supports_strict_tools else None
    schema = with_properties(tool.parameters_json_schema)
    if strict:
        schema = strict_schema(schema, f'Tool {tool.name!r}')
    function: dict[str, Any] = {'name': tool.name, 'description': tool.description, 'parameters': schema}
    if strict is not None:
        function['strict'] = strict
    return {'type': 'function', 'function': function}


def _named_tools(names: list[str], forms: list[dict[str, Any]], provider: Provider) -> dict[str, Any]:
    references = [{'type': 'function', 'function': {'name': name}} for name in names]
    if len(references) == 1 and provider.chat.supports_forced_tool_choice:
        return {'tool_choice': references[0]}
    if provider.chat.supports_allowed_tools:
        allowed = {'mode': 'required', 'tools': references}
        return {'tool_choice': {'type': 'allowed_tools', 'allowed_tools': allowed}}
    return {'tools': [tool for tool in forms if tool['function']['name'] in names], 'tool_choice': 'required'}


def _response_format(model_name: str, parameters: ModelRequestParameters, provider: Provider) -> dict[str, Any] | None:
    schema = parameters.result_schema
    if parameters.result_mode == 'native' and schema is not None:
        if not provider.chat.supports_json_schema:
            raise UserError(f"{provider.title} cannot hold an answer to a JSON schema: use result_mode 'tool'")
        if schema.strict and not provider.chat.supports_strict_schema:
            warn_dropped('strict', model_name, provider)
        return {'type': 'json_schema', 'json_schema': _json_schema(schema, provider)}
    if not parameters.json_object and parameters.result_mode != 'prompted':
        return None
    if provider.chat.supports_json_object:
        return {'type': 'json_object'}
    return {'type': 'json_schema', 'json_schema': {'name': 'object', 'schema': {'type': 'object'}}}


def _json_schema(schema: ResultSchema, provider: Provider) -> dict[str, Any]:
    form_schema, strict = answer_schema(schema, provider)
    form: dict[str, Any] = {'name': schema.name, 'schema': form_schema}
    if schema.description:
        form['description'] = schema.description
    if strict is not None:
        form['strict'] = strict
    return form


def holds_schema(schema: ResultSchema, provider: Provider) -> bool:
    """Whether answers are sure to match the schema."""
    if not provider.chat.supports_json_schema:
        return False
    holds = provider.chat.holds_schemas
    return holds == 'always' or (holds == 'strict' and answer_schema(replace(schema, strict=None), provider)[1] is True)


def answer_schema(schema: ResultSchema, provider: Provider) -> tuple[dict[str, Any], bool | None]:
    """The schema of an answer as it is sent, and whether it is strict, which is the default if the provider enforces
    it.

    Raises:
        UserError: It must be strict, and cannot be.
    """
    strict = schema.strict if provider.chat.supports_strict_schema else None
    if strict:
        return strict_schema(schema.schema, f'The schema {schema.name!r}'), True
    if schema.strict is None and provider.chat.holds_schemas in ('strict', 'perhaps'):
        fitted = strict_where_it_fits(schema.schema)
        if fitted is not None:
            return fitted, True
    return schema.schema, strict

"""A request of OpenAI Responses from messages, settings and parameters; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...exceptions import UserError
from ...messages import ModelMessage, ModelResponse
from ...parameters import ToolDefinition
from .._catalog.providers import Provider
from .._chat.request import answer_schema
from .._chat.thinking import thinking_fields, when_asked
from .._http.answers import warn_dropped, warn_unknown
from .._http.extra_body import with_extra_body
from .._http.requests import NO_MESSAGES, latest_instructions, offered_tools, with_properties
from .._http.strict_schema import strict_schema
from .messages import input_items

if TYPE_CHECKING:
    from ...parameters import ModelRequestParameters

_FIELDS = {
    'max_tokens': 'max_output_tokens',
    'temperature': 'temperature',
    'top_p': 'top_p',
    'openai_user': 'user',
    'openai_safety_identifier': 'safety_identifier',
    'openai_service_tier': 'service_tier',
    'openai_metadata': 'metadata',
    'openai_prompt_cache_key': 'prompt_cache_key',
    'openai_prompt_cache_options': 'prompt_cache_options',
    'openai_truncation': 'truncation',
    'openai_top_logprobs': 'top_logprobs',
}
_READ_ELSEWHERE = frozenset(
    {
        'openai_builtin_tools',
        'openai_include',
        'openai_logprobs',
        'openai_previous_response_id',
        'openai_reasoning_effort',
        'openai_reasoning_summary',
        'openai_store',
        'openai_verbosity',
    }
)


def responses_request(
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
    provider = when_asked(provider, settings)
    body: dict[str, Any] = {'model': model_name}
    body.update(_conversation(messages, provider, settings, json=_is_json_object(parameters)))
    body.update(_tools(settings, parameters))
    if text := _text(settings, parameters, provider):
        body['text'] = text
    body.update(_settings(model_name, settings, provider))
    body['stream'] = stream
    return with_extra_body(body, settings)


# --- the conversation -------------------------------------------------------------------------------------------------


def _conversation(
    messages: Sequence[ModelMessage], provider: Provider, settings: Mapping[str, Any], *, json: bool
) -> Iterator[tuple[str, Any]]:
    new, previous = _continued(messages, settings.get('openai_previous_response_id'), provider)
    items = input_items(new, provider, stored=_is_stored(settings))
    instructions = latest_instructions(messages)
    if instructions and json:
        # JSON is given only if the input asks for it in words; instructions do not count.
        items.insert(0, {'role': provider.chat.system_role, 'content': instructions})
    elif instructions:
        yield 'instructions', instructions
    if not items:
        raise UserError(NO_MESSAGES)
    yield 'input', items
    if previous:
        yield 'previous_response_id', previous


def _continued(
    messages: Sequence[ModelMessage], previous_id: str | None, provider: Provider
) -> tuple[Sequence[ModelMessage], str | None]:
    """The messages that the provider does not have, and the answer before them."""
    if not previous_id:
        return messages, None
    for number, message in reversed(list(enumerate(messages))):
        if isinstance(message, ModelResponse) and message.provider_name == provider.name and not message.incomplete:
            response_id = message.provider_response_id
            if response_id and previous_id in ('auto', response_id):
                return messages[number + 1 :], response_id
    return messages, None if previous_id == 'auto' else previous_id


def _is_stored(settings: Mapping[str, Any]) -> bool:
    """Whether the provider keeps the answers: only if the settings ask for it, or if the conversation continues from
    one.
    """
    store = settings.get('openai_store')
    return bool(settings.get('openai_previous_response_id')) if store is None else bool(store)


# --- settings ---------------------------------------------------------------------------------------------------------


def _settings(model_name: str, settings: Mapping[str, Any], provider: Provider) -> Iterator[tuple[str, Any]]:
    effort = thinking_fields(model_name, settings, provider).get('reasoning_effort')
    reasoning = {'effort': effort, 'summary': settings.get('openai_reasoning_summary')}
    if reasoning := {name: value for name, value in reasoning.items() if value is not None}:
        yield 'reasoning', reasoning
    for name, field in _FIELDS.items():
        if settings.get(name) is not None and name not in provider.chat.unsupported_settings:
            yield field, settings[name]
    if include := _include(settings, reasons=bool(reasoning) or provider.chat.supports_reasoning_effort is True):
        yield 'include', include
    if (store := settings.get('openai_store')) is not None or not _is_stored(settings):
        yield 'store', bool(store)
    for name in sorted(provider.chat.unsupported_settings):
        if settings.get(name) is not None:
            warn_dropped(name, model_name, provider)
    warn_unknown(settings, 'openai_', _FIELDS.keys() | _READ_ELSEWHERE, model_name, provider)


def _include(settings: Mapping[str, Any], *, reasons: bool) -> list[str]:
    include: list[str] = list(settings.get('openai_include') or ())
    if settings.get('openai_logprobs'):
        include.append('message.output_text.logprobs')
    if reasons and not settings.get('openai_previous_response_id'):
        include.append('reasoning.encrypted_content')  # a model that does not reason refuses it
    return list(dict.fromkeys(include))


# --- tools and the form of the answer ---------------------------------------------------------------------------------


def _tools(settings: Mapping[str, Any], parameters: ModelRequestParameters) -> dict[str, Any]:
    builtin = settings.get('openai_builtin_tools') or ()
    tools = [*map(_tool, offered_tools(settings, parameters, builtin)), *builtin]
    choice = settings.get('tool_choice')
    if not tools:
        return {}
    body: dict[str, Any] = {'tools': tools}
    if choice is None:
        body['tool_choice'] = 'auto' if parameters.allow_text_result else 'required'
    else:
        body['tool_choice'] = choice if isinstance(choice, str) else _named(list(choice))
    if settings.get('parallel_tool_calls') is not None:
        body['parallel_tool_calls'] = settings['parallel_tool_calls']
    return body


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    # `strict` is always written: left out it would be true here, where Chat Completions takes it for false.
    strict = bool(tool.strict)
    schema = with_properties(tool.parameters_json_schema)
    if strict:
        schema = strict_schema(schema, f'Tool {tool.name!r}')
    head = {'type': 'function', 'name': tool.name, 'description': tool.description}
    return {**head, 'parameters': schema, 'strict': strict}


def _named(names: list[str]) -> dict[str, Any]:
    references = [{'type': 'function', 'name': name} for name in names]
    if len(references) == 1:
        return references[0]
    return {'type': 'allowed_tools', 'mode': 'required', 'tools': references}


def _text(settings: Mapping[str, Any], parameters: ModelRequestParameters, provider: Provider) -> dict[str, Any]:
    text: dict[str, Any] = {}
    schema = parameters.result_schema
    if parameters.result_mode == 'native' and schema is not None:
        form_schema, strict = answer_schema(schema, provider)
        form = {'type': 'json_schema', 'name': schema.name, 'schema': form_schema}
        extra = {'description': schema.description, 'strict': strict}
        text['format'] = {**form, **{name: value for name, value in extra.items() if value is not None}}
    elif _is_json_object(parameters):
        text['format'] = {'type': 'json_object'}
    if settings.get('openai_verbosity') is not None:
        text['verbosity'] = settings['openai_verbosity']
    return text


def _is_json_object(parameters: ModelRequestParameters) -> bool:
    native = parameters.result_mode == 'native' and parameters.result_schema is not None
    return not native and (parameters.json_object or parameters.result_mode == 'prompted')

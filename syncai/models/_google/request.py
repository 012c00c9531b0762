"""A request of Gemini's `generateContent` from messages, settings and parameters; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..._providers.provider import Provider
from ...exceptions import UserError
from ...messages import ModelMessage
from ...parameters import ToolDefinition
from .._http.answers import warn_dropped, warn_strict, warn_unknown
from .._http.extra_body import with_extra_body
from .._http.requests import offered_tools
from .continuation import CONTINUATION, continuation
from .messages import contents, system_parts
from .schema import google_schema

if TYPE_CHECKING:
    from ...parameters import ModelRequestParameters

_GENERATION_FIELDS = {
    'max_tokens': 'maxOutputTokens',
    'temperature': 'temperature',
    'top_p': 'topP',
    'top_k': 'topK',
    'seed': 'seed',
    'presence_penalty': 'presencePenalty',
    'frequency_penalty': 'frequencyPenalty',
    'stop_sequences': 'stopSequences',
    'google_media_resolution': 'mediaResolution',
}
_TOP_FIELDS = {
    'google_safety_settings': 'safetySettings',
    'google_cached_content': 'cachedContent',
    'google_service_tier': 'serviceTier',
    'google_labels': 'labels',
}
_OWN_SETTINGS = frozenset({'google_thinking_config', *_GENERATION_FIELDS, *_TOP_FIELDS})

_BEFORE_3 = re.compile(r'gemini-[12]\b|gemma|learnlm')
_BUDGET_MODELS = re.compile(r'gemini-2\.5')
_WITHOUT_MINIMAL = re.compile(r'gemini-3(?:\.\d+)?-pro|gemini-3\.(?:[7-9]|\d\d)|gemini-[a-z4-9]')

# As Google translates `reasoning_effort` for its OpenAI-compatible endpoint: https://ai.google.dev/gemini-api/docs/openai
_BUDGETS = {'minimal': 1024, 'low': 1024, 'medium': 8192, 'high': 24576, 'xhigh': 24576, 'max': 24576}
# `HIGH` is the most that the documentation gives for any model, though the format knows `XHIGH`.
_LEVELS = {'low': 'LOW', 'medium': 'MEDIUM', 'high': 'HIGH', 'xhigh': 'HIGH', 'max': 'HIGH'}


def google_request(
    model_name: str,
    provider: Provider,
    messages: Sequence[ModelMessage],
    settings: Mapping[str, Any],
    parameters: ModelRequestParameters,
) -> dict[str, Any]:
    """The JSON body of the request.

    Raises:
        UserError: The request asks for a feature that Gemini lacks; names it.
    """
    newer = _BEFORE_3.match(model_name) is None
    messages, token = continuation(messages, provider.name)
    body: dict[str, Any] = {'contents': contents(messages, provider.name, gemini_3=newer)}
    if token is not None:
        body[CONTINUATION] = token
    if system := system_parts(messages):
        body['systemInstruction'] = {'parts': system}
    tools = offered_tools(settings, parameters)
    warn_strict(tools, model_name, provider)
    body.update(_tools(settings, parameters, tools))
    config = {**_answer_format(parameters, model_name, json_with_tools=newer), **_generation(settings)}
    if thinking := settings.get('google_thinking_config') or _thinking(model_name, settings, provider):
        config['thinkingConfig'] = thinking
    if config:
        body['generationConfig'] = config
    for name, field in _TOP_FIELDS.items():
        if settings.get(name) is not None:
            body[field] = settings[name]
    for name in _lacking(settings):
        warn_dropped(name, model_name, provider)
    warn_unknown(settings, 'google_', _OWN_SETTINGS, model_name, provider)
    return with_extra_body(body, settings)


# --- settings ---------------------------------------------------------------------------------------------------------


def _generation(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {field: settings[name] for name, field in _GENERATION_FIELDS.items() if settings.get(name) is not None}


def _lacking(settings: Mapping[str, Any]) -> list[str]:
    # Gemini decides how many tools it calls at once, so only False, one at a time, is dropped.
    lacking = ['parallel_tool_calls'] if settings.get('parallel_tool_calls') is False else []
    return [*lacking, 'logit_bias'] if settings.get('logit_bias') else lacking


def _thinking(model_name: str, settings: Mapping[str, Any], provider: Provider) -> dict[str, Any] | None:
    """`ModelSettings.thinking` in Gemini's words: a budget for 2.5, a level from 3 on.

    Source: https://ai.google.dev/gemini-api/docs/thinking
    """
    thinking = settings.get('thinking')
    if thinking is None:
        return None
    off = thinking is False or thinking == 'none'
    if _BUDGET_MODELS.match(model_name):
        least = 128 if 'pro' in model_name else 0  # 2.5 Pro always thinks
        if off:
            return {'thinkingBudget': least}
        return {'includeThoughts': True, 'thinkingBudget': _BUDGETS.get(str(thinking), -1)}
    if _BEFORE_3.match(model_name):
        if not off:
            warn_dropped('thinking', model_name, provider)
        return None
    least_level = 'LOW' if _WITHOUT_MINIMAL.match(model_name) else 'MINIMAL'
    if off:  # the lowest level: these models always think
        return {'thinkingLevel': least_level}
    level = {} if thinking is True else {'thinkingLevel': _LEVELS.get(str(thinking), least_level)}
    return {'includeThoughts': True, **level}


# --- tools and the form of the answer ---------------------------------------------------------------------------------


def _tools(
    settings: Mapping[str, Any], parameters: ModelRequestParameters, tools: Sequence[ToolDefinition]
) -> dict[str, Any]:
    if not tools:
        return {}
    body: dict[str, Any] = {'tools': [{'functionDeclarations': [_declaration(tool) for tool in tools]}]}
    if calling := _calling(settings.get('tool_choice'), parameters, tools):
        body['toolConfig'] = {'functionCallingConfig': calling}
    return body


def _declaration(tool: ToolDefinition) -> dict[str, Any]:
    schema = google_schema(tool.parameters_json_schema)
    return {'name': tool.name, 'description': tool.description, 'parametersJsonSchema': schema}


def _calling(choice: Any, parameters: ModelRequestParameters, tools: Sequence[ToolDefinition]) -> dict[str, Any] | None:
    tool_names = [tool.name for tool in tools]
    if choice is None:
        return None if parameters.allow_text_result else {'mode': 'ANY', 'allowedFunctionNames': tool_names}
    if choice in ('auto', 'none'):
        return {'mode': choice.upper()}
    return {'mode': 'ANY', 'allowedFunctionNames': tool_names if choice == 'required' else list(choice)}


def _answer_format(parameters: ModelRequestParameters, model_name: str, *, json_with_tools: bool) -> dict[str, Any]:
    tools = bool(parameters.function_tools or parameters.result_tools)
    fits = json_with_tools or not tools
    schema = parameters.result_schema
    if parameters.result_mode == 'native' and schema is not None:
        if not fits:
            raise UserError(
                f"{model_name} cannot both call tools and hold its answer to a schema: use result_mode 'tool'"
            )
        described = {'description': schema.description} if schema.description else {}
        fitted = {**described, **google_schema(schema.schema)}
        return {'responseMimeType': 'application/json', 'responseJsonSchema': fitted}
    prompted = parameters.result_mode == 'prompted'
    if parameters.json_object and not prompted and not fits:
        raise UserError(f'{model_name} cannot both call tools and hold its answer to JSON: ask for JSON in the prompt')
    return {'responseMimeType': 'application/json'} if fits and (parameters.json_object or prompted) else {}

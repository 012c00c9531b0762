from __future__ import annotations

import logging
from typing import Any

import pytest

from syncai.exceptions import UserError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters, ResultSchema
from syncai.models._anthropic.request import anthropic_request, beta_header
from syncai.models._catalog.providers import PROVIDERS
from syncai.models._http import answers
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
TOOL = ToolDefinition(name='f', description='d', parameters_json_schema={'type': 'object', 'properties': {}})
OTHER = ToolDefinition(name='g')
THIRD = ToolDefinition(name='h')
OBJECT = {'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'required': ['a']}


def built(
    messages: list[ModelMessage] | None = None,
    settings: dict[str, Any] | None = None,
    parameters: ModelRequestParameters | None = None,
    *,
    model: str = 'claude-sonnet-4-5',
    stream: bool = False,
) -> dict[str, Any]:
    parameters = parameters or ModelRequestParameters()
    messages = HELLO if messages is None else messages
    return anthropic_request(model, PROVIDERS['anthropic'], messages, settings or {}, parameters, stream=stream)


def turns(*messages: ModelMessage) -> Any:
    return built(list(messages))['messages']


def said(text: str) -> dict[str, Any]:
    return {'type': 'text', 'text': text}


def tools(*offered: ToolDefinition, text: bool = True) -> ModelRequestParameters:
    return ModelRequestParameters(function_tools=offered, allow_text_result=text)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    answers._warned.clear()
    caplog.set_level(logging.WARNING, logger='syncai')
    return caplog


def dropped(warnings: pytest.LogCaptureFixture) -> list[str]:
    found = [record.args[2] for record in warnings.records if isinstance(record.args, tuple)]
    warnings.clear()
    answers._warned.clear()
    return [str(name) for name in found]


# --- tools and the form of the answer ---------------------------------------------------------------------------------


def test_tools() -> None:
    parameters = ModelRequestParameters(function_tools=[TOOL], result_tools=[OTHER], allow_text_result=False)
    body = built(parameters=parameters, settings={'parallel_tool_calls': False})
    assert body['tools'] == [
        {'name': 'f', 'description': 'd', 'input_schema': {'type': 'object', 'properties': {}}},
        {'name': 'g', 'description': '', 'input_schema': {'type': 'object', 'properties': {}}},
    ]
    assert body['tool_choice'] == {'type': 'any', 'disable_parallel_tool_use': True}
    assert built(parameters=tools(TOOL))['tool_choice'] == {'type': 'auto'}


@pytest.mark.parametrize(
    ('choice', 'written', 'shown'),
    [
        ('none', {'type': 'none'}, 'fgh'),
        ('auto', {'type': 'auto'}, 'fgh'),
        ('required', {'type': 'any'}, 'fgh'),
        (['g'], {'type': 'tool', 'name': 'g'}, 'fgh'),
        (['f', 'h'], {'type': 'any'}, 'fh'),
    ],
)
@pytest.mark.parametrize('parallel', [None, True, False])
def test_every_choice_of_tools(choice: Any, written: dict[str, Any], shown: str, parallel: bool | None) -> None:
    settings = {'tool_choice': choice} | ({} if parallel is None else {'parallel_tool_calls': parallel})
    body = built(parameters=tools(TOOL, OTHER, THIRD, text=False), settings=settings)
    flag = {} if parallel is None or choice == 'none' else {'disable_parallel_tool_use': not parallel}
    assert body['tool_choice'] == {**written, **flag}
    assert ''.join(tool['name'] for tool in body['tools']) == shown


def test_choices_that_cannot_be() -> None:
    with pytest.raises(UserError, match="names 'x'; the tools of this request are f, g"):
        built(parameters=tools(TOOL, OTHER), settings={'tool_choice': ['x']})
    for choice in ('required', ['f']):
        with pytest.raises(UserError, match='there is no tool to call'):
            built(settings={'tool_choice': choice})
    assert 'tools' not in built(settings={'tool_choice': 'none'})


@pytest.mark.parametrize(
    ('model', 'thinking', 'forced'),
    [
        ('claude-sonnet-4-5', None, True),
        ('claude-sonnet-4-5', 'low', False),
        ('claude-opus-4-6', 'low', False),
        ('claude-opus-4-6', False, True),
        ('claude-opus-5', 'low', True),
        ('claude-haiku-5-5', 'low', True),
        ('claude-haiku-5-5', None, True),
        ('claude-sonnet-5-5', None, False),
        ('claude-opus-5-5', None, False),
        ('claude-fable-5-1', None, False),
        ('claude-3-5-haiku-latest', None, True),
    ],
)
def test_a_tool_cannot_be_forced_with_thinking(
    model: str, thinking: object, forced: bool, warnings: pytest.LogCaptureFixture
) -> None:
    settings = {} if thinking is None else {'thinking': thinking}
    body = built(model=model, parameters=tools(TOOL, OTHER, text=False), settings=settings)
    assert body['tool_choice'] == {'type': 'any' if forced else 'auto'}
    assert dropped(warnings) == []  # nobody asked for it by name
    named = built(model=model, parameters=tools(TOOL, OTHER), settings={**settings, 'tool_choice': ['g']})
    assert named['tool_choice'] == ({'type': 'tool', 'name': 'g'} if forced else {'type': 'auto'})
    assert [tool['name'] for tool in named['tools']] == (['f', 'g'] if forced else ['g'])
    assert dropped(warnings) == ([] if forced else ['tool_choice'])


def test_tools_that_were_called_before_stay_known() -> None:
    history = [*HELLO, ModelResponse([ToolCallPart('f', None, 'c'), ToolCallPart('f', None, 'd')]), *HELLO]
    body = built(history)
    assert body['tools'] == [{'name': 'f', 'description': '', 'input_schema': {'type': 'object'}}]
    assert body['tool_choice'] == {'type': 'none'}
    assert [tool['name'] for tool in built(history, parameters=tools(OTHER))['tools']] == ['g']


def test_strict_tools() -> None:
    tool = ToolDefinition(name='f', parameters_json_schema={**OBJECT, 'maxProperties': 3}, strict=True)
    (written,) = built(parameters=tools(tool))['tools']
    assert written['strict'] is True
    assert written['input_schema'] == {
        **OBJECT,
        'additionalProperties': False,
        'description': '(maxProperties: 3)',
    }
    (older,) = built(parameters=tools(tool), model='claude-3-7-sonnet-latest')['tools']
    assert 'strict' not in older
    assert older['input_schema']['maxProperties'] == 3
    (loose,) = built(parameters=tools(ToolDefinition(name='f', strict=False)))['tools']
    assert loose['strict'] is False


def test_native_structured_output() -> None:
    schema = ResultSchema(name='R', schema=OBJECT, description='what to find')
    parameters = ModelRequestParameters(result_mode='native', result_schema=schema)
    body = built(parameters=parameters, settings={'anthropic_effort': 'low'}, model='claude-opus-5-5')
    fitted = {**OBJECT, 'additionalProperties': False, 'description': 'what to find'}
    assert body['output_config'] == {'effort': 'low', 'format': {'type': 'json_schema', 'schema': fitted}}
    with pytest.raises(UserError, match=r"claude-3-5-haiku-latest cannot hold .* use result_mode 'tool'"):
        built(parameters=parameters, model='claude-3-5-haiku-latest')
    prompted = ModelRequestParameters(result_mode='prompted', result_schema=schema, json_object=True)
    assert 'output_config' not in built(parameters=prompted)
    with pytest.raises(UserError, match='JSON without a schema'):
        built(parameters=ModelRequestParameters(json_object=True))


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_under_their_wire_names(warnings: pytest.LogCaptureFixture) -> None:
    settings = {
        'max_tokens': 10,
        'temperature': 0.0,
        'top_k': 5,
        'stop_sequences': ('END',),
        'timeout': 3.0,
        'anthropic_metadata': {'user_id': 'u'},
        'anthropic_service_tier': 'standard_only',
        'anthropic_speed': 'fast',
        'anthropic_inference_geo': 'us',
        'anthropic_container': 'c',
        'extra_body': {'mcp_servers': [], 'top_k': 6},
    }
    body = built(settings=settings)
    assert {k: v for k, v in body.items() if k not in ('model', 'messages', 'stream')} == {
        'max_tokens': 10,
        'temperature': 0.0,
        'top_k': 6,
        'stop_sequences': ['END'],
        'metadata': {'user_id': 'u'},
        'service_tier': 'standard_only',
        'speed': 'fast',
        'inference_geo': 'us',
        'container': 'c',
        'mcp_servers': [],
    }
    assert dropped(warnings) == []
    assert 'stop_sequences' not in built(settings={'stop_sequences': []})


@pytest.mark.parametrize(
    ('model', 'settings', 'taken'),
    [
        ('claude-sonnet-4-5', {'seed': 1, 'presence_penalty': 1, 'frequency_penalty': 1, 'logit_bias': {}}, ()),
        ('claude-sonnet-4-5', {'temperature': 0.5, 'top_p': 0.5, 'top_k': 5}, ('temperature', 'top_k')),
        ('claude-sonnet-4-5', {'top_p': 0.5}, ('top_p',)),
        ('claude-3-5-sonnet-latest', {'temperature': 0.5, 'top_p': 0.5}, ('temperature', 'top_p')),
        ('claude-sonnet-4-5', {'thinking': True, 'temperature': 0.5, 'top_p': 0.5, 'top_k': 5}, ()),
        ('claude-sonnet-4-5', {'thinking': True, 'temperature': 1, 'top_p': 0.95}, ('temperature',)),
        ('claude-sonnet-4-5', {'thinking': True, 'top_p': 0.95}, ('top_p',)),
        ('claude-sonnet-4-5', {'thinking': True, 'top_p': 0.9}, ()),
        ('claude-3-7-sonnet-latest', {'thinking': True, 'temperature': 1, 'top_p': 1}, ('temperature', 'top_p')),
        ('claude-opus-4-7', {'temperature': 0.5, 'top_p': 0.5, 'top_k': 5}, ()),
        ('claude-haiku-5-5', {'temperature': 0.5}, ()),
        ('claude-9-haiku', {'temperature': 0.5}, ()),
        ('qwen3', {'temperature': 0.5, 'top_p': 0.5, 'top_k': 5}, ('temperature', 'top_p', 'top_k')),
    ],
)
def test_a_setting_that_the_model_lacks_is_dropped_with_one_warning(
    model: str, settings: dict[str, Any], taken: tuple[str, ...], warnings: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        body = built(settings=settings, model=model)
    assert {name for name in settings if name in body} - {'thinking'} == set(taken)
    assert set(dropped(warnings)) == set(settings) - set(taken) - {'thinking'}


def test_what_is_kept_in_the_cache() -> None:
    def mark(ttl: str) -> dict[str, Any]:
        return {'cache_control': {'type': 'ephemeral', 'ttl': ttl}}

    history: list[ModelMessage] = [
        ModelRequest([SystemPromptPart('s'), SystemPromptPart('t'), UserPromptPart('q')]),
        ModelResponse([TextPart('a')]),
        ModelRequest([UserPromptPart(['x', 'y'])], instructions='i'),
    ]
    body = built(history, {'anthropic_cache': True}, tools(TOOL, OTHER))
    assert [tool.get('cache_control') for tool in body['tools']] == [None, mark('5m')['cache_control']]
    assert body['system'] == [{**said('s\n\nt'), **mark('5m')}, {**said('i'), **mark('5m')}]
    assert body['messages'][0]['content'] == [said('q')]
    assert body['messages'][-1]['content'] == [said('x'), {**said('y'), **mark('5m')}]

    body = built(history, {'anthropic_cache': {'system': '1h', 'messages': '5m'}}, tools(TOOL))
    assert 'cache_control' not in body['tools'][0]
    assert body['system'][0] == {**said('s\n\nt'), **mark('1h')}
    assert body['messages'][-1]['content'][-1] == {**said('y'), **mark('5m')}
    assert built(history, {'anthropic_cache': False})['system'] == 'i\n\ns\n\nt'
    only_hello = built(settings={'anthropic_cache': {'tools': '1h', 'system': '1h'}})
    assert only_hello == built()


def test_markers_leave_the_callers_values_alone() -> None:
    details = {'type': 'search_result'}
    returned = ModelRequest([ToolReturnPart('f', 'x', 'c')])
    answer = ModelResponse([ThinkingPart('', provider_name='anthropic', provider_details=details)])
    schema = dict(TOOL.parameters_json_schema)
    built([returned, answer], {'anthropic_cache': True, 'thinking': False}, tools(TOOL))
    assert (details, TOOL.parameters_json_schema) == ({'type': 'search_result'}, schema)


@pytest.mark.parametrize(
    'cache', ['5m', {'tools': '2h'}, {'prompt': '5m'}, ['system'], {'system': ['1h']}, {'tools': '5m', 'system': '1h'}]
)
def test_a_cache_that_cannot_be(cache: object) -> None:
    with pytest.raises(UserError, match='anthropic_cache must be'):
        built(settings={'anthropic_cache': cache})


def test_betas_are_a_header() -> None:
    assert beta_header({}, {}) == beta_header({'anthropic_betas': []}, {'thinking': None}) == {}
    assert beta_header({'anthropic_betas': ['a-1', 'b-2']}, {}) == {'anthropic-beta': 'a-1,b-2'}
    bound = {'thinking': {'type': 'adaptive', 'block_binding': {}}}
    needed = 'thinking-binding-controls-2026-08-01'
    assert beta_header({}, bound) == beta_header({'anthropic_betas': [needed]}, bound) == {'anthropic-beta': needed}
    for wrong in ('a-1', ['a\n'], [1], {'a': 1}):
        with pytest.raises(UserError, match='anthropic_betas must be'):
            beta_header({'anthropic_betas': wrong}, {})
